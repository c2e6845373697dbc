//! The usage record of an exchange that has ended, from what was noted of it and the plan.

use crate::chat::text::Text;
use crate::govern::journal;
use crate::govern::record::{Custody, Record, Try};
use crate::route::plan::Plan;
use crate::telemetry::attempts::Attempt;
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
        custody: custody(plan, exchange),
        cost_nanos: exchange.cost_nanos.filter(|_| !exchange.cost_estimated),
        charged_nanos: exchange.cost_nanos,
        is_charge_estimated: exchange.cost_estimated,
    };
    let tries = exchange.attempts.iter();
    let tries = tries.map(|attempt| tried(plan, exchange, attempt, unix_ms));
    let start = journal::open(out);
    record.write(&exchange.refused, tries, out);
    journal::close(out, start)
}

/// What is stated of the target that was asked last.
fn custody<'p>(plan: &'p Plan, exchange: &Exchange) -> Custody<'p> {
    let asked = exchange.target.as_ref();
    let Some(stated) = asked.and_then(|asked| plan.stated_at(asked.provider, asked.number)) else {
        return Custody::default();
    };
    let bytes = |text: &'p Option<Box<str>>| text.as_deref().map(str::as_bytes);
    Custody {
        tier: bytes(&stated.tier),
        region: bytes(&stated.region),
        jurisdiction: bytes(&stated.jurisdiction),
        label: bytes(&stated.custody_label),
        credential_source: bytes(&stated.credential_source),
        origin: Some(plan.custody.origin.as_bytes()),
    }
}

fn tried<'r>(
    plan: &'r Plan,
    exchange: &'r Exchange,
    attempt: &'r Attempt,
    unix_ms: u64,
) -> Try<'r> {
    let provider = plan.providers.get(attempt.provider);
    let host = provider.map(|provider| provider.endpoint.host.as_bytes());
    let numbered = attempt.number.and_then(|number| plan.numbered(number));
    let sent = exchange.model_sent.as_ref().map(Text::as_bytes);
    let tls = attempt.peer.and_then(|peer| peer.tls);
    let ago_ms = exchange.ended_at.saturating_sub(attempt.started_at) / 1_000_000;
    let is_asked = attempt.started_at > 0;
    Try {
        provider: provider.map(|provider| provider.name.as_bytes()),
        model: numbered.map_or(sent, |target| Some(target.model.as_bytes())),
        host,
        address: attempt.peer.map(|peer| peer.address),
        tls_name: tls.and(host),
        tls_version: tls.map(str::as_bytes),
        started_ms: is_asked.then(|| unix_ms.saturating_sub(ago_ms)),
        duration_us: attempt.nanos / 1_000,
        status: attempt.status,
        fault: attempt.fault,
    }
}
