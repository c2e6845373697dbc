//! The usage record of an exchange that has ended, from what was noted of it and the plan.

use crate::chat::small_str::SmallStr;
use crate::govern::usage::frames;
use crate::govern::usage::record::{Names, Try, UsageRecord, Whom};
use crate::govern::usage::refusals::RefusedRequest;
use crate::route::plan::compiled::Plan;
use crate::telemetry::attempts::Attempt;
use crate::telemetry::exchange::{ExchangeRecord, Operation, Outcome};

/// Whether an exchange has a record: whoever sent it was let in, and it was to reach a provider.
#[must_use]
pub fn is_kept(exchange: &ExchangeRecord) -> bool {
    exchange.is_admitted
        && match exchange.operation {
            Operation::Chat | Operation::CountTokens | Operation::Relay => true,
            Operation::Models | Operation::Usage | Operation::Other => false,
        }
}

/// What is counted of an exchange that was refused before any provider was asked.
#[must_use]
pub fn refused(exchange: &ExchangeRecord, unix_ms: u64) -> Option<RefusedRequest<'_>> {
    let is_asked = exchange.attempts.iter().next().is_some() || exchange.target.is_some();
    let is_refused = exchange.outcome != Outcome::Complete && exchange.cost_nanos.is_none();
    (is_refused && !is_asked).then(|| RefusedRequest {
        id: exchange.id,
        unix_ms,
        tenant: exchange.tenant.as_ref().map(SmallStr::as_bytes),
        tenant_id: exchange.tenant_id.as_ref().map(SmallStr::as_bytes),
        key_id: exchange.key_id.as_ref().map(SmallStr::as_bytes),
        reason: exchange.fault.unwrap_or_else(|| exchange.outcome.name()),
        status: exchange.status,
    })
}

/// Appends the record's frame; `unix_ms` is the wall clock at the end of the exchange.
pub fn write(plan: &Plan, exchange: &ExchangeRecord, unix_ms: u64, out: &mut Vec<u8>) -> bool {
    let custody = match (&exchange.target, exchange.provider) {
        (Some(asked), _) => plan.custody.record(asked.provider, asked.number),
        (None, Some(provider)) => plan.custody.unasked(provider),
        (None, None) => &[],
    };
    let record = UsageRecord {
        id: exchange.id,
        time_ms: unix_ms,
        tenant: exchange.tenant.as_ref().map(SmallStr::as_bytes),
        tenant_id: exchange.tenant_id.as_ref().map(SmallStr::as_bytes),
        key_id: exchange.key_id.as_ref().map(SmallStr::as_bytes),
        operation: exchange.operation.name(),
        client_wire: exchange.client_wire,
        upstream_wire: exchange.upstream_wire,
        model_asked: exchange.model_asked.as_ref().map(SmallStr::as_bytes),
        model_sent: exchange.model_sent.as_ref().map(SmallStr::as_bytes),
        model_answered: exchange.model_answered.as_ref().map(SmallStr::as_bytes),
        usage: exchange.usage.is_known().then_some(exchange.usage),
        requests: 1,
        status: exchange.status,
        outcome: exchange.outcome.name(),
        fault: exchange.fault,
        losses: exchange.losses.as_deref().map(str::as_bytes),
        is_stream: exchange.stream,
        ttft_us: exchange.ttft().map(|nanos| nanos / 1_000),
        duration_us: exchange.total() / 1_000,
        custody,
        cost_nanos: exchange.cost_nanos.filter(|_| !exchange.cost_estimated),
        charged_nanos: exchange.cost_nanos,
        is_charge_estimated: exchange.cost_estimated,
    };
    let tries = exchange.attempts.iter();
    let tries = tries.map(|attempt| tried(plan, exchange, attempt, unix_ms));
    let start = frames::open(out);
    record.write(&exchange.refused, tries, out);
    frames::close(out, start)
}

fn tried<'r>(
    plan: &'r Plan,
    exchange: &'r ExchangeRecord,
    attempt: &'r Attempt,
    unix_ms: u64,
) -> Try<'r> {
    let provider = plan.providers.get(attempt.provider);
    let host = provider.map(|provider| provider.endpoint.host.as_bytes());
    let numbered = attempt.number;
    let whom = match numbered.and_then(|number| plan.custody.names(number)) {
        Some(written) => Whom::Written(written),
        None => Whom::Named(Names {
            provider: provider.map(|provider| provider.name.as_bytes()),
            model: exchange.model_sent.as_ref().map(SmallStr::as_bytes),
            host,
        }),
    };
    let tls = attempt.peer.and_then(|peer| peer.tls);
    let ago_ms = exchange.ended_at.saturating_sub(attempt.started_at) / 1_000_000;
    let is_asked = attempt.started_at > 0;
    Try {
        whom,
        address: attempt.peer.map(|peer| peer.address),
        tls_name: tls.and(host),
        tls_version: tls.map(str::as_bytes),
        started_ms: is_asked.then(|| unix_ms.saturating_sub(ago_ms)),
        duration_us: attempt.nanos / 1_000,
        status: attempt.status,
        fault: attempt.fault,
    }
}
