//! What is done with a provider's answer once its head is there: relayed, translated, refused.
//!
//! Decides the mode by wires, status and content type; an error before anything was sent comes
//! back as a [`Failure`], so that another target may be tried.

use core::future::poll_fn;
use core::pin::pin;
use std::sync::Arc;

use crate::chat::text::Text;
use crate::http1::body::BodyEnd;
use crate::http1::encode;
use crate::http1::framing::BodyFraming;
use crate::http1::method::Method;
use crate::json::nesting::Nesting;
use crate::limits::LOGGED_ID_BYTES_MAX;
use crate::net::runtime::buffers;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::proxy::answer::body_mode::{Found, Mode};
use crate::proxy::answer::content_type::{Content, content_kind, declared_length, is_encoded};
use crate::proxy::answer::relay::{Relay, State, Step};
use crate::proxy::client::answer_head::{self, BodyForm, Frame, Withheld};
use crate::proxy::client::custody;
use crate::proxy::client::downstream::{Client, Interrupt};
use crate::proxy::client::reply::{self, Voice};
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::scrub::Scrubber;
use crate::proxy::shared::worker::Worker;
use crate::proxy::upstream::attempt::{self, Upstream};
use crate::proxy::upstream::stream_timeouts::Pace;
use crate::route::plan::provider::Provider;
use crate::telemetry::exchange::Exchange;
use crate::translate::answer_context::AnswerContext;
use crate::translate::notes::Notes;
use crate::translate::tap::Tap;
use crate::translate::usage_strip::UsageStrip;
use crate::wire::kind::Wire;

mod follow;
mod told;
mod whole;

/// What the answer's way depends on, beside the answer.
pub struct Delivery<'d, 'w> {
    /// This worker.
    pub worker: &'w Worker,
    /// The provider that answered.
    pub provider: &'w Provider,
    /// How answers of ours are written.
    pub voice: Voice<'d>,
    /// The request's method.
    pub method: Method,
    /// Set where the answer has to be translated.
    pub answer: Option<AnswerContext>,
    /// What the translation of the request lost.
    pub notes: Notes,
    /// A stream was asked for.
    pub stream: bool,
    /// The usage chunk must not reach the client.
    pub strip_usage: bool,
    /// Until when another target could take over; none where there is none.
    pub hold: Option<Instant>,
    /// If so, when it is asked where a stream has no content yet.
    pub patience: Option<Instant>,
    /// And how fast a stream must be from then on.
    pub pace: Option<Pace>,
    /// The JSON wire whose answer this is; `None` on relayed endpoints.
    pub wire: Option<Wire>,
    /// On relayed endpoints: the answer's figures are those of this request.
    pub reads_usage: bool,
    /// Takes out what was sent upstream and must not come back.
    pub scrubber: Option<Scrubber<'w>>,
    /// Whose buffers are charged.
    pub tenant: usize,
}

impl<'w> Delivery<'_, 'w> {
    /// Delivers the answer; `may_move` says whether another target is ready, and is asked where
    /// this one takes too long.
    ///
    /// # Errors
    /// A failure before anything reached the client.
    pub async fn run(
        mut self,
        client: &mut Client<'_>,
        upstream: Box<Upstream>,
        may_move: &mut dyn FnMut() -> bool,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        exchange.upstream_request_id = self.request_id(&upstream);
        let success = (200..300).contains(&upstream.head.status);
        let pace = self.pace;
        if client.has_begun() {
            return boxed(|| self.follow(client, upstream, success, exchange)).await;
        }
        match (self.answer.take(), success) {
            (None, false) if self.may_be_page(&upstream) => {
                boxed(|| self.tell_page(client, upstream, exchange)).await
            }
            (None, _) => {
                let opening = self.pass_on(&upstream, exchange, success)?;
                let mut relay = self.relay(upstream, opening, exchange);
                relay.open(client, (may_move, pace), exchange).await?;
                Ok(Step::Relay(relay))
            }
            (Some(_), false) => boxed(|| self.translate_error(client, upstream, exchange)).await,
            (Some(context), true) => {
                if is_encoded(&upstream) {
                    return Err(Failure::new(Kind::Compressed));
                }
                let kind = content_kind(&upstream);
                match (self.stream, kind) {
                    (true, Content::Events | Content::Unnamed) => {
                        let opening = self.translate_stream(&upstream, context, exchange);
                        let mut relay = self.relay(upstream, opening, exchange);
                        relay.open(client, (may_move, pace), exchange).await?;
                        Ok(Step::Relay(relay))
                    }
                    (false, Content::Json | Content::Unnamed) => {
                        boxed(|| self.translate_whole(client, upstream, &context, exchange)).await
                    }
                    (true, Content::Json) => {
                        boxed(|| self.translate_no_stream(client, upstream, exchange)).await
                    }
                    _ => Err(Failure::new(Kind::ContentType)),
                }
            }
        }
    }

    /// The provider's own id of the request, under the name that its wire has for it.
    fn request_id(&self, upstream: &Upstream) -> Option<Text> {
        let name = answer_head::id_name(self.provider.wire);
        let id = upstream.head.field(&upstream.buf, name)?;
        let cut = id.get(..LOGGED_ID_BYTES_MAX).unwrap_or(id);
        (!self.shows_key(id)).then(|| Text::from(&*String::from_utf8_lossy(cut)))
    }

    /// Whether a value holds the credential that the provider was sent.
    fn shows_key(&self, value: &[u8]) -> bool {
        let scrubber = self.scrubber.as_ref();
        scrubber.is_some_and(|scrubber| scrubber.finds(value))
    }

    /// An answer in the client's own wire.
    fn pass_on(
        &self,
        upstream: &Upstream,
        exchange: &mut Exchange,
        success: bool,
    ) -> Result<Opening, Failure> {
        let mode = match (self.wire, success) {
            (Some(wire), true) => {
                let kind = content_kind(upstream);
                let events = kind == Content::Events || (kind == Content::Unnamed && self.stream);
                match kind {
                    Content::Page => return Err(Failure::new(Kind::ContentType)),
                    Content::Other => Mode::Plain,
                    Content::Json | Content::Events | Content::Unnamed => {
                        self.mode_of(wire, (kind, events), upstream)
                    }
                }
            }
            (None, true) if self.reads_usage && !is_encoded(upstream) => Mode::relayed(
                self.provider.wire,
                content_kind(upstream) == Content::Events,
            ),
            _ => Mode::Plain,
        };
        let body = self.body_form(upstream, &mode);
        let frame = self.voice.frame.with_body(body);
        let room = upstream.head_end + OWN_FIELDS_BYTES;
        let mut out = buffers::take(buffers::Class::fitting(room));
        let holds = |value: &[u8]| self.shows_key(value);
        let head = (&upstream.head, upstream.buf.as_slice());
        let now = Instant::from_nanos(exchange.head_at);
        answer_head::passthrough(&mut out, head, self.wire, (&frame, now), holds);
        custody::fields(&mut out, frame.custody, exchange);
        if self.voice.timing {
            answer_head::server_timing(&mut out, exchange, now);
        }
        encode::end_head(&mut out);
        exchange.status = upstream.head.status;
        exchange.stream = mode.is_events();
        if success && self.wire.is_some() && matches!(mode, Mode::Plain) {
            // Its framing is all that will be known of it.
            let unread = match is_encoded(upstream) {
                true => Kind::Compressed,
                false => Kind::ContentType,
            };
            exchange.fault = Some(unread.verdict().word);
        }
        Ok(Opening {
            holds: !matches!(mode, Mode::Plain),
            mode,
            form: frame.body,
            stays_open: frame.stays_open(),
            head: out,
        })
    }

    /// The way of a same-wire answer. A compressed one is passed on unread.
    fn mode_of(&self, wire: Wire, (kind, events): (Content, bool), upstream: &Upstream) -> Mode {
        let limits = self.worker.limits();
        let encoded = is_encoded(upstream);
        let len = upstream.body.remaining();
        match (encoded, events) {
            (true, _) => Mode::Plain,
            (false, true) => Mode::Watched {
                wire,
                tap: Box::new(Tap::new(wire, limits.event_bytes_max)),
                strip: self
                    .strip_usage
                    .then(|| Box::new(UsageStrip::new(limits.event_bytes_max))),
                unmark: None,
            },
            (false, false) => Mode::Whole {
                wire,
                len,
                nesting: (upstream.head.framing == BodyFraming::UntilClose).then(Nesting::default),
                found: Found::Unread,
                kept: Some(Vec::new()),
                unasked: self.stream && kind == Content::Json,
            },
        }
    }

    fn body_form(&self, upstream: &Upstream, mode: &Mode) -> BodyForm {
        let version = self.voice.frame.version;
        match upstream.head.framing {
            BodyFraming::None => match self.method {
                Method::Head => declared_length(upstream).map_or(BodyForm::None, BodyForm::Length),
                _ if matches!(upstream.head.status, 204 | 304) => BodyForm::None,
                _ => BodyForm::Length(0),
            },
            BodyFraming::Length(len) if mode.keeps_length() => BodyForm::Length(len),
            _ => Frame::streamed(version),
        }
    }

    /// What brings the answer to its commit, and then runs where nothing of the request is held.
    fn relay(
        self,
        upstream: Box<Upstream>,
        opening: Opening,
        exchange: &Exchange,
    ) -> Box<Relay<'w>> {
        let hold = self.hold.filter(|_| opening.holds);
        let is_stream = opening.mode.is_stream();
        Box::new(Relay {
            worker: self.worker,
            state: State::new(Instant::from_nanos(exchange.head_at)),
            upstream,
            mode: opening.mode,
            form: opening.form,
            stays_open: opening.stays_open,
            unread: self.voice.unread,
            notes: self.notes.clone(),
            tenant: self.tenant,
            charge: None,
            out: opening.head,
            patience: self.patience.filter(|_| is_stream && hold.is_some()),
            hold,
            scrubber: self.scrubber,
            stall_ms: self.provider.timeouts.stream_stall_ms,
            judged: None,
            paced: None,
        })
    }

    /// A stream that crosses the wires.
    fn translate_stream(
        &self,
        upstream: &Upstream,
        context: AnswerContext,
        exchange: &mut Exchange,
    ) -> Opening {
        let wires = (self.provider.wire, self.voice.wire);
        let body = Frame::streamed(self.voice.frame.version);
        let frame = self.voice.frame.with_body(body);
        let mut out = buffers::take(buffers::Class::Quiet);
        let head = (&upstream.head, upstream.buf.as_slice());
        let now = Instant::from_nanos(exchange.head_at);
        let holds = |value: &[u8]| self.shows_key(value);
        answer_head::translated(&mut out, head, wires, (&frame, now), holds);
        self.notes_field(&mut out);
        out.extend_from_slice(b"content-type: text/event-stream; charset=utf-8\r\n");
        out.extend_from_slice(b"cache-control: no-cache\r\n");
        custody::fields(&mut out, frame.custody, exchange);
        if self.voice.timing {
            answer_head::server_timing(&mut out, exchange, now);
        }
        encode::end_head(&mut out);
        exchange.status = 200;
        exchange.stream = true;
        Opening {
            mode: self.translated(context),
            form: frame.body,
            stays_open: frame.stays_open(),
            head: out,
            holds: true,
        }
    }

    async fn translate_whole(
        mut self,
        client: &mut Client<'_>,
        mut upstream: Box<Upstream>,
        context: &AnswerContext,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        let wires = (self.provider.wire, self.voice.wire);
        let limits = self.worker.limits();
        let mut charge = Charge::new(Arc::clone(&self.worker.shared.budget), self.tenant);
        let mut body = self
            .read_whole(client, &mut upstream, limits.answer_bytes_max, &mut charge)
            .await?;
        if let Some(scrubber) = &self.scrubber {
            scrubber.blank(&mut body);
        }
        let told = whole::write(wires, &body, context, (self.worker, limits), &mut charge);
        self.worker.shrink();
        let (mut answer, facts) = told?;
        let mut facts = match facts {
            Ok(facts) => facts,
            Err(fault) => {
                let failure = Failure::with_detail(Kind::NotAnAnswer, fault.text());
                let told = self.no_answer(client, upstream, (&body, failure), exchange);
                return boxed(|| told).await;
            }
        };
        drop(body);
        charge.hold(answer.capacity())?;
        if let Some(scrubber) = &self.scrubber {
            // What was told by escapes is plain now.
            scrubber.blank(&mut answer);
            if let Some(clean) = facts.model.as_deref().and_then(|it| scrubber.cleaned(it)) {
                facts.model = Some(clean.as_str().into());
            }
        }
        exchange.usage = facts.usage;
        exchange.stop = facts.stop;
        exchange.model_answered = facts.model;
        if !facts.notes.is_empty() {
            self.worker.meter.borrow_mut().counters.losses += facts.notes.count() as u64;
            self.notes = self.notes.with(&facts.notes);
            exchange.losses = Some(self.notes.header());
        }
        let mut fields = Vec::with_capacity(256);
        answer_head::translated_fields(
            &mut fields,
            (&upstream.head, upstream.buf.as_slice()),
            wires,
            self.withheld(false),
            |value| self.shows_key(value),
        );
        self.notes_field(&mut fields);
        let head = (200, reply::JSON, fields.as_slice());
        let next = reply::send(client, exchange, &self.voice, head, &answer).await;
        attempt::release(self.worker, upstream, clock::now());
        Ok(Step::Over(next))
    }

    /// Reads a whole body; of one that is too long for its bound, nothing.
    async fn read_whole(
        &self,
        client: &mut Client<'_>,
        upstream: &mut Upstream,
        bytes_max: usize,
        charge: &mut Charge,
    ) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        loop {
            let is_refusal = upstream.head.status >= 400;
            while let Some(payload) = upstream
                .payload()
                .map_err(|fault| Failure::with_detail(Kind::Framing, fault.text()))?
            {
                let room = bytes_max.saturating_sub(whole.len());
                if payload.len() > room {
                    if is_refusal {
                        // An error's text is cut; what matters stands at its beginning.
                        whole.extend_from_slice(payload.get(..room).unwrap_or_default());
                        return Ok(whole);
                    }
                    return Err(Failure::new(Kind::AnswerTooLarge));
                }
                whole.extend_from_slice(payload);
                charge.hold(whole.capacity())?;
            }
            if upstream.body.is_done() {
                return Ok(whole);
            }
            self.read_more(client, upstream).await?;
        }
    }

    async fn read_more(
        &self,
        client: &mut Client<'_>,
        upstream: &mut Upstream,
    ) -> Result<(), Failure> {
        client
            .deadline
            .set_in(self.provider.timeouts.stream_stall_ms);
        let mut fresh = Vec::new();
        let reader = &mut upstream.stream.reader;
        let read = client
            .watch(pin!(poll_fn(|cx| reader.poll_read(cx, &mut fresh))))
            .await;
        // The head's fields are still needed: what came goes behind them, over what was decoded.
        upstream.buf.truncate(upstream.head_end);
        upstream.body_at = upstream.buf.len();
        upstream.buf.extend_from_slice(&fresh);
        buffers::give(fresh);
        match read {
            Ok(Ok(0)) => match upstream.body.end_of_input() {
                BodyEnd::Whole => Ok(()),
                BodyEnd::Cut => Err(Failure::new(Kind::BodyCut)),
            },
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::with_detail(Kind::BodyCut, error.to_string())),
            Err(Interrupt::Gone) => Err(Failure::new(Kind::ClientGone)),
            Err(Interrupt::Cut) => Err(Failure::new(Kind::DrainCut)),
            Err(Interrupt::Expired) => Err(Failure::new(Kind::BodyStall)),
        }
    }

    /// What of the provider's fields is ours here.
    fn withheld(&self, should_retry: bool) -> Withheld {
        Withheld {
            should_retry,
            limits: self.voice.frame.own_limits,
        }
    }

    /// `x-ringway-translation`, where something was lost.
    fn notes_field(&self, out: &mut Vec<u8>) {
        if !self.notes.is_empty() {
            let notes = self.notes.header();
            encode::field(out, b"x-ringway-translation", notes.as_bytes());
        }
    }
}

/// What the gateway's own fields take, by far the most times.
const OWN_FIELDS_BYTES: usize = 768;

/// How the relay of an answer begins.
struct Opening {
    /// What happens to its bytes.
    mode: Mode,
    /// How the body is framed for the client.
    form: BodyForm,
    /// The client's connection may serve again afterwards.
    stays_open: bool,
    /// The head that the client gets.
    head: Vec<u8>,
    /// Start-up frames are held back: another target could still take over.
    holds: bool,
}
