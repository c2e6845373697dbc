//! An answer on its way to the client, read by read.
//!
//! One turn: what a read delivered is decoded and written at once in one write, while the next
//! read is already pending. At most one buffer waits in each direction: a client that does not
//! read stops the upstream read. Until [`Relay`] commits nothing has reached the client and the
//! answer may be thrown away for another target; after it, a break is told in the client's wire
//! and the connection is aborted, never ended as if all were well.
//!
//! A drop at any await leaves two connections that must be closed.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use std::sync::Arc;

use crate::chat::usage::End;
use crate::http1::body::BodyEnd;
use crate::http1::encode::{self, CHUNK_FRAME_BYTES, ChunkMark};
use crate::limits::UNCHARGED_BYTES;
use crate::net::connection::stream::NetStream;
use crate::net::error::NetError;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::{buffers, loop_turn};
use crate::proxy::answer::body_mode::Mode;
use crate::proxy::client::answer_head::BodyForm;
use crate::proxy::client::downstream::{self, Client, Taking};
use crate::proxy::client::next::Next;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::health::Slot;
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::scrub::Scrubber;
use crate::proxy::shared::worker::Worker;
use crate::proxy::upstream::attempt::Upstream;
use crate::proxy::upstream::stream_timeouts::Pace;
use crate::telemetry::exchange::Exchange;
use crate::translate::notes::Notes;
use crate::translate::progress::Progress;

mod end;

/// What an exchange comes to: over, or an answer that has been committed and still runs.
pub enum Step<'w> {
    /// All is said.
    Over(Next),
    /// The relay of an answer, to be run where nothing of the request is held any more.
    Relay(Box<Relay<'w>>),
}

/// One answer being relayed.
pub struct Relay<'w> {
    /// This worker.
    pub worker: &'w Worker,
    /// The provider's answer.
    pub upstream: Box<Upstream>,
    /// What happens to its bytes.
    pub mode: Mode,
    /// How the body is framed for the client.
    pub form: BodyForm,
    /// The client's connection may serve again afterwards.
    pub stays_open: bool,
    /// Part of the request was not read: the client must get to read the answer all the same.
    pub unread: bool,
    /// Head and body bytes that wait to be written; opens with the answer's head.
    pub out: Vec<u8>,
    /// Hold the start-up frames back until then: another target could still take over.
    pub hold: Option<Instant>,
    /// Until when the first content is waited for, or behind it the pace of a stream, where another
    /// target could take over.
    pub patience: Option<Instant>,
    /// Takes the provider's credentials out.
    pub scrubber: Option<Scrubber<'w>>,
    /// Silence of the provider that ends the stream.
    pub stall_ms: u64,
    /// What the request's translation left out or changed.
    pub notes: Notes,
    /// Whose buffers are charged.
    pub tenant: usize,
    /// What is charged for the event at hand.
    pub charge: Option<Charge>,
    /// The target whose circuit this answer closes, or opens, once it is known to be good or not.
    pub judged: Option<Slot>,
    /// The target whose pace this answer tells.
    pub paced: Option<Slot>,
    /// How the body and its meaning stand.
    pub state: State,
}

/// How an answer stands on its way.
#[derive(Clone, Copy, Debug)]
pub struct State {
    body: Body,
    end: End,
    /// When the answer's head was there.
    began: Instant,
    /// When the provider was heard last.
    heard: Instant,
    /// When the latest turn began: the provider was heard or had ended, or a wait was over.
    turned: Instant,
    /// When the latest bytes for the client were handed over.
    told: Instant,
    /// They have left.
    written: bool,
    /// When the terminator came.
    ended: Option<Instant>,
    /// Payload has come: framing alone is nothing that could be shown.
    came: bool,
    /// Its first content has come: of a stream, no longer its start-up frames alone.
    content: bool,
}

/// How the upstream body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// More is to come.
    Open,
    /// It ended by its own framing.
    Whole,
    /// It broke.
    Broken(Kind),
}

impl State {
    /// An answer of which the head has just been read.
    #[must_use]
    pub const fn new(heard: Instant) -> Self {
        Self {
            body: Body::Open,
            end: End::Open,
            began: heard,
            heard,
            turned: heard,
            told: heard,
            written: true,
            ended: None,
            came: false,
            content: false,
        }
    }

    /// Whether an event has said that the stream is no good.
    const fn is_broken(&self) -> bool {
        matches!(self.end, End::UpstreamError | End::Truncated)
    }
}

impl Relay<'_> {
    /// Brings the answer to its commit: a stream at once, but where another target could still take
    /// over; a translated one with its first event, or soon, so that an error in its place is an
    /// answer however its bytes arrive; a whole answer with its first byte, before which a break is
    /// an answer of ours. Nothing has been written when this returns. `may_move` says whether
    /// another target is ready; with a `pace` a stream from which it could take over is committed
    /// once it has shown that.
    ///
    /// # Errors
    /// A failure before commit.
    pub async fn open(
        &mut self,
        client: &mut Client<'_>,
        (may_move, pace): (&mut dyn FnMut() -> bool, Option<Pace>),
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let mut unseen = pace.filter(|_| self.hold.is_some() && self.mode.is_stream());
        let deltas_min = unseen.map_or(0, |pace| pace.deltas);
        loop {
            self.digest(exchange);
            if self.state.content
                && let Some(pace) = unseen.take()
            {
                self.patience = Some(self.state.turned.plus_ms(pace.window_ms));
            }
            if self.is_over() {
                return if self.may_be_shown() {
                    Ok(())
                } else {
                    Err(self.failure())
                };
            }
            if !self.waits(exchange.deltas < deltas_min) {
                return Ok(());
            }
            if self.patience.is_some_and(|end| self.state.turned >= end) {
                if may_move() {
                    let is_slow = self.state.content;
                    let kind = if is_slow {
                        Kind::SlowStream
                    } else {
                        Kind::FirstToken
                    };
                    return Err(Failure::new(kind));
                }
                // Nobody takes over: what came is held back for nobody.
                (self.patience, self.hold) = (None, None);
                continue;
            }
            if let Flow::ClientLost(kind) = self.turn(client, exchange, false).await {
                return Err(Failure::new(kind));
            }
        }
    }

    /// Begins behind an early head, which was its commit.
    pub fn begin(&mut self, exchange: &mut Exchange) {
        self.digest(exchange);
    }

    /// Runs a committed answer to its end.
    pub async fn run(
        mut self: Box<Self>,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
    ) -> Next {
        while !self.is_over() {
            if self.state.content {
                self.judge(None, exchange);
            }
            if let Flow::ClientLost(kind) = self.turn(client, exchange, true).await {
                return self.client_lost(kind, exchange);
            }
            self.digest(exchange);
        }
        self.finish(client, exchange).await
    }

    /// Whether the commit waits for more of the answer, which `is_slow` as far as it goes.
    fn waits(&self, is_slow: bool) -> bool {
        match self.mode {
            Mode::Whole { .. } => {
                let dubious = self.mode.is_dubious(self.hold.is_some());
                !self.state.came
                    || (dubious && self.out.len() < self.worker.limits().held_bytes_max)
            }
            Mode::Plain | Mode::Relayed(_) | Mode::Watched { .. } | Mode::Translated(_) => {
                let begun = match self.hold {
                    Some(_) => self.state.content && !is_slow,
                    None => self.has_shown(),
                };
                self.wait_end().is_some_and(|end| self.state.turned < end)
                    && self.state.end == End::Open
                    && !begun
                    && self.out.len() < self.worker.limits().held_bytes_max
            }
        }
    }

    /// Until when the commit of a stream may wait.
    fn wait_end(&self) -> Option<Instant> {
        let soon = || self.state.began.plus_ms(FIRST_EVENT_MS);
        self.hold.or_else(|| self.is_translated().then(soon))
    }

    /// Whether an answer that is over before its commit goes to the client. A whole one that is no
    /// answer does not, and an error does where it is asked for in this form and none may follow.
    fn may_be_shown(&self) -> bool {
        match self.mode {
            Mode::Whole { unasked, .. } if self.mode.is_error() => !unasked && self.hold.is_none(),
            Mode::Whole { .. } if self.mode.is_garbage() => false,
            Mode::Plain
            | Mode::Relayed(_)
            | Mode::Whole { .. }
            | Mode::Watched { .. }
            | Mode::Translated(_) => {
                let shown = self.hold.is_none() && self.has_shown();
                shown || self.state.end == End::Complete
            }
        }
    }

    /// Whether something of the answer itself is there for the client: then a break behind it is
    /// told behind it, whether or not both came in one read.
    fn has_shown(&self) -> bool {
        match &self.mode {
            Mode::Translated(translator) => translator.has_begun(),
            Mode::Plain | Mode::Relayed(_) | Mode::Whole { .. } | Mode::Watched { .. } => {
                self.state.came
            }
        }
    }

    fn is_translated(&self) -> bool {
        matches!(self.mode, Mode::Translated(_))
    }

    /// Whether nothing more is to be read: the body ended or broke, or its meaning has and the body
    /// stays open.
    fn is_over(&self) -> bool {
        self.state.body != Body::Open
            || self.state.is_broken()
            || self.ends_by().is_some_and(|end| self.state.turned >= end)
    }

    /// Until when a translated stream whose terminator has come waits for the end of the body, so
    /// that one that breaks there is no success. Silence is no break.
    fn ends_by(&self) -> Option<Instant> {
        let ended = self.state.ended.filter(|_| self.is_translated())?;
        Some(ended.plus_ms(BODY_END_MS))
    }

    /// Decodes what the last read delivered and appends what the client gets of it.
    fn digest(&mut self, exchange: &mut Exchange) {
        let came = self
            .upstream
            .buf
            .len()
            .saturating_sub(self.upstream.body_at);
        buffers::make_room(&mut self.out, came + CHUNK_FRAME_BYTES);
        let mark = self.open_chunk();
        while !self.state.is_broken() {
            let payload = match self.upstream.payload() {
                Ok(Some(payload)) => payload,
                Ok(None) => break,
                Err(_) => {
                    self.state.body = Body::Broken(Kind::Framing);
                    break;
                }
            };
            self.state.came = true;
            let tape = &self.worker.tape;
            let pass = |payload: &[u8]| self.mode.push(payload, &mut self.out, tape);
            let progress = match &mut self.scrubber {
                Some(scrubber) => scrubber.pass(payload, pass),
                None => pass_whole(payload, pass),
            };
            self.state.content |= progress.content;
            self.state.end = note(exchange, progress, self.state.heard);
        }
        if self.state.end == End::Complete {
            self.state.ended.get_or_insert(self.state.turned);
        }
        if self.state.end == End::UpstreamError
            && self.is_translated()
            && let Some(scrubber) = &self.scrubber
        {
            // An error's words are decoded and written anew: escapes hide nothing any more.
            scrubber.blank(&mut self.out);
        }
        if self.state.body == Body::Open && self.upstream.body.is_done() && !self.state.is_broken()
        {
            self.state.body = Body::Whole;
        }
        self.charge_held();
        if self.state.body != Body::Open {
            self.end_body(exchange);
        }
        self.close_chunk(mark);
        if self.upstream.body_at >= self.upstream.buf.len() {
            buffers::give(core::mem::take(&mut self.upstream.buf));
            self.upstream.body_at = 0;
        }
    }

    /// Charges the budget for what grows large, an event or what comes of a read; without room the
    /// watcher forgets it, and a translated stream, which cannot, ends.
    fn charge_held(&mut self) {
        let held = self.mode.held_bytes() + self.out.capacity();
        if held <= UNCHARGED_BYTES {
            self.charge = None;
            return;
        }
        let (shared, tenant) = (&self.worker.shared, self.tenant);
        let charge = self
            .charge
            .get_or_insert_with(|| Charge::new(Arc::clone(&shared.budget), tenant));
        if charge.hold(held).is_ok() {
            return;
        }
        if !self.mode.let_go(&mut self.out) && self.state.body == Body::Open {
            self.state.body = Body::Broken(Kind::NoRoom);
        }
        self.charge = None;
    }

    /// Tells the codecs that the body has ended.
    fn end_body(&mut self, exchange: &mut Exchange) {
        let clean = self.state.body == Body::Whole;
        if let Some(rest) = self.scrubber.as_mut().and_then(Scrubber::finish) {
            let progress = self.mode.push(&rest, &mut self.out, &self.worker.tape);
            note(exchange, progress, self.state.heard);
        }
        if !clean && self.is_translated() {
            // Before the translator says, in words that fit every break, that something is missing.
            self.fail(exchange);
        }
        let progress = self.mode.finish(clean, &mut self.out, &self.worker.tape);
        self.state.end = note(exchange, progress, self.state.heard);
    }

    /// Writes what is there (once committed) while the next read is pending, and takes in how
    /// that went.
    async fn turn(
        &mut self,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
        committed: bool,
    ) -> Flow {
        let stall_at = self.state.heard.plus_ms(self.stall_ms);
        let mut wait_until = match self.wait_end() {
            Some(end) if !committed => end.min(stall_at),
            Some(_) | None => stall_at,
        };
        if let Some(end) = self.patience.filter(|_| !committed) {
            wait_until = wait_until.min(end);
        }
        if committed {
            self.ping_if_due();
            if !self.out.is_empty() {
                self.state.told = self.state.turned;
            }
            match self.ends_by() {
                Some(end) => wait_until = end.min(stall_at),
                None if self.mode.pings() => wait_until = self.ping_at().min(stall_at),
                None => {}
            }
        }
        let turn = self
            .write_and_read(client, exchange, committed, wait_until)
            .await;
        self.state.turned = clock::now();
        match turn {
            Turn::Read(Ok(0)) => self.end_of_input(),
            Turn::Read(Ok(_)) => {
                self.state.heard = self.state.turned;
            }
            Turn::Read(Err(error)) => self.state.body = Body::Broken(kind_of(error)),
            // The next turn begins with a ping, or the hold or the wait for the body's end is over.
            Turn::Expired if wait_until < stall_at => {}
            Turn::Expired => self.state.body = Body::Broken(Kind::BodyStall),
            Turn::Cut => self.state.body = Body::Broken(Kind::DrainCut),
            Turn::ClientLost(kind) => return Flow::ClientLost(kind),
        }
        Flow::On
    }

    /// When the client has heard nothing for long enough. What comes from the provider meanwhile
    /// and means nothing to the client does not count.
    fn ping_at(&self) -> Instant {
        let interval_ms = self.worker.limits().ping_interval_ms;
        self.state.told.plus_ms(interval_ms)
    }

    /// Appends a sign of life to a stream that has been quiet towards the client.
    fn ping_if_due(&mut self) {
        if self.out.is_empty() && self.mode.pings() && self.state.turned >= self.ping_at() {
            let mark = self.open_chunk();
            self.mode.ping(&mut self.out);
            self.close_chunk(mark);
        }
    }

    async fn write_and_read(
        &mut self,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
        committed: bool,
        wait_until: Instant,
    ) -> Turn {
        let bytes = if committed {
            core::mem::take(&mut self.out)
        } else {
            Vec::new()
        };
        let len = bytes.len();
        let Client {
            stream,
            ahead,
            deadline,
            look,
            drain,
            ..
        } = client;
        let NetStream { reader, writer, .. } = stream;
        let mut taking = Taking::new(self.worker.limits().write_stall_timeout_ms);
        if len > 0 {
            deadline.set_at(taking.look_at(self.state.turned));
        } else {
            deadline.set_at(wait_until);
        }
        let mut writing = pin!(writer.write(bytes, 0..len));
        self.state.written = len == 0;
        let is_written = &mut self.state.written;
        let (source, buf) = (&mut self.upstream.stream.reader, &mut self.upstream.buf);
        let out = &mut self.out;
        let read_bytes = self.mode.read_bytes() - CHUNK_FRAME_BYTES;
        poll_fn(|cx| {
            if !*is_written && let Poll::Ready((result, mut buffer)) = writing.as_mut().poll(cx) {
                if result.is_err() {
                    return Poll::Ready(Turn::ClientLost(Kind::ClientGone));
                }
                exchange.bytes_out += len as u64;
                buffer.clear();
                buffers::give(core::mem::replace(out, buffer));
                *is_written = true;
                deadline.set_at(wait_until);
            }
            if !*is_written {
                if loop_turn::is_awaited(cx) {
                    return Poll::Pending;
                }
                // What it brings waits as it is: a client that does not read costs one buffer.
                source.begin(cx);
            } else if let Poll::Ready(result) = source.poll_read_most(cx, buf, read_bytes) {
                return Poll::Ready(Turn::Read(result));
            }
            if downstream::poll_gone(reader, ahead, look, cx).is_ready() {
                return Poll::Ready(Turn::ClientLost(Kind::ClientGone));
            }
            // A write under way is finished first: last words must not overtake it.
            if *is_written && drain.phase() == Phase::Cut {
                return Poll::Ready(Turn::Cut);
            }
            if !*is_written {
                let stalled = taking.poll_stalled(reader, deadline, cx);
                return stalled.map(|()| Turn::ClientLost(Kind::ClientStalled));
            }
            match deadline.poll_expired(cx) {
                Poll::Ready(()) => Poll::Ready(Turn::Expired),
                Poll::Pending => {
                    // A stream that waits holds no buffer but those of its two pending reads.
                    if out.is_empty() {
                        buffers::give(core::mem::take(out));
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn end_of_input(&mut self) {
        if self.upstream.body.end_of_input() == BodyEnd::Cut {
            self.state.body = Body::Broken(Kind::BodyCut);
        }
    }

    fn open_chunk(&mut self) -> Option<ChunkMark> {
        (self.form == BodyForm::Chunked).then(|| encode::chunk_open(&mut self.out))
    }

    fn close_chunk(&mut self, mark: Option<ChunkMark>) {
        if let Some(mark) = mark {
            encode::chunk_close(&mut self.out, mark);
        }
    }
}

/// Whether a relay goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    ClientLost(Kind),
}

/// What a turn of the relay came to.
enum Turn {
    Read(Result<usize, NetError>),
    Expired,
    Cut,
    ClientLost(Kind),
}

/// Payload without a scrubber: passed as it is.
fn pass_whole(payload: &[u8], mut pass: impl FnMut(&[u8]) -> Progress) -> Progress {
    pass(payload)
}

fn note(exchange: &mut Exchange, progress: Progress, now: Instant) -> End {
    exchange.passed_deltas(progress.deltas, now.as_nanos());
    exchange.events += u64::from(progress.events);
    progress.end
}

fn kind_of(error: NetError) -> Kind {
    if error.is_timeout() {
        Kind::BodyStall
    } else {
        Kind::BodyCut
    }
}

/// How long the head of a translated stream waits for the first event. Providers send both at once
/// or in a row; one that thinks first shows its head by then, and pings follow it.
const FIRST_EVENT_MS: u64 = 500;
/// How long a translated stream, all told, waits for the end of the provider's body.
const BODY_END_MS: u64 = 1_000;
