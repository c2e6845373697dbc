//! How an answer's relay ends: the end that was earned, or the error and no end.

use crate::chat::error::{ApiError, ErrorKind};
use crate::chat::event::StreamFault;
use crate::chat::usage::End;
use crate::http1::encode;
use crate::net::runtime::buffers;
use crate::proxy::answer::stages::{Answer, Body, Opened, Progress};
use crate::proxy::client::answer_head::BodyForm;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::shared::failure::{Blame, Failure, Kind};
use crate::telemetry::exchange::{ExchangeRecord, Outcome};
use crate::telemetry::log::id_text;
use crate::translate::transforms::mode::Mode;

impl Answer<'_, Opened<'_>> {
    /// The answer failed while it could still be thrown away.
    pub(in crate::proxy::answer) fn failure(&self) -> Failure {
        let Opened {
            transforms,
            progress,
            ..
        } = &self.stage;
        let kind = match (progress.body, progress.end) {
            (Body::Broken(kind), _) => kind,
            _ if transforms.mode.is_error() || transforms.mode.is_garbage() => Kind::NotAnAnswer,
            (_, End::UpstreamError) => Kind::StreamError,
            (Body::Open, _) => self.malformed(),
            (Body::Whole, _) => Kind::BodyCut,
        };
        Failure {
            said: transforms.upstream_error().map(Box::new),
            ..Failure::new(kind)
        }
    }

    /// Writes the last bytes: the end that was earned, or the error and no end.
    pub(super) async fn finish(mut self: Box<Self>, exchange: &mut Exchange<'_, '_>) -> Next {
        let stage = &mut self.stage;
        let Progress { body, end, .. } = stage.progress;
        let is_garbage = stage.transforms.mode.is_garbage();
        let is_stream = stage.transforms.mode.is_stream();
        stage.progress.written &= stage.out.is_empty();
        // A document that reports an error is whole, and passes as it came.
        let told = body == Body::Whole && stage.transforms.mode.is_error();
        let complete = !matches!(body, Body::Broken(_)) && end == End::Complete;
        let failure = (!complete && !self.stage.progress.content).then(|| self.failure());
        self.judge(failure, &exchange.record);
        let complete = complete || told;
        if complete {
            exchange.record.outcome = match exchange.record.status {
                _ if told => Outcome::UpstreamError,
                400.. => Outcome::Refused,
                _ => Outcome::Complete,
            };
            if told {
                exchange.record.fault = Some(Kind::NotAnAnswer.verdict().word);
            }
            if self.stage.form == BodyForm::Chunked {
                encode::last_chunk(&mut self.stage.out);
            }
        } else {
            exchange.record.outcome = Outcome::from_end(broken(end));
            exchange.record.fault = Some(match is_garbage {
                true => Kind::NotAnAnswer.verdict().word,
                false => self.fault_word(),
            });
            if is_garbage && matches!(self.stage.form, BodyForm::Length(_)) {
                // With its last bytes it would be whole by its framing.
                self.stage.out.clear();
            }
            if end != End::UpstreamError {
                self.append_error(&exchange.record);
            }
        }
        let stall_ms = self.worker.limits().write_stall_timeout_ms;
        let (now, count) = (self.stage.progress.turned, &mut exchange.record.bytes_out);
        let out = &mut self.stage.out;
        let sent = exchange.client.send_from(out, now, stall_ms, count).await;
        buffers::give(core::mem::take(out));
        if let Err(interrupt) = sent {
            return self.client_lost(interrupt.kind(), &mut exchange.record);
        }
        self.take_facts(&mut exchange.record);
        let pace = exchange.record.per_output_token();
        if let (true, Some(slot), Some(nanos)) = (complete, self.stage.slot, pace) {
            let health = &self.worker.health;
            health.each_token(slot, nanos, now.as_nanos());
        }
        if !complete {
            // Without framing and without an error event, a good-looking end would be a lie.
            let untold = self.stage.form == BodyForm::UntilClose && !is_stream;
            return match (untold, body) {
                (true, _) => Next::Reset,
                (false, Body::Broken(Kind::DrainCut)) => Next::Abort,
                (false, _) if is_stream => Next::Cut,
                (false, _) => Next::Abort,
            };
        }
        let next = self.stage.next();
        let (worker, heard) = (self.worker, self.stage.progress.heard);
        self.stage.source.release(worker, heard);
        next
    }

    /// The error event of a broken stream, as a chunk of its own.
    fn append_error(&mut self, record: &ExchangeRecord) {
        let mark = self.stage.open_chunk();
        self.fail(record);
        self.stage.close_chunk(mark);
    }

    /// Tells the client, in its wire, how the stream broke.
    pub(in crate::proxy::answer) fn fail(&mut self, record: &ExchangeRecord) {
        let (kind, message) = match self.stage.progress.body {
            Body::Broken(Kind::NoRoom) => (
                ErrorKind::Overloaded,
                "too many bytes in flight; retry later",
            ),
            Body::Broken(Kind::DrainCut) => (ErrorKind::Overloaded, "the gateway is shutting down"),
            Body::Broken(Kind::BodyStall) => (ErrorKind::Timeout, "upstream fell silent"),
            Body::Open => (ErrorKind::Api, Kind::MalformedStream.verdict().message),
            _ => (ErrorKind::Api, "upstream stream ended early"),
        };
        let error = ApiError {
            kind,
            message,
            param: None,
            code: None,
        };
        let id = id_text(record.id);
        let stage = &mut self.stage;
        let mode = &mut stage.transforms.mode;
        mode.fail(&error, id.as_str(), &mut stage.out);
    }

    /// Tells the circuits, once, whether the answer was good. One that breaks behind its first
    /// content was: its target answers.
    pub(super) fn judge(&mut self, failure: Option<Failure>, record: &ExchangeRecord) {
        let was_judged = core::mem::replace(&mut self.stage.is_judged, true);
        let Some(slot) = self.stage.slot.filter(|_| !was_judged) else {
            return;
        };
        let health = &self.worker.health;
        match failure {
            None => {
                let now_ns = self.stage.progress.turned.as_nanos();
                health.succeeded(slot, now_ns);
                if let Some(nanos) = record.first_delta_at.checked_sub(record.sent_at) {
                    health.first_token(slot, nanos, now_ns);
                }
            }
            Some(failure) if failure.verdict().blame == Blame::Upstream => {
                self.worker.note_failure(slot, &failure);
            }
            Some(_) => {}
        }
    }

    fn fault_word(&self) -> &'static str {
        match (self.stage.progress.body, self.stage.progress.end) {
            (Body::Broken(kind), _) => kind.verdict().word,
            (_, End::UpstreamError) => "upstream_error_event",
            (Body::Open, _) => self.malformed().verdict().word,
            (Body::Whole, _) => Kind::BodyCut.verdict().word,
        }
    }

    /// The client left. One that has the terminator has all: clients close without waiting for the
    /// end of the body.
    pub(super) fn client_lost(&mut self, kind: Kind, record: &mut ExchangeRecord) -> Next {
        self.take_facts(record);
        let Progress { ended, written, .. } = self.stage.progress;
        let mode = &self.stage.transforms.mode;
        let may_end_early = mode.is_stream() || matches!(mode, Mode::Relayed(_));
        if ended.is_some() && written && may_end_early {
            record.outcome = Outcome::Complete;
            return Next::Abort;
        }
        record.outcome = Outcome::Cancelled;
        record.fault = Some(kind.verdict().word);
        Next::Abort
    }

    /// The head went out before: what a stream lost is told in the record alone.
    fn take_facts(&mut self, record: &mut ExchangeRecord) {
        let facts = self.stage.transforms.facts();
        let notes = core::mem::take(&mut self.stage.notes);
        self.stage.notes = self.note_facts(notes, facts, record);
    }

    /// What a stream that is open and will not go on failed for.
    const fn malformed(&self) -> Kind {
        match self.stage.transforms.mode.fault() {
            Some(StreamFault::TooLarge) => Kind::EventTooLarge,
            _ => Kind::MalformedStream,
        }
    }
}

/// An incomplete answer whose wire said nothing of an error was truncated.
const fn broken(end: End) -> End {
    match end {
        End::UpstreamError => End::UpstreamError,
        End::Open | End::Complete | End::Truncated => End::Truncated,
    }
}
