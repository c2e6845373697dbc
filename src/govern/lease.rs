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
use crate::govern::flow::{Flow, LIFE_NANOS, SETTLED_NANOS, give};
use crate::govern::order::{Grant, Needs, Order, PlacesGrant, PlacesOrder, RateGrant, RateOrder};
use crate::govern::purse::Purse;
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
    /// The seconds that granted its tokens, and how many each.
    tokens: Pieces,
    /// The day that granted its money.
    day: u64,
}

/// Parts of an amount, by the second that granted them, the oldest first.
type Pieces = [(u64, u64); PARCELS_MAX];

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
    /// When the last one was begun.
    ordered_at: u64,
    /// When the last one was that has said anything, where what it said still holds.
    told_at: Option<u64>,
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
        self.told_at.is_some_and(|told_at| match ticket {
            Some(ticket) => self.ended >= ticket,
            None => now.saturating_sub(told_at) < FRESH_NANOS,
        })
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
            tokens: self.tokens.take(asked.tokens, now),
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
            None => self.tokens.put_back(tag.tokens, taken.0 - used.0),
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
            places: self.places.order(bounds.concurrent, held, now),
            money: self.money.order(bounds, now),
        }
    }

    /// Takes over what an order that was begun at `at` was answered. Gives who waits for it.
    pub fn apply(&mut self, grant: &Grant, at: u64) -> Vec<Waker> {
        self.requests.apply(&grant.requests, at);
        self.tokens.apply(&grant.tokens, at);
        self.money.apply(&grant.money, at);
        self.places.apply(&grant.places, at);
        self.told_at = Some(at);
        self.end()
    }

    /// An order was not answered: what was given back stays used, what was owed is owed on. Gives who
    /// waits for it.
    pub fn fail(&mut self, order: &Order) -> Vec<Waker> {
        let owed = |needs: Option<Needs>| needs.map_or(0, |needs| needs.owed);
        let rate = |rate: &Option<RateOrder>| owed(rate.as_ref().map(|it| it.needs));
        let both = [
            (&mut self.requests, &order.requests),
            (&mut self.tokens, &order.tokens),
        ];
        for (held, ordered) in both {
            held.owed = held.owed.saturating_add(rate(ordered));
        }
        self.owe(owed(order.money.as_ref().map(|it| it.needs)));
        self.told_at = None;
        self.end()
    }

    fn end(&mut self) -> Vec<Waker> {
        self.ended = self.begun;
        core::mem::take(&mut self.waiting)
    }

    /// Wakes nobody but gives who waits, when there is nobody to order from.
    pub fn dismiss(&mut self) -> Vec<Waker> {
        self.told_at = None;
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
        (self.places.spent, self.places.granted_at) = (0, 0);
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

impl Rate {
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

    const fn since_told(&self, ms: u64, now: u64) -> u64 {
        let nanos = ms.saturating_mul(NANOS_PER_MS);
        nanos.saturating_sub(now.saturating_sub(self.told_at))
    }

    fn need(&mut self, amount: u64) {
        self.flow.need(amount);
    }

    /// Takes from the oldest leases; gives what of it comes from where.
    fn take(&mut self, amount: u64, now: u64) -> Pieces {
        let mut left = amount;
        let mut pieces = Pieces::default();
        for (parcel, piece) in self.parcels.iter_mut().zip(&mut pieces) {
            let taken = if parcel.until > now {
                left.min(parcel.amount)
            } else {
                0
            };
            *piece = (parcel.slot, taken);
            parcel.amount -= taken;
            left -= taken;
        }
        self.flow.spent = self.flow.spent.saturating_add(amount);
        pieces
    }

    /// Gives back a part of what was taken, first what counts the longest.
    fn put_back(&mut self, pieces: Pieces, amount: u64) {
        let mut left = amount;
        for (slot, taken) in pieces.into_iter().rev() {
            let part = left.min(taken);
            give(&mut self.back, slot, part);
            left -= part;
        }
    }

    /// What nobody uses of what is leased, given back or to be.
    fn unused(&self) -> u64 {
        let leased = self.parcels.iter().map(|parcel| parcel.amount);
        let back = self.back.iter().map(|(_, amount)| *amount);
        leased.chain(back).fold(0, u64::saturating_add)
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
        // Until the answer says so itself.
        let returned = back.iter().map(|(_, amount)| *amount);
        let left = returned.fold(self.told.left, u64::saturating_add);
        self.told.left = left.saturating_sub(owed).min(limit);
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
    /// When more were granted last.
    granted_at: u64,
}

impl Places {
    /// What all replicas may use beside what runs here.
    #[must_use]
    pub const fn left(&self, held: u64) -> u64 {
        self.left.saturating_add(self.granted.saturating_sub(held))
    }

    fn order(&mut self, limit: Option<u64>, held: u64, now: u64) -> Option<PlacesOrder> {
        let spent = core::mem::take(&mut self.spent);
        let wanted = core::mem::take(&mut self.wanted);
        let Some(limit) = limit else {
            *self = Self::default();
            return None;
        };
        let ready = spent.min(limit / RATE_SHARE);
        self.low = ready.div_ceil(2);
        let is_settled = now.saturating_sub(self.granted_at) >= SETTLED_NANOS;
        let pledged = match is_settled {
            true => 0,
            false => self.granted.saturating_sub(held),
        };
        let want = held.saturating_add(ready.max(wanted.saturating_add(pledged)));
        // What is given back is not taken meanwhile, and free again soon.
        let more = self.granted.saturating_sub(want);
        self.granted -= more;
        self.left = self.left.saturating_add(more);
        Some(PlacesOrder { limit, held, want })
    }

    const fn apply(&mut self, told: &PlacesGrant, at: u64) {
        if told.granted > self.granted {
            self.granted_at = at;
        }
        self.granted = told.granted;
        self.left = told.left;
    }
}

/// What was said so lately holds for whoever asks.
const FRESH_NANOS: u64 = 20_000_000;
const NANOS_PER_MS: u64 = 1_000_000;
/// The largest part of a rate that is kept ready: one in so many.
const RATE_SHARE: u64 = 20;
/// Leases of one rate at a time.
const PARCELS_MAX: usize = 4;
