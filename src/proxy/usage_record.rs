//! The usage record of an exchange that has ended, from what was noted of it and the plan.

use crate::chat::text::Text;
use crate::govern::journal;
use crate::govern::record::{Record, Try};
use crate::route::plan::Plan;
use crate::telemetry::exchange::{Exchange, Operation};

/// Whether an exchange has a record: whoever sent it was let in, and it was to reach a provider.
#[must_use]
pub fn is_kept(exchange: &Exchange) -> bool {
    exchange.is_admitted
        && match exchange.operation {
            Operation::Chat | Operation::CountTokens | Operation::Relay => true,
            Operation::Models | Operation::Usage | Operation::Other => false,
        }
}

/// Appends the record's frame; `unix_ms` is the wall clock at the end of the exchange.
pub fn write(plan: &Plan, exchange: &Exchange, unix_ms: u64, out: &mut Vec<u8>) -> bool {
    let provider = exchange.provider.and_then(|at| plan.providers.get(at));
    let record = Record {
        id: exchange.id,
        time_ms: unix_ms,
        tenant: exchange.tenant.as_ref().map(Text::as_bytes),
        key_id: exchange.key_id.as_ref().map(Text::as_bytes),
        operation: exchange.operation.name(),
        client_wire: exchange.client_wire,
        upstream_wire: exchange.upstream_wire,
        model_asked: exchange.model_asked.as_ref().map(Text::as_bytes),
        model_sent: exchange.model_sent.as_ref().map(Text::as_bytes),
        model_answered: exchange.model_answered.as_ref().map(Text::as_bytes),
        provider: provider.map(|provider| provider.name.as_bytes()),
        usage: exchange.usage.is_known().then_some(exchange.usage),
        status: exchange.status,
        outcome: exchange.outcome.name(),
        fault: exchange.fault,
        is_stream: exchange.stream,
        ttft_us: exchange.ttft().map(|nanos| nanos / 1_000),
        duration_us: exchange.total() / 1_000,
        ..Record::default()
    };
    let tries = exchange.attempts.iter().map(|attempt| {
        let provider = plan.providers.get(attempt.provider);
        let ago_ms = exchange.ended_at.saturating_sub(attempt.started_at) / 1_000_000;
        Try {
            provider: provider.map(|provider| provider.name.as_bytes()),
            host: provider.map(|provider| provider.endpoint.host.as_bytes()),
            started_ms: unix_ms.saturating_sub(ago_ms),
            duration_us: attempt.nanos / 1_000,
            status: attempt.status,
            fault: attempt.fault,
            ..Try::default()
        }
    });
    let start = journal::open(out);
    record.write(&[], tries, out);
    journal::close(out, start)
}
