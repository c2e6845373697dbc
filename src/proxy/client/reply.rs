//! Answers of our own: refusals in the client's wire, lists, health.

use crate::chat::error::{ApiError, ErrorKind, Refusal};
use crate::http1::encode;
use crate::net::runtime::clock;
use crate::proxy::client::answer_head::{self, BodyForm};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::telemetry::exchange::Outcome;
use crate::telemetry::log::id_text;
use crate::translate::error::Told;
use crate::translate::stream_error;
use crate::wire::codec;

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

impl Exchange<'_, '_> {
    /// Refuses the request in the client's wire. What no further try can cure says so, because clients
    /// of both wires try again by their own lists of statuses, and obey this.
    pub async fn refuse(&mut self, refused: &Refused<'_>) -> Next {
        if !is_final(refused.status) {
            return self.tell(refused).await;
        }
        let fields = [refused.fields, b"x-should-retry: false\r\n"].concat();
        let refused = Refused {
            fields: &fields,
            ..refused.clone()
        };
        self.tell(&refused).await
    }

    /// Refuses by policy.
    pub async fn refuse_denied(&mut self, denied: &Denied) -> Next {
        let refused = Refused::of(&denied.refusal, denied.word);
        self.refuse(&refused).await
    }

    /// Tells an error in the client's wire; of another try, what `refused` says itself.
    async fn tell(&mut self, refused: &Refused<'_>) -> Next {
        self.record.fault = Some(refused.word);
        let mut body = Vec::with_capacity(256);
        let id = id_text(self.record.id);
        codec::write_error(self.reply.wire, &refused.error, id.as_str(), &mut body);
        let answer = WholeAnswer {
            status: refused.status,
            content_type: JSON,
            fields: refused.fields,
            body: &body,
        };
        self.write(&answer, Outcome::Refused).await
    }

    /// Tells the client of a failure before commit; a client that left is told nothing.
    pub async fn refuse_failure(&mut self, failure: &Failure) -> Next {
        let verdict = failure.verdict();
        if verdict.status == 0 {
            return self.abandon(failure.kind);
        }
        if let (Some(facts), Some(from)) = (failure.said.as_deref(), self.record.upstream_wire) {
            let told = stream_error::told((from, self.reply.wire), facts);
            return self.refuse_told(&told, Vec::new(), verdict.word).await;
        }
        let retry: &[u8] = if verdict.status == 503 {
            b"retry-after: 1\r\n"
        } else {
            b""
        };
        let refused = Refused::new(verdict.error, verdict.message, verdict.word)
            .status(verdict.status)
            .fields(retry);
        self.refuse(&refused).await
    }

    /// Refuses in a provider's words; `fields` are further field lines.
    pub async fn refuse_told(
        &mut self,
        told: &Told,
        mut fields: Vec<u8>,
        word: &'static str,
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
        self.tell(&refused).await
    }

    /// The client left, or takes nothing: there is nobody to tell.
    pub const fn abandon(&mut self, kind: Kind) -> Next {
        self.record.outcome = Outcome::Cancelled;
        self.record.fault = Some(kind.verdict().word);
        Next::Abort
    }

    /// Sends a whole answer of JSON that succeeded.
    pub async fn send_json(&mut self, body: &[u8]) -> Next {
        self.send_json_with(b"", body).await
    }

    /// The same with further field lines.
    pub async fn send_json_with(&mut self, fields: &[u8], body: &[u8]) -> Next {
        let answer = WholeAnswer {
            status: 200,
            content_type: JSON,
            fields,
            body,
        };
        self.send(&answer).await
    }

    /// Sends a whole answer. It is complete once it has been written.
    pub async fn send(&mut self, answer: &WholeAnswer<'_>) -> Next {
        self.write(answer, Outcome::Complete).await
    }

    /// Writes an answer whose outcome is `written` if the client takes it.
    async fn write(&mut self, answer: &WholeAnswer<'_>, written: Outcome) -> Next {
        let WholeAnswer {
            status,
            content_type,
            fields,
            body,
        } = *answer;
        let form = if status == 204 {
            BodyForm::None
        } else {
            BodyForm::Length(body.len() as u64)
        };
        let mut facts = self.head_facts(form);
        facts.keep_alive &= !self.reply.unread;
        let stays_open = facts.stays_open();
        let mut out = Vec::with_capacity(HEAD_BYTES + fields.len() + body.len());
        let now = clock::now();
        answer_head::start(&mut out, status, &facts, now);
        self.custody_fields(&mut out, now);
        if status != 204 {
            encode::field(&mut out, b"content-type", content_type.as_bytes());
        }
        out.extend_from_slice(fields);
        encode::end_head(&mut out);
        if !self.reply.head_only {
            out.extend_from_slice(body);
        }
        self.record.status = status;
        let stall_ms = self.stall_ms();
        let sent = &mut self.record.bytes_out;
        if let Err(interrupt) = self.client.send_from(&mut out, now, stall_ms, sent).await {
            self.record.outcome = Outcome::Cancelled;
            // Why it was refused, where it was, says more than that nobody heard it.
            self.record
                .fault
                .get_or_insert_with(|| interrupt.kind().verdict().word);
            return Next::Abort;
        }
        self.record.outcome = written;
        match (self.reply.unread, stays_open) {
            (true, _) => Next::Linger,
            (false, true) => Next::KeepAlive,
            (false, false) => Next::Close,
        }
    }
}

/// An answer of ours.
#[derive(Clone, Copy, Debug)]
pub struct WholeAnswer<'a> {
    /// Its status.
    pub status: u16,
    /// What its body is.
    pub content_type: &'a str,
    /// Further field lines, each with its CRLF.
    pub fields: &'a [u8],
    /// Its body.
    pub body: &'a [u8],
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

/// What the head of an answer of ours takes, by far the most times.
const HEAD_BYTES: usize = 1024;

/// The content type of JSON answers.
const JSON: &str = "application/json";
