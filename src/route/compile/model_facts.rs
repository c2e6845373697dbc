//! The model table of a plan: what the crate knows, and what the configuration adds.

use crate::config::schema::fault::{Faults, Located, nearest, shown};
use crate::config::schema::file::{Fact, ModelFactsConfig};
use crate::translate::models::{FACT_NAMES, FactFault, ModelFacts, ModelTable};

/// The table with the configuration's entries. An entry starts from what is known of the models
/// that its pattern names.
pub fn table_of(given: Vec<ModelFactsConfig>, faults: &mut Faults) -> ModelTable {
    let builtin = ModelTable::builtin();
    let mut added = Vec::with_capacity(given.len());
    for entry in given {
        let mut facts = *builtin.facts(&entry.ids.value);
        for (name, fact) in &entry.facts {
            set(&mut facts, name, fact, faults);
        }
        added.push((entry.ids.value, facts));
    }
    ModelTable::extended(added)
}

fn set(facts: &mut ModelFacts, name: &Located<String>, fact: &Fact, faults: &mut Faults) {
    let value = match fact {
        Fact::Whole(number) => number.to_string(),
        Fact::Flag(flag) => flag.to_string(),
        Fact::Text(text) => text.clone(),
    };
    match facts.set(&name.value, &value) {
        Ok(()) => {}
        Err(FactFault::Name) => {
            let meant = nearest(&name.value, FACT_NAMES.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let known = FACT_NAMES.join(", ");
            faults.push(&name.place, format!("unknown fact{meant} known: {known}"));
        }
        Err(FactFault::Value { expected }) => {
            let text = format!("expected {expected}, found `{}`", shown(&value));
            faults.push(&name.place, text);
        }
    }
}
