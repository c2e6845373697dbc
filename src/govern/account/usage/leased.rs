//! Accounts whose limits several replicas share: requests are let in by leases, and wait a moment
//! where these are used up.

use core::task::{Context, Poll, Waker};
use std::sync::{Arc, MutexGuard};

use super::{
    Account, AccountState, Accounts, Amount, Hold, HoldPart, LimitKind, LimitRefusal, Now,
    RateStatus, RateStatuses, Whose, admit,
};
use crate::govern::key::allowance::Allowance;
use crate::govern::lease::lease_queue::{LeaseQueue, WhenDown};
use crate::govern::lease::lease_request::{LeaseGrant, LeaseRequest};
use crate::govern::lease::rate_lease::RateLease;
use crate::govern::lease::tenant_lease::{AccountLease, Headroom, RequestNeeds, Shortfall};

/// Whether a request is let in, and how the rates stand.
pub type Judged = (Result<Hold, LimitRefusal>, RateStatuses);

/// What a request that waits knows of its orders: the key's and the tenant's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tickets([Option<Ticket>; 2]);

/// The orders that a request waits for.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    /// Number of the first order that was made after the request arrived.
    first: u64,
    /// Number of the order whose answer the request waits for.
    next: u64,
}

impl Account {
    /// An account that several replicas share under this name.
    #[must_use]
    pub fn shared(allowance: Allowance, name: &str, pool: &Arc<LeaseQueue<Self>>) -> Self {
        let mut account = Self::new(allowance);
        account.pool = Some(Arc::clone(pool));
        account.state().lease = Some(Box::new(AccountLease::new(name)));
        account
    }

    /// Whether something is to be asked of the shared counters by now.
    pub fn is_due(&self, now: u64) -> bool {
        let state = self.state();
        let (bounds, held) = (&state.allowance, state.held);
        let lease = state.lease.as_ref();
        lease.is_some_and(|lease| lease.is_due(bounds, held, now))
    }

    /// Notes that somebody looks after it until it rests; gives whether nobody did.
    pub fn follow(&self) -> bool {
        let mut state = self.state();
        state.lease.as_mut().is_some_and(|lease| lease.follow())
    }

    /// What is to be asked now. The next order is made once this one was answered or has failed.
    pub fn order(&self, now: u64) -> LeaseRequest {
        let mut state = self.state();
        let (bounds, held) = (state.allowance, state.held);
        let said = (held, state.restored);
        let lease = state.lease.as_mut();
        lease.map_or_else(LeaseRequest::default, |lease| {
            lease.order(&bounds, said, now)
        })
    }

    /// Takes over what an order that was begun at `at` was answered; whoever waits for it goes on.
    pub fn apply(&self, grant: &LeaseGrant, at: u64) {
        let mut state = self.state();
        let (bounds, held, reserved) = (state.allowance, state.held, state.reserved);
        let Some(lease) = &mut state.lease else {
            return;
        };
        let woken = lease.apply(grant, &bounds, held, at);
        // By this a replica goes on while it is alone.
        let others = lease.money.spent(reserved);
        let spent = &mut state.spent;
        if others.day >= spent.day && grant.money.day > 0 {
            (spent.day, spent.on_day) = (others.day, others.on_day);
            (spent.month, spent.in_month) = (others.month, others.in_month);
        }
        drop(state);
        wake(woken);
    }

    /// Whether the next order has time, because the last one brought too little a moment ago.
    pub fn is_patient(&self, now: u64) -> bool {
        let state = self.state();
        let lease = state.lease.as_ref();
        lease.is_some_and(|lease| lease.is_patient(now))
    }

    /// Other replicas wait for what nobody uses here: it goes back with the next order.
    pub fn recall(&self, number: u64, now: u64) {
        if let Some(lease) = &mut self.state().lease {
            lease.recall(number, now);
        }
    }

    /// Whether counters that have forgotten it have something to learn.
    pub fn is_known(&self) -> bool {
        let state = self.state();
        state.held > 0 || state.spent.in_month > 0
    }

    /// Makes it known to the pool that it belongs to.
    pub fn register(self: &Arc<Self>) {
        let state = self.state();
        if let (Some(pool), Some(lease)) = (&self.pool, &state.lease) {
            pool.register(lease.name(), self);
        }
    }

    /// An order was not answered: it is sent again.
    pub fn fail(&self) {
        let mut state = self.state();
        let woken = state.lease.as_mut().map(|lease| lease.fail());
        drop(state);
        wake(woken.unwrap_or_default());
    }

    /// There is nobody to order from: whoever waits goes on.
    pub fn dismiss(&self) {
        let mut state = self.state();
        let woken = state.lease.as_mut().map(|lease| lease.dismiss());
        drop(state);
        wake(woken.unwrap_or_default());
    }

    /// Whether nobody need look after it until it calls.
    pub fn rests(&self) -> bool {
        let mut state = self.state();
        state.lease.as_mut().is_none_or(|lease| lease.rests())
    }

    /// Gives back with the next order what no request holds.
    pub fn close(&self) {
        if let Some(lease) = &mut self.state().lease {
            lease.close();
        }
    }
}

fn wake(woken: Vec<Waker>) {
    for waker in woken {
        waker.wake();
    }
}

impl Accounts<'_> {
    /// What several replicas share these accounts by.
    #[must_use]
    pub fn pool(&self) -> Option<&Arc<LeaseQueue<Account>>> {
        let pool = |account: &Arc<Account>| account.pool.is_some();
        let shared = self.both().map(|(_, account)| account).find(|it| pool(it));
        shared.and_then(|account| account.pool.as_ref())
    }
}

/// Reserves `amount` by leases, or says why not; waits where nobody knows yet.
pub fn poll_admit(
    accounts: Accounts<'_>,
    amount: Amount,
    now: Now,
    tickets: &mut Tickets,
    cx: &Context<'_>,
) -> Poll<Judged> {
    if !accounts.pool().is_some_and(|pool| pool.is_up()) {
        return Poll::Ready(admit_alone(accounts, amount, now));
    }
    let mut locked = accounts
        .both()
        .map(|(whose, account)| (whose, account, account.state()));
    let mut locked = [locked.next(), locked.next()];
    let mut lacks = [Shortfall::default(); 2];
    for ((place, ticket), lack) in locked.iter().zip(&tickets.0).zip(&mut lacks) {
        let Some((whose, _, state)) = place else {
            continue;
        };
        match state.leased(amount, (*whose, *ticket), now) {
            Ok(found) => *lack = found,
            Err(refused) => {
                let standings = standings(&locked, now);
                return Poll::Ready((Err(refused), standings));
            }
        }
    }
    if lacks.iter().all(|lack| lack.is_none()) {
        let has_waited = tickets.0.iter().any(Option::is_some);
        let parts = locked.each_mut().map(|place| {
            let (_, account, state) = place.as_mut()?;
            Some(state.take_leased(account, amount, has_waited, now))
        });
        let standings = standings(&locked, now);
        for (_, account, state) in locked.into_iter().flatten() {
            account.call(state);
        }
        return Poll::Ready((Ok(Hold { parts, amount }), standings));
    }
    if let Some(pool) = accounts
        .pool()
        .filter(|_| tickets.0.iter().all(Option::is_none))
    {
        pool.count_wait();
    }
    let mut waits = Ok(());
    for ((place, ticket), lack) in locked.into_iter().zip(&mut tickets.0).zip(lacks) {
        let Some((whose, account, mut state)) = place.filter(|_| !lack.is_none()) else {
            continue;
        };
        if !state.wait(amount, lack, ticket, cx) {
            waits = state.turn_away((whose, lack), amount, now);
        }
        account.call(state);
    }
    match waits {
        Ok(()) => Poll::Pending,
        Err(refused) => Poll::Ready((Err(refused), RateStatuses::default())),
    }
}

/// Whether the shared counters answer, and have answered since a request came that waits for them.
#[must_use]
pub fn is_heard(accounts: Accounts<'_>, tickets: &Tickets) -> bool {
    let mut waited = accounts.both().zip(&tickets.0);
    let is_heard = |((_, account), ticket): ((Whose, &Arc<Account>), &Option<Ticket>)| {
        let state = account.state();
        let lease = state.lease.as_ref().zip(*ticket);
        lease.is_none_or(|(lease, ticket)| lease.has_ended(ticket.first))
    };
    accounts.pool().is_some_and(|pool| pool.is_up()) && waited.all(is_heard)
}

/// Judges a request that has waited for as long as it may, while others were quicker to take what came
/// free: it is refused by what it lacks.
pub fn refuse(accounts: Accounts<'_>, amount: Amount, now: Now) -> Judged {
    for (whose, account) in accounts.both() {
        let state = account.state();
        let Some(lease) = &state.lease else {
            continue;
        };
        let lack = lease.lack(&state.allowance, state.asked(amount), true, now.nanos);
        let room = Some(Headroom::default());
        if let Err(refused) = state.lacking(lack, amount, whose, room, now) {
            return (Err(refused), state.shared_standings(now));
        }
    }
    (Err(UNKNOWN), RateStatuses::default())
}

/// Judges by what this replica knows, as it holds while the shared counters are away.
pub fn admit_alone(accounts: Accounts<'_>, amount: Amount, now: Now) -> Judged {
    match accounts.pool().map(|pool| pool.when_down()) {
        Some(WhenDown::Closed) => (Err(UNKNOWN), RateStatuses::default()),
        Some(WhenDown::Local) | None => admit(accounts, amount, now),
    }
}

type Locked<'l> = [Option<(Whose, &'l Arc<Account>, MutexGuard<'l, AccountState>)>; 2];

fn standings(locked: &Locked<'_>, now: Now) -> RateStatuses {
    let each = locked.iter().flatten();
    each.map(|(_, _, state)| state.shared_standings(now))
        .fold(RateStatuses::default(), RateStatuses::with)
}

impl AccountState {
    /// What is missing for a request to be let in by leases, or why it is not.
    fn leased(
        &self,
        amount: Amount,
        (whose, ticket): (Whose, Option<Ticket>),
        now: Now,
    ) -> Result<Shortfall, LimitRefusal> {
        let bounds = self.allowance;
        let asked = self.asked(amount);
        let Some(lease) = &self.lease else {
            return Ok(Shortfall::default());
        };
        let is_new = ticket.is_none_or(|it| !lease.has_ended(it.next));
        let lack = lease.lack(&bounds, asked, is_new, now.nanos);
        let proved = match ticket {
            Some(ticket) => lease.proved(ticket.first, ticket.next),
            None => lease.barred(now.nanos),
        };
        self.lacking(lack, amount, whose, proved, now)
    }

    /// Why a request is not let in that lacks something: `proved`, there is no more room than this; what it
    /// lacks, where that is not known.
    fn lacking(
        &self,
        lack: Shortfall,
        amount: Amount,
        whose: Whose,
        proved: Option<Headroom>,
        now: Now,
    ) -> Result<Shortfall, LimitRefusal> {
        let bounds = self.allowance;
        let asked = self.asked(amount);
        let Some(lease) = &self.lease else {
            return Ok(lack);
        };
        let refused = |bound, limit, wait| {
            Err(LimitRefusal {
                bound,
                whose,
                limit,
                wait,
            })
        };
        let is_over = |room: fn(Headroom) -> u64, need| proved.is_some_and(|it| room(it) < need);
        let cost = asked.cost.max(1);
        for (bound, limit, room) in [
            (
                LimitKind::BudgetMonth,
                bounds.budget_month,
                (|it| it.in_month) as fn(Headroom) -> u64,
            ),
            (LimitKind::BudgetDay, bounds.budget_day, |it| it.on_day),
        ] {
            let Some(limit) = limit.filter(|_| lack.money) else {
                continue;
            };
            if cost > limit || is_over(room, cost) {
                return refused(bound, limit, None);
            }
        }
        if let Some(limit) = bounds.requests_per_minute.filter(|_| lack.requests)
            && is_over(|it| it.requests, 1)
        {
            let wait = lease.requests.wait(now.nanos).max(1);
            return refused(LimitKind::Requests, limit, Some(wait));
        }
        if let Some(limit) = bounds.tokens_per_minute.filter(|_| lack.tokens) {
            if asked.tokens > limit {
                return refused(LimitKind::Tokens, limit, None);
            }
            if is_over(|it| it.tokens, asked.tokens) {
                let wait = lease.tokens.wait(now.nanos).max(1);
                return refused(LimitKind::Tokens, limit, Some(wait));
            }
        }
        match bounds.concurrent {
            Some(limit) if lack.places && is_over(|it| it.places, 1) => {
                refused(LimitKind::Concurrent, limit, None)
            }
            Some(_) | None => Ok(lack),
        }
    }

    fn asked(&self, amount: Amount) -> RequestNeeds {
        RequestNeeds {
            tokens: amount.tokens,
            cost: amount.cost,
            held: self.held,
        }
    }

    /// Takes what is not lacking, and counts it as a replica that is alone would.
    fn take_leased(
        &mut self,
        account: &Arc<Account>,
        amount: Amount,
        has_waited: bool,
        now: Now,
    ) -> HoldPart {
        self.roll(now.unix_ms);
        let asked = self.asked(amount);
        let tag = self
            .lease
            .as_mut()
            .map(|it| it.take(asked, has_waited, now.nanos));
        HoldPart {
            account: Arc::clone(account),
            slot: self.take(&amount, now),
            tag,
        }
    }

    /// Puts a request among those who wait; gives whether there is room.
    fn wait(
        &mut self,
        amount: Amount,
        lack: Shortfall,
        ticket: &mut Option<Ticket>,
        cx: &Context<'_>,
    ) -> bool {
        let asked = self.asked(amount);
        let Some(lease) = &mut self.lease else {
            return false;
        };
        if ticket.is_some_and(|it| !lease.has_ended(it.next)) {
            return lease.stay(cx.waker());
        }
        let Some(next) = lease.wait(lack, asked, ticket.is_some(), cx.waker()) else {
            return false;
        };
        let first = ticket.map_or(next, |it| it.first);
        *ticket = Some(Ticket { first, next });
        true
    }

    /// What a request is told for which there is no room among those who wait.
    fn turn_away(
        &self,
        (whose, lack): (Whose, Shortfall),
        amount: Amount,
        now: Now,
    ) -> Result<(), LimitRefusal> {
        let is_refusing = self.lease.as_ref().is_some_and(|it| it.is_refusing());
        let room = is_refusing.then(Headroom::default);
        self.lacking(lack, amount, whose, room, now)?;
        Err(UNKNOWN)
    }

    fn shared_standings(&self, now: Now) -> RateStatuses {
        let Some(lease) = &self.lease else {
            return RateStatuses::default();
        };
        let standing = |limit: Option<u64>, rate: &RateLease| {
            limit.map(|limit| RateStatus {
                limit,
                remaining: rate.left().min(limit),
                reset: rate.reset(now.nanos),
            })
        };
        RateStatuses {
            requests: standing(self.allowance.requests_per_minute, &lease.requests),
            tokens: standing(self.allowance.tokens_per_minute, &lease.tokens),
        }
    }
}

/// What the shared counters allow is not known in time.
const UNKNOWN: LimitRefusal = LimitRefusal {
    bound: LimitKind::Shared,
    whose: Whose::Key,
    limit: 0,
    wait: None,
};

#[cfg(test)]
mod tests;
