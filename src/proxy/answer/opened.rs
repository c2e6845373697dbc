//! An answer that is being read: what came is decoded and transformed, up to its commit and after.
//!
//! Until [`Answer::commit`] gives a relay nothing has reached the client, and the answer may be thrown
//! away for another target.

use std::sync::Arc;

use crate::chat::usage::End;
use crate::http1::body::BodyEnd;
use crate::http1::encode::CHUNK_FRAME_BYTES;
use crate::limits::UNCHARGED_BYTES;
use crate::net::runtime::buffers;
use crate::net::runtime::clock::Instant;
use crate::proxy::answer::relay::Relay;
use crate::proxy::answer::stages::{Answer, Body, Opened, Progress, Takeover};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::memory_budget::Charge;
use crate::telemetry::exchange::ExchangeRecord;
use crate::translate::progress;
use crate::translate::transforms::mode::Mode;

mod turn;

impl<'w> Answer<'w, Opened<'w>> {
    /// Brings the answer to its commit: a stream at once, but where another target could still take
    /// over; a translated one with its first event, or soon, so that an error in its place is an
    /// answer however its bytes arrive; a whole answer with its first byte, before which a break is
    /// an answer of ours. Nothing has been written when this returns. `may_move` says whether
    /// another target is ready; a stream that has a pace to show, and from which one could take over,
    /// is committed once it has shown it.
    ///
    /// # Errors
    /// A failure before commit.
    pub async fn commit(
        mut self: Box<Self>,
        may_move: &mut dyn FnMut() -> bool,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Relay<'w>, Failure> {
        let deltas_min = self.takeover.pace.map_or(0, |pace| pace.deltas);
        loop {
            self.digest(&mut exchange.record);
            let Progress {
                content, turned, ..
            } = self.stage.progress;
            if content && let Some(pace) = self.takeover.pace.take() {
                self.takeover.patience = Some(turned.plus_ms(pace.window_ms));
            }
            if self.is_over() {
                return match self.may_be_shown() {
                    true => Ok(Relay::new(self)),
                    false => Err(self.failure()),
                };
            }
            if !self.waits(exchange.record.deltas < deltas_min) {
                return Ok(Relay::new(self));
            }
            if self.takeover.patience.is_some_and(|end| turned >= end) {
                if may_move() {
                    return Err(Failure::new(match content {
                        true => Kind::SlowStream,
                        false => Kind::FirstToken,
                    }));
                }
                // Nobody takes over: what came is held back for nobody.
                self.takeover = Takeover::default();
                continue;
            }
            if let Err(kind) = self.turn(exchange, false).await {
                return Err(Failure::new(kind));
            }
        }
    }

    /// Begins behind an early head, which was its commit.
    pub fn begin(mut self: Box<Self>, record: &mut ExchangeRecord) -> Relay<'w> {
        self.digest(record);
        Relay::new(self)
    }
}

impl Answer<'_, Opened<'_>> {
    /// Whether the commit waits for more of the answer, which `is_slow` as far as it goes.
    fn waits(&self, is_slow: bool) -> bool {
        let progress = &self.stage.progress;
        let has_room = self.stage.out.len() < self.worker.limits().held_bytes_max;
        let mode = &self.stage.transforms.mode;
        match mode {
            Mode::Whole { .. } => {
                let is_dubious = mode.is_dubious(self.takeover.hold.is_some());
                !progress.came || (is_dubious && has_room)
            }
            Mode::Plain | Mode::Relayed(_) | Mode::Watched { .. } | Mode::Translated(_) => {
                let begun = match self.takeover.hold {
                    Some(_) => progress.content && !is_slow,
                    None => self.has_shown(),
                };
                self.wait_end().is_some_and(|end| progress.turned < end)
                    && progress.end == End::Open
                    && !begun
                    && has_room
            }
        }
    }

    /// Until when the commit of a stream may wait.
    fn wait_end(&self) -> Option<Instant> {
        let soon = || self.stage.progress.began.plus_ms(FIRST_EVENT_MS);
        let hold = self.takeover.hold;
        hold.or_else(|| self.is_translated().then(soon))
    }

    /// Whether an answer that is over before its commit goes to the client. A whole one that is no
    /// answer does not, and an error does where it is asked for in this form and none may follow.
    fn may_be_shown(&self) -> bool {
        let is_held = self.takeover.hold.is_some();
        let mode = &self.stage.transforms.mode;
        match mode {
            Mode::Whole { unasked, .. } if mode.is_error() => !unasked && !is_held,
            Mode::Whole { .. } if mode.is_garbage() => false,
            Mode::Plain
            | Mode::Relayed(_)
            | Mode::Whole { .. }
            | Mode::Watched { .. }
            | Mode::Translated(_) => {
                let shown = !is_held && self.has_shown();
                shown || self.stage.progress.end == End::Complete
            }
        }
    }

    /// Whether something of the answer itself is there for the client: then a break behind it is
    /// told behind it, whether or not both came in one read.
    fn has_shown(&self) -> bool {
        match &self.stage.transforms.mode {
            Mode::Translated(translator) => translator.has_begun(),
            Mode::Plain | Mode::Relayed(_) | Mode::Whole { .. } | Mode::Watched { .. } => {
                self.stage.progress.came
            }
        }
    }

    const fn is_translated(&self) -> bool {
        matches!(self.stage.transforms.mode, Mode::Translated(_))
    }

    /// Whether nothing more is to be read: the body ended or broke, or its meaning has and the body
    /// stays open.
    pub(super) fn is_over(&self) -> bool {
        let progress = &self.stage.progress;
        progress.body != Body::Open
            || progress.is_broken()
            || self.ends_by().is_some_and(|end| progress.turned >= end)
    }

    /// Until when a translated stream whose terminator has come waits for the end of the body, so
    /// that one that breaks there is no success. Silence is no break.
    fn ends_by(&self) -> Option<Instant> {
        let ended = self.stage.progress.ended;
        let ended = ended.filter(|_| self.is_translated())?;
        Some(ended.plus_ms(BODY_END_MS))
    }

    /// Transforms what the last read delivered and appends what the client gets of it.
    pub(super) fn digest(&mut self, record: &mut ExchangeRecord) {
        let stage = &mut self.stage;
        let tape = &self.worker.thread.tape;
        buffers::make_room(
            &mut stage.out,
            stage.source.waiting_bytes() + CHUNK_FRAME_BYTES,
        );
        let mark = stage.open_chunk();
        let progress = &mut stage.progress;
        while !progress.is_broken() {
            let payload = match stage.source.payload() {
                Ok(Some(payload)) => payload,
                Ok(None) => break,
                Err(_) => {
                    progress.body = Body::Broken(Kind::Framing);
                    break;
                }
            };
            progress.came = true;
            let pushed = stage.transforms.push(payload, &mut stage.out, tape);
            progress.content |= pushed.content;
            progress.end = note(record, pushed, progress.heard);
        }
        if progress.end == End::Complete {
            progress.ended.get_or_insert(progress.turned);
        }
        if progress.body == Body::Open && stage.source.is_done() && !progress.is_broken() {
            progress.body = Body::Whole;
        }
        self.charge_held();
        if self.stage.progress.body != Body::Open {
            self.end_body(record);
        }
        self.stage.close_chunk(mark);
        self.stage.source.give_buffer();
    }

    /// Charges the budget for what grows large, an event or what comes of a read; without room the
    /// watcher forgets it, and a translated stream, which cannot, ends.
    fn charge_held(&mut self) {
        let stage = &mut self.stage;
        let mode = &mut stage.transforms.mode;
        let held = mode.held_bytes() + stage.out.capacity();
        if held <= UNCHARGED_BYTES {
            stage.charge = None;
            return;
        }
        let (shared, tenant) = (&self.worker.thread.shared, self.tenant);
        let charge = stage
            .charge
            .get_or_insert_with(|| Charge::new(Arc::clone(&shared.budget), tenant));
        if charge.hold(held).is_ok() {
            return;
        }
        if !mode.let_go(&mut stage.out) && stage.progress.body == Body::Open {
            stage.progress.body = Body::Broken(Kind::NoRoom);
        }
        stage.charge = None;
    }

    /// Tells the transforms that the body has ended.
    fn end_body(&mut self, record: &mut ExchangeRecord) {
        let stage = &mut self.stage;
        let (clean, heard) = (stage.progress.body == Body::Whole, stage.progress.heard);
        let tape = &self.worker.thread.tape;
        if let Some(rest) = stage.transforms.flush(&mut stage.out, tape) {
            note(record, rest, heard);
        }
        if !clean && self.is_translated() {
            // Before the translator says, in words that fit every break, that something is missing.
            self.fail(record);
        }
        let stage = &mut self.stage;
        let last = stage.transforms.finish(clean, &mut stage.out, tape);
        stage.progress.end = note(record, last, heard);
    }

    fn end_of_input(&mut self) {
        if self.stage.source.end_of_input() == BodyEnd::Cut {
            self.stage.progress.body = Body::Broken(Kind::BodyCut);
        }
    }
}

fn note(record: &mut ExchangeRecord, pushed: progress::Progress, now: Instant) -> End {
    record.passed_deltas(pushed.deltas, now.as_nanos());
    record.events += u64::from(pushed.events);
    pushed.end
}

/// How long the head of a translated stream waits for the first event. Providers send both at once
/// or in a row; one that thinks first shows its head by then, and pings follow it.
const FIRST_EVENT_MS: u64 = 500;
/// How long a translated stream, all told, waits for the end of the provider's body.
const BODY_END_MS: u64 = 1_000;
