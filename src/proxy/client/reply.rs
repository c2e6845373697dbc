//! Answers of our own: refusals in the client's wire, lists, health.

use crate::chat::error::{ApiError, ErrorKind, Refusal};
use crate::http1::encode;
use crate::net::runtime::clock;
use crate::proxy::client::answer_head::{self, BodyForm, Frame};
use crate::proxy::client::custody;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::next::Next;
use crate::proxy::shared::failure::Failure;
use crate::telemetry::exchange::{Exchange, Outcome};
use crate::telemetry::log::id_text;
use crate::translate::error::Told;
use crate::translate::stream_error;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// How answers of ours are written for one exchange.
#[derive(Clone, Copy, Debug)]
pub struct Voice<'f> {
    /// The wire in which errors are told.
    pub wire: Wire,
    /// Head facts.
    pub frame: Frame<'f>,
    /// The request was HEAD: the body is counted but not sent.
    pub head_only: bool,
    /// Part of the request's body was not read: the connection ends after the answer.
    pub unread: bool,
    /// Longest wait for a client that does not read.
    pub stall_ms: u64,
    /// Answers tell how long they took.
    pub timing: bool,
}

/// A refusal with everything it says.
#[derive(Clone, Debug)]
pub struct Refused<'e> {
    /// Status.
    pub status: u16,
    /// The error.
    pub error: ApiError<'e>,
    /// Further field lines.
    pub fields: &'e [u8],
    /// A word for the log.
    pub word: &'static str,
}

impl<'e> Refused<'e> {
    /// A refusal of a class, its status by that class.
    #[must_use]
    pub const fn new(kind: ErrorKind, message: &'e str, word: &'static str) -> Self {
        let status = kind.status();
        let error = ApiError {
            kind,
            message,
            param: None,
            code: None,
        };
        Self {
            status,
            error,
            fields: b"",
            word,
        }
    }

    /// A refusal whose text was made for it.
    #[must_use]
    pub fn of(refusal: &'e Refusal, word: &'static str) -> Self {
        Self {
            status: refusal.kind.status(),
            error: refusal.as_error(),
            fields: b"",
            word,
        }
    }

    /// The refusal of a model that there is not, or not for this key.
    #[must_use]
    pub const fn unknown_model(message: &'e str) -> Self {
        let refused = Self::new(ErrorKind::NotFound, message, "unknown_model");
        refused.param("model").code("model_not_found")
    }

    /// The same with the field at fault.
    #[must_use]
    pub const fn param(mut self, param: &'e str) -> Self {
        self.error.param = Some(param);
        self
    }

    /// The same with a code of the OpenAI wire.
    #[must_use]
    pub const fn code(mut self, code: &'e str) -> Self {
        self.error.code = Some(code);
        self
    }

    /// The same with another status.
    #[must_use]
    pub const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with further field lines, each with its CRLF.
    #[must_use]
    pub const fn fields(mut self, fields: &'e [u8]) -> Self {
        self.fields = fields;
        self
    }
}

/// A refusal by policy.
#[derive(Debug)]
pub struct Denied {
    /// What the client is told.
    pub refusal: Refusal,
    /// The log's word.
    pub word: &'static str,
}

/// The refusal of a provider header that names nobody.
pub const UNKNOWN_PROVIDER: Refused<'static> = Refused::new(
    ErrorKind::InvalidRequest,
    "the provider header names no configured provider",
    "unknown_provider",
);

/// Whether a refusal with this status of ours would meet the same request again: no further try can
/// cure it. Not so for a client that was too slow.
const fn is_final(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 408 | 409 | 429)
}

/// Refuses the request in the client's wire. What no further try can cure says so, because clients
/// of both wires try again by their own lists of statuses, and obey this.
pub async fn refuse(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    refused: &Refused<'_>,
) -> Next {
    if !is_final(refused.status) {
        return tell(client, exchange, voice, refused).await;
    }
    let fields = [refused.fields, b"x-should-retry: false\r\n"].concat();
    let refused = Refused {
        fields: &fields,
        ..refused.clone()
    };
    tell(client, exchange, voice, &refused).await
}

/// Refuses by policy.
pub async fn refuse_denied(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    denied: &Denied,
) -> Next {
    let refused = Refused::of(&denied.refusal, denied.word);
    refuse(client, exchange, voice, &refused).await
}

/// Tells an error in the client's wire; of another try, what `refused` says itself.
async fn tell(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    refused: &Refused<'_>,
) -> Next {
    exchange.fault = Some(refused.word);
    let mut body = Vec::with_capacity(256);
    codec::write_error(
        voice.wire,
        &refused.error,
        id_text(exchange.id).as_str(),
        &mut body,
    );
    let head = (refused.status, JSON, refused.fields);
    write(client, exchange, voice, (head, &body), Outcome::Refused).await
}

/// Tells the client of a failure before commit; a client that left is told nothing.
pub async fn refuse_failure(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    failure: &Failure,
) -> Next {
    let verdict = failure.verdict();
    if verdict.status == 0 {
        exchange.outcome = Outcome::Cancelled;
        exchange.fault = Some(verdict.word);
        return Next::Abort;
    }
    if let (Some(facts), Some(from)) = (failure.said.as_deref(), exchange.upstream_wire) {
        let told = stream_error::told((from, voice.wire), facts);
        return refuse_told(client, exchange, voice, (&told, Vec::new(), verdict.word)).await;
    }
    let retry: &[u8] = if verdict.status == 503 {
        b"retry-after: 1\r\n"
    } else {
        b""
    };
    let refused = Refused::new(verdict.error, verdict.message, verdict.word)
        .status(verdict.status)
        .fields(retry);
    refuse(client, exchange, voice, &refused).await
}

/// Refuses in a provider's words; `fields` are further field lines.
pub async fn refuse_told(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    (told, mut fields, word): (&Told, Vec<u8>, &'static str),
) -> Next {
    if let Some(retry) = told.should_retry {
        let value: &[u8] = if retry { b"true" } else { b"false" };
        encode::field(&mut fields, b"x-should-retry", value);
    }
    let refused = Refused {
        status: told.status,
        error: error_of(told),
        fields: &fields,
        word,
    };
    tell(client, exchange, voice, &refused).await
}

/// A provider's error as the client's wire writes it.
#[must_use]
pub fn error_of(told: &Told) -> ApiError<'_> {
    ApiError {
        kind: told.kind,
        message: &told.message,
        param: told.param.as_deref(),
        code: told.code.as_deref(),
    }
}

/// Sends a whole answer: status, content type, further field lines, body. It is complete once it
/// has been written.
pub async fn send(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    head: (u16, &str, &[u8]),
    body: &[u8],
) -> Next {
    write(client, exchange, voice, (head, body), Outcome::Complete).await
}

/// Writes an answer whose outcome is `written` if the client takes it.
async fn write(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    answer: ((u16, &str, &[u8]), &[u8]),
    written: Outcome,
) -> Next {
    let ((status, content_type, fields), body) = answer;
    let form = if status == 204 {
        BodyForm::None
    } else {
        BodyForm::Length(body.len() as u64)
    };
    let mut frame = voice.frame.with_body(form);
    frame.keep_alive &= !voice.unread;
    let mut out = Vec::with_capacity(HEAD_BYTES + fields.len() + body.len());
    let now = clock::now();
    answer_head::start(&mut out, status, &frame, now);
    custody::fields(&mut out, frame.custody, exchange);
    if voice.timing {
        answer_head::server_timing(&mut out, exchange, now);
    }
    if status != 204 {
        encode::field(&mut out, b"content-type", content_type.as_bytes());
    }
    out.extend_from_slice(fields);
    encode::end_head(&mut out);
    if !voice.head_only {
        out.extend_from_slice(body);
    }
    exchange.status = status;
    let sent = &mut exchange.bytes_out;
    if let Err(interrupt) = client.send_from(&mut out, now, voice.stall_ms, sent).await {
        exchange.outcome = Outcome::Cancelled;
        // Why it was refused, where it was, says more than that nobody heard it.
        exchange
            .fault
            .get_or_insert_with(|| interrupt.kind().verdict().word);
        return Next::Abort;
    }
    exchange.outcome = written;
    match (voice.unread, frame.stays_open()) {
        (true, _) => Next::Linger,
        (false, true) => Next::KeepAlive,
        (false, false) => Next::Close,
    }
}

/// What the head of an answer of ours takes, by far the most times.
const HEAD_BYTES: usize = 1024;

/// The content type of JSON answers.
pub const JSON: &str = "application/json";
