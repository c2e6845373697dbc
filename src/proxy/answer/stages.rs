//! One answer, and how far it has come.
//!
//! [`Arrived`]: its head is there, and it is to be decided what happens to its body. [`Opened`]: that
//! is settled and the body is being read, but nothing has reached the client, and the answer may be
//! thrown away for another one. The third stage is `relay::Relay`: committed to the client.
//! An answer of another source than an upstream begins opened.

use crate::chat::usage::End;
use crate::http1::encode::{self, ChunkMark};
use crate::http1::method::Method;
use crate::net::runtime::clock::Instant;
use crate::proxy::answer::source::Source;
use crate::proxy::client::answer_head::BodyForm;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::shared::failure::Kind;
use crate::proxy::shared::health::Slot;
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::worker::Worker;
use crate::proxy::upstream::attempt::Upstream;
use crate::proxy::upstream::stream_timeouts::Pace;
use crate::route::plan::provider::Provider;
use crate::telemetry::exchange::ExchangeRecord;
use crate::translate::answer_context::AnswerContext;
use crate::translate::notes::Notes;
use crate::translate::response::AnswerFacts;
use crate::translate::transforms::Transforms;
use crate::translate::transforms::mode::Mode;
use crate::translate::transforms::scrub::Scrubber;
use crate::wire::kind::Wire;

/// One answer on its way to the client; `S` is how far it has come.
pub struct Answer<'w, S> {
    /// This worker.
    pub worker: &'w Worker,
    /// The provider that answers.
    pub provider: &'w Provider,
    /// Whose buffers are charged.
    pub tenant: usize,
    /// When another target takes over, as long as it can.
    pub takeover: Takeover,
    /// What belongs to the stage.
    pub stage: S,
}

/// When another target takes over from an answer that has not been committed; never by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Takeover {
    /// Until when it could: start-up frames are held back so long.
    pub hold: Option<Instant>,
    /// When it is asked where a stream has no content yet, or, behind the first, has not shown its
    /// pace.
    pub patience: Option<Instant>,
    /// How fast a stream must be from its first content on.
    pub pace: Option<Pace>,
}

/// What of a prepared request decides how its answer is delivered.
#[derive(Debug, Default)]
pub struct Terms {
    /// Set where the answer has to be translated.
    pub context: Option<AnswerContext>,
    /// What was dropped or changed.
    pub notes: Notes,
    /// Usage was asked for on the client's behalf: the chunk must not reach it.
    pub strip_usage: bool,
}

/// An answer of which the head has been read.
pub struct Arrived<'w> {
    /// Head and connection.
    pub upstream: Box<Upstream>,
    /// The client's wire.
    pub client_wire: Wire,
    /// The request's method.
    pub method: Method,
    /// What the request says of its answer.
    pub terms: Terms,
    /// A stream was asked for.
    pub stream: bool,
    /// The JSON wire whose answer this is; `None` on relayed endpoints.
    pub wire: Option<Wire>,
    /// On relayed endpoints: the answer's figures are those of this request.
    pub reads_usage: bool,
    /// Takes out what was sent upstream and must not come back.
    pub scrubber: Option<Scrubber<'w>>,
}

/// An answer of which the body is being read.
pub struct Opened<'w> {
    /// Where the body comes from.
    pub source: Source,
    /// What is done to its bytes.
    pub transforms: Transforms<'w>,
    /// How the body is framed for the client.
    pub form: BodyForm,
    /// The client's connection may serve again afterwards.
    pub stays_open: bool,
    /// Part of the request was not read: the client must get to read the answer all the same.
    pub unread: bool,
    /// What the request's translation left out or changed.
    pub notes: Notes,
    /// Head and body bytes that wait to be written; opens with the answer's head.
    pub out: Vec<u8>,
    /// What is charged for the event at hand.
    pub charge: Option<Charge>,
    /// The target whose circuit and pace this answer tells, where it does.
    pub slot: Option<Slot>,
    /// The circuit has been told.
    pub is_judged: bool,
    /// How the body and its meaning stand.
    pub progress: Progress,
}

/// How far an answer that is being read has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// How its body stands.
    pub body: Body,
    /// How its meaning does.
    pub end: End,
    /// When the answer's head was there.
    pub began: Instant,
    /// When the source was heard last.
    pub heard: Instant,
    /// When the latest turn began: the source was heard or had ended, or a wait was over.
    pub turned: Instant,
    /// When the latest bytes for the client were handed over.
    pub told: Instant,
    /// They have left.
    pub written: bool,
    /// When the terminator came.
    pub ended: Option<Instant>,
    /// Payload has come: framing alone is nothing that could be shown.
    pub came: bool,
    /// Its first content has come: of a stream, no longer its start-up frames alone.
    pub content: bool,
}

/// How the body of an answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// More is to come.
    Open,
    /// It ended by its own framing.
    Whole,
    /// It broke.
    Broken(Kind),
}

impl Progress {
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
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        matches!(self.end, End::UpstreamError | End::Truncated)
    }
}

impl<'w> Answer<'w, Arrived<'w>> {
    /// Settles what happens to the body: its mode, how it is framed for the client and whether the
    /// client's connection stays open, and what goes out before it.
    pub fn opened(
        self,
        mode: Mode,
        (form, stays_open): (BodyForm, bool),
        head: Vec<u8>,
        exchange: &Exchange<'_, '_>,
    ) -> Box<Answer<'w, Opened<'w>>> {
        let Arrived {
            upstream,
            terms,
            scrubber,
            ..
        } = self.stage;
        Box::new(Answer {
            worker: self.worker,
            provider: self.provider,
            tenant: self.tenant,
            takeover: self.takeover.from(&mode),
            stage: Opened {
                source: Source::Upstream(upstream),
                transforms: Transforms::new(scrubber, mode),
                form,
                stays_open,
                unread: exchange.reply.unread,
                notes: terms.notes,
                out: head,
                charge: None,
                slot: None,
                is_judged: false,
                progress: Progress::new(Instant::from_nanos(exchange.record.head_at)),
            },
        })
    }
}

impl<S> Answer<'_, S> {
    /// Tells the record what the answer said at its end; gives what was lost on either way.
    pub fn note_facts(
        &self,
        notes: Notes,
        facts: AnswerFacts,
        record: &mut ExchangeRecord,
    ) -> Notes {
        record.usage = facts.usage;
        record.stop = facts.stop;
        record.model_answered = facts.model;
        if facts.notes.is_empty() {
            return notes;
        }
        self.worker.thread.meter.borrow_mut().counters.losses += facts.notes.count() as u64;
        let notes = notes.with(&facts.notes);
        record.losses = Some(notes.header());
        notes
    }
}

impl Takeover {
    /// What of it holds for an answer of that mode.
    fn from(self, mode: &Mode) -> Self {
        let is_held = self.hold.is_some() && !matches!(mode, Mode::Plain);
        match (is_held, mode.is_stream()) {
            (false, _) => Self::default(),
            (true, true) => self,
            (true, false) => Self {
                hold: self.hold,
                ..Self::default()
            },
        }
    }
}

impl Opened<'_> {
    /// Begins a chunk of the client's body, where it comes in chunks.
    pub fn open_chunk(&mut self) -> Option<ChunkMark> {
        (self.form == BodyForm::Chunked).then(|| encode::chunk_open(&mut self.out))
    }

    /// Ends it.
    pub fn close_chunk(&mut self, mark: Option<ChunkMark>) {
        if let Some(mark) = mark {
            encode::chunk_close(&mut self.out, mark);
        }
    }

    /// What becomes of the client's connection when all of the answer has gone out.
    #[must_use]
    pub const fn next(&self) -> Next {
        match (self.stays_open, self.unread) {
            (true, _) => Next::KeepAlive,
            (false, true) => Next::Linger,
            (false, false) => Next::Close,
        }
    }
}
