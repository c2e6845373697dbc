//! Tiers and residency of keys, tenants and models, held against what targets state.

use std::collections::BTreeSet;

use crate::config::read::document::no_such;
use crate::config::schema::fault::{Faults, Located, shown};
use crate::config::schema::file::ResidencyConfig;
use crate::govern::key::residency::Residency;
use crate::route::plan::compiled::Model;
use crate::route::plan::provider::Provider;
use crate::route::plan::target::TargetFacts;

/// What the targets of a configuration state, all of them together.
#[derive(Debug, Default)]
pub(crate) struct StatedFacts {
    tiers: BTreeSet<String>,
    regions: BTreeSet<String>,
    jurisdictions: BTreeSet<String>,
    providers: Vec<String>,
}

impl StatedFacts {
    /// Of all providers, and of what their targets state beside them.
    pub(crate) fn new<'p>(
        facts: impl Iterator<Item = &'p TargetFacts>,
        providers: Vec<String>,
    ) -> Self {
        let mut known = Self {
            providers,
            ..Self::default()
        };
        for facts in facts {
            let text = |fact: &Option<Box<str>>| fact.as_deref().map(str::to_owned);
            known.tiers.extend(text(&facts.tier));
            known.regions.extend(text(&facts.region));
            known.jurisdictions.extend(text(&facts.jurisdiction));
        }
        known
    }

    /// The tiers, in the order of their names.
    pub(crate) fn tiers(&self) -> Box<[Box<str>]> {
        self.tiers.iter().map(|tier| tier.as_str().into()).collect()
    }

    /// A key's tiers. One that nothing states is probably a slip: no target is of it.
    pub(crate) fn checked_tiers(
        &self,
        given: Vec<Located<String>>,
        faults: &mut Faults,
    ) -> Vec<String> {
        stated("tier", given, &self.tiers, faults)
    }

    /// A rule of residency. A provider must be one that is configured.
    pub(crate) fn residency(&self, given: ResidencyConfig, faults: &mut Faults) -> Residency {
        for name in given.providers.iter().flatten() {
            if !self.providers.contains(&name.value) {
                let known: Vec<&str> = self.providers.iter().map(String::as_str).collect();
                faults.push(&name.place, no_such("provider named", &name.value, &known));
            }
        }
        let texts =
            |given: Vec<Located<String>>| given.into_iter().map(|given| given.value).collect();
        let (regions, jurisdictions) = (&self.regions, &self.jurisdictions);
        Residency {
            jurisdictions: given
                .jurisdictions
                .map(|given| stated("jurisdiction", given, jurisdictions, faults)),
            regions: given
                .regions
                .map(|given| stated("region", given, regions, faults)),
            providers: given.providers.map(texts),
        }
    }
}

fn stated(
    kind: &str,
    given: Vec<Located<String>>,
    known: &BTreeSet<String>,
    faults: &mut Faults,
) -> Vec<String> {
    for word in given.iter().filter(|word| !known.contains(&word.value)) {
        let text = format!("no target states the {kind} `{}`", shown(&word.value));
        faults.warn(&word.place, text);
    }
    given.into_iter().map(|given| given.value).collect()
}

/// What every provider states, and every target that states something of its own.
pub(crate) fn all_facts<'p>(
    providers: &'p [Provider],
    models: &'p [Model],
) -> impl Iterator<Item = &'p TargetFacts> {
    let targets = models.iter().flat_map(|model| &model.targets);
    let own = targets.filter_map(|target| target.facts.as_deref());
    providers.iter().map(|provider| &provider.facts).chain(own)
}
