//! Whether a request may be sent, by what its key and its tenant may use, or why not.
//!
//! Asked once, before anything goes upstream: requests, tokens, money and a place among those that
//! run are reserved on both accounts. The [`Admission`] stays with the client's connection until
//! the exchange has ended, whichever way. Nothing is asked of a key that nothing bounds.
//!
//! Not here: what is charged in the end (see `shared::charge`).

use core::future::poll_fn;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::config::schema::file::Unpriced;
use crate::govern::account::usage::leased::{
    Judged, Tickets, admit_alone, is_heard, poll_admit, refuse,
};
use crate::govern::account::usage::{
    Accounts, Amount, LimitKind, LimitRefusal as Over, Now, RateStatuses, Whose, admit,
};
use crate::govern::value::estimate::input_tokens;
use crate::govern::value::money;
use crate::govern::value::price::Asks;
use crate::limits::{SHARED_WAIT_MS, SHARED_WAITS_MAX};
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::{buffers, timer};
use crate::proxy::admit::asked::Asked;
use crate::proxy::admit::asked::Purpose;
use crate::proxy::admit::cost_estimate::{Expected, asks};
use crate::proxy::admit::relay_metering;
use crate::proxy::client::exchange::{Exchange, ReplySettings};
use crate::proxy::client::rate_limit_headers::{self, OwnLimits};
use crate::proxy::shared::charge::{self, Admission};
use crate::proxy::shared::worker::Worker;
use crate::route::plan::client_key::ClientKey;
use crate::route::plan::target::Target;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// What a request may use.
#[derive(Clone, Copy, Debug, Default)]
struct Need {
    input: u64,
    output: u64,
    /// Nano-dollars for both, at most.
    cost: u64,
}

/// Asks for a chat or a count. Heads of answers say how the rates stand from then on, whether the
/// request may be sent or not.
pub async fn chat(
    asked: Asked<'_, '_>,
    targets: &[Target],
    exchange: &mut Exchange<'_, '_>,
) -> Result<(), Rejection> {
    let key = asked.inbound.key.as_deref();
    if asked.purpose == Purpose::Count {
        return request(key, Cost::Nothing, exchange).await;
    }
    let Some(key) = key.filter(|key| !key.accounts().is_empty()) else {
        return Ok(());
    };
    let need = need_of(key, asked, targets)?;
    ask(key, need, asked.at, exchange).await
}

/// What a request costs whose tokens nobody can tell before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Nothing.
    Nothing,
    /// So many nano-dollars.
    Known(u64),
    /// Nobody knows: it is not for a budget.
    Unknown,
}

impl Cost {
    /// What a request to a path costs, by what is configured for it.
    #[must_use]
    pub fn of_path(nanos: Option<u64>) -> Self {
        nanos.map_or(Self::Unknown, Self::Known)
    }

    /// Nano-dollars to reserve for a key.
    fn reserved(self, worker: &Worker, key: &ClientKey) -> Result<u64, Rejection> {
        match self {
            Self::Nothing => Ok(0),
            Self::Known(nanos) => Ok(nanos),
            Self::Unknown if !key.has_budget() => Ok(0),
            Self::Unknown if worker.plan.budgets.unpriced == Unpriced::Allow => Ok(0),
            Self::Unknown => {
                let message = "this key has a budget, and what this endpoint costs is not known; \
                               ask for its price in `[request_prices]`, or one of its model in \
                               `[prices]`, for `unpriced = \"allow\"`, or for a key without a \
                               budget";
                Err(unpriced(message))
            }
        }
    }
}

/// Asks likewise for a request whose tokens nobody can tell before.
pub async fn request(
    key: Option<&ClientKey>,
    cost: Cost,
    exchange: &mut Exchange<'_, '_>,
) -> Result<(), Rejection> {
    let Some(key) = key.filter(|key| !key.accounts().is_empty()) else {
        return Ok(());
    };
    let need = Need {
        cost: cost.reserved(exchange.worker, key)?,
        ..Need::default()
    };
    ask(key, need, exchange.read_at(), exchange).await
}

/// The body of a relayed request.
#[derive(Clone, Copy, Debug)]
pub struct Body<'r> {
    /// What was read of it; nothing of one that goes through as it comes.
    pub bytes: &'r [u8],
    /// How many images, documents and recordings are in it, and their bytes.
    pub pieces: (u64, usize),
    /// The length of one that goes through, as far as it is declared.
    pub length: u64,
}

/// A relayed request whose answer will tell its tokens.
#[derive(Clone, Copy, Debug)]
pub struct Relayed<'r> {
    /// Its body.
    pub body: Body<'r>,
    /// The endpoint gives text back.
    pub has_output: bool,
    /// The price of the target's model.
    pub price: Option<usize>,
    /// Tokens that this model gives at most at a time.
    pub output_max: Option<u32>,
    /// What a request to the path costs, where the model has no price.
    pub cost: Cost,
}

/// Asks likewise for such a request.
pub async fn relayed(
    key: Option<&ClientKey>,
    asked: Relayed<'_>,
    exchange: &mut Exchange<'_, '_>,
) -> Result<(), Rejection> {
    let Some(key) = key.filter(|key| !key.accounts().is_empty()) else {
        return Ok(());
    };
    let need = need_of_relayed(exchange.worker, key, asked)?;
    // Its body may have taken long to come.
    ask(key, need, clock::now(), exchange).await
}

fn need_of_relayed(
    worker: &Worker,
    key: &ClientKey,
    asked: Relayed<'_>,
) -> Result<Need, Rejection> {
    let mut need = Need::default();
    if !key.counts_tokens() && !key.has_budget() {
        return Ok(need);
    }
    let plan = &worker.plan;
    let Body {
        bytes,
        pieces,
        length,
    } = asked.body;
    let input = match bytes {
        [] => length.div_ceil(BYTES_PER_TOKEN),
        bytes => input_tokens(bytes, pieces),
    };
    let expected = Expected::relayed(plan, input, relay_metering::asked(bytes));
    need.input = expected.input;
    if asked.has_output {
        need.output = expected.output(asked.output_max);
    }
    let price = asked.price.and_then(|number| plan.prices.get(number));
    need.cost = match price {
        Some(price) if key.has_budget() => price.cost_at_most(need.input, need.output, asks(bytes)),
        Some(_) => 0,
        None => asked.cost.reserved(worker, key)?,
    };
    Ok(need)
}

/// What a chat may use, by estimate and by what its key has bounds for.
fn need_of(key: &ClientKey, asked: Asked<'_, '_>, targets: &[Target]) -> Result<Need, Rejection> {
    let (counts_tokens, has_budget) = (key.counts_tokens(), key.has_budget());
    let mut need = Need::default();
    if !counts_tokens && !has_budget {
        return Ok(need);
    }
    let (plan, body) = (&asked.worker.plan, asked.inbound.body());
    let expected = Expected::new(plan, body, asked.peek);
    let asks = if has_budget {
        asks(body)
    } else {
        Asks::default()
    };
    need.input = expected.input;
    let mut last = None;
    for target in targets {
        let most = plan.facts_of(target).output_tokens_max;
        let price = has_budget.then(|| plan.price_number(target));
        // The targets of one model mostly cost the same.
        if last.replace((most, price)) == Some((most, price)) {
            continue;
        }
        let output = expected.output(most);
        need.output = need.output.max(output);
        if let Some(number) = price {
            match number.and_then(|number| plan.prices.get(number)) {
                Some(price) => {
                    need.cost = need.cost.max(price.cost_at_most(need.input, output, asks))
                }
                None if plan.budgets.unpriced == Unpriced::Allow => {}
                None => {
                    let message = "this key has a budget, and what this model costs is not known; \
                                   ask for a price of it, or for another model";
                    return Err(unpriced(message));
                }
            }
        }
    }
    Ok(need)
}

fn unpriced(message: &'static str) -> Rejection {
    Rejection::new(ErrorKind::Permission, message, "unpriced")
}

async fn ask(
    key: &ClientKey,
    need: Need,
    at: Instant,
    exchange: &mut Exchange<'_, '_>,
) -> Result<(), Rejection> {
    let worker = exchange.worker;
    let now = charge::at(at, &worker.thread.dates);
    let amount = Amount {
        tokens: need.input.saturating_add(need.output),
        cost: need.cost,
    };
    let accounts = key.accounts();
    let (asked, standings) = match accounts.pool() {
        None => admit(accounts, amount, now),
        Some(_) => boxed(|| leased(worker, accounts, amount)).await,
    };
    tell_standings(&mut exchange.reply, &standings, now);
    let hold = asked.map_err(|over| denied(&over, amount, exchange.reply.wire))?;
    exchange.client.admission = Some(Admission::new(hold, need.input, need.output));
    Ok(())
}

/// Asks where several replicas share the bounds: by leases, and a moment later where they are used up.
async fn leased(worker: &Worker, accounts: Accounts<'_>, amount: Amount) -> Judged {
    let now = || charge::at(clock::now(), &worker.thread.dates);
    let mut tickets = Tickets::default();
    for _ in 0..SHARED_WAITS_MAX {
        let judged = poll_fn(|cx| poll_admit(accounts, amount, now(), &mut tickets, cx));
        if let Some(judged) = timer::within(SHARED_WAIT_MS, judged).await {
            return judged;
        }
        if !is_heard(accounts, &tickets) {
            return admit_alone(accounts, amount, now());
        }
    }
    refuse(accounts, amount, now())
}

/// Lets heads of answers say how the rates stand.
fn tell_standings(reply: &mut ReplySettings, standings: &RateStatuses, now: Now) {
    let own = OwnLimits {
        requests: standings.requests.is_some(),
        tokens: standings.tokens.is_some(),
    };
    if own != OwnLimits::default() {
        buffers::make_room(&mut reply.fields, RATES_BYTES);
        rate_limit_headers::write(reply.wire, standings, now.unix_ms, &mut reply.fields);
        reply.own_limits = own;
    }
}

/// What the client is told of a bound that is reached.
fn denied(over: &Over, amount: Amount, wire: Wire) -> Rejection {
    let (kind, word) = match over.bound {
        LimitKind::Requests => (ErrorKind::RateLimit, "limit_requests"),
        LimitKind::Tokens => (ErrorKind::RateLimit, "limit_tokens"),
        LimitKind::Concurrent => (ErrorKind::RateLimit, "limit_concurrent"),
        LimitKind::BudgetDay | LimitKind::BudgetMonth => (ErrorKind::Billing, "budget"),
        LimitKind::Shared => (ErrorKind::Overloaded, "limits_unknown"),
    };
    let wait = match over.bound {
        // Nobody knows when one of them ends.
        LimitKind::Concurrent | LimitKind::Shared => Some(1),
        _ => over
            .wait
            .map(|nanos| nanos.div_ceil(NANOS_PER_SECOND).max(1)),
    };
    let billing_status = codec::conventions(wire).billing_status;
    let mut message = message(over, amount);
    let mut fields = Vec::new();
    match wait {
        Some(seconds) => {
            message = format!("{message}; try again in {seconds} s");
            fields.extend_from_slice(format!("retry-after: {seconds}\r\n").as_bytes());
        }
        // Its status says so already.
        None if kind == ErrorKind::Billing && billing_status != 429 => {}
        None => fields.extend_from_slice(b"x-should-retry: false\r\n"),
    }
    let rejection = Rejection::new(kind, message, word).with_fields(fields);
    match kind {
        ErrorKind::Billing => rejection.with_status(billing_status),
        _ => rejection,
    }
}

fn message(over: &Over, amount: Amount) -> String {
    let whose = match over.whose {
        Whose::Key => "this key",
        Whose::Tenant => "this key's tenant",
    };
    let (limit, tokens) = (over.limit, amount.tokens);
    let budget = |period| {
        format!(
            "what is left of {} dollars per {period} of {whose} does not cover this request; the \
             budget is there anew with the next {period} (UTC)",
            money::show(limit)
        )
    };
    match over.bound {
        LimitKind::Requests => format!("{limit} requests per minute of {whose} are used up"),
        LimitKind::Tokens if over.wait.is_none() => format!(
            "this request may take {tokens} tokens, and {whose} has {limit} per minute; send less, \
             or set a lower limit to the answer"
        ),
        LimitKind::Tokens => format!(
            "this request may take {tokens} tokens, and less is left of {limit} per minute of {whose}"
        ),
        LimitKind::Concurrent => {
            format!("{limit} requests of {whose} are running, which is all that may at one time")
        }
        LimitKind::BudgetDay => budget("day"),
        LimitKind::BudgetMonth => budget("month"),
        LimitKind::Shared => "what is left of this key's limits is not known now".to_owned(),
    }
}

/// Of a body that is not looked into.
const BYTES_PER_TOKEN: u64 = 4;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// What the lines of all rates take.
const RATES_BYTES: usize = 512;
