//! What one replica may use by itself of a rate that several replicas share: the part of
//! [`crate::govern::lease::tenant_lease`] that is requests or tokens in 60 seconds.
//!
//! What requests wait for, and what is leased beforehand, is counted in the second that granted it, and
//! good for a second. What lies ready for a key that is seldom used is good for `READY_SECONDS`, and
//! counted as many seconds later; once it is used, that moves to the second of the next order.

use crate::govern::lease::lease_demand::{Flow, LIFE_NANOS, READY_NANOS, give};
use crate::govern::lease::lease_request::{READY_SECONDS, RateGrant, RateRequest};

/// Parts of an amount, by the second that they are counted in.
pub(in crate::govern) type Pieces = [RatePortion; PARCELS_MAX];

/// A part of an amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RatePortion {
    slot: u64,
    amount: u64,
    /// It lay ready: it is counted later than it was used.
    is_late: bool,
}

/// A lease of a rate.
#[derive(Debug, Default)]
pub struct RateLease {
    /// Leased amounts, oldest first; those kept ready for a seldom used key stand behind the others.
    parcels: Vec<Parcel>,
    /// What is to be given back, by the second that it is counted in.
    back: Vec<(u64, u64)>,
    pub(in crate::govern) flow: Flow,
    pub(in crate::govern) owed: u64,
    /// What the shared counters said last, and when they were asked.
    told: RateGrant,
    told_at: u64,
    /// Amount that the order under way asks for on behalf of waiting requests.
    wanted: u64,
    /// Amount to keep leased for a request to come.
    ready: u64,
    /// Time before which the rate window frees nothing: no order is worth sending.
    barred_until: u64,
}

#[derive(Clone, Copy, Debug)]
struct Parcel {
    slot: u64,
    amount: u64,
    until: u64,
    is_late: bool,
}

impl RateLease {
    /// What may be used.
    #[must_use]
    pub fn available(&self, now: u64) -> u64 {
        let good = self.parcels.iter().filter(|parcel| parcel.until > now);
        good.map(|parcel| parcel.amount).sum()
    }

    /// What all replicas may use, as far as it is known; what is on its way back is there soon.
    #[must_use]
    pub fn left(&self) -> u64 {
        let left = self.told.left.saturating_add(self.unused());
        left.saturating_sub(self.owed)
    }

    /// Nanoseconds until what was needed is there, as far as it is known.
    #[must_use]
    pub const fn wait(&self, now: u64) -> u64 {
        self.since_told(self.told.wait_ms, now)
    }

    /// Nanoseconds until all of it is there.
    #[must_use]
    pub const fn reset(&self, now: u64) -> u64 {
        self.since_told(self.told.reset_ms, now)
    }

    /// Notes that it was proved at `at` that there is only this much room, for something that nobody gives
    /// back once it was used.
    pub(in crate::govern) fn bar(&mut self, room: u64, at: u64) {
        if room == 0 {
            let wait = self.told.wait_ms.saturating_mul(NANOS_PER_MS);
            self.barred_until = at.saturating_add(wait.min(BARRED_NANOS_MAX));
        }
    }

    /// Whether nothing can come free by now.
    pub(in crate::govern) const fn is_barred(&self, now: u64) -> bool {
        now < self.barred_until
    }

    const fn since_told(&self, ms: u64, now: u64) -> u64 {
        let nanos = ms.saturating_mul(NANOS_PER_MS);
        nanos.saturating_sub(now.saturating_sub(self.told_at))
    }

    /// Takes from the oldest leases; gives what of it comes from where.
    pub(in crate::govern) fn take(&mut self, amount: u64, has_waited: bool, now: u64) -> Pieces {
        let mut left = amount;
        let mut pieces = Pieces::default();
        for (parcel, piece) in self.parcels.iter_mut().zip(&mut pieces) {
            let taken = if parcel.until > now {
                left.min(parcel.amount)
            } else {
                0
            };
            *piece = RatePortion {
                slot: parcel.slot,
                amount: taken,
                is_late: parcel.is_late,
            };
            parcel.amount -= taken;
            left -= taken;
        }
        self.flow.take(amount, has_waited, now);
        pieces
    }

    /// Puts what was used in the place of what was taken.
    pub(in crate::govern) fn settle(&mut self, pieces: Pieces, taken: u64, used: u64) {
        if let Some(more) = used.checked_sub(taken) {
            self.owed = self.owed.saturating_add(more);
        }
        let mut unused = taken.saturating_sub(used);
        // First what counts the longest.
        for piece in pieces.into_iter().rev() {
            let part = unused.min(piece.amount);
            give(&mut self.back, piece.slot, part);
            unused -= part;
            if piece.is_late {
                // What was used of it moves to now.
                let rest = piece.amount - part;
                give(&mut self.back, piece.slot, rest);
                self.owed = self.owed.saturating_add(rest);
            }
        }
    }

    /// What lies there for requests that wait.
    pub(in crate::govern) fn pledged(&self, now: u64) -> u64 {
        self.flow.pledged(now).min(self.available(now))
    }

    /// What nobody uses of what is leased, given back or to be.
    fn unused(&self) -> u64 {
        let leased = self.parcels.iter().map(|parcel| parcel.amount);
        let back = self.back.iter().map(|(_, amount)| *amount);
        leased.chain(back).fold(0, u64::saturating_add)
    }

    fn there(&self) -> u64 {
        self.parcels.iter().map(|parcel| parcel.amount).sum()
    }

    fn lies_ready(&self) -> u64 {
        let late = self.parcels.iter().filter(|parcel| parcel.is_late);
        late.map(|parcel| parcel.amount).sum()
    }

    pub(in crate::govern) fn is_low(&self) -> bool {
        let is_low = self.there() < self.flow.target / 2 || self.lies_ready() < self.ready;
        self.told.left > 0 && is_low
    }

    pub(in crate::govern) fn is_at_rest(&self) -> bool {
        self.owed == 0 && self.back.is_empty() && self.there() == 0
    }

    pub(in crate::govern) fn is_due(&self, now: u64) -> bool {
        let is_over = |parcel: &Parcel| parcel.amount > 0 && parcel.until <= now;
        self.owed > 0 || !self.back.is_empty() || self.parcels.iter().any(is_over)
    }

    pub(in crate::govern) fn close(&mut self) {
        self.expire(u64::MAX);
        self.flow = Flow::default();
        self.ready = 0;
    }

    fn expire(&mut self, now: u64) {
        for parcel in self.parcels.iter().filter(|parcel| parcel.until <= now) {
            give(&mut self.back, parcel.slot, parcel.amount);
        }
        self.parcels
            .retain(|parcel| parcel.until > now && parcel.amount > 0);
    }

    /// Gives back what no request that waits was promised.
    fn return_free(&mut self, now: u64) {
        let mut free = self.available(now).saturating_sub(self.pledged(now));
        for parcel in self.parcels.iter_mut().rev() {
            let part = free.min(parcel.amount);
            give(&mut self.back, parcel.slot, part);
            parcel.amount -= part;
            free -= part;
        }
        self.parcels.retain(|parcel| parcel.amount > 0);
    }

    /// What is to be asked; `is_scarce`: nothing is leased beforehand, what nobody uses goes back.
    pub(in crate::govern) fn order(
        &mut self,
        limit: Option<u64>,
        is_scarce: bool,
        now: u64,
    ) -> Option<RateRequest> {
        let Some(limit) = limit else {
            // Bounds may change; what was leased under them is forgotten.
            *self = Self::default();
            return None;
        };
        self.expire(now);
        let share = limit / RATE_SHARE;
        let is_near = self.told_at > 0 && self.told.left < limit / NEAR_SHARE + share;
        let is_scarce = is_scarce || is_near;
        if is_scarce {
            self.return_free(now);
        }
        let most = if is_scarce { 0 } else { share };
        let owed = core::mem::take(&mut self.owed);
        self.ready = self.flow.ready(most, now);
        let mut needs = self.flow.order(self.available(now), most, owed, now);
        needs.ready = self.ready.saturating_sub(self.lies_ready());
        self.wanted = needs.wanted;
        let back = core::mem::take(&mut self.back);
        // Until the answer says so itself.
        let returned = back.iter().map(|(_, amount)| *amount);
        let left = returned.fold(self.told.left, u64::saturating_add);
        self.told.left = left.saturating_sub(owed).min(limit);
        Some(RateRequest { limit, needs, back })
    }

    /// Takes over an answer; gives whether it was not enough for those who wait.
    pub(in crate::govern) fn apply(&mut self, told: &RateGrant, at: u64) -> bool {
        self.told = *told;
        self.told_at = at;
        self.flow.pledge(told.granted, self.wanted, at);
        self.add(Parcel {
            slot: told.slot,
            amount: told.granted,
            until: at.saturating_add(LIFE_NANOS),
            is_late: false,
        });
        self.add(Parcel {
            slot: told.slot.saturating_add(READY_SECONDS),
            amount: told.ready,
            until: at.saturating_add(READY_NANOS),
            is_late: true,
        });
        told.granted < self.wanted
    }

    fn add(&mut self, new: Parcel) {
        if new.amount == 0 {
            return;
        }
        let is_same = |it: &&mut Parcel| it.slot == new.slot && it.is_late == new.is_late;
        match self.parcels.iter_mut().find(is_same) {
            // It is good for as long as the first of that second.
            Some(parcel) => parcel.amount = parcel.amount.saturating_add(new.amount),
            None => self.parcels.push(new),
        }
        self.parcels.sort_by_key(|it| (it.is_late, it.slot));
        if self.parcels.len() > PARCELS_MAX {
            let oldest = self.parcels.remove(0);
            give(&mut self.back, oldest.slot, oldest.amount);
        }
    }
}

const NANOS_PER_MS: u64 = 1_000_000;
/// The largest part of a rate that is kept ready: one in so many.
const RATE_SHARE: u64 = 20;
/// Nothing is leased beforehand of what is left then: one in so many, and a share.
const NEAR_SHARE: u64 = 4;
/// Longest time for which the counters are not asked for something that is used up.
const BARRED_NANOS_MAX: u64 = 250_000_000;
/// Leases of one rate at a time.
const PARCELS_MAX: usize = 4;
