//! What a request that was let in has reserved, and what it is charged once it has ended.
//!
//! docs/LIMITS.md says what is charged if the provider's figures are missing.

use crate::chat::usage::Usage;
use crate::govern::account::usage::{Amount, Hold, Now};
use crate::govern::value::price::Price;
use crate::limits::USAGE_FIGURE_MAX;
use crate::net::runtime::clock::Instant;
use crate::proxy::shared::dates::Dates;
use crate::telemetry::exchange::{ExchangeRecord, Operation, Outcome};

/// What a request that was let in has reserved.
#[derive(Debug)]
pub struct Admission {
    hold: Hold,
    /// Tokens of its input, by estimate.
    input: u64,
    /// Tokens of its output, at most.
    output: u64,
}

impl Admission {
    /// What was reserved for a request, with the tokens of which that was made.
    #[must_use]
    pub const fn new(hold: Hold, input: u64, output: u64) -> Self {
        Self {
            hold,
            input,
            output,
        }
    }

    /// Charges what the exchange used, as its record has it, which [`set_cost`] has seen; `price`: of
    /// the target that answered.
    pub fn settle(self, exchange: &mut ExchangeRecord, price: Option<&Price>, now: Now) {
        let Some((usage, is_estimate)) = self.used(exchange) else {
            // Nothing was spent.
            return;
        };
        let mut cost = exchange.cost_nanos;
        if is_estimate && exchange.request_cost.is_none() {
            cost = price.and_then(|price| price.cost(&usage));
            if self.input > 0 {
                exchange.cost_nanos = cost;
                exchange.cost_estimated = cost.is_some();
            }
        }
        let tokens = usage
            .input_total()
            .saturating_add(usage.output.unwrap_or(0));
        let amount = Amount {
            tokens,
            cost: cost.unwrap_or(0),
        };
        self.hold.settle(amount, now);
    }

    /// What was used, and whether any of it is an estimate; `None`: nothing that is charged.
    fn used(&self, exchange: &ExchangeRecord) -> Option<(Usage, bool)> {
        if !is_charged(exchange) {
            return None;
        }
        let mut usage = exchange.usage;
        let is_final = is_final(exchange);
        let is_estimate = usage.input.is_none() || !is_final;
        usage.input = usage.input.or(Some(self.input));
        if !is_final {
            // A stream that ends early has not told what it would have; no more was asked for.
            let seen = match exchange.deltas {
                // Its bytes are the gateway's own, mostly.
                0 if exchange.early_head => 0,
                // A response that goes on in the background tells nothing, and may take all.
                0 if is_whole_relay(exchange) => self.output,
                0 => exchange.bytes_out / BYTES_PER_TOKEN,
                deltas => deltas.saturating_mul(TOKENS_PER_DELTA),
            };
            let seen = if exchange.status == 0 { 0 } else { seen };
            usage.output = usage.output.max(Some(seen.min(self.output)));
        }
        Some((usage, is_estimate))
    }
}

/// Whether anything is charged for an exchange: it was sent, and not refused.
fn is_charged(exchange: &ExchangeRecord) -> bool {
    let was_sent = exchange.sent_at > 0;
    // Behind an early head nothing is refused any more: what brought no event was.
    let is_unanswered = exchange.early_head && exchange.events == 0;
    let is_left = exchange.outcome == Outcome::Cancelled;
    let is_refused = match exchange.operation {
        // A redirect is passed on, and takes nothing.
        Operation::Relay => exchange.status >= 300,
        _ => false,
    };
    let is_refused = is_refused || exchange.outcome == Outcome::Refused;
    was_sent && !is_refused && (!is_unanswered || is_left)
}

fn is_whole_relay(exchange: &ExchangeRecord) -> bool {
    exchange.operation == Operation::Relay && exchange.outcome == Outcome::Complete
}

/// Whether the output that the provider has told is all there was: of a stream that broke, once the
/// model had stopped.
fn is_final(exchange: &ExchangeRecord) -> bool {
    let is_over = exchange.outcome == Outcome::Complete || exchange.stop.is_some();
    exchange.usage.output.is_some() && is_over
}

/// Takes a provider's figures for unknown that no model can reach: they would use up a budget for good.
pub fn reject_usage(exchange: &mut ExchangeRecord) {
    if exchange.usage.largest() > USAGE_FIGURE_MAX {
        exchange.usage = Usage::default();
        exchange.usage_rejected = true;
    }
}

/// The cost of an exchange by its provider's own figures, where they are all there.
pub fn set_cost(exchange: &mut ExchangeRecord, price: Option<&Price>) {
    if exchange.request_cost.is_some() {
        exchange.cost_nanos = exchange.request_cost.filter(|_| is_charged(exchange));
    } else if is_final(exchange) {
        exchange.cost_nanos = price.and_then(|price| price.cost(&exchange.usage));
    }
}

/// A point of time by both clocks.
pub fn at(now: Instant, dates: &Dates) -> Now {
    Now {
        nanos: now.as_nanos(),
        unix_ms: dates.unix_ms(now),
    }
}

/// Of an answer whose deltas nobody counted.
const BYTES_PER_TOKEN: u64 = 4;
/// Deltas hold one token with some providers, a dozen with others.
const TOKENS_PER_DELTA: u64 = 4;
