//! From one plan to the next: circuits and figures of what both plans have, found by ids that outlive a plan.
//!
//! The two tables share them: what an exchange on the former plan learns holds on the next one too.

use std::collections::HashMap;
use std::sync::Arc;

use crate::proxy::shared::health::{Circuits, Health};
use crate::route::plan::compiled::Plan;
use crate::route::plan::ids::TargetId;
use crate::route::plan::provider::Provider;

impl Health {
    /// The table of `plan`, which takes the place of another one: a provider, a credential or a target that
    /// was there before is remembered, wherever it stands now.
    #[must_use]
    pub fn after(plan: &Plan, (former, health): (&Plan, &Self)) -> Self {
        let mut next = Self::new(plan);
        let place_of = |provider: &Provider| {
            let mut all = former.providers.iter();
            all.position(|before| before.id == provider.id)
        };
        let places: Vec<_> = plan.providers.iter().map(place_of).collect();
        for (at, provider) in plan.providers.iter().enumerate() {
            let Some(before) = places.get(at).copied().flatten() else {
                continue;
            };
            next.providers[at] = Arc::clone(&health.providers[before]);
            let keys = same_keys(&former.providers[before], provider);
            carry(
                &mut next.credentials[at],
                &health.credentials[before],
                &keys,
            );
        }
        let targets = |plan: &Plan| -> HashMap<TargetId, (usize, usize)> {
            let all = plan.models.iter().flat_map(|model| &model.targets);
            let each = all.filter_map(|it| Some((it.id?, (it.number?, it.provider))));
            each.collect()
        };
        let before = targets(former);
        for (id, (number, provider)) in targets(plan) {
            let Some((was, at)) = before.get(&id) else {
                continue;
            };
            let (known, now) = (&health.targets[*was], &mut next.targets[number]);
            now.circuit = Arc::clone(&known.circuit);
            now.first = Arc::clone(&known.first);
            now.pace = Arc::clone(&known.pace);
            let keys = same_keys(&former.providers[*at], &plan.providers[provider]);
            carry(&mut now.lanes, &known.lanes, &keys);
        }
        next
    }
}

/// Where each credential of a provider stood before, if it was there.
fn same_keys(former: &Provider, provider: &Provider) -> Vec<Option<usize>> {
    let place_of = |secret: &[u8]| {
        let mut all = former.secrets().iter();
        all.position(|before| before.expose() == secret)
    };
    let secrets = provider.secrets().iter();
    match provider.secrets().is_empty() && former.secrets().is_empty() {
        true => vec![Some(0)],
        false => secrets.map(|secret| place_of(secret.expose())).collect(),
    }
}

fn carry(next: &mut Circuits, former: &Circuits, places: &[Option<usize>]) {
    for (circuit, place) in next.iter_mut().zip(places) {
        if let Some(before) = place.and_then(|place| former.get(place)) {
            *circuit = Arc::clone(before);
        }
    }
}
