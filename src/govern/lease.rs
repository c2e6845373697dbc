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
//! - A request that finds too little is refused once every other replica has given back what nobody
//!   uses there: the counters recall that.
//!
//! Small limits, and those of which little is left, are leased request by request; busy accounts hold a
//! twentieth at most, or a fiftieth of a budget, beside what those who wait need. Time is an argument.

use core::task::Waker;
use std::collections::VecDeque;

use crate::govern::allowance::Allowance;
use crate::govern::flow::LIFE_NANOS;
use crate::govern::order::{Grant, Order, Others};
use crate::govern::places::Places;
use crate::govern::purse::Purse;
use crate::govern::rate_lease::{Pieces, Rate};
use crate::govern::spent::Spent;
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
    /// Where its tokens are counted, and how many each.
    tokens: Pieces,
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
    /// Those of them that were answered.
    ended: u64,
    /// The order that is not answered yet. It is sent until it is.
    open: Option<Order>,
    /// When the last one was begun, or sent again.
    ordered_at: u64,
    /// The last orders after which nobody held anything that was not used: their numbers, and since
    /// which order they had waited who are refused if they lack something even so.
    finals: VecDeque<(u64, u64)>,
    /// What the counters recall for requests that wait here.
    asking: Option<Asking>,
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
struct Asking {
    /// Its number.
    recall: u64,
    /// The order that began it.
    order: u64,
    since: u64,
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

    /// What replicas know the account by.
    #[must_use]
    pub const fn name(&self) -> &str {
        &self.name
    }

    /// What is missing for a request: `is_new`, what was granted for others who waited is theirs.
    #[must_use]
    pub fn lack(&self, bounds: &Allowance, asked: Asked, is_new: bool, now: u64) -> Lack {
        let pledged = |pledged: u64| if is_new { pledged } else { 0 };
        let rate = |rate: &Rate, needs: u64| {
            let free = rate.available(now);
            free.saturating_sub(pledged(rate.flow.pledged(now))) < needs
        };
        let money = self.money.available;
        let money = money.saturating_sub(pledged(self.money.pledged(now)));
        let places = self.places.granted.saturating_sub(asked.held);
        Lack {
            requests: bounds.requests_per_minute.is_some() && rate(&self.requests, 1),
            tokens: bounds.tokens_per_minute.is_some() && rate(&self.tokens, asked.tokens),
            places: bounds.concurrent.is_some() && places <= pledged(self.places.pledged(now)),
            money: bounds.has_budget() && money < asked.cost.max(1),
        }
    }

    /// Whether the answer to order `next`, which asked for a request that has waited since before order
    /// `first`, is the last word for it.
    #[must_use]
    pub fn answers(&self, first: u64, next: u64) -> bool {
        let is_last = |&(order, final_to): &(u64, u64)| order == next && final_to >= first;
        self.finals.iter().any(is_last)
    }

    /// Whether the order that `ticket` stands for has ended, whichever way.
    #[must_use]
    pub const fn has_ended(&self, ticket: u64) -> bool {
        self.ended >= ticket
    }

    /// Takes what a request needs, which has waited for it or not. Nothing of it may lack.
    pub fn take(&mut self, asked: Asked, has_waited: bool, now: u64) -> Tag {
        let request = self.requests.take(1, has_waited, now);
        // It has been used by now.
        self.requests.settle(request, 1, 1);
        self.places.take(has_waited, now);
        Tag {
            tokens: self.tokens.take(asked.tokens, has_waited, now),
            day: self.money.take(asked.cost, has_waited, now),
        }
    }

    /// Adds a request to those for whom the next order is; `is_again`: one was for it already, and what
    /// that brought was not enough. Gives the ticket that it waits until;
    /// `None`: too many wait.
    pub fn wait(&mut self, lack: Lack, asked: Asked, is_again: bool, waker: &Waker) -> Option<u64> {
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
    pub fn settle(&mut self, tag: Tag, taken: (u64, u64), used: (u64, u64)) {
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

    /// Whether nothing but a recall is waited for, which was looked at a moment ago.
    #[must_use]
    pub fn is_patient(&self, now: u64) -> bool {
        let is_recent = now.saturating_sub(self.ordered_at) < RECALL_LOOK_NANOS;
        self.asking.is_some() && is_recent && self.recalled <= self.answered
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
    pub fn order(&mut self, bounds: &Allowance, (held, restored): (u64, Spent), now: u64) -> Order {
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
        let waits = |at: u64| now.saturating_sub(at) < RECALL_NANOS;
        self.is_wanted_back = self.recalled_at.is_some_and(waits);
        let requests = self
            .requests
            .order(bounds.requests_per_minute, is_scarce, now);
        let tokens = self.tokens.order(bounds.tokens_per_minute, is_scarce, now);
        let places = self.places.order(bounds.concurrent, held, is_scarce, now);
        let money = self.money.order(bounds, is_scarce, now);
        let gives_up = |it: Asking| now.saturating_sub(it.since) >= RECALL_NANOS;
        let order = Order {
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
            requests,
            tokens,
            places,
            money,
        };
        self.open = Some(order.clone());
        order
    }

    /// Takes over what an order that was begun at `at` was answered. Gives who waits for it.
    pub fn apply(&mut self, grant: &Grant, at: u64) -> Vec<Waker> {
        self.open = None;
        let is_short = [
            self.requests.apply(&grant.requests, at),
            self.tokens.apply(&grant.tokens, at),
            self.money.apply(&grant.money, at),
            self.places.apply(&grant.places, at),
        ];
        self.epoch.clone_from(&grant.epoch);
        let since = self.asking.map_or(at, |it| it.since);
        let is_open = match grant.others {
            Others::None => false,
            // A client may have its answer a moment before what it used is settled.
            Others::Answered => at.saturating_sub(since) < GRACE_NANOS,
            Others::Asked => true,
        };
        if is_open {
            self.asking.get_or_insert(Asking {
                recall: grant.recall,
                order: self.begun,
                since: at,
            });
        } else {
            let asking = self.asking.take();
            let final_to = asking.map_or(self.begun, |it| it.order);
            // Where it was enough, somebody was quicker at most.
            if is_short.contains(&true) {
                if self.finals.len() >= FINALS {
                    self.finals.pop_front();
                }
                self.finals.push_back((self.begun, final_to));
            }
        }
        self.ended = self.begun;
        core::mem::take(&mut self.waiting)
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
        if rests {
            self.finals = VecDeque::new();
        }
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

/// Orders whose outcome is kept for those who wake up late.
const FINALS: usize = 256;
/// Longest wait for replicas that are asked to give back what they do not use.
const RECALL_NANOS: u64 = 400_000_000;
/// How long what has ended elsewhere may take until it is given back.
const GRACE_NANOS: u64 = 20_000_000;
/// Between two looks at whether they have.
const RECALL_LOOK_NANOS: u64 = 2_000_000;
