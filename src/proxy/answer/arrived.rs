//! What happens to an answer whose head has arrived: it is relayed, translated or refused.
//!
//! Wires, status and content type decide; an error before anything was sent comes back as a
//! [`Failure`], so that another target may be tried.

use std::sync::Arc;

use crate::chat::small_str::SmallStr;
use crate::http1::encode;
use crate::http1::framing::BodyFraming;
use crate::http1::method::Method;
use crate::json::nesting::Nesting;
use crate::limits::LOGGED_ID_BYTES_MAX;
use crate::net::runtime::buffers;
use crate::net::runtime::clock::Instant;
use crate::net::runtime::recycled_future::boxed;
use crate::proxy::answer::content_type::{Content, content_kind, declared_length, is_encoded};
use crate::proxy::answer::relay::Step;
use crate::proxy::answer::stages::{Answer, Arrived, Opened, Takeover};
use crate::proxy::client::answer_head::{self, BodyForm, Withheld};
use crate::proxy::client::exchange::{Exchange, ReplySettings};
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::memory_budget::Charge;
use crate::translate::answer_context::AnswerContext;
use crate::translate::stream::StreamTranslator;
use crate::translate::tap::Tap;
use crate::translate::transforms::mode::{Found, Mode};
use crate::translate::usage_strip::UsageStrip;
use crate::wire::codec;
use crate::wire::kind::Wire;

mod refusal;
mod whole;

impl<'w> Answer<'w, Arrived<'w>> {
    /// Delivers the answer, up to its commit where it is relayed; `may_move` says whether another
    /// target is ready, and is asked where this one takes too long.
    ///
    /// # Errors
    /// A failure before anything reached the client.
    pub async fn deliver(
        mut self,
        may_move: &mut dyn FnMut() -> bool,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        exchange.record.upstream_request_id = self.request_id();
        let success = (200..300).contains(&self.stage.upstream.head.status);
        if exchange.client.has_begun() {
            return boxed(|| self.follow(success, exchange)).await;
        }
        let opened = match (self.stage.terms.context.take(), success) {
            (None, false) if self.may_be_page() => {
                return boxed(|| self.tell_refusal(true, exchange)).await;
            }
            (None, _) => self.pass_on(exchange, success)?,
            (Some(_), false) => {
                return boxed(|| self.tell_refusal(false, exchange)).await;
            }
            (Some(_), true) if is_encoded(&self.stage.upstream) => {
                return Err(Failure::new(Kind::Compressed));
            }
            (Some(context), true) => {
                match (self.stage.stream, content_kind(&self.stage.upstream)) {
                    (true, Content::Events | Content::Unnamed) => {
                        self.translate_stream(context, exchange)
                    }
                    (false, Content::Json | Content::Unnamed) => {
                        return boxed(|| self.translate_whole(&context, exchange)).await;
                    }
                    (true, Content::Json) => {
                        return boxed(|| self.translate_no_stream(exchange)).await;
                    }
                    _ => return Err(Failure::new(Kind::ContentType)),
                }
            }
        };
        let relay = opened.commit(may_move, exchange).await?;
        Ok(Step::Relay(relay))
    }

    /// Lets an answer follow an early head: a stream goes on without a head of its own, everything
    /// else is an error event.
    async fn follow(
        mut self,
        success: bool,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        if !success {
            return self.tell_refusal(false, exchange).await;
        }
        if is_encoded(&self.stage.upstream) {
            return Err(Failure::new(Kind::Compressed));
        }
        let kind = content_kind(&self.stage.upstream);
        match kind {
            Content::Events | Content::Unnamed => {}
            Content::Json => return self.translate_no_stream(exchange).await,
            Content::Page | Content::Other => return Err(Failure::new(Kind::ContentType)),
        }
        let mut mode = match self.stage.terms.context.take() {
            Some(context) => self.translated(context),
            None => self.mode_of(self.provider.wire, (kind, true)),
        };
        mode.follow_own_bytes();
        let early = exchange
            .client
            .early
            .as_ref()
            .ok_or(Failure::new(Kind::Bug))?;
        let framing = (early.form, early.stays_open);
        self.takeover = Takeover::default();
        let out = buffers::take(buffers::Class::Quiet);
        let opened = self.opened(mode, framing, out, exchange);
        Ok(Step::Relay(opened.begin(&mut exchange.record)))
    }

    /// The provider's own id of the request, under the name that its wire has for it.
    fn request_id(&self) -> Option<SmallStr> {
        let upstream = &self.stage.upstream;
        let name = codec::conventions(self.provider.wire).request_id;
        let id = upstream.head.field(&upstream.buf, name)?;
        let cut = id.get(..LOGGED_ID_BYTES_MAX).unwrap_or(id);
        (!self.shows_key(id)).then(|| SmallStr::from(&*String::from_utf8_lossy(cut)))
    }

    /// Whether a value holds the credential that the provider was sent.
    fn shows_key(&self, value: &[u8]) -> bool {
        let scrubber = self.stage.scrubber.as_ref();
        scrubber.is_some_and(|scrubber| scrubber.finds(value))
    }

    /// The provider's wire, and the client's.
    const fn wires(&self) -> (Wire, Wire) {
        (self.provider.wire, self.stage.client_wire)
    }

    /// Nothing charged yet, for whom this answer is.
    fn charge(&self) -> Charge {
        Charge::new(Arc::clone(&self.worker.thread.shared.budget), self.tenant)
    }

    /// An answer in the client's own wire.
    fn pass_on(
        self,
        exchange: &mut Exchange<'_, '_>,
        success: bool,
    ) -> Result<Box<Answer<'w, Opened<'w>>>, Failure> {
        let Arrived { upstream, wire, .. } = &self.stage;
        let (kind, is_encoded) = (content_kind(upstream), is_encoded(upstream));
        let mode = match (*wire, success) {
            (Some(wire), true) => match kind {
                Content::Page => return Err(Failure::new(Kind::ContentType)),
                Content::Other => Mode::Plain,
                Content::Json | Content::Events | Content::Unnamed => {
                    let is_events =
                        kind == Content::Events || (kind == Content::Unnamed && self.stage.stream);
                    self.mode_of(wire, (kind, is_events))
                }
            },
            (None, true) if self.stage.reads_usage && !is_encoded => {
                Mode::relayed(self.provider.wire, kind == Content::Events)
            }
            _ => Mode::Plain,
        };
        let facts = exchange.head_facts(self.body_form(&mode, exchange.reply.streamed()));
        let framing = (facts.body, facts.stays_open());
        let room = upstream.head_end + OWN_FIELDS_BYTES;
        let mut out = buffers::take(buffers::Class::fitting(room));
        let holds = |value: &[u8]| self.shows_key(value);
        let head = (&upstream.head, upstream.buf.as_slice());
        let now = Instant::from_nanos(exchange.record.head_at);
        answer_head::passthrough(&mut out, head, *wire, &facts, now, holds);
        exchange.custody_fields(&mut out, now);
        encode::end_head(&mut out);
        exchange.record.status = upstream.head.status;
        exchange.record.stream = mode.is_events();
        if success && wire.is_some() && matches!(mode, Mode::Plain) {
            // Its framing is all that will be known of it.
            let unread = match is_encoded {
                true => Kind::Compressed,
                false => Kind::ContentType,
            };
            exchange.record.fault = Some(unread.verdict().word);
        }
        Ok(self.opened(mode, framing, out, exchange))
    }

    /// The way of a same-wire answer. A compressed one is passed on unread.
    fn mode_of(&self, wire: Wire, (kind, events): (Content, bool)) -> Mode {
        let limits = self.worker.limits();
        let upstream = &self.stage.upstream;
        match (is_encoded(upstream), events) {
            (true, _) => Mode::Plain,
            (false, true) => Mode::Watched {
                wire,
                tap: Box::new(Tap::new(wire, limits.event_bytes_max)),
                strip: (self.stage.terms.strip_usage)
                    .then(|| Box::new(UsageStrip::new(limits.event_bytes_max))),
                unmark: None,
            },
            (false, false) => Mode::Whole {
                wire,
                len: upstream.body.remaining(),
                nesting: (upstream.head.framing == BodyFraming::UntilClose).then(Nesting::default),
                found: Found::Unread,
                kept: Some(Vec::new()),
                unasked: self.stage.stream && kind == Content::Json,
            },
        }
    }

    fn body_form(&self, mode: &Mode, streamed: BodyForm) -> BodyForm {
        let Arrived {
            upstream, method, ..
        } = &self.stage;
        match upstream.head.framing {
            BodyFraming::None => match method {
                Method::Head => declared_length(upstream).map_or(BodyForm::None, BodyForm::Length),
                _ if matches!(upstream.head.status, 204 | 304) => BodyForm::None,
                _ => BodyForm::Length(0),
            },
            BodyFraming::Length(len) if mode.keeps_length() => BodyForm::Length(len),
            _ => streamed,
        }
    }

    /// The way of a stream that crosses the wires.
    fn translated(&self, context: AnswerContext) -> Mode {
        let (from, to) = self.wires();
        let event_bytes_max = self.worker.limits().event_bytes_max;
        let translator = StreamTranslator::new(from, to, context, event_bytes_max);
        Mode::Translated(Box::new(translator))
    }

    /// A stream that crosses the wires.
    fn translate_stream(
        self,
        context: AnswerContext,
        exchange: &mut Exchange<'_, '_>,
    ) -> Box<Answer<'w, Opened<'w>>> {
        let upstream = &self.stage.upstream;
        let facts = exchange.head_facts(exchange.reply.streamed());
        let framing = (facts.body, facts.stays_open());
        let mut out = buffers::take(buffers::Class::Quiet);
        let head = (&upstream.head, upstream.buf.as_slice());
        let now = Instant::from_nanos(exchange.record.head_at);
        let holds = |value: &[u8]| self.shows_key(value);
        answer_head::translated(&mut out, head, self.wires(), &facts, now, holds);
        self.notes_field(&mut out);
        out.extend_from_slice(b"content-type: text/event-stream; charset=utf-8\r\n");
        out.extend_from_slice(b"cache-control: no-cache\r\n");
        exchange.custody_fields(&mut out, now);
        encode::end_head(&mut out);
        exchange.record.status = 200;
        exchange.record.stream = true;
        let mode = self.translated(context);
        self.opened(mode, framing, out, exchange)
    }

    /// The provider's fields that an answer of ours bears too, and what was lost.
    fn told_fields(&self, should_retry: bool, reply: &ReplySettings) -> Vec<u8> {
        let upstream = &self.stage.upstream;
        let withheld = Withheld {
            should_retry,
            limits: reply.own_limits,
        };
        let mut fields = Vec::with_capacity(256);
        answer_head::translated_fields(
            &mut fields,
            (&upstream.head, upstream.buf.as_slice()),
            self.wires(),
            withheld,
            |value| self.shows_key(value),
        );
        self.notes_field(&mut fields);
        fields
    }

    /// `x-ringway-translation`, where something was lost.
    fn notes_field(&self, out: &mut Vec<u8>) {
        let notes = &self.stage.terms.notes;
        if !notes.is_empty() {
            encode::field(out, b"x-ringway-translation", notes.header().as_bytes());
        }
    }
}

/// What the gateway's own fields take, by far the most times.
const OWN_FIELDS_BYTES: usize = 768;
