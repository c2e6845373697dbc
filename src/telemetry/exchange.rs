//! The record of one exchange: plain data that the shell fills at fixed points.
//!
//! Times are nanoseconds of the worker's monotonic clock, nought when a point was not reached.

use crate::chat::small_str::SmallStr;
use crate::chat::usage::{End, StopReason, Usage};
use crate::telemetry::attempts::{Attempts, Peer};
use crate::telemetry::gaps::Gaps;
use crate::telemetry::reasons::Reasons;
use crate::wire::kind::Wire;

/// What kind of request this was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A chat on either wire.
    Chat,
    /// `count_tokens`
    CountTokens,
    /// The model list, or one model.
    Models,
    /// Any other path under `/v1`, relayed as bytes.
    Relay,
    /// A look at usage records.
    Usage,
    /// Health, CORS, refusals before a path was known.
    #[default]
    Other,
}

impl Operation {
    /// Name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::CountTokens => "count_tokens",
            Self::Models => "models",
            Self::Relay => "relay",
            Self::Usage => "usage",
            Self::Other => "other",
        }
    }
}

/// How the exchange ended, for the log and the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The answer was delivered to its end.
    Complete,
    /// The provider said in the stream that it failed.
    UpstreamError,
    /// The answer broke off.
    Truncated,
    /// The client left.
    Cancelled,
    /// Answered by the gateway or with the provider's error status.
    #[default]
    Refused,
}

impl Outcome {
    /// Name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::UpstreamError => "upstream_error",
            Self::Truncated => "truncated",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }

    /// The outcome that a stream's end means; an open end is a truncation.
    #[must_use]
    pub const fn from_end(end: End) -> Self {
        match end {
            End::Complete => Self::Complete,
            End::UpstreamError => Self::UpstreamError,
            End::Open | End::Truncated => Self::Truncated,
        }
    }
}

/// Which target was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetAsked {
    /// Its provider, by its place in the plan.
    pub provider: usize,
    /// Its number in the plan; none where a client's id made it.
    pub number: Option<usize>,
    /// Its place in its model's list.
    pub option: usize,
    /// Targets that were asked before it.
    pub rank: u32,
}

/// Everything that is told about one exchange.
#[derive(Debug, Default)]
pub struct ExchangeRecord {
    /// Random id, told to the client.
    pub id: u128,
    /// What it asked for.
    pub operation: Operation,
    /// The client's wire.
    pub client_wire: Option<Wire>,
    /// The wire of the target that answered.
    pub upstream_wire: Option<Wire>,
    /// Its sender was let in.
    pub is_admitted: bool,
    /// Tenant of the key.
    pub tenant: Option<SmallStr>,
    /// That tenant's id.
    pub tenant_id: Option<SmallStr>,
    /// Id of the key.
    pub key_id: Option<SmallStr>,
    /// Model as the client said it.
    pub model_asked: Option<SmallStr>,
    /// Model as the target was asked for it.
    pub model_sent: Option<SmallStr>,
    /// Model as the answer names itself.
    pub model_answered: Option<SmallStr>,
    /// Index of the provider that answered.
    pub provider: Option<usize>,
    /// The target that was asked last, if one was.
    pub target: Option<TargetAsked>,
    /// The connection that the attempt under way has.
    pub peer: Option<Peer>,
    /// Words of the policies that took targets out.
    pub refused: Vec<&'static str>,
    /// The client's own id of the trace, bounded.
    pub trace: Option<SmallStr>,
    /// That provider's own id of the request, bounded.
    pub upstream_request_id: Option<SmallStr>,
    /// Why its targets were tried in that order; empty where there was no choice.
    pub route: Reasons,
    /// Every try, in order.
    pub attempts: Attempts,
    /// Status sent to the client; nought when nothing was.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, if anything: a fixed word.
    pub fault: Option<&'static str>,
    /// The answer was a stream.
    pub stream: bool,
    /// Its head went out before any provider had answered.
    pub early_head: bool,
    /// Body bytes taken from the client.
    pub bytes_in: u64,
    /// Bytes written to the client.
    pub bytes_out: u64,
    /// Events of the stream.
    pub events: u64,
    /// Deltas of the stream.
    pub deltas: u64,
    /// Token counts as the provider gave them.
    pub usage: Usage,
    /// The provider gave counts that no model can reach; they are left out of `usage`.
    pub usage_rejected: bool,
    /// The number of the price of the target that was asked last, in the plan's prices.
    pub price: Option<usize>,
    /// Nano-dollars that a request to its path costs, whatever its answer tells.
    pub request_cost: Option<u64>,
    /// Nano-dollars that it cost, where that is known.
    pub cost_nanos: Option<u64>,
    /// Some of that is estimated: the provider has not told all it used.
    pub cost_estimated: bool,
    /// Why the model stopped.
    pub stop: Option<StopReason>,
    /// Members that the translation dropped or changed.
    pub losses: Option<String>,
    /// First byte of the request (or accept, on a new connection).
    pub started_at: u64,
    /// Whole request read.
    pub request_at: u64,
    /// Request handed to the upstream connection, at the last attempt that got so far.
    pub sent_at: u64,
    /// The gateway's own share of the time until then.
    pub gateway_nanos: u64,
    /// Since when a provider is waited for; nought while none is.
    pub waits_since: u64,
    /// Waits that are over: connections being made, targets that failed.
    pub waited_nanos: u64,
    /// Answer head read.
    pub head_at: u64,
    /// First delta written towards the client.
    pub first_delta_at: u64,
    /// Latest delta.
    pub last_delta_at: u64,
    /// Everything done.
    pub ended_at: u64,
    /// Inter-token gaps of a stream.
    pub gaps: Option<Box<Gaps>>,
}

impl ExchangeRecord {
    /// Counts deltas that were passed on at `now`, and the gaps before them.
    ///
    /// Returns the gap before the first of them, unless it was the first of all.
    pub fn passed_deltas(&mut self, deltas: u32, now: u64) -> Option<u64> {
        if deltas == 0 {
            return None;
        }
        self.deltas += u64::from(deltas);
        let gaps = self.gaps.get_or_insert_with(Box::default);
        gaps.record_many(0, deltas - 1);
        let before = core::mem::replace(&mut self.last_delta_at, now);
        if self.first_delta_at == 0 {
            self.first_delta_at = now;
            return None;
        }
        let gap_us = now.saturating_sub(before) / 1_000;
        gaps.record(gap_us);
        Some(gap_us)
    }

    /// Forgets what was noted of an answer that was thrown away: none of it has reached the client.
    pub fn forget_answer(&mut self) {
        self.status = 0;
        self.fault = None;
        self.stream = false;
        self.events = 0;
        self.deltas = 0;
        self.usage = Usage::default();
        self.stop = None;
        self.model_answered = None;
        self.upstream_request_id = None;
        self.first_delta_at = 0;
        self.last_delta_at = 0;
        self.gaps = None;
    }

    /// Time to first token in nanoseconds, once there was one.
    #[must_use]
    pub fn ttft(&self) -> Option<u64> {
        (self.first_delta_at > 0).then(|| self.first_delta_at.saturating_sub(self.started_at))
    }

    /// The whole exchange in nanoseconds.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ended_at.saturating_sub(self.started_at)
    }

    /// More of the request was read at `now`: what was waited for until then is not counted apart
    /// from it.
    pub const fn read_until(&mut self, now: u64) {
        self.request_at = now;
        self.waits_since = 0;
        self.waited_nanos = 0;
    }

    /// A provider is waited for from `now` on.
    pub const fn wait(&mut self, now: u64) {
        self.waited(now);
        self.waits_since = now;
    }

    /// The wait for a provider, if there is one, is over.
    pub const fn waited(&mut self, now: u64) {
        if self.waits_since > 0 {
            self.waited_nanos += now.saturating_sub(self.waits_since);
            self.waits_since = 0;
        }
    }

    /// The request has been handed to an upstream connection; its answer is waited for.
    pub const fn sent(&mut self, now: u64) {
        self.waited(now);
        self.sent_at = now;
        let since_request = now.saturating_sub(self.request_at);
        self.gateway_nanos = since_request.saturating_sub(self.waited_nanos);
        self.wait(now);
    }

    /// The gateway's own share of the time between the request being read and its being sent
    /// upstream: less connecting, and less targets that were tried before.
    #[must_use]
    pub fn gateway(&self) -> Option<u64> {
        (self.sent_at > 0).then_some(self.gateway_nanos)
    }

    /// Time per output token after the first, in nanoseconds, where the count is known.
    #[must_use]
    pub fn per_output_token(&self) -> Option<u64> {
        let tokens = self.usage.output.filter(|&n| n > 1)?;
        let span = self
            .last_delta_at
            .checked_sub(self.first_delta_at)
            .filter(|&ns| ns > 0)?;
        Some(span / (tokens - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_time_is_what_is_left_without_connecting_and_earlier_targets() {
        let mut exchange = ExchangeRecord {
            request_at: 100,
            ..ExchangeRecord::default()
        };
        assert_eq!(exchange.gateway(), None);
        exchange.wait(110); // connects
        exchange.waited(1_110);
        exchange.sent(1_115);
        assert_eq!(exchange.gateway(), Some(15));
        exchange.waited(9_115); // an answer that will not do
        assert_eq!(exchange.gateway(), Some(15));
        exchange.wait(9_120); // connects elsewhere, in vain
        exchange.waited(9_220);
        assert_eq!(exchange.gateway(), Some(15));
        exchange.sent(9_230);
        assert_eq!(exchange.gateway(), Some(30));
        assert_eq!(exchange.sent_at, 9_230);
    }

    #[test]
    fn a_body_that_came_while_it_was_sent_on_is_not_the_gateways_time() {
        let mut exchange = ExchangeRecord {
            request_at: 100,
            ..ExchangeRecord::default()
        };
        exchange.wait(110);
        exchange.waited(210);
        exchange.read_until(9_000);
        exchange.sent(9_004);
        assert_eq!(exchange.gateway(), Some(4));
    }

    #[test]
    fn a_pooled_connection_that_had_died_is_a_wait_too() {
        let mut exchange = ExchangeRecord {
            request_at: 100,
            ..ExchangeRecord::default()
        };
        exchange.sent(105);
        exchange.wait(205); // it was dead; a fresh one is made
        exchange.waited(305);
        exchange.sent(307);
        assert_eq!(exchange.gateway(), Some(7));
    }

    #[test]
    fn deltas_that_arrive_together_have_one_gap_and_noughts() {
        let mut exchange = ExchangeRecord {
            started_at: 1_000,
            ..ExchangeRecord::default()
        };
        assert_eq!(exchange.passed_deltas(1, 3_000_000), None);
        assert_eq!(exchange.passed_deltas(3, 5_000_000), Some(2_000));
        assert_eq!(exchange.deltas, 4);
        assert_eq!(
            exchange.gaps.as_ref().map(|g| (g.count(), g.max_us())),
            Some((3, 2_000))
        );
        assert_eq!(exchange.ttft(), Some(2_999_000));
    }
}
