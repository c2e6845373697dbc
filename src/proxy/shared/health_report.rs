//! How many circuits of providers, credentials and targets are not closed, for the metrics.

use crate::proxy::shared::health::{Health, Scope, Slot, State, View};
use crate::route::plan::compiled::Plan;
use crate::route::plan::provider::Provider;
use crate::route::plan::target::Target;

/// How many circuits of each scope stand in each state, but for those that are closed.
#[must_use]
pub fn counts(plan: &Plan, health: &Health, now_ns: u64) -> Vec<(&'static str, &'static str, u64)> {
    let mut counts = Vec::new();
    for (name, scope) in SCOPES {
        let views = || views(plan, health, scope, now_ns);
        for state in [State::HalfOpen, State::Open] {
            let count = views().filter(|view| view.state == state).count();
            counts.push((name, state.name(), count as u64));
        }
    }
    counts
}

/// Every circuit of a scope.
fn views(plan: &Plan, health: &Health, scope: Scope, now_ns: u64) -> impl Iterator<Item = View> {
    let mut targets: Vec<&Target> = plan.models.iter().flat_map(|it| &it.targets).collect();
    targets.sort_unstable_by_key(|target| target.number);
    targets.dedup_by_key(|target| target.number);
    let of_target = |target: &Target| Slot::of(target, 0);
    let keys = |slot: Slot| {
        let provider = plan.providers.get(slot.provider);
        let count = provider.map_or(1, Provider::key_count);
        (0..count).map(move |credential| Slot { credential, ..slot })
    };
    let of_provider = |provider| Slot {
        provider,
        number: None,
        credential: 0,
    };
    let providers = (0..plan.providers.len()).map(of_provider);
    let slots: Vec<Slot> = match scope {
        Scope::Provider => providers.collect(),
        Scope::Credential => providers.flat_map(keys).collect(),
        Scope::Target => targets.into_iter().map(of_target).collect(),
        Scope::Lane => {
            let slots = targets.into_iter().map(of_target);
            let several = slots.filter(|slot| keys(*slot).len() > 1);
            several.flat_map(keys).collect()
        }
    };
    slots
        .into_iter()
        .filter_map(move |slot| health.view(slot, scope, now_ns))
}

const SCOPES: [(&str, Scope); 4] = [
    ("provider", Scope::Provider),
    ("credential", Scope::Credential),
    ("target", Scope::Target),
    ("target_credential", Scope::Lane),
];
