//! What is told behind an early head in place of an answer: an error event in the client's wire, and
//! no end.

use crate::chat::error::ApiError;
use crate::net::runtime::clock;
use crate::proxy::client::answer_head::BodyForm;
use crate::proxy::client::early_head::framed;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply;
use crate::proxy::shared::failure::{Blame, Failure};
use crate::telemetry::exchange::Outcome;
use crate::telemetry::log::id_text;
use crate::translate::stream_error;
use crate::wire::codec;

/// An error in place of an answer whose head the client already has.
#[derive(Clone, Debug)]
pub struct LateError<'t> {
    /// The error.
    pub error: ApiError<'t>,
    /// A word for the log.
    pub word: &'static str,
    /// How the exchange ended.
    pub outcome: Outcome,
}

/// Tells a failure behind an early head.
pub async fn fail(form: BodyForm, failure: &Failure, exchange: &mut Exchange<'_, '_>) -> Next {
    let verdict = failure.verdict();
    if verdict.blame == Blame::Client {
        return exchange.abandon(failure.kind);
    }
    if let (Some(facts), Some(from)) = (failure.said.as_deref(), exchange.record.upstream_wire) {
        let said = stream_error::told((from, exchange.reply.wire), facts);
        let told = LateError {
            error: reply::error_of(&said),
            word: verdict.word,
            outcome: Outcome::UpstreamError,
        };
        return tell(form, &told, exchange).await;
    }
    let told = LateError {
        error: ApiError {
            kind: verdict.error,
            message: verdict.message,
            param: None,
            code: None,
        },
        word: verdict.word,
        outcome: Outcome::Truncated,
    };
    tell(form, &told, exchange).await
}

/// Writes an error event behind an early head. No end follows it.
pub async fn tell(form: BodyForm, told: &LateError<'_>, exchange: &mut Exchange<'_, '_>) -> Next {
    let mut out = Vec::with_capacity(512);
    let id = id_text(exchange.record.id);
    framed(form, &mut out, |out| {
        codec::write_error_event(exchange.reply.wire, &told.error, id.as_str(), out);
    });
    exchange.record.outcome = told.outcome;
    exchange.record.fault = Some(told.word);
    let now = clock::now();
    let stall_ms = exchange.stall_ms();
    let sent = &mut exchange.record.bytes_out;
    if exchange
        .client
        .send_from(&mut out, now, stall_ms, sent)
        .await
        .is_err()
    {
        exchange.record.outcome = Outcome::Cancelled;
        return Next::Abort;
    }
    Next::Cut
}
