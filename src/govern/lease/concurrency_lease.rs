//! What one replica holds of the requests at one time that several replicas share: the part of
//! [`crate::govern::lease::tenant_lease`] that is places among those that run.

use crate::govern::lease::lease_demand::{READY_NANOS, SETTLED_NANOS};
use crate::govern::lease::lease_request::{ConcurrencyGrant, ConcurrencyRequest};

/// Places among those that run.
#[derive(Debug, Default)]
pub struct ConcurrencyLease {
    /// Places that are leased, those in use among them.
    pub(in crate::govern) granted: u64,
    /// Places that nobody has leased, as far as it is known.
    pub left: u64,
    wanted: u64,
    /// Requests since the last order.
    spent: u64,
    /// Places that are kept free.
    ready: u64,
    taken_at: u64,
    /// Places that were granted for waiting requests and that these have not taken yet.
    pledged: u64,
    /// When the last of them were granted, in nanoseconds.
    pledged_at: u64,
    /// Places that the order under way asks for on behalf of waiting requests.
    asked: u64,
    /// Places that this replica needs in all, those of waiting requests among them; 0 where none waits.
    needed: u64,
}

impl ConcurrencyLease {
    /// What all replicas may use beside what runs here.
    #[must_use]
    pub const fn left(&self, held: u64) -> u64 {
        self.left.saturating_add(self.granted.saturating_sub(held))
    }

    pub(in crate::govern) const fn take(&mut self, has_waited: bool, now: u64) {
        self.spent += 1;
        self.taken_at = now;
        if has_waited {
            self.pledged = self.pledged.saturating_sub(1);
        }
    }

    pub(in crate::govern) const fn need(&mut self, is_again: bool) {
        if is_again {
            self.pledged = self.pledged.saturating_sub(1);
        }
        self.wanted += 1;
    }

    pub(in crate::govern) const fn pledged(&self, now: u64) -> u64 {
        match now.saturating_sub(self.pledged_at) < SETTLED_NANOS {
            true => self.pledged,
            false => 0,
        }
    }

    pub(in crate::govern) const fn is_low(&self, held: u64) -> bool {
        self.left > 0 && self.granted.saturating_sub(held) < self.ready.div_ceil(2)
    }

    /// Whether more is leased than is kept.
    pub(in crate::govern) const fn is_due(&self, held: u64, now: u64) -> bool {
        let kept = self.ready.saturating_add(self.pledged(now));
        let is_idle = now.saturating_sub(self.taken_at) >= READY_NANOS;
        let free = self.granted.saturating_sub(held);
        free > kept || is_idle && free > self.pledged(now)
    }

    pub(in crate::govern) const fn close(&mut self) {
        (self.spent, self.taken_at, self.pledged) = (0, 0, 0);
    }

    /// What is to be asked; `is_scarce`: no place is kept that nobody uses.
    pub(in crate::govern) fn order(
        &mut self,
        limit: Option<u64>,
        held: u64,
        is_scarce: bool,
        now: u64,
    ) -> Option<ConcurrencyRequest> {
        let spent = core::mem::take(&mut self.spent);
        let wanted = core::mem::take(&mut self.wanted);
        let Some(limit) = limit else {
            *self = Self::default();
            return None;
        };
        let is_scarce = is_scarce || self.left < limit / NEAR_SHARE;
        let is_used = now.saturating_sub(self.taken_at) < READY_NANOS;
        self.ready = match is_scarce || !is_used {
            true => 0,
            false => spent.max(1).min(limit / PLACES_SHARE),
        };
        let pledged = self.pledged(now).min(self.granted.saturating_sub(held));
        let needed = held.saturating_add(pledged).saturating_add(wanted);
        let want = needed.saturating_add(self.ready);
        // What is given back is not taken meanwhile, and free again soon.
        let more = self.granted.saturating_sub(want);
        self.granted -= more;
        self.left = self.left.saturating_add(more);
        self.asked = wanted;
        self.needed = if wanted > 0 { needed } else { 0 };
        Some(ConcurrencyRequest {
            limit,
            held,
            want,
            wanted: self.needed,
        })
    }

    /// Takes over an answer; gives whether it was not enough for those who wait.
    pub(in crate::govern) fn apply(&mut self, told: &ConcurrencyGrant, at: u64) -> bool {
        let more = told.granted.saturating_sub(self.granted);
        if self.asked > 0 && more > 0 {
            self.pledged = self.pledged(at).saturating_add(more.min(self.asked));
            self.pledged_at = at;
        }
        self.granted = told.granted;
        self.left = told.left;
        told.granted < self.needed
    }
}

/// The largest part of the places that is kept free: one in so many.
const PLACES_SHARE: u64 = 20;
/// No place is kept of what is left then: one in so many.
const NEAR_SHARE: u64 = 4;
