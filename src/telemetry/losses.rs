//! Usage records that were lost, by the tenant that has lost them.
//!
//! Counted where a record goes; a data thread does so only when its ring has no room for one. The first
//! `TENANTS_MAX` tenants that lose records are told apart, all others together.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::telemetry::meter::OTHER;

/// Counts of lost records by tenant, for all threads.
#[derive(Debug, Default)]
pub struct Losses(Mutex<ByTenant>);

/// Counts of lost records; requests without a key have the empty name.
pub type ByTenant = BTreeMap<String, LostRecords>;

/// What a tenant has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostRecords {
    /// Records that the journal gave up at its bound.
    pub evicted: u64,
    /// The same of requests for which no provider was asked.
    pub evicted_refusals: u64,
    /// Records that found no room in memory while the disk refused.
    pub dropped: u64,
}

impl LostRecords {
    /// What was lost since `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            evicted: self.evicted.saturating_sub(before.evicted),
            evicted_refusals: self
                .evicted_refusals
                .saturating_sub(before.evicted_refusals),
            dropped: self.dropped.saturating_sub(before.dropped),
        }
    }
}

impl Losses {
    /// Counts a loss of this tenant.
    pub fn add(&self, tenant: &[u8], count: impl FnOnce(&mut LostRecords)) {
        let mut all = self.lock();
        let name = String::from_utf8_lossy(tenant);
        let is_kept = all.len() < TENANTS_MAX || all.contains_key(&*name);
        let name = if is_kept { name } else { OTHER.into() };
        count(all.entry(name.into_owned()).or_default());
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> ByTenant {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, ByTenant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tenants that are told apart.
const TENANTS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::{Losses, LostRecords, TENANTS_MAX};

    #[test]
    fn past_their_bound_tenants_are_counted_together() {
        let losses = Losses::default();
        for number in 0..TENANTS_MAX + 2 {
            let tenant = format!("t{number:03}");
            losses.add(tenant.as_bytes(), |lost| lost.evicted += 1);
        }
        losses.add(b"t000", |lost| lost.dropped += 3);
        let all = losses.all();
        let counts = |name: &str| all.get(name).map(|it| (it.evicted, it.dropped));
        assert_eq!(all.len(), TENANTS_MAX + 1);
        assert_eq!(counts("t000"), Some((1, 3)));
        assert_eq!(counts("t099"), Some((1, 0)));
        assert_eq!(counts("t100"), None);
        assert_eq!(counts("other"), Some((2, 0)));
        let before = LostRecords {
            evicted: 1,
            ..LostRecords::default()
        };
        assert_eq!(all["other"].since(before).evicted, 1);
    }
}
