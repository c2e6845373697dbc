//! How fast something that replicas lease is used, what is needed of it next, and what is given back.

use crate::govern::lease::lease_request::{LeaseNeeds, READY_SECONDS};

/// How fast something is used, and who waits for it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::govern) struct Flow {
    /// Since the last order.
    spent: u64,
    /// The same of orders before, fading.
    pace: u64,
    /// What is kept ready.
    pub(in crate::govern) target: u64,
    /// Amount that waiting requests need.
    pub(in crate::govern) wanted: u64,
    least: u64,
    /// What one request has taken at most, of those within `READY_SECONDS`.
    one: u64,
    /// When something was taken last.
    taken_at: u64,
    /// Amount that was granted for waiting requests and that they have not taken yet.
    pledged: u64,
    pledged_at: u64,
}

impl Flow {
    /// Notes a request that waits; `is_again`: what was granted for it was not enough.
    pub(in crate::govern) fn need(&mut self, amount: u64, is_again: bool) {
        if is_again {
            self.pledged = self.pledged.saturating_sub(amount);
        }
        self.least = match self.wanted {
            0 => amount,
            _ => self.least.min(amount),
        };
        self.wanted = self.wanted.saturating_add(amount);
    }

    pub(in crate::govern) fn take(&mut self, amount: u64, has_waited: bool, now: u64) {
        self.spent = self.spent.saturating_add(amount);
        self.one = self.one.max(amount);
        self.taken_at = now;
        if has_waited {
            self.pledged = self.pledged.saturating_sub(amount);
        }
    }

    /// Notes what was granted for those who wait.
    pub(in crate::govern) fn pledge(&mut self, granted: u64, wanted: u64, now: u64) {
        if wanted > 0 {
            self.pledged = self.pledged(now).saturating_add(granted.min(wanted));
            self.pledged_at = now;
        }
    }

    /// What is left to requests that were waiting for it.
    pub(in crate::govern) const fn pledged(&self, now: u64) -> u64 {
        match now.saturating_sub(self.pledged_at) < SETTLED_NANOS {
            true => self.pledged,
            false => 0,
        }
    }

    /// What lies ready for the next request of a key that is seldom used, if that is `most` at most.
    pub(in crate::govern) const fn ready(&self, most: u64, now: u64) -> u64 {
        let is_used = now.saturating_sub(self.taken_at) < READY_NANOS;
        match is_used && self.one <= most {
            true => self.one,
            false => 0,
        }
    }

    /// What is needed beside what is there; begins anew. `most`: what is leased beforehand.
    pub(in crate::govern) fn order(
        &mut self,
        available: u64,
        most: u64,
        owed: u64,
        now: u64,
    ) -> LeaseNeeds {
        self.pace = self.spent.max(self.pace - self.pace.div_ceil(4));
        self.target = self.pace.saturating_mul(2).min(most);
        if now.saturating_sub(self.taken_at) >= READY_NANOS {
            self.one = 0;
        }
        let wanted = core::mem::take(&mut self.wanted);
        let least = core::mem::take(&mut self.least);
        self.spent = 0;
        // What is there for others who were waiting is not there for these.
        let free = available.saturating_sub(self.pledged(now));
        LeaseNeeds {
            want: wanted.saturating_add(self.target).saturating_sub(free),
            wanted: wanted.saturating_sub(free),
            least: least.saturating_sub(free),
            ready: 0,
            owed,
        }
    }
}

/// Adds to what is given back, by what it belongs to.
pub(in crate::govern) fn give(back: &mut Vec<(u64, u64)>, of: u64, amount: u64) {
    if amount == 0 {
        return;
    }
    if let Some((_, known)) = back.iter_mut().find(|(known, _)| *known == of) {
        *known = known.saturating_add(amount);
    } else if back.len() < BACK_MAX {
        back.push((of, amount));
    }
    // What is left out stays used.
}

/// How long something lies ready for a key that is seldom used.
pub(in crate::govern) const READY_NANOS: u64 = READY_SECONDS * 1_000_000_000;
/// Life of a lease of a rate; between two words about places.
pub(in crate::govern) const LIFE_NANOS: u64 = 1_000_000_000;
/// How long a grant of money or places is left to those whom it was for.
pub(in crate::govern) const SETTLED_NANOS: u64 = 250_000_000;
/// Seconds or days that something is given back to at a time.
const BACK_MAX: usize = 64;
