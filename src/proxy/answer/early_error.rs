//! What is told behind an early head in place of an answer: an error event in the client's wire, and
//! no end.

use crate::chat::error::ApiError;
use crate::net::runtime::clock;
use crate::proxy::client::answer_head::BodyForm;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::early_head::framed;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply::{self, Voice};
use crate::proxy::shared::failure::{Blame, Failure};
use crate::telemetry::exchange::{Exchange, Outcome};
use crate::telemetry::log::id_text;
use crate::translate::stream_error;
use crate::wire::codec;

/// What is told in place of an answer.
#[derive(Clone, Debug)]
pub struct Told<'t> {
    /// The error.
    pub error: ApiError<'t>,
    /// A word for the log.
    pub word: &'static str,
    /// How the exchange ended.
    pub outcome: Outcome,
}

/// Tells a failure behind an early head.
pub async fn fail(
    client: &mut Client<'_>,
    form: BodyForm,
    voice: &Voice<'_>,
    failure: &Failure,
    exchange: &mut Exchange,
) -> Next {
    let verdict = failure.verdict();
    if verdict.blame == Blame::Client {
        exchange.outcome = Outcome::Cancelled;
        exchange.fault = Some(verdict.word);
        return Next::Abort;
    }
    if let (Some(facts), Some(from)) = (failure.said.as_deref(), exchange.upstream_wire) {
        let said = stream_error::told((from, voice.wire), facts);
        let told = Told {
            error: reply::error_of(&said),
            word: verdict.word,
            outcome: Outcome::UpstreamError,
        };
        return tell(client, form, voice, &told, exchange).await;
    }
    let told = Told {
        error: ApiError {
            kind: verdict.error,
            message: verdict.message,
            param: None,
            code: None,
        },
        word: verdict.word,
        outcome: Outcome::Truncated,
    };
    tell(client, form, voice, &told, exchange).await
}

/// Writes an error event behind an early head. No end follows it.
pub async fn tell(
    client: &mut Client<'_>,
    form: BodyForm,
    voice: &Voice<'_>,
    told: &Told<'_>,
    exchange: &mut Exchange,
) -> Next {
    let mut out = Vec::with_capacity(512);
    let id = id_text(exchange.id);
    framed(form, &mut out, |out| {
        codec::write_error_event(voice.wire, &told.error, id.as_str(), out);
    });
    exchange.outcome = told.outcome;
    exchange.fault = Some(told.word);
    let now = clock::now();
    let sent = &mut exchange.bytes_out;
    if client
        .send_from(&mut out, now, voice.stall_ms, sent)
        .await
        .is_err()
    {
        exchange.outcome = Outcome::Cancelled;
        return Next::Abort;
    }
    Next::Cut
}
