//! How an answer's relay ends: the end that was earned, or the error and no end.

use crate::chat::error::{ApiError, ErrorKind};
use crate::chat::usage::End;
use crate::http1::encode;
use crate::net::runtime::buffers;
use crate::proxy::answer::body_mode::Mode;
use crate::proxy::answer::relay::{Body, Relay, State};
use crate::proxy::client::answer_head::BodyForm;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::next::Next;
use crate::proxy::shared::failure::{Blame, Failure, Kind};
use crate::proxy::upstream::attempt;
use crate::telemetry::exchange::{Exchange, Outcome};
use crate::telemetry::log::id_text;

impl Relay<'_> {
    /// The answer failed while it could still be thrown away.
    pub(super) fn failure(&self) -> Failure {
        let kind = match (self.state.body, self.state.end) {
            (Body::Broken(kind), _) => kind,
            _ if self.mode.is_error() || self.mode.is_garbage() => Kind::NotAnAnswer,
            (_, End::UpstreamError) => Kind::StreamError,
            (Body::Open, _) => self.mode.malformed(),
            (Body::Whole, _) => Kind::BodyCut,
        };
        let said = self.mode.upstream_error().map(|said| {
            let mut said = Box::new(said.clone());
            if let Some(scrubber) = &self.scrubber {
                scrubber.clean_error(&mut said);
            }
            said
        });
        Failure {
            said,
            ..Failure::new(kind)
        }
    }

    /// Writes the last bytes: the end that was earned, or the error and no end.
    pub(super) async fn finish(
        mut self: Box<Self>,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
    ) -> Next {
        let State { body, end, .. } = self.state;
        self.state.written &= self.out.is_empty();
        // A document that reports an error is whole, and passes as it came.
        let told = body == Body::Whole && self.mode.is_error();
        let complete = !matches!(body, Body::Broken(_)) && end == End::Complete;
        let failure = (!complete && !self.state.content).then(|| self.failure());
        self.judge(failure, exchange);
        let complete = complete || told;
        if complete {
            exchange.outcome = match exchange.status {
                _ if told => Outcome::UpstreamError,
                400.. => Outcome::Refused,
                _ => Outcome::Complete,
            };
            if told {
                exchange.fault = Some(Kind::NotAnAnswer.verdict().word);
            }
            if self.form == BodyForm::Chunked {
                encode::last_chunk(&mut self.out);
            }
        } else {
            exchange.outcome = Outcome::from_end(broken(end));
            exchange.fault = Some(match self.mode.is_garbage() {
                true => Kind::NotAnAnswer.verdict().word,
                false => self.fault_word(),
            });
            if self.mode.is_garbage() && matches!(self.form, BodyForm::Length(_)) {
                // With its last bytes it would be whole by its framing.
                self.out.clear();
            }
            if end != End::UpstreamError {
                self.append_error(exchange);
            }
        }
        let stall_ms = self.worker.limits().write_stall_timeout_ms;
        let (now, count) = (self.state.turned, &mut exchange.bytes_out);
        let sent = client.send_from(&mut self.out, now, stall_ms, count).await;
        buffers::give(core::mem::take(&mut self.out));
        if let Err(interrupt) = sent {
            return self.client_lost(interrupt.kind(), exchange);
        }
        self.take_facts(exchange);
        if let (true, Some(slot), Some(nanos)) = (complete, self.paced, exchange.per_output_token())
        {
            let health = &self.worker.shared.health;
            health.each_token(slot, nanos, now.as_nanos());
        }
        if !complete {
            // Without framing and without an error event, a good-looking end would be a lie.
            let untold = self.form == BodyForm::UntilClose && !self.mode.is_stream();
            return match (untold, body) {
                (true, _) => Next::Reset,
                (false, Body::Broken(Kind::DrainCut)) => Next::Abort,
                (false, _) if self.mode.is_stream() => Next::Cut,
                (false, _) => Next::Abort,
            };
        }
        attempt::release(self.worker, self.upstream, self.state.heard);
        match (self.stays_open, self.unread) {
            (true, _) => Next::KeepAlive,
            (false, true) => Next::Linger,
            (false, false) => Next::Close,
        }
    }

    /// The error event of a broken stream, as a chunk of its own.
    fn append_error(&mut self, exchange: &Exchange) {
        let mark = self.open_chunk();
        self.fail(exchange);
        self.close_chunk(mark);
    }

    /// Tells the client, in its wire, how the stream broke.
    pub(super) fn fail(&mut self, exchange: &Exchange) {
        let (kind, message) = match self.state.body {
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
        let id = id_text(exchange.id);
        self.mode.fail(&error, id.as_str(), &mut self.out);
    }

    /// Tells the circuits, once, whether the answer was good. One that breaks behind its first
    /// content was: its target answers.
    pub(super) fn judge(&mut self, failure: Option<Failure>, exchange: &Exchange) {
        let Some(slot) = self.judged.take() else {
            return;
        };
        let health = &self.worker.shared.health;
        match failure {
            None => {
                let now_ns = self.state.turned.as_nanos();
                health.succeeded(slot, now_ns);
                if let Some(nanos) = exchange.first_delta_at.checked_sub(exchange.sent_at) {
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
        match (self.state.body, self.state.end) {
            (Body::Broken(kind), _) => kind.verdict().word,
            (_, End::UpstreamError) => "upstream_error_event",
            (Body::Open, _) => self.mode.malformed().verdict().word,
            (Body::Whole, _) => Kind::BodyCut.verdict().word,
        }
    }

    /// The client left. One that has the terminator has all: clients close without waiting for the
    /// end of the body.
    pub(super) fn client_lost(&mut self, kind: Kind, exchange: &mut Exchange) -> Next {
        self.take_facts(exchange);
        let may_end_early = self.mode.is_stream() || matches!(self.mode, Mode::Relayed(_));
        if self.state.ended.is_some() && self.state.written && may_end_early {
            exchange.outcome = Outcome::Complete;
            return Next::Abort;
        }
        exchange.outcome = Outcome::Cancelled;
        exchange.fault = Some(kind.verdict().word);
        Next::Abort
    }

    fn take_facts(&mut self, exchange: &mut Exchange) {
        let mut facts = self.mode.facts();
        if let (Some(scrubber), Some(model)) = (&self.scrubber, facts.model.as_deref())
            && let Some(clean) = scrubber.cleaned(model)
        {
            facts.model = Some(clean.as_str().into());
        }
        if !facts.notes.is_empty() {
            // The head went out before: what a stream lost is told in the record alone.
            self.worker.meter.borrow_mut().counters.losses += facts.notes.count() as u64;
            let notes = core::mem::take(&mut self.notes).with(&facts.notes);
            exchange.losses = Some(notes.header());
        }
        exchange.usage = facts.usage;
        exchange.stop = facts.stop;
        exchange.model_answered = facts.model;
    }
}

/// An incomplete answer whose wire said nothing of an error was truncated.
const fn broken(end: End) -> End {
    match end {
        End::UpstreamError => End::UpstreamError,
        End::Open | End::Complete | End::Truncated => End::Truncated,
    }
}
