//! What one replica may spend by itself of a budget that several replicas share: the part of
//! [`crate::govern::lease`] that is money.
//!
//! What was granted for those who wait is left to them for a moment. What is on its way back counts as
//! left, so that nobody is told meanwhile that the budget is gone.

use crate::govern::allowance::Allowance;
use crate::govern::flow::{Flow, LIFE_NANOS, SETTLED_NANOS, give};
use crate::govern::order::{MoneyGrant, MoneyOrder};

/// A lease of a budget.
#[derive(Debug, Default)]
pub struct Purse {
    /// The day that granted it.
    day: u64,
    pub(super) available: u64,
    /// What is to be given back, by the day that granted it.
    back: Vec<(u64, u64)>,
    flow: Flow,
    pub(super) owed: u64,
    /// When something was taken last, and granted.
    taken_at: u64,
    granted_at: u64,
    told: MoneyGrant,
}

impl Purse {
    /// What was spent in the day and the month by everybody, and leased by others.
    #[must_use]
    pub const fn spent(&self, reserved: u64) -> MoneyGrant {
        let own = self.available.saturating_add(reserved);
        MoneyGrant {
            on_day: self.told.on_day.saturating_sub(own),
            in_month: self.told.in_month.saturating_sub(own),
            ..self.told
        }
    }

    /// What is left of a budget of a month and of a day, as far as it is known.
    #[must_use]
    pub fn left(&self, bounds: &Allowance) -> [u64; 2] {
        let left = |limit: Option<u64>, spent: u64| {
            let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(spent));
            left.saturating_add(self.available)
        };
        [
            left(bounds.budget_month, self.told.in_month),
            left(bounds.budget_day, self.told.on_day),
        ]
    }

    pub(super) fn need(&mut self, amount: u64) {
        self.flow.need(amount);
    }

    pub(super) const fn take(&mut self, amount: u64, now: u64) -> u64 {
        self.available = self.available.saturating_sub(amount);
        self.flow.spent = self.flow.spent.saturating_add(amount);
        self.taken_at = now;
        self.day
    }

    pub(super) fn put_back(&mut self, day: u64, amount: u64) {
        if day == self.day {
            self.available = self.available.saturating_add(amount);
        } else {
            give(&mut self.back, day, amount);
        }
    }

    pub(super) fn is_low(&self, bounds: &Allowance) -> bool {
        let is_left = self.left(bounds).iter().all(|&left| left > self.available);
        is_left && self.available < self.flow.target / 2
    }

    pub(super) const fn is_at_rest(&self) -> bool {
        self.owed == 0 && self.back.is_empty() && self.available == 0
    }

    pub(super) const fn is_due(&self, now: u64) -> bool {
        let has_more = self.is_settled(now) && self.spare() > 0;
        let is_over = self.is_idle(now) && self.available > 0;
        self.owed > 0 || !self.back.is_empty() || has_more || is_over
    }

    /// What is more than has to be kept ready.
    const fn spare(&self) -> u64 {
        self.available
            .saturating_sub(self.flow.target.saturating_mul(2))
    }

    /// Whether they whom the last grant was for have taken it by now.
    const fn is_settled(&self, now: u64) -> bool {
        now.saturating_sub(self.granted_at) >= SETTLED_NANOS
    }

    const fn is_idle(&self, now: u64) -> bool {
        now.saturating_sub(self.taken_at) >= LIFE_NANOS
            && now.saturating_sub(self.granted_at) >= LIFE_NANOS
    }

    pub(super) fn expire(&mut self) {
        self.return_some(self.available);
        self.flow = Flow::default();
    }

    /// Gives back a part of what is there.
    fn return_some(&mut self, amount: u64) {
        self.available = self.available.saturating_sub(amount);
        give(&mut self.back, self.day, amount);
    }

    pub(super) fn order(&mut self, bounds: &Allowance, now: u64) -> Option<MoneyOrder> {
        if !bounds.has_budget() {
            // A budget that was taken away may come back: what was spent meanwhile is charged.
            self.expire();
            if self.owed == 0 && self.back.is_empty() {
                return None;
            }
        }
        let least = bounds.budget_day.unwrap_or(u64::MAX);
        let most = least.min(bounds.budget_month.unwrap_or(u64::MAX)) / MONEY_SHARE;
        let owed = core::mem::take(&mut self.owed);
        let is_wanted = self.flow.wanted > 0;
        if !is_wanted && self.is_idle(now) {
            self.expire();
        }
        let needs = self.flow.order(self.available, most, owed);
        if !is_wanted && self.is_settled(now) {
            self.return_some(self.spare());
        }
        let back = core::mem::take(&mut self.back);
        // Until the answer says so itself.
        for &(day, amount) in &back {
            if day == self.told.day {
                self.told.on_day = self.told.on_day.saturating_sub(amount);
            }
            self.told.in_month = self.told.in_month.saturating_sub(amount);
        }
        Some(MoneyOrder {
            day: bounds.budget_day,
            month: bounds.budget_month,
            needs,
            back,
        })
    }

    pub(super) fn apply(&mut self, told: &MoneyGrant, at: u64) {
        if told.day == 0 {
            // Nothing was asked.
            return;
        }
        self.told = *told;
        if told.granted > 0 {
            self.granted_at = at;
        }
        if told.day != self.day {
            let before = core::mem::take(&mut self.available);
            give(&mut self.back, self.day, before);
            self.day = told.day;
        }
        self.available = self.available.saturating_add(told.granted);
    }
}

/// The largest part of a budget that is kept ready: one in so many.
const MONEY_SHARE: u64 = 50;
