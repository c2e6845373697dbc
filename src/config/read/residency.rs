//! `residency = { jurisdictions = …, regions = …, providers = … }`, wherever it stands.

use crate::config::read::fields::Fields;
use crate::config::schema::fault::At;
use crate::config::schema::file::Residency;

/// Reads a rule; one that restricts nothing, or leaves nothing, is a fault.
pub fn residency(fields: &mut Fields<'_>) -> Option<Residency> {
    let (node, place) = fields.node("residency")?;
    let mut members = Fields::new(node, &place.path, fields.faults)?;
    let said = Residency {
        jurisdictions: set(&mut members, "jurisdictions"),
        regions: set(&mut members, "regions"),
        providers: set(&mut members, "providers"),
    };
    let faults = members.finish();
    if said == Residency::default() && faults.is_empty() {
        let text = "restricts nothing; name `jurisdictions`, `regions` or `providers`, or leave \
                    it out";
        faults.push(&place, text);
    }
    Some(said)
}

fn set(members: &mut Fields<'_>, name: &'static str) -> Option<Vec<At<String>>> {
    let before = members.faults.len();
    let said = members.texts(name)?;
    if said.is_empty() && members.faults.len() == before {
        let text = format!("`{name}` is empty and would leave nothing; leave it out to allow all");
        let place = members.place();
        members.faults.push(&place, text);
    }
    Some(said)
}
