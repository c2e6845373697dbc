//! The `targets` of a `[[model]]` into those of the plan, with what is stated of each.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::read::document::no_such;
use crate::config::schema::fault::{Faults, Located, Location, shown};
use crate::config::schema::file::{ProviderConfig, Stated, TargetConfig};
use crate::limits::{MODEL_ID_BYTES_MAX, PLAN_IDS_MAX};
use crate::route::plan::compiled::Model;
use crate::route::plan::ids::TargetId;
use crate::route::plan::order;
use crate::route::plan::plan_ids::PlanIds;
use crate::route::plan::provider::Provider;
use crate::route::plan::target::{Target, TargetFacts};

/// Compiles a model's targets, those of a lower priority first; what a target does not state, its
/// provider may.
pub(crate) fn targets(
    given: &[TargetConfig],
    (names, stated): (&ProviderNames, &[Stated]),
    places: &mut DeploymentPlaces,
    faults: &mut Faults,
) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::with_capacity(given.len());
    for each in given {
        let Located { value, place } = &each.model;
        let Some((name, model)) = value.split_once('/') else {
            let text = format!("expected provider/upstream-model, found `{}`", shown(value));
            faults.push(place, text);
            continue;
        };
        check_id(model, place, faults);
        let Some(provider) = names.index(name, place, faults) else {
            continue;
        };
        let mut target = Target::new(provider, model);
        if targets.iter().any(|known| known.is_same(&target)) {
            faults.push(place, "the target stands in this list already");
        }
        let of_provider = stated.get(provider);
        let own = of_provider.filter(|_| each.stated != Stated::default());
        if let Some(of_provider) = of_provider {
            let here = facts(&each.stated, of_provider);
            places.check(&target, here, place, faults);
        }
        target.facts = own.map(|of_provider| Arc::new(facts(&each.stated, of_provider)));
        target.weight = each.weight;
        target.priority = each.priority;
        targets.push(target);
    }
    targets.sort_by_key(|target| target.priority);
    for (option, target) in targets.iter_mut().enumerate() {
        target.option = option;
    }
    targets
}

/// Where each deployment stands, by all lists so far.
#[derive(Debug, Default)]
pub(crate) struct DeploymentPlaces {
    known: HashMap<(usize, Box<str>), TargetFacts>,
}

impl DeploymentPlaces {
    /// One deployment stands in one place, whichever list names it.
    fn check(&mut self, target: &Target, here: TargetFacts, at: &Location, faults: &mut Faults) {
        let place = |facts: &TargetFacts| (facts.region.clone(), facts.jurisdiction.clone());
        let same = (target.provider, target.model.clone());
        let stated = place(&here);
        let known = self.known.entry(same).or_insert(here);
        if place(known) != stated {
            let text = "the same model at the same provider states another region or \
                        jurisdiction in another list";
            faults.push(at, text);
        }
    }
}

/// What is stated, the first one's word before the second one's.
pub(crate) fn facts(first: &Stated, second: &Stated) -> TargetFacts {
    let either = |of: fn(&Stated) -> &Option<Located<String>>| {
        let given = of(first).as_ref().or_else(|| of(second).as_ref());
        given.map(|given| given.value.as_str().into())
    };
    let networks = first.networks.as_ref().or(second.networks.as_ref());
    TargetFacts {
        tier: either(|stated| &stated.tier),
        region: either(|stated| &stated.region),
        jurisdiction: either(|stated| &stated.jurisdiction),
        custody_label: either(|stated| &stated.custody_label),
        credential_source: either(|stated| &stated.credential_source),
        networks: networks.map(|networks| networks.as_slice().into()),
    }
}

/// Numbers the targets, and gives each what its names come to: the same one has the same of both in
/// every model. Gives their count.
pub(crate) fn number(
    models: &mut [Model],
    providers: &mut [Provider],
    ids: &mut PlanIds,
    faults: &mut Faults,
) -> usize {
    let mut is_full = false;
    for provider in &mut *providers {
        let id = ids.provider(provider);
        is_full |= id.is_none();
        provider.id = id.unwrap_or_default();
    }
    let mut numbers: HashMap<Option<TargetId>, usize> = HashMap::new();
    for target in models.iter_mut().flat_map(|model| &mut model.targets) {
        let Some(provider) = providers.get(target.provider) else {
            continue;
        };
        target.id = ids.target(provider.id, target);
        is_full |= target.id.is_none();
        let next = numbers.len();
        target.number = Some(*numbers.entry(target.id).or_insert(next));
        target.identity = identity(target, provider);
    }
    if is_full {
        let text = format!(
            "this process has run on more than {PLAN_IDS_MAX} providers or targets; start it anew"
        );
        faults.push(&Location::default(), text);
    }
    numbers.len()
}

/// What a target's names come to, in the configuration's words: the same in all replicas.
fn identity(target: &Target, provider: &Provider) -> u64 {
    let stated = target.facts.as_deref().unwrap_or(&provider.facts);
    let stated = [
        &stated.tier,
        &stated.region,
        &stated.jurisdiction,
        &stated.custody_label,
        &stated.credential_source,
    ];
    let stated = stated.map(|given| given.as_deref().unwrap_or_default());
    let names = [&*provider.name, &*target.model].into_iter();
    order::identity(names.chain(stated))
}

/// Reports an id that no client could say.
pub(crate) fn check_id(id: &str, place: &Location, faults: &mut Faults) {
    if id.is_empty() {
        faults.push(place, "expected a model id, found none");
    } else if id.trim() != id || id.chars().any(char::is_control) {
        faults.push(
            place,
            "expected a model id without spaces around it or control characters",
        );
    } else if id.len() > MODEL_ID_BYTES_MAX {
        let text = format!("expected a model id of at most {MODEL_ID_BYTES_MAX} bytes");
        faults.push(place, text);
    }
}

/// Index of each provider by its name.
pub(crate) struct ProviderNames {
    known: Vec<String>,
}

impl ProviderNames {
    /// The names, each of which is expected once.
    pub(crate) fn new(providers: &[ProviderConfig], faults: &mut Faults) -> Self {
        if providers.is_empty() && faults.is_empty() {
            let text = "no [[provider]]; name at least one";
            faults.push(&Location::default(), text);
        }
        let mut known: Vec<String> = Vec::with_capacity(providers.len());
        for provider in providers {
            let name = provider
                .name
                .as_ref()
                .map_or("", |name| name.value.as_str());
            if let Some(given) = &provider.name
                && known.iter().any(|known| known == name)
            {
                let text = format!("a second provider named `{}`", shown(name));
                faults.push(&given.place, text);
            }
            known.push(name.to_owned());
        }
        Self { known }
    }

    /// All names, those that are missing apart.
    pub(crate) fn all(&self) -> Vec<String> {
        let named = self.known.iter().filter(|name| !name.is_empty());
        named.cloned().collect()
    }

    /// Where the provider of a name stands; one that nobody has is a fault.
    pub(crate) fn index(&self, name: &str, place: &Location, faults: &mut Faults) -> Option<usize> {
        let found = self
            .known
            .iter()
            .position(|known| !known.is_empty() && known == name);
        if found.is_none() {
            let known = self.known.iter().map(String::as_str);
            let known: Vec<&str> = known.filter(|known| !known.is_empty()).collect();
            faults.push(place, no_such("provider named", name, &known));
        }
        found
    }
}

#[cfg(test)]
mod tests;
