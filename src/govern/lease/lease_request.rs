//! What is said to the counters that several replicas share, and what they say: an [`LeaseRequest`] for each
//! account tells what is needed, what is given back and what was used beyond a lease; a [`LeaseGrant`]
//! answers it.

use crate::govern::value::spent::BudgetUse;

/// What is asked of the shared counters for one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Whose counters they are.
    pub name: Box<str>,
    /// Its number, of this replica's orders for the account. It is carried out once, however often it
    /// is sent.
    pub id: u64,
    /// It was sent before.
    pub is_again: bool,
    /// The epoch of the counters in which the account was heard of last; empty: none.
    pub epoch: Box<str>,
    /// What is known to have been spent: counters of another epoch start with it.
    pub known: BudgetUse,
    /// The number of the recall that the request waits for; nought: none yet.
    pub recall: u64,
    /// The recall has taken too long: who has not answered is not waited for.
    pub gives_up: bool,
    /// The last recall that this order answers: what nobody uses here is given back.
    pub answered: u64,
    /// Something is held here even so.
    pub holds: bool,
    /// What of that is for requests that wait.
    pub pledged: LeaseAmounts,
    /// Requests in 60 seconds.
    pub requests: Option<RateRequest>,
    /// Tokens in 60 seconds.
    pub tokens: Option<RateRequest>,
    /// Requests at one time.
    pub places: Option<ConcurrencyRequest>,
    /// Nano-dollars.
    pub money: Option<BudgetRequest>,
}

/// What is asked of a rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateRequest {
    /// The limit.
    pub limit: u64,
    /// What is needed.
    pub needs: LeaseNeeds,
    /// What is given back, by the second that granted it.
    pub back: Vec<(u64, u64)>,
}

/// What is asked of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetRequest {
    /// The budget of a day.
    pub day: Option<u64>,
    /// The budget of a month.
    pub month: Option<u64>,
    /// What is needed.
    pub needs: LeaseNeeds,
    /// What is given back, by the day that granted it.
    pub back: Vec<(u64, u64)>,
}

/// How much is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseNeeds {
    /// So much is welcome.
    pub want: u64,
    /// So much of it is for requests that wait.
    pub wanted: u64,
    /// So much is to lie ready for a while, beside it.
    pub ready: u64,
    /// With less than this nobody is served.
    pub least: u64,
    /// So much was used beyond what was leased.
    pub owed: u64,
}

/// What is asked of the places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConcurrencyRequest {
    /// The limit.
    pub limit: u64,
    /// Places that are in use.
    pub held: u64,
    /// Places that are wanted, these among them.
    pub want: u64,
    /// Places without which a request waits on; nought: none waits.
    pub wanted: u64,
}

/// What the shared counters say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseGrant {
    /// Requests in 60 seconds.
    pub requests: RateGrant,
    /// Tokens in 60 seconds.
    pub tokens: RateGrant,
    /// Requests at one time.
    pub places: ConcurrencyGrant,
    /// Nano-dollars.
    pub money: BudgetGrant,
    /// The epoch of the counters.
    pub epoch: Box<str>,
    /// The number of the recall that was begun for requests that wait.
    pub recall: u64,
    /// Some replica has not answered it yet, or not said yet what it knows of another epoch.
    pub is_recalling: bool,
    /// What the counters have granted and charged to all replicas so far, whether it was given back or not.
    /// Only differences mean something; sums that become too large begin anew.
    pub total: LeaseAmounts,
    /// What others who answered it hold for requests that wait.
    pub pledged: LeaseAmounts,
}

/// One amount of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseAmounts {
    /// Requests.
    pub requests: u64,
    /// Tokens.
    pub tokens: u64,
    /// Places.
    pub places: u64,
    /// Nano-dollars.
    pub money: u64,
}

impl LeaseAmounts {
    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            tokens: self.tokens.saturating_add(other.tokens),
            places: self.places.saturating_add(other.places),
            money: self.money.saturating_add(other.money),
        }
    }

    /// What was granted between `before` and this one; everything, where that is not known.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        let since = |now: u64, before: u64| now.checked_sub(before).unwrap_or(u64::MAX);
        Self {
            requests: since(self.requests, before.requests),
            tokens: since(self.tokens, before.tokens),
            places: since(self.places, before.places),
            money: since(self.money, before.money),
        }
    }
}

/// What is leased of a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateGrant {
    /// So much.
    pub granted: u64,
    /// So much is to lie ready; it is counted [`READY_SECONDS`] after that second.
    pub ready: u64,
    /// What is left for everybody.
    pub left: u64,
    /// The second that granted it.
    pub slot: u64,
    /// Milliseconds until the least that was needed is there.
    pub wait_ms: u64,
    /// Milliseconds until all of it is there.
    pub reset_ms: u64,
}

/// What is leased of the places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConcurrencyGrant {
    /// So many.
    pub granted: u64,
    /// What is left for everybody.
    pub left: u64,
}

/// What is leased of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetGrant {
    /// So much.
    pub granted: u64,
    /// The day, since 1970.
    pub day: u64,
    /// The month, since 1970.
    pub month: u64,
    /// What was spent or leased on it.
    pub on_day: u64,
    /// What was spent or leased in it.
    pub in_month: u64,
}

/// How long what lies ready of a rate may wait to be used.
pub const READY_SECONDS: u64 = 5;
