//! Answers of our own: refusals in the client's wire, lists, health.

use crate::chat::error::ApiError;
use crate::chat::rejection::Rejection;
use crate::http1::encode;
use crate::net::runtime::clock;
use crate::proxy::client::answer_head::{self, BodyForm};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::client::unserved::Unserved;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::telemetry::exchange::Outcome;
use crate::telemetry::log::id_text;
use crate::translate::error::ClientError;
use crate::translate::stream_error;
use crate::wire::codec;

impl Exchange<'_, '_> {
    /// Rejects the request in the client's wire. What no further try can cure says so, because clients
    /// of both wires try again by their own lists of statuses, and obey this.
    pub async fn reject(&mut self, rejection: &Rejection) -> Next {
        let last: &[u8] = match rejection.is_final() {
            true => b"x-should-retry: false\r\n",
            false => b"",
        };
        let fields = [rejection.fields(), last].concat();
        let error = rejection.as_error();
        self.tell((rejection.status(), &error), &fields, rejection.word())
            .await
    }

    /// Tells the client why its request got no answer from a provider; one that left is told nothing.
    pub async fn tell_unserved(&mut self, unserved: Unserved) -> Next {
        match unserved {
            Unserved::Gone => self.abandon(Kind::ClientGone),
            Unserved::Rejected(rejection) => self.reject(&rejection).await,
            Unserved::Failed(failure) => self.tell_failure(&failure).await,
        }
    }

    /// Tells the client of a failure before commit; a client that left is told nothing.
    async fn tell_failure(&mut self, failure: &Failure) -> Next {
        let verdict = failure.verdict();
        if verdict.status == 0 {
            return self.abandon(failure.kind);
        }
        if let (Some(facts), Some(from)) = (failure.said.as_deref(), self.record.upstream_wire) {
            let told = stream_error::told((from, self.reply.wire), facts);
            return self
                .tell_provider_error(&told, Vec::new(), verdict.word)
                .await;
        }
        let rejection = Rejection::new(verdict.error, verdict.message, verdict.word);
        let rejection = rejection.with_status(verdict.status);
        match verdict.status {
            503 => self.reject(&rejection.try_again()).await,
            _ => self.reject(&rejection).await,
        }
    }

    /// Tells an error in a provider's words; `fields` are further field lines.
    pub async fn tell_provider_error(
        &mut self,
        told: &ClientError,
        mut fields: Vec<u8>,
        word: &'static str,
    ) -> Next {
        if let Some(retry) = told.should_retry {
            let value: &[u8] = if retry { b"true" } else { b"false" };
            encode::field(&mut fields, b"x-should-retry", value);
        }
        let error = error_of(told);
        self.tell((told.status, &error), &fields, word).await
    }

    /// Tells an error in the client's wire.
    async fn tell(
        &mut self,
        (status, error): (u16, &ApiError<'_>),
        fields: &[u8],
        word: &'static str,
    ) -> Next {
        self.record.fault = Some(word);
        let mut body = Vec::with_capacity(256);
        let id = id_text(self.record.id);
        codec::write_error(self.reply.wire, error, id.as_str(), &mut body);
        let answer = WholeAnswer {
            status,
            content_type: JSON,
            fields,
            body: &body,
        };
        self.write(&answer, Outcome::Refused).await
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
pub fn error_of(told: &ClientError) -> ApiError<'_> {
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
