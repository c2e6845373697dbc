//! Which providers and targets have which ids: what a later plan calls by the same names, at the same
//! address, has the same id there.
//!
//! What is remembered for longer than a plan (circuits, measured times) is carried over by these
//! ids. They are small numbers, given in order, so that tables over them stay arrays. None is given twice
//! while the process runs: whoever still holds one means what it meant.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::schema::file::TrustedRoots;
use crate::limits::PLAN_IDS_MAX;
use crate::route::plan::ids::{ProviderId, TargetId};
use crate::route::plan::provider::{Provider, Scheme};
use crate::route::plan::target::{Target, TargetFacts};

/// The ids that were given so far.
#[derive(Clone, Debug, Default)]
pub struct PlanIds {
    providers: HashMap<ProviderIdentity, u32>,
    targets: HashMap<TargetIdentity, u32>,
}

/// What makes a provider the same one: its name, and where connections to it go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ProviderIdentity {
    name: Box<str>,
    scheme: Scheme,
    host: Box<str>,
    port: u16,
    roots: TrustedRoots,
    ca_pem: Option<Vec<u8>>,
}

type TargetIdentity = (ProviderId, Box<str>, Option<Arc<TargetFacts>>);

impl PlanIds {
    /// Names of all providers that have an id, by its number.
    #[must_use]
    pub fn provider_names(&self) -> Vec<String> {
        let mut named: Vec<_> = self.providers.iter().collect();
        named.sort_unstable_by_key(|(_, id)| **id);
        named
            .into_iter()
            .map(|(it, _)| it.name.to_string())
            .collect()
    }

    /// The id of a provider; `None` where as many as there may be were given.
    #[must_use]
    pub fn provider(&mut self, provider: &Provider) -> Option<ProviderId> {
        let endpoint = &provider.endpoint;
        let identity = ProviderIdentity {
            name: provider.name.clone(),
            scheme: endpoint.scheme,
            host: endpoint.host.clone(),
            port: endpoint.port,
            roots: provider.roots,
            ca_pem: provider.ca_pem.clone(),
        };
        id_of(&mut self.providers, identity).map(ProviderId)
    }

    /// The id of a target of this provider; `None` as above.
    #[must_use]
    pub fn target(&mut self, provider: ProviderId, target: &Target) -> Option<TargetId> {
        let identity = (provider, target.model.clone(), target.facts.clone());
        id_of(&mut self.targets, identity).map(TargetId)
    }
}

fn id_of<K: Eq + core::hash::Hash>(known: &mut HashMap<K, u32>, identity: K) -> Option<u32> {
    if let Some(id) = known.get(&identity) {
        return Some(*id);
    }
    let next = u32::try_from(known.len()).ok();
    let next = next.filter(|_| known.len() < PLAN_IDS_MAX)?;
    known.insert(identity, next);
    Some(next)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{PLAN_IDS_MAX, id_of};

    #[test]
    fn ids_are_dense_the_same_again_and_bounded() {
        let mut known = HashMap::new();
        for number in 0..PLAN_IDS_MAX {
            assert_eq!(id_of(&mut known, number), u32::try_from(number).ok());
        }
        assert_eq!(id_of(&mut known, PLAN_IDS_MAX), None);
        assert_eq!(id_of(&mut known, 7), Some(7), "what is known stays known");
    }
}
