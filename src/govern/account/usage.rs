//! What one key or tenant has used: rates, requests at one time, money.
//!
//! [`admit`] reserves on the key's and the tenant's account, all or nothing, and gives a [`Hold`].
//! [`Hold::settle`] puts what was really used in its place; a hold that is dropped gives back all
//! but the request itself. Many requests at once overrun a budget by no more than what one of them
//! costs beyond its own reservation.
//!
//! Accounts outlive tables of keys and are shared by all threads, each under one lock that is held
//! for some additions. Time is an argument. Where several replicas share the limits, an account spends
//! leases (see `leased`) and goes on counting by itself, for the time without them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::govern::account::window::Window;
use crate::govern::key::allowance::Allowance;
use crate::govern::lease::lease_queue::LeaseQueue;
use crate::govern::lease::tenant_lease::{AccountLease, ReservationOrigin};
use crate::govern::value::spent::BudgetUse;
use crate::http1::date::civil;

/// The time, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic nanoseconds, for rates.
    pub nanos: u64,
    /// Milliseconds since 1970, for budgets.
    pub unix_ms: u64,
}

/// What a request will use, by estimate, or has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Tokens, input and output.
    pub tokens: u64,
    /// Nano-dollars.
    pub cost: u64,
}

impl Amount {
    const fn pair(self) -> (u64, u64) {
        (self.tokens, self.cost)
    }
}

/// Which bound it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Requests per minute.
    Requests,
    /// Tokens per minute.
    Tokens,
    /// Requests at one time.
    Concurrent,
    /// Money per day.
    BudgetDay,
    /// Money per month.
    BudgetMonth,
    /// None: what replicas share is not known now.
    Shared,
}

/// Whose bound it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The key's own.
    Key,
    /// That of all keys of its tenant.
    Tenant,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRefusal {
    /// Which bound.
    pub bound: LimitKind,
    /// Whose.
    pub whose: Whose,
    /// The bound itself: requests, tokens, nano-dollars.
    pub limit: u64,
    /// Nanoseconds until such a request can be let in; `None`: waiting will not do, or nobody knows.
    pub wait: Option<u64>,
}

/// How a rate stands, as clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateStatus {
    /// The limit.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// Nanoseconds until all of it is there again.
    pub reset: u64,
}

/// How the rates of a key and its tenant stand; of each kind the one of which less is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateStatuses {
    /// Requests per minute.
    pub requests: Option<RateStatus>,
    /// Tokens per minute.
    pub tokens: Option<RateStatus>,
}

/// What one key or tenant may use, and has.
#[derive(Debug, Default)]
pub struct Account {
    state: Mutex<AccountState>,
    /// There where replicas share it.
    pool: Option<Arc<LeaseQueue<Self>>>,
}

/// An account is itself and no other.
impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Eq for Account {}

#[derive(Debug, Default)]
struct AccountState {
    allowance: Allowance,
    /// There where the rate is bounded.
    requests: Option<Box<Window>>,
    tokens: Option<Box<Window>>,
    /// Holds that are out.
    held: u64,
    /// What they reserve, in nano-dollars.
    reserved: u64,
    spent: BudgetUse,
    /// What of that was before this process.
    restored: BudgetUse,
    /// There where replicas share it.
    lease: Option<Box<AccountLease>>,
}

impl Account {
    /// An account of which nothing has been used.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        let account = Self::default();
        account.allow(allowance);
        account
    }

    /// Sets other bounds; what was used under the old ones counts on.
    pub fn allow(&self, allowance: Allowance) {
        let mut state = self.state();
        let AccountState {
            requests, tokens, ..
        } = &mut *state;
        for (window, limit) in [
            (requests, allowance.requests_per_minute),
            (tokens, allowance.tokens_per_minute),
        ] {
            // A rate that is taken away goes on counting: it may come back.
            if limit.is_some() {
                window.get_or_insert_default();
            }
        }
        state.allowance = allowance;
    }

    /// What it may use.
    #[must_use]
    pub fn allowance(&self) -> Allowance {
        self.state().allowance
    }

    /// What was spent in the day and the month of `unix_ms`.
    #[must_use]
    pub fn spent(&self, unix_ms: u64) -> BudgetUse {
        let mut state = self.state();
        state.roll(unix_ms);
        state.spent
    }

    /// Holds that are out, and what they reserve in nano-dollars.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn out(&self) -> (u64, u64) {
        let state = self.state();
        (state.held, state.reserved)
    }

    /// Takes over what was spent before this process; adds to what it has spent itself. A day or a
    /// month that is over is forgotten.
    pub fn restore(&self, before: &BudgetUse, unix_ms: u64) {
        let mut state = self.state();
        state.roll(unix_ms);
        let AccountState {
            spent,
            restored,
            lease,
            ..
        } = &mut *state;
        if restored.day != spent.day {
            (restored.day, restored.on_day) = (spent.day, 0);
        }
        if restored.month != spent.month {
            (restored.month, restored.in_month) = (spent.month, 0);
        }
        // What the shared counters have said is the whole already.
        let is_told = lease.as_ref().is_some_and(|lease| lease.is_told());
        let spent = (!is_told).then_some(spent);
        for sums in spent.into_iter().chain([restored]) {
            if before.day == sums.day {
                sums.on_day = sums.on_day.saturating_add(before.on_day);
            }
            if before.month == sums.month {
                sums.in_month = sums.in_month.saturating_add(before.in_month);
            }
        }
        // The counters that replicas share are told with the next order.
        if let Some(lease) = lease {
            lease.forget_epoch();
        }
    }

    /// Lets go of the account, and asks for an order where it needs one.
    fn call(self: &Arc<Self>, mut state: MutexGuard<'_, AccountState>) {
        let calls = state.lease.as_mut().is_some_and(|lease| lease.calls());
        drop(state);
        if let Some(pool) = self.pool.as_ref().filter(|_| calls) {
            pool.call(Arc::clone(self));
        }
    }

    fn state(&self) -> MutexGuard<'_, AccountState> {
        // What panics under it leaves sums that are good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which bound is in the way, what it is, and how long.
type Lacking = (LimitKind, u64, Option<u64>);

impl AccountState {
    fn roll(&mut self, unix_ms: u64) {
        let (day, month) = (day_of(unix_ms), month_of(unix_ms));
        let spent = &mut self.spent;
        // A clock that is set back does not give a budget anew. Nor does a period in the future go on until
        // then: what was spent in it counts in the one of today.
        let is_ahead = spent.day.saturating_mul(DAY_MS) > unix_ms.saturating_add(AHEAD_MS);
        if day > spent.day {
            (spent.day, spent.on_day) = (day, 0);
        } else if is_ahead {
            spent.day = day;
        }
        if month > spent.month {
            (spent.month, spent.in_month) = (month, 0);
        } else if is_ahead {
            spent.month = month;
        }
    }

    /// Why `amount` cannot be let in now.
    fn judge(&mut self, amount: &Amount, whose: Whose, now: Now) -> Result<(), LimitRefusal> {
        self.roll(now.unix_ms);
        let lacking = self
            .over_budget(amount)
            .or_else(|| self.over_limit(amount, now));
        match lacking {
            None => Ok(()),
            Some((bound, limit, wait)) => Err(LimitRefusal {
                bound,
                whose,
                limit,
                wait,
            }),
        }
    }

    fn over_budget(&self, amount: &Amount) -> Option<Lacking> {
        // Nothing more is let in once all is spent, whatever it costs.
        let ahead = self.reserved.saturating_add(amount.cost.max(1));
        let over = |limit: Option<u64>, spent: u64| {
            limit.filter(|&limit| spent.saturating_add(ahead) > limit)
        };
        if let Some(limit) = over(self.allowance.budget_month, self.spent.in_month) {
            return Some((LimitKind::BudgetMonth, limit, None));
        }
        let limit = over(self.allowance.budget_day, self.spent.on_day)?;
        Some((LimitKind::BudgetDay, limit, None))
    }

    fn over_limit(&mut self, amount: &Amount, now: Now) -> Option<Lacking> {
        let over = |limit: Option<u64>, window: &mut Option<Box<Window>>, amount: u64| {
            let (limit, window) = limit.zip(window.as_mut())?;
            let wait = window.wait(amount, limit, now.nanos);
            (wait != Some(0)).then_some((limit, wait))
        };
        let limit = self.allowance.requests_per_minute;
        if let Some((limit, wait)) = over(limit, &mut self.requests, 1) {
            return Some((LimitKind::Requests, limit, wait));
        }
        let limit = self.allowance.tokens_per_minute;
        if let Some((limit, wait)) = over(limit, &mut self.tokens, amount.tokens) {
            return Some((LimitKind::Tokens, limit, wait));
        }
        let limit = self
            .allowance
            .concurrent
            .filter(|&limit| self.held >= limit)?;
        Some((LimitKind::Concurrent, limit, None))
    }

    /// Gives where the tokens are counted, if they are.
    fn take(&mut self, amount: &Amount, now: Now) -> Option<u64> {
        self.held += 1;
        self.reserved = self.reserved.saturating_add(amount.cost);
        if let Some(requests) = &mut self.requests {
            requests.add(1, now.nanos);
        }
        let tokens = self.tokens.as_mut();
        tokens.map(|it| it.add(amount.tokens, now.nanos))
    }

    fn give_back(&mut self, amount: &Amount) {
        self.held = self.held.saturating_sub(1);
        self.reserved = self.reserved.saturating_sub(amount.cost);
    }

    fn standings(&mut self, now: Now) -> RateStatuses {
        let standing = |limit: Option<u64>, window: &mut Option<Box<Window>>| {
            let (limit, window) = limit.zip(window.as_mut())?;
            let (used, reset) = window.standing(now.nanos);
            Some(RateStatus {
                limit,
                remaining: limit.saturating_sub(used),
                reset,
            })
        };
        RateStatuses {
            requests: standing(self.allowance.requests_per_minute, &mut self.requests),
            tokens: standing(self.allowance.tokens_per_minute, &mut self.tokens),
        }
    }
}

impl RateStatuses {
    fn with(self, other: Self) -> Self {
        let less = |a: Option<RateStatus>, b: Option<RateStatus>| match (a, b) {
            (Some(a), Some(b)) if b.remaining < a.remaining => Some(b),
            (a, b) => a.or(b),
        };
        Self {
            requests: less(self.requests, other.requests),
            tokens: less(self.tokens, other.tokens),
        }
    }
}

/// The accounts that a request is held against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accounts<'a> {
    /// The key's; none where nothing bounds it.
    pub key: Option<&'a Arc<Account>>,
    /// Its tenant's.
    pub tenant: Option<&'a Arc<Account>>,
}

impl<'a> Accounts<'a> {
    /// Whether nothing is bounded.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.key.is_none() && self.tenant.is_none()
    }

    fn both(self) -> impl Iterator<Item = (Whose, &'a Arc<Account>)> {
        let key = self.key.map(|account| (Whose::Key, account));
        let tenant = self.tenant.map(|account| (Whose::Tenant, account));
        key.into_iter().chain(tenant)
    }
}

/// Reserves `amount`, or says why not; and how the rates stand then, for the client.
///
/// Both locks are taken, the key's first: whoever reserves on the same tenant waits for them.
pub fn admit(
    accounts: Accounts<'_>,
    amount: Amount,
    now: Now,
) -> (Result<Hold, LimitRefusal>, RateStatuses) {
    let mut key = accounts.key.map(|account| account.state());
    let mut tenant = accounts.tenant.map(|account| account.state());
    let mut judged = key
        .as_mut()
        .map_or(Ok(()), |state| state.judge(&amount, Whose::Key, now));
    if let (Ok(()), Some(state)) = (judged, tenant.as_mut()) {
        judged = state.judge(&amount, Whose::Tenant, now);
    }
    let part = |state: Option<&mut AccountState>, account: Option<&Arc<Account>>| {
        let (state, account) = state.zip(account)?;
        Some(HoldPart {
            slot: state.take(&amount, now),
            account: Arc::clone(account),
            tag: None,
        })
    };
    let hold = judged.map(|()| Hold {
        parts: [
            part(key.as_deref_mut(), accounts.key),
            part(tenant.as_deref_mut(), accounts.tenant),
        ],
        amount,
    });
    let standings = |state: Option<&mut AccountState>| {
        state.map_or_else(RateStatuses::default, |state| state.standings(now))
    };
    let of_key = standings(key.as_deref_mut());
    (hold, of_key.with(standings(tenant.as_deref_mut())))
}

/// What a request has reserved. Dropped without being settled, it gives that back.
#[derive(Debug)]
pub struct Hold {
    parts: [Option<HoldPart>; 2],
    amount: Amount,
}

/// What of it is reserved on one account.
#[derive(Debug)]
struct HoldPart {
    account: Arc<Account>,
    /// Where the tokens are counted; `None`: they were not when the request was let in.
    slot: Option<u64>,
    /// Where it comes from, if it was leased.
    tag: Option<ReservationOrigin>,
}

impl Hold {
    /// What is reserved.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// Puts what was used in the place of what was reserved.
    pub fn settle(mut self, used: Amount, now: Now) {
        for part in self.parts.iter_mut().filter_map(Option::take) {
            let account = part.account;
            let mut state = account.state();
            state.roll(now.unix_ms);
            state.give_back(&self.amount);
            let BudgetUse {
                on_day, in_month, ..
            } = &mut state.spent;
            *on_day = on_day.saturating_add(used.cost);
            *in_month = in_month.saturating_add(used.cost);
            if let Some(window) = &mut state.tokens {
                let counted = part.slot.map_or(0, |_| self.amount.tokens);
                match (used.tokens.checked_sub(counted), part.slot) {
                    (None, Some(slot)) => window.take_back(counted - used.tokens, slot),
                    (more, _) => _ = window.add(more.unwrap_or(0), now.nanos),
                }
            }
            if let Some(lease) = &mut state.lease {
                match part.tag {
                    Some(tag) => lease.settle(tag, self.amount.pair(), used.pair()),
                    None => lease.owe(used.cost),
                }
            }
            account.call(state);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for part in self.parts.iter_mut().filter_map(Option::take) {
            let account = part.account;
            let mut state = account.state();
            state.give_back(&self.amount);
            if let (Some(window), Some(slot)) = (&mut state.tokens, part.slot) {
                window.take_back(self.amount.tokens, slot);
            }
            if let (Some(lease), Some(tag)) = (&mut state.lease, part.tag) {
                lease.settle(tag, self.amount.pair(), (0, 0));
            }
            account.call(state);
        }
    }
}

/// The day of a time in Unix milliseconds, since 1970.
#[must_use]
pub const fn day_of(unix_ms: u64) -> u64 {
    unix_ms / DAY_MS
}

/// The month of a time in Unix milliseconds, since January 1970.
#[must_use]
pub const fn month_of(unix_ms: u64) -> u64 {
    let (year, month, _) = civil(day_of(unix_ms));
    (year - 1970) * 12 + month - 1
}

const DAY_MS: u64 = 86_400_000;
/// A day in the future ends where it begins later than this.
const AHEAD_MS: u64 = 3_600_000;

pub mod leased;

#[cfg(test)]
mod tests;
