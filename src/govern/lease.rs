//! What one replica may spend by itself of limits that several replicas share.
//!
//! The shared counters grant leases, and what they have granted counts there as used. So all
//! replicas together never use more than the counters allow, whatever becomes of one of them: what
//! it does not give back stays used.
//!
//! - Rates: a lease is good for a second, and counted in the second that granted it for 61 more. So
//!   what is used lies within 60 seconds whenever it counts.
//! - Money: a lease belongs to the day that granted it. What is used beyond a reservation is owed.
//! - Places among those that run are said anew with every order, and free a while after the last.
//!
//! Small limits are leased request by request; busy accounts hold a twentieth at most, or a
//! fiftieth of a budget, beside what those who wait need. Time is an argument.

use core::task::Waker;

use crate::govern::allowance::Allowance;
use crate::govern::order::{
    Grant, MoneyGrant, MoneyOrder, Needs, Order, PlacesOrder, RateGrant, RateOrder,
};
use crate::limits::SHARED_WAITERS_MAX;

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Tokens.
    pub tokens: u64,
    /// Nano-dollars.
    pub cost: u64,
    /// Requests of this replica that run.
    pub held: u64,
}

/// Where a request's reservation comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// The second that granted its tokens.
    slot: u64,
    /// The day that granted its money.
    day: u64,
}

/// What of it is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lack {
    /// Requests in 60 seconds.
    pub requests: bool,
    /// Tokens in 60 seconds.
    pub tokens: bool,
    /// Requests at one time.
    pub places: bool,
    /// The budget of a day or of a month.
    pub money: bool,
}

impl Lack {
    /// Whether nothing is.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// The leases of one account.
#[derive(Debug, Default)]
pub struct Lease {
    name: Box<str>,
    /// Requests in 60 seconds.
    pub requests: Rate,
    /// Tokens in 60 seconds.
    pub tokens: Rate,
    /// Nano-dollars.
    pub money: Purse,
    /// Requests at one time.
    pub places: Places,
    /// Orders that were begun.
    begun: u64,
    /// Those of them that have ended.
    ended: u64,
    /// When the last one was begun, and whether it has said anything.
    ordered_at: u64,
    is_told: bool,
    /// Those who wait for its end.
    waiting: Vec<Waker>,
    /// Somebody was asked to order now.
    is_called: bool,
    /// Somebody orders now and then.
    is_followed: bool,
}

impl Lease {
    /// Leases of the account of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// What is missing for a request.
    #[must_use]
    pub fn lack(&self, bounds: &Allowance, asked: Asked, now: u64) -> Lack {
        Lack {
            requests: bounds.requests_per_minute.is_some() && self.requests.available(now) < 1,
            tokens: bounds.tokens_per_minute.is_some() && self.tokens.available(now) < asked.tokens,
            places: bounds.concurrent.is_some() && self.places.granted <= asked.held,
            money: bounds.has_budget() && self.money.available < asked.cost.max(1),
        }
    }

    /// Whether what is known of the shared counters answers who was told to wait until `ticket`;
    /// without one, whether it is fresh.
    #[must_use]
    pub fn answers(&self, ticket: Option<u64>, now: u64) -> bool {
        self.is_told
            && match ticket {
                Some(ticket) => self.ended >= ticket,
                None => now.saturating_sub(self.ordered_at) < FRESH_NANOS,
            }
    }

    /// Whether the order that `ticket` stands for has ended, whichever way.
    #[must_use]
    pub const fn has_ended(&self, ticket: u64) -> bool {
        self.ended >= ticket
    }

    /// Takes what a request needs. Nothing of it may lack.
    pub fn take(&mut self, asked: Asked, now: u64) -> Tag {
        self.requests.take(1, now);
        self.places.spent += 1;
        Tag {
            slot: self.tokens.take(asked.tokens, now),
            day: self.money.take(asked.cost, now),
        }
    }

    /// Adds a request to those for whom the next order is. Gives the ticket that it waits until;
    /// `None`: too many wait.
    pub fn wait(&mut self, lack: Lack, asked: Asked, waker: &Waker) -> Option<u64> {
        if self.waiting.len() >= SHARED_WAITERS_MAX {
            return None;
        }
        self.waiting.push(waker.clone());
        if lack.requests {
            self.requests.need(1);
        }
        if lack.tokens {
            self.tokens.need(asked.tokens);
        }
        if lack.money {
            self.money.need(asked.cost.max(1));
        }
        if lack.places {
            self.places.wanted += 1;
        }
        Some(self.begun + 1)
    }

    /// Waits on, under the ticket that it has; gives whether there is room.
    #[must_use]
    pub fn stay(&mut self, waker: &Waker) -> bool {
        let is_known = self.waiting.iter().any(|known| known.will_wake(waker));
        let has_room = self.waiting.len() < SHARED_WAITERS_MAX;
        if !is_known && has_room {
            self.waiting.push(waker.clone());
        }
        is_known || has_room
    }

    /// Puts what was used in the place of what was taken: `taken` and `used` are tokens and
    /// nano-dollars.
    pub fn settle(&mut self, tag: Tag, taken: (u64, u64), used: (u64, u64)) {
        match used.0.checked_sub(taken.0) {
            Some(more) => self.tokens.owed = self.tokens.owed.saturating_add(more),
            None => give(&mut self.tokens.back, tag.slot, taken.0 - used.0),
        }
        match used.1.checked_sub(taken.1) {
            Some(more) => self.owe(more),
            None => self.money.put_back(tag.day, taken.1 - used.1),
        }
    }

    /// Charges money that nobody has leased.
    pub const fn owe(&mut self, cost: u64) {
        self.money.owed = self.money.owed.saturating_add(cost);
    }

    /// Whether somebody has to be asked for an order now; says so once.
    pub fn calls(&mut self) -> bool {
        let is_urgent = !self.waiting.is_empty();
        let calls = !self.is_called && (is_urgent || !self.is_followed && !self.is_at_rest());
        self.is_called |= calls;
        calls
    }

    fn is_low(&self, bounds: &Allowance, held: u64) -> bool {
        let places =
            self.places.left > 0 && self.places.granted.saturating_sub(held) < self.places.low;
        self.requests.is_low() || self.tokens.is_low() || self.money.is_low(bounds) || places
    }

    fn is_at_rest(&self) -> bool {
        self.requests.is_at_rest()
            && self.tokens.is_at_rest()
            && self.money.is_at_rest()
            && self.places.granted == 0
    }

    /// Whether an order would say anything by now.
    #[must_use]
    pub fn is_due(&self, bounds: &Allowance, held: u64, now: u64) -> bool {
        let since = now.saturating_sub(self.ordered_at);
        let has_more =
            self.requests.is_due(now) || self.tokens.is_due(now) || self.money.is_due(now);
        let keeps_places = self.places.granted > 0 && since >= LIFE_NANOS;
        self.is_called || has_more || keeps_places || self.is_low(bounds, held)
    }

    /// Notes that somebody looks after it now and then; gives whether nobody did.
    pub const fn follow(&mut self) -> bool {
        !core::mem::replace(&mut self.is_followed, true)
    }

    /// What is to be asked now. Until its end there is no other.
    pub fn order(&mut self, bounds: &Allowance, held: u64, now: u64) -> Order {
        self.is_called = false;
        self.begun += 1;
        self.ordered_at = now;
        Order {
            name: self.name.clone(),
            requests: self.requests.order(bounds.requests_per_minute, now),
            tokens: self.tokens.order(bounds.tokens_per_minute, now),
            places: self.places.order(bounds.concurrent, held),
            money: self.money.order(bounds, now),
        }
    }

    /// Takes over what an order that was begun at `at` was answered. Gives who waits for it.
    pub fn apply(&mut self, grant: &Grant, at: u64) -> Vec<Waker> {
        self.requests.apply(&grant.requests, at);
        self.tokens.apply(&grant.tokens, at);
        self.money.apply(&grant.money);
        self.places.granted = grant.places.granted;
        self.places.left = grant.places.left;
        self.is_told = true;
        self.end()
    }

    /// An order was not answered: what was given back stays used, what was owed is owed on. Gives who
    /// waits for it.
    pub fn fail(&mut self, order: &Order) -> Vec<Waker> {
        let owed = |needs: Option<Needs>| needs.map_or(0, |needs| needs.owed);
        let rate = |rate: &Option<RateOrder>| owed(rate.as_ref().map(|it| it.needs));
        self.requests.owed += rate(&order.requests);
        self.tokens.owed += rate(&order.tokens);
        self.owe(owed(order.money.as_ref().map(|it| it.needs)));
        self.is_told = false;
        self.end()
    }

    fn end(&mut self) -> Vec<Waker> {
        self.ended = self.begun;
        core::mem::take(&mut self.waiting)
    }

    /// Wakes nobody but gives who waits, when there is nobody to order from.
    pub fn dismiss(&mut self) -> Vec<Waker> {
        self.is_told = false;
        core::mem::take(&mut self.waiting)
    }

    /// Whether nobody need follow it any more.
    pub fn rests(&mut self) -> bool {
        let rests = !self.is_called && self.waiting.is_empty() && self.is_at_rest();
        self.is_followed &= !rests;
        rests
    }

    /// Gives everything back with the next order but what running requests hold.
    pub fn close(&mut self) {
        for rate in [&mut self.requests, &mut self.tokens] {
            rate.expire(u64::MAX);
            rate.flow = Flow::default();
        }
        self.money.expire();
        self.places.spent = 0;
    }
}

/// A lease of a rate.
#[derive(Debug, Default)]
pub struct Rate {
    /// The oldest first.
    parcels: Vec<Parcel>,
    /// What is to be given back, by the second that granted it.
    back: Vec<(u64, u64)>,
    flow: Flow,
    owed: u64,
    /// What the shared counters said last, and when they were asked.
    told: RateGrant,
    told_at: u64,
}

#[derive(Clone, Copy, Debug)]
struct Parcel {
    slot: u64,
    amount: u64,
    until: u64,
}

/// How fast something is used, and who waits for it.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// Since the last order.
    spent: u64,
    /// The same of orders before, fading.
    pace: u64,
    /// What is kept ready.
    target: u64,
    wanted: u64,
    least: u64,
}

impl Flow {
    fn need(&mut self, amount: u64) {
        self.least = match self.wanted {
            0 => amount,
            _ => self.least.min(amount),
        };
        self.wanted = self.wanted.saturating_add(amount);
    }

    /// What is needed beside what is there; begins anew.
    fn order(&mut self, available: u64, most: u64, owed: u64) -> Needs {
        self.pace = self.spent.max(self.pace - self.pace.div_ceil(4));
        self.target = self.pace.saturating_mul(2).min(most);
        let wanted = core::mem::take(&mut self.wanted);
        let least = core::mem::take(&mut self.least);
        self.spent = 0;
        Needs {
            want: wanted.saturating_add(self.target).saturating_sub(available),
            least: least.saturating_sub(available),
            owed,
        }
    }
}

impl Rate {
    /// What may be used.
    #[must_use]
    pub fn available(&self, now: u64) -> u64 {
        let good = self.parcels.iter().filter(|parcel| parcel.until > now);
        good.map(|parcel| parcel.amount).sum()
    }

    /// What all replicas may use, as far as it is known.
    #[must_use]
    pub fn left(&self, now: u64) -> u64 {
        self.told.left.saturating_add(self.available(now))
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

    const fn since_told(&self, ms: u64, now: u64) -> u64 {
        let nanos = ms.saturating_mul(NANOS_PER_MS);
        nanos.saturating_sub(now.saturating_sub(self.told_at))
    }

    fn need(&mut self, amount: u64) {
        self.flow.need(amount);
    }

    /// Takes from the oldest leases; gives the second of the first of them.
    fn take(&mut self, amount: u64, now: u64) -> u64 {
        let mut left = amount;
        let mut slot = None;
        for parcel in &mut self.parcels {
            let taken = if parcel.until > now {
                left.min(parcel.amount)
            } else {
                0
            };
            if taken > 0 {
                slot = slot.or(Some(parcel.slot));
            }
            parcel.amount -= taken;
            left -= taken;
        }
        self.flow.spent = self.flow.spent.saturating_add(amount);
        slot.unwrap_or_default()
    }

    fn is_low(&self) -> bool {
        let there: u64 = self.parcels.iter().map(|parcel| parcel.amount).sum();
        self.told.left > 0 && there < self.flow.target / 2
    }

    fn is_at_rest(&self) -> bool {
        self.owed == 0 && self.back.is_empty() && self.parcels.iter().all(|it| it.amount == 0)
    }

    fn is_due(&self, now: u64) -> bool {
        let is_over = |parcel: &Parcel| parcel.amount > 0 && parcel.until <= now;
        self.owed > 0 || !self.back.is_empty() || self.parcels.iter().any(is_over)
    }

    fn expire(&mut self, now: u64) {
        for parcel in self.parcels.iter().filter(|parcel| parcel.until <= now) {
            give(&mut self.back, parcel.slot, parcel.amount);
        }
        self.parcels
            .retain(|parcel| parcel.until > now && parcel.amount > 0);
    }

    fn order(&mut self, limit: Option<u64>, now: u64) -> Option<RateOrder> {
        let Some(limit) = limit else {
            // Bounds may change; what was leased under them is forgotten.
            *self = Self::default();
            return None;
        };
        self.expire(now);
        let owed = core::mem::take(&mut self.owed);
        let needs = self
            .flow
            .order(self.available(now), limit / RATE_SHARE, owed);
        let back = core::mem::take(&mut self.back);
        Some(RateOrder { limit, needs, back })
    }

    fn apply(&mut self, told: &RateGrant, at: u64) {
        self.told = *told;
        self.told_at = at;
        if told.granted == 0 {
            return;
        }
        let same = self.parcels.iter_mut().find(|it| it.slot == told.slot);
        match same {
            // It is good for as long as the first of that second.
            Some(parcel) => parcel.amount = parcel.amount.saturating_add(told.granted),
            None => self.parcels.push(Parcel {
                slot: told.slot,
                amount: told.granted,
                until: at.saturating_add(LIFE_NANOS),
            }),
        }
        if self.parcels.len() > PARCELS_MAX {
            let oldest = self.parcels.remove(0);
            give(&mut self.back, oldest.slot, oldest.amount);
        }
    }
}

/// A lease of a budget.
#[derive(Debug, Default)]
pub struct Purse {
    /// The day that granted it.
    day: u64,
    available: u64,
    /// What is to be given back, by the day that granted it.
    back: Vec<(u64, u64)>,
    flow: Flow,
    owed: u64,
    /// When something was taken last.
    taken_at: u64,
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

    fn need(&mut self, amount: u64) {
        self.flow.need(amount);
    }

    const fn take(&mut self, amount: u64, now: u64) -> u64 {
        self.available = self.available.saturating_sub(amount);
        self.flow.spent = self.flow.spent.saturating_add(amount);
        self.taken_at = now;
        self.day
    }

    fn put_back(&mut self, day: u64, amount: u64) {
        if day == self.day {
            self.available = self.available.saturating_add(amount);
        } else {
            give(&mut self.back, day, amount);
        }
    }

    fn is_low(&self, bounds: &Allowance) -> bool {
        let is_left = self.left(bounds).iter().all(|&left| left > self.available);
        is_left && self.available < self.flow.target / 2
    }

    const fn is_at_rest(&self) -> bool {
        self.owed == 0 && self.back.is_empty() && self.available == 0
    }

    const fn is_due(&self, now: u64) -> bool {
        let is_idle = now.saturating_sub(self.taken_at) >= LIFE_NANOS;
        let has_more = self.available > self.flow.target.saturating_mul(2);
        self.owed > 0 || !self.back.is_empty() || has_more || is_idle && self.available > 0
    }

    fn expire(&mut self) {
        let all = core::mem::take(&mut self.available);
        give(&mut self.back, self.day, all);
        self.flow = Flow::default();
    }

    fn order(&mut self, bounds: &Allowance, now: u64) -> Option<MoneyOrder> {
        if !bounds.has_budget() {
            *self = Self::default();
            return None;
        }
        let least = bounds.budget_day.unwrap_or(u64::MAX);
        let most = least.min(bounds.budget_month.unwrap_or(u64::MAX)) / MONEY_SHARE;
        let owed = core::mem::take(&mut self.owed);
        let is_wanted = self.flow.wanted > 0;
        if !is_wanted && now.saturating_sub(self.taken_at) >= LIFE_NANOS {
            self.expire();
        }
        let needs = self.flow.order(self.available, most, owed);
        if !is_wanted {
            let more = self
                .available
                .saturating_sub(self.flow.target.saturating_mul(2));
            self.available -= more;
            give(&mut self.back, self.day, more);
        }
        Some(MoneyOrder {
            day: bounds.budget_day,
            month: bounds.budget_month,
            needs,
            back: core::mem::take(&mut self.back),
        })
    }

    fn apply(&mut self, told: &MoneyGrant) {
        self.told = *told;
        if told.day != self.day {
            let before = core::mem::take(&mut self.available);
            give(&mut self.back, self.day, before);
            self.day = told.day;
        }
        self.available = self.available.saturating_add(told.granted);
    }
}

/// Places among those that run.
#[derive(Debug, Default)]
pub struct Places {
    /// Places that are leased, those in use among them.
    granted: u64,
    /// Places that nobody has leased, as far as it is known.
    pub left: u64,
    wanted: u64,
    /// Requests since the last order.
    spent: u64,
    low: u64,
}

impl Places {
    /// What all replicas may use beside what runs here.
    #[must_use]
    pub const fn left(&self, held: u64) -> u64 {
        self.left.saturating_add(self.granted.saturating_sub(held))
    }

    fn order(&mut self, limit: Option<u64>, held: u64) -> Option<PlacesOrder> {
        let spent = core::mem::take(&mut self.spent);
        let wanted = core::mem::take(&mut self.wanted);
        let Some(limit) = limit else {
            *self = Self::default();
            return None;
        };
        let ready = spent.min(limit / RATE_SHARE);
        self.low = ready.div_ceil(2);
        let want = held.saturating_add(wanted.max(ready));
        // What is given back is not taken meanwhile.
        self.granted = self.granted.min(want);
        Some(PlacesOrder { limit, held, want })
    }
}

fn give(back: &mut Vec<(u64, u64)>, of: u64, amount: u64) {
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

/// Life of a lease of a rate, and of money that nobody takes; between two words about places.
pub const LIFE_NANOS: u64 = 1_000_000_000;
/// What was said so lately holds for whoever asks.
const FRESH_NANOS: u64 = 20_000_000;
const NANOS_PER_MS: u64 = 1_000_000;
/// The largest part of a rate that is kept ready: one in so many.
const RATE_SHARE: u64 = 20;
/// The same of a budget.
const MONEY_SHARE: u64 = 50;
/// Leases of one rate at a time.
const PARCELS_MAX: usize = 4;
/// Seconds or days that something is given back to at a time.
const BACK_MAX: usize = 64;
