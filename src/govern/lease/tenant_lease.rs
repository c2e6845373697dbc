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
//! - An order has a number, and is sent again under it until it was answered: the counters carry it out
//!   once.
//! - A request that finds too little is refused once it is proved that there was no room at some moment
//!   after it came, see `Final`.
//!
//! Small limits, and those of which little is left, are leased request by request; busy accounts hold a
//! twentieth at most, or a fiftieth of a budget, beside what those who wait need. Time is an argument.

use core::task::Waker;
use std::collections::VecDeque;

use crate::govern::key::allowance::Allowance;
use crate::govern::lease::budget_lease::BudgetLease;
use crate::govern::lease::concurrency_lease::ConcurrencyLease;
use crate::govern::lease::lease_demand::LIFE_NANOS;
use crate::govern::lease::lease_request::{LeaseAmounts, LeaseGrant, LeaseRequest};
use crate::govern::lease::rate_lease::{Pieces, RateLease};
use crate::govern::value::spent::BudgetUse;
use crate::limits::SHARED_WAITERS_MAX;

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestNeeds {
    /// Tokens.
    pub tokens: u64,
    /// Nano-dollars.
    pub cost: u64,
    /// Requests of this replica that run.
    pub held: u64,
}

/// Where a request's reservation comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReservationOrigin {
    /// Where its tokens are counted, and how many each.
    tokens: Pieces,
    /// The day that granted its money.
    day: u64,
}

/// What of it is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Requests in 60 seconds.
    pub requests: bool,
    /// Tokens in 60 seconds.
    pub tokens: bool,
    /// Requests at one time.
    pub places: bool,
    /// The budget of a day or of a month.
    pub money: bool,
}

impl Shortfall {
    /// Whether nothing is.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// What there is room for at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    /// Requests in 60 seconds.
    pub requests: u64,
    /// Tokens in 60 seconds.
    pub tokens: u64,
    /// Requests at one time.
    pub places: u64,
    /// Nano-dollars of the budget of a month.
    pub in_month: u64,
    /// Nano-dollars of the budget of a day.
    pub on_day: u64,
}

/// What an order has proved about requests that wait.
///
/// A recall begins at a moment T, by the clock of the counters. Once every replica that held something then
/// has answered it, all that was unused at T was given back, so what the counters have as used now, less
/// what they granted since T, was really used or reserved at T. What was granted since T has to be left
/// out: a request that ends at one replica and is followed by another one elsewhere would count twice until
/// the first replica says so. What lies there for requests that wait is left out too: they may be refused.
#[derive(Clone, Copy, Debug)]
struct Final {
    /// The order.
    order: u64,
    /// The order at which the recall began. It judges requests that came before that was made.
    from: u64,
    /// What there was room for at T, at most.
    room: Headroom,
}

/// The leases of one account.
#[derive(Debug, Default)]
pub struct AccountLease {
    name: Box<str>,
    /// Requests in 60 seconds.
    pub requests: RateLease,
    /// Tokens in 60 seconds.
    pub tokens: RateLease,
    /// Nano-dollars.
    pub money: BudgetLease,
    /// Requests at one time.
    pub places: ConcurrencyLease,
    /// Orders that were begun.
    begun: u64,
    /// Those of them that were answered.
    ended: u64,
    /// The order that is not answered yet. It is sent until it is.
    open: Option<LeaseRequest>,
    /// When the last one was begun, or sent again.
    ordered_at: u64,
    /// The last orders that have proved something.
    finals: VecDeque<Final>,
    /// The last one has proved that something is used up.
    is_refusing: bool,
    /// Orders in a row that brought too little.
    shorts: u64,
    /// What the counters had granted when they answered last.
    total: LeaseAmounts,
    /// What the counters recall for requests that wait here.
    asking: Option<OwnRecall>,
    /// The last recall that others wait for, and the last one that was answered.
    recalled: u64,
    answered: u64,
    /// When something was recalled last.
    recalled_at: Option<u64>,
    /// That was a moment ago: what ends goes back at once.
    is_wanted_back: bool,
    /// The epoch of the counters in which they answered last.
    epoch: Box<str>,
    /// Those who wait for its end.
    waiting: Vec<Waker>,
    /// Somebody was asked to order now.
    is_called: bool,
    /// Somebody orders now and then.
    is_followed: bool,
}

/// A recall that was begun for requests that wait here.
#[derive(Clone, Copy, Debug)]
struct OwnRecall {
    /// Its number.
    recall: u64,
    /// The order that began it.
    order: u64,
    since: u64,
    /// What the counters had granted by then.
    total: LeaseAmounts,
}

impl AccountLease {
    /// Leases of the account of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// What replicas know the account by.
    #[must_use]
    pub const fn name(&self) -> &str {
        &self.name
    }

    /// What is missing for a request: `is_new`, what was granted for others who waited is theirs.
    #[must_use]
    pub fn lack(
        &self,
        bounds: &Allowance,
        asked: RequestNeeds,
        is_new: bool,
        now: u64,
    ) -> Shortfall {
        let pledged = |pledged: u64| if is_new { pledged } else { 0 };
        let rate = |rate: &RateLease, needs: u64| {
            let free = rate.available(now);
            free.saturating_sub(pledged(rate.flow.pledged(now))) < needs
        };
        let money = self.money.available;
        let money = money.saturating_sub(pledged(self.money.pledged(now)));
        let places = self.places.granted.saturating_sub(asked.held);
        Shortfall {
            requests: bounds.requests_per_minute.is_some() && rate(&self.requests, 1),
            tokens: bounds.tokens_per_minute.is_some() && rate(&self.tokens, asked.tokens),
            places: bounds.concurrent.is_some() && places <= pledged(self.places.pledged(now)),
            money: bounds.has_budget() && money < asked.cost.max(1),
        }
    }

    /// What the answer to order `next` has proved for a request that has waited since before order `first`.
    #[must_use]
    pub fn proved(&self, first: u64, next: u64) -> Option<Headroom> {
        let is_for = |it: &&Final| it.order == next && it.from >= first;
        self.finals.iter().find(is_for).map(|it| it.room)
    }

    /// What there is room for, where it was proved lately that no more can come free.
    #[must_use]
    pub fn barred(&self, now: u64) -> Option<Headroom> {
        let room = Headroom {
            requests: 0,
            tokens: u64::MAX,
            places: u64::MAX,
            in_month: u64::MAX,
            on_day: u64::MAX,
        };
        self.requests.is_barred(now).then_some(room)
    }

    /// Whether the last answer has proved that something is used up.
    #[must_use]
    pub const fn is_refusing(&self) -> bool {
        self.is_refusing
    }

    /// Whether the order that `ticket` stands for has ended, whichever way.
    #[must_use]
    pub const fn has_ended(&self, ticket: u64) -> bool {
        self.ended >= ticket
    }

    /// Takes what a request needs, which has waited for it or not. Nothing of it may lack.
    pub fn take(&mut self, asked: RequestNeeds, has_waited: bool, now: u64) -> ReservationOrigin {
        let request = self.requests.take(1, has_waited, now);
        // It has been used by now.
        self.requests.settle(request, 1, 1);
        self.places.take(has_waited, now);
        ReservationOrigin {
            tokens: self.tokens.take(asked.tokens, has_waited, now),
            day: self.money.take(asked.cost, has_waited, now),
        }
    }

    /// Adds a request to those for whom the next order is; `is_again`: one was for it already, and what
    /// that brought was not enough. Gives the ticket that it waits until;
    /// `None`: too many wait.
    pub fn wait(
        &mut self,
        lack: Shortfall,
        asked: RequestNeeds,
        is_again: bool,
        waker: &Waker,
    ) -> Option<u64> {
        if self.waiting.len() >= SHARED_WAITERS_MAX {
            return None;
        }
        self.waiting.push(waker.clone());
        if lack.requests {
            self.requests.flow.need(1, is_again);
        }
        if lack.tokens {
            self.tokens.flow.need(asked.tokens, is_again);
        }
        if lack.money {
            self.money.need(asked.cost.max(1), is_again);
        }
        if lack.places {
            self.places.need(is_again);
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
    pub fn settle(&mut self, tag: ReservationOrigin, taken: (u64, u64), used: (u64, u64)) {
        self.tokens.settle(tag.tokens, taken.0, used.0);
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
        let is_urgent = !self.waiting.is_empty() || self.is_wanted_back;
        let calls = !self.is_called && (is_urgent || !self.is_followed && !self.is_at_rest());
        self.is_called |= calls;
        calls
    }

    fn is_low(&self, bounds: &Allowance, held: u64) -> bool {
        self.requests.is_low()
            || self.tokens.is_low()
            || self.money.is_low(bounds)
            || self.places.is_low(held)
    }

    fn is_at_rest(&self) -> bool {
        self.requests.is_at_rest()
            && self.tokens.is_at_rest()
            && self.money.is_at_rest()
            && self.places.granted == 0
            && self.open.is_none()
    }

    /// Whether an order would say anything by now.
    #[must_use]
    pub fn is_due(&self, bounds: &Allowance, held: u64, now: u64) -> bool {
        let since = now.saturating_sub(self.ordered_at);
        let has_more =
            self.requests.is_due(now) || self.tokens.is_due(now) || self.money.is_due(now);
        let has_places = bounds.concurrent.is_some() && self.places.is_due(held, now);
        let keeps_places = self.places.granted > 0 && since >= LIFE_NANOS;
        let is_open = self.open.is_some();
        let more = self.is_called || has_more || has_places || keeps_places || is_open;
        more || self.recalled > self.answered || self.is_low(bounds, held)
    }

    /// Notes that somebody looks after it now and then; gives whether nobody did.
    pub const fn follow(&mut self) -> bool {
        !core::mem::replace(&mut self.is_followed, true)
    }

    /// Whether the next order has time: the last one was a moment ago, and brought too little.
    #[must_use]
    pub fn is_patient(&self, now: u64) -> bool {
        let least = match self.is_refusing {
            true => REFUSING_NANOS,
            false => LOOK_NANOS.saturating_mul(self.shorts).min(LOOK_NANOS_MAX),
        };
        now.saturating_sub(self.ordered_at) < least
    }

    /// Gives back what nobody uses with the next order: others wait for it.
    pub fn recall(&mut self, number: u64, now: u64) {
        self.recalled = self.recalled.max(number);
        self.recalled_at = Some(now);
        self.is_wanted_back = true;
    }

    /// Whether the counters have said what was spent, of this or another epoch.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.money.said().day > 0
    }

    /// Counters that began anew are told by the next order what is known by then.
    pub fn forget_epoch(&mut self) {
        self.epoch = Box::default();
    }

    /// What is to be asked now: `restored` was spent before this process, as far as it is known. Until
    /// its answer there is no other; an order that was not answered is sent again.
    pub fn order(
        &mut self,
        bounds: &Allowance,
        (held, restored): (u64, BudgetUse),
        now: u64,
    ) -> LeaseRequest {
        self.ordered_at = now;
        if let Some(open) = &mut self.open {
            open.is_again = true;
            // Places are said as they are now.
            if let Some(places) = &mut open.places {
                places.held = held;
                places.want = places.want.min(self.places.granted).max(held);
                places.wanted = 0;
            }
            return open.clone();
        }
        self.is_called = false;
        self.begun += 1;
        let lately = |at: u64| now.saturating_sub(at) < LIFE_NANOS;
        let is_scarce = self.recalled > self.answered || self.recalled_at.is_some_and(lately);
        self.answered = self.recalled;
        let waits = |at: u64| now.saturating_sub(at) < RECALLED_NANOS;
        self.is_wanted_back = self.recalled_at.is_some_and(waits);
        let requests = self
            .requests
            .order(bounds.requests_per_minute, is_scarce, now);
        let tokens = self.tokens.order(bounds.tokens_per_minute, is_scarce, now);
        let places = self.places.order(bounds.concurrent, held, is_scarce, now);
        let money = self.money.order(bounds, is_scarce, now);
        let gives_up = |it: OwnRecall| now.saturating_sub(it.since) >= RECALL_NANOS;
        let order = LeaseRequest {
            name: self.name.clone(),
            id: self.begun,
            is_again: false,
            epoch: self.epoch.clone(),
            known: match self.epoch.is_empty() {
                true => restored,
                false => self.money.said(),
            },
            recall: self.asking.map_or(0, |it| it.recall),
            gives_up: self.asking.is_some_and(gives_up),
            answered: self.answered,
            holds: held > 0 || !self.is_at_rest(),
            pledged: LeaseAmounts {
                requests: self.requests.pledged(now),
                tokens: self.tokens.pledged(now),
                places: self.places.pledged(now),
                money: self.money.pledged(now),
            },
            requests,
            tokens,
            places,
            money,
        };
        self.open = Some(order.clone());
        order
    }

    /// Takes over what an order that was begun at `at` was answered, while `held` requests run. Gives who
    /// waits for it.
    pub fn apply(
        &mut self,
        grant: &LeaseGrant,
        bounds: &Allowance,
        held: u64,
        at: u64,
    ) -> Vec<Waker> {
        // What was carried out earlier proves nothing of now.
        let is_again = self.open.take().is_some_and(|open| open.is_again);
        let is_short = [
            self.requests.apply(&grant.requests, at),
            self.tokens.apply(&grant.tokens, at),
            self.money.apply(&grant.money, at),
            self.places.apply(&grant.places, at),
        ];
        if self.epoch != grant.epoch {
            self.epoch.clone_from(&grant.epoch);
            self.asking = None;
        }
        let before = core::mem::replace(&mut self.total, grant.total);
        self.is_refusing = false;
        self.shorts = self.shorts.saturating_add(1);
        if !is_short.contains(&true) {
            // It was enough: at most another request was quicker.
            self.asking = None;
            self.shorts = 0;
        } else if grant.is_recalling || is_again {
            let begun = self.asks(grant, at);
            let asking = self.asking.get_or_insert(begun);
            if asking.recall == 0 {
                asking.recall = grant.recall;
            }
        } else {
            self.prove(grant, before, bounds, held, at);
        }
        self.ended = self.begun;
        core::mem::take(&mut self.waiting)
    }

    const fn asks(&self, grant: &LeaseGrant, at: u64) -> OwnRecall {
        OwnRecall {
            recall: grant.recall,
            order: self.begun,
            since: at,
            total: grant.total,
        }
    }

    /// Notes what an order has proved after which nobody is asked for anything any more. `before`: what had
    /// been granted at the answer before.
    fn prove(
        &mut self,
        grant: &LeaseGrant,
        before: LeaseAmounts,
        bounds: &Allowance,
        held: u64,
        at: u64,
    ) {
        let asking = self.asking.take();
        // Where no other replica held anything, nobody was asked, and T is when this order was made.
        let (from, before) = asking.map_or((self.begun, before), |it| (it.order, it.total));
        let since = grant.total.since(before).plus(grant.pledged);
        let [in_month, on_day] = self.money.left(bounds);
        let room = Headroom {
            requests: self.requests.left().saturating_add(since.requests),
            tokens: self.tokens.left().saturating_add(since.tokens),
            places: self.places.left(held).saturating_add(since.places),
            in_month: in_month.saturating_add(since.money),
            on_day: on_day.saturating_add(since.money),
        };
        if self.finals.len() >= FINALS {
            self.finals.pop_front();
        }
        self.finals.push_back(Final {
            order: self.begun,
            from,
            room,
        });
        self.is_refusing = since == LeaseAmounts::default();
        if self.is_refusing {
            self.requests.bar(room.requests, at);
        } else if asking.is_none() {
            self.asking = Some(self.asks(grant, at));
        }
    }

    /// An order was not answered: it is sent again. Gives who waits for it.
    pub fn fail(&mut self) -> Vec<Waker> {
        self.dismiss()
    }

    /// Wakes nobody but gives who waits, when there is nobody to order from.
    pub fn dismiss(&mut self) -> Vec<Waker> {
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
        self.requests.close();
        self.tokens.close();
        self.money.expire();
        self.places.close();
    }
}

/// Orders whose outcome is kept for requests that wake up late. Later ones wait for one more.
const FINALS: usize = 16;
/// After a recall what ends goes back at once for so long.
const RECALLED_NANOS: u64 = 400_000_000;
/// Longest wait for a replica that is asked to give back what it does not use. One that says nothing for so
/// long is taken to be dead.
const RECALL_NANOS: u64 = 2_500_000_000;
/// Between orders that bring too little, at first and after some of them.
const LOOK_NANOS: u64 = 1_000_000;
const LOOK_NANOS_MAX: u64 = 16_000_000;
/// Between an order after which requests were refused and the next one.
const REFUSING_NANOS: u64 = 40_000_000;
