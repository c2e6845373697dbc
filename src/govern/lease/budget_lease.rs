//! What one replica may spend by itself of a budget that several replicas share: the part of
//! [`crate::govern::lease::tenant_lease`] that is money.
//!
//! What was granted for those who wait is left to them for a moment. What is on its way back counts as
//! left, so that nobody is told meanwhile that the budget is gone.

use crate::govern::key::allowance::Allowance;
use crate::govern::lease::lease_demand::{Flow, READY_NANOS, SETTLED_NANOS, give};
use crate::govern::lease::lease_request::{BudgetGrant, BudgetRequest};
use crate::govern::value::spent::BudgetUse;

/// A lease of a budget.
#[derive(Debug, Default)]
pub struct BudgetLease {
    /// The day that granted it.
    day: u64,
    pub(in crate::govern) available: u64,
    /// What is to be given back, by the day that granted it.
    back: Vec<(u64, u64)>,
    flow: Flow,
    pub(in crate::govern) owed: u64,
    /// When something was taken last, and granted.
    taken_at: u64,
    granted_at: u64,
    /// The last answer, less what was given back since.
    told: BudgetGrant,
    /// The last answer as it was.
    said: BudgetUse,
    /// What the order under way wants for requests that wait.
    wanted: u64,
    /// What is to lie ready.
    ready: u64,
}

impl BudgetLease {
    /// What was spent in the day and the month by everybody, and leased by others.
    #[must_use]
    pub const fn spent(&self, reserved: u64) -> BudgetGrant {
        let own = self.available.saturating_add(reserved);
        BudgetGrant {
            on_day: self.told.on_day.saturating_sub(own),
            in_month: self.told.in_month.saturating_sub(own),
            ..self.told
        }
    }

    /// What the counters had when they answered last, leases included.
    #[must_use]
    pub const fn said(&self) -> BudgetUse {
        self.said
    }

    /// What is left of a budget of a month and of a day, as far as it is known.
    #[must_use]
    pub fn left(&self, bounds: &Allowance) -> [u64; 2] {
        self.room(bounds)
            .map(|room| room.saturating_add(self.available))
    }

    /// What nobody has leased of a budget of a month and of a day.
    fn room(&self, bounds: &Allowance) -> [u64; 2] {
        let left = |limit: Option<u64>, spent: u64| {
            limit.map_or(u64::MAX, |limit| limit.saturating_sub(spent))
        };
        [
            left(bounds.budget_month, self.told.in_month),
            left(bounds.budget_day, self.told.on_day),
        ]
    }

    pub(in crate::govern) fn pledged(&self, now: u64) -> u64 {
        self.flow.pledged(now).min(self.available)
    }

    pub(in crate::govern) fn need(&mut self, amount: u64, is_again: bool) {
        self.flow.need(amount, is_again);
    }

    pub(in crate::govern) fn take(&mut self, amount: u64, has_waited: bool, now: u64) -> u64 {
        self.available = self.available.saturating_sub(amount);
        self.flow.take(amount, has_waited, now);
        self.taken_at = now;
        self.day
    }

    pub(in crate::govern) fn put_back(&mut self, day: u64, amount: u64) {
        if day == self.day {
            self.available = self.available.saturating_add(amount);
        } else {
            give(&mut self.back, day, amount);
        }
    }

    pub(in crate::govern) fn is_low(&self, bounds: &Allowance) -> bool {
        let is_left = self.room(bounds).iter().all(|&room| room > 0);
        is_left && (self.available < self.flow.target / 2 || self.available < self.ready)
    }

    pub(in crate::govern) const fn is_at_rest(&self) -> bool {
        self.owed == 0 && self.back.is_empty() && self.available == 0
    }

    pub(in crate::govern) const fn is_due(&self, now: u64) -> bool {
        let has_more = self.is_settled(now) && self.spare() > 0;
        let is_over = self.is_idle(now) && self.available > 0;
        self.owed > 0 || !self.back.is_empty() || has_more || is_over
    }

    /// What is more than has to be kept ready.
    const fn spare(&self) -> u64 {
        let kept = if self.flow.target > self.ready {
            self.flow.target
        } else {
            self.ready
        };
        self.available.saturating_sub(kept.saturating_mul(2))
    }

    /// Whether they whom the last grant was for have taken it by now.
    const fn is_settled(&self, now: u64) -> bool {
        now.saturating_sub(self.granted_at) >= SETTLED_NANOS
    }

    const fn is_idle(&self, now: u64) -> bool {
        now.saturating_sub(self.taken_at) >= READY_NANOS
            && now.saturating_sub(self.granted_at) >= READY_NANOS
    }

    pub(in crate::govern) fn expire(&mut self) {
        self.return_some(self.available);
        self.flow = Flow::default();
        self.ready = 0;
    }

    /// Gives back a part of what is there.
    fn return_some(&mut self, amount: u64) {
        self.available = self.available.saturating_sub(amount);
        give(&mut self.back, self.day, amount);
    }

    /// What is to be asked; `is_scarce`: nothing is leased beforehand, what nobody uses goes back.
    pub(in crate::govern) fn order(
        &mut self,
        bounds: &Allowance,
        is_scarce: bool,
        now: u64,
    ) -> Option<BudgetRequest> {
        if !bounds.has_budget() {
            // A budget that was taken away may come back: what was spent meanwhile is charged.
            self.expire();
            if self.owed == 0 && self.back.is_empty() {
                return None;
            }
        }
        let least = bounds.budget_day.unwrap_or(u64::MAX);
        let least = least.min(bounds.budget_month.unwrap_or(u64::MAX));
        let is_near = self.told.day > 0
            && self
                .room(bounds)
                .iter()
                .any(|&room| room < least / NEAR_SHARE);
        let is_scarce = is_scarce || is_near;
        let owed = core::mem::take(&mut self.owed);
        let is_wanted = self.flow.wanted > 0;
        if !is_wanted && self.is_idle(now) {
            self.expire();
        }
        let (most, ready_most) = match is_scarce {
            true => (0, 0),
            false => (least / MONEY_SHARE, least / READY_SHARE),
        };
        if is_scarce {
            let free = self.available.saturating_sub(self.flow.pledged(now));
            self.return_some(free);
        }
        self.ready = self.flow.ready(ready_most, now);
        let mut needs = self.flow.order(self.available, most, owed, now);
        if !is_wanted && !is_scarce && self.is_settled(now) {
            self.return_some(self.spare());
        }
        let free = self.available.saturating_sub(self.flow.pledged(now));
        needs.want = needs.want.max(self.ready.saturating_sub(free));
        self.wanted = needs.wanted;
        let back = core::mem::take(&mut self.back);
        // Until the answer says so itself.
        for &(day, amount) in &back {
            if day == self.told.day {
                self.told.on_day = self.told.on_day.saturating_sub(amount);
            }
            self.told.in_month = self.told.in_month.saturating_sub(amount);
        }
        Some(BudgetRequest {
            day: bounds.budget_day,
            month: bounds.budget_month,
            needs,
            back,
        })
    }

    /// Takes over an answer; gives whether it was not enough for those who wait.
    pub(in crate::govern) fn apply(&mut self, told: &BudgetGrant, at: u64) -> bool {
        if told.day == 0 {
            // Nothing was asked.
            return false;
        }
        self.told = *told;
        self.said = BudgetUse {
            day: told.day,
            on_day: told.on_day,
            month: told.month,
            in_month: told.in_month,
        };
        if told.granted > 0 {
            self.granted_at = at;
            self.flow.pledge(told.granted, self.wanted, at);
        }
        if told.day != self.day {
            let before = core::mem::take(&mut self.available);
            give(&mut self.back, self.day, before);
            self.day = told.day;
        }
        self.available = self.available.saturating_add(told.granted);
        told.granted < self.wanted
    }
}

/// The largest part of a budget that is leased beforehand: one in so many.
const MONEY_SHARE: u64 = 50;
/// The largest request for which money lies ready: one in so many of the budget.
const READY_SHARE: u64 = 10;
/// Nothing is leased beforehand of what is left then: one in so many.
const NEAR_SHARE: u64 = 4;
