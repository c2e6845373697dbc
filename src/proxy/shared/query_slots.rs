//! How many questions for pages of usage records each tenant may have under way, and how long the
//! store may work on them.
//!
//! A [`QuerySlot`] stands for one question, waiting or running; it is given back when it is dropped. What
//! the store worked on a tenant's questions fills an account that empties with time.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::limits::{QUESTIONS_TENANT_MAX, QUESTIONS_TENANT_SHARE, QUESTIONS_TENANT_WORK};

/// Whose records may be seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Everyone's: an operator asks.
    Anyone,
    /// A tenant's, by its id; `None`: those of a gateway without keys.
    Tenant(Option<Box<str>>),
}

/// The slots of everybody who asks.
#[derive(Clone, Debug, Default)]
pub struct QuerySlots(Arc<Mutex<HashMap<Owner, OwnerQueries>>>);

/// What one asker has under way.
#[derive(Debug)]
struct OwnerQueries {
    taken: usize,
    /// Work of the store that is not forgotten yet, as of `at`.
    work: Duration,
    at: Instant,
}

/// The right to one question.
#[derive(Debug)]
pub struct QuerySlot {
    slots: QuerySlots,
    owner: Owner,
    begun: Option<Instant>,
}

impl QuerySlots {
    /// A slot for one more question; nothing where its tenant has too much under way. Operators are
    /// bound in number alone.
    #[must_use]
    pub fn take(&self, owner: Owner, now: Instant) -> Option<QuerySlot> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || OwnerQueries {
            taken: 0,
            work: Duration::ZERO,
            at: now,
        };
        let standing = all.entry(owner.clone()).or_insert_with(empty);
        standing.forget(now);
        let most = match owner {
            Owner::Anyone => QUESTIONS_TENANT_MAX * 2,
            Owner::Tenant(_) if standing.work >= QUESTIONS_TENANT_WORK => 0,
            Owner::Tenant(_) => QUESTIONS_TENANT_MAX,
        };
        if standing.taken >= most {
            return None;
        }
        standing.taken += 1;
        Some(QuerySlot {
            slots: self.clone(),
            owner,
            begun: None,
        })
    }
}

impl OwnerQueries {
    fn forget(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at);
        self.work = self.work.saturating_sub(passed / QUESTIONS_TENANT_SHARE);
        self.at = now;
    }
}

impl QuerySlot {
    /// The store begins to work on the question.
    pub fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
    }
}

impl Drop for QuerySlot {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut all = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(standing) = all.get_mut(&self.owner) else {
            return;
        };
        standing.forget(now);
        standing.taken = standing.taken.saturating_sub(1);
        let worked = self.begun.map(|begun| now.saturating_duration_since(begun));
        standing.work = standing.work.saturating_add(worked.unwrap_or_default());
        // Who has nothing under way and to remember needs no entry; of others there are as many as
        // asked in the last seconds.
        all.retain(|_, it| it.taken > 0 || !it.is_over(now));
    }
}

impl OwnerQueries {
    fn is_over(&self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        self.work <= passed / QUESTIONS_TENANT_SHARE
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Owner, QuerySlots};
    use crate::limits::{QUESTIONS_TENANT_MAX, QUESTIONS_TENANT_SHARE, QUESTIONS_TENANT_WORK};

    fn tenant(name: &str) -> Owner {
        Owner::Tenant(Some(name.into()))
    }

    #[test]
    fn a_tenant_has_its_seats_and_not_one_more_whatever_others_have() {
        let (slots, now) = (QuerySlots::default(), Instant::now());
        let take = |owner: &Owner| slots.take(owner.clone(), now);
        for (owner, most) in [
            (tenant("a"), QUESTIONS_TENANT_MAX),
            (tenant("b"), QUESTIONS_TENANT_MAX),
            (Owner::Anyone, QUESTIONS_TENANT_MAX * 2),
        ] {
            let mut held: Vec<_> = (0..most).map(|_| take(&owner).unwrap()).collect();
            assert!(take(&owner).is_none(), "{owner:?}");
            drop(held.pop());
            held.push(take(&owner).unwrap());
            // Those of the others stay taken.
            core::mem::forget(held);
        }
    }

    #[test]
    fn work_of_the_store_keeps_a_tenant_from_asking_until_it_is_forgotten() {
        let (slots, now) = (QuerySlots::default(), Instant::now());
        let worked = |by: Duration| {
            let mut slot = slots.take(tenant("a"), now).unwrap();
            slot.begin(now.checked_sub(by).unwrap());
        };
        worked(QUESTIONS_TENANT_WORK / 2);
        worked(QUESTIONS_TENANT_WORK / 2);
        assert!(slots.take(tenant("a"), now).is_none());
        assert!(slots.take(tenant("b"), now).is_some());
        let later = now + Duration::from_secs(1) * QUESTIONS_TENANT_SHARE;
        assert!(slots.take(tenant("a"), later).is_some());
    }

    #[test]
    fn who_has_nothing_under_way_is_forgotten() {
        let slots = QuerySlots::default();
        for n in 0..100 {
            drop(slots.take(tenant(&n.to_string()), Instant::now()));
        }
        assert!(slots.0.lock().unwrap().is_empty());
    }
}
