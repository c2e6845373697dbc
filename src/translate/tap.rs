//! Watches passthrough bytes for first token, deltas, usage, stop reason and end.
//!
//! The tap alters and delays nothing. Deltas, which are nearly all of a stream, are told by looking
//! for a few byte strings; only events that may say something else are read as JSON. A JSON string
//! cannot hold a bare quote, so a name between quotes is a name (or a value), never a piece of
//! somebody's text.
//!
//! A stream is broken by an event that reports an error, and by one that is malformed: an event of
//! the wire itself whose data is not JSON. The OpenAI wire's have no name, the Anthropic wire's one
//! of its own (a `ping` is known by its name alone). Everything else that means nothing to the wire
//! is passed over: events with a foreign name, JSON that is no object, kinds not known here, events
//! too large to be looked into. Behind the event that broke it a stream has no more to say:
//! [`Tap::passed`] tells where that event ended.
//!
//! Invariants:
//! - the same counts, and the same place where a stream broke, come out for every way of cutting
//!   the same input;
//! - at most `event_bytes_max` bytes of an event are kept; a longer one is not looked into;
//! - the end is the wire's own terminator, or, at a clean end of the body, a finish reason on
//!   every choice seen (OpenAI) or a stop reason (Anthropic).
//!
//! # Examples
//!
//! ```
//! use ringway::chat::usage::End;
//! use ringway::translate::tap::Tap;
//! use ringway::wire::kind::Wire;
//!
//! let mut tap = Tap::new(Wire::OpenAiChat, 1 << 20);
//! let progress = tap.push(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\nda");
//! assert_eq!((progress.deltas, progress.content), (1, true));
//! assert!(!tap.is_between_frames());
//! assert_eq!(tap.push(b"ta: [DONE]\n\n").end, End::Complete);
//! ```
//!
//! A delta whose text ends, whose last byte is a brace and whose braces pair up is not read: what is
//! malformed further inside is not noticed here, its receiver will.

use crate::chat::error::ErrorFacts;
use crate::chat::usage::{End, StopReason, Usage};
use crate::json::scan::{DEPTH_MAX, unmarked};
use crate::json::tape::{JsonKind, Tape};
use crate::limits::{ANSWER_VALUES_MAX, EVENT_VALUES_KEPT, IDLE_FRAME_BYTES};
use crate::sse::record::{self, Cutter};
use crate::translate::progress::Progress;
use crate::translate::response::{AnswerFacts, logged};
use crate::wire::anthropic::stream::watch::{self as anthropic_watch, Watch as AnthropicWatch};
use crate::wire::codec;
use crate::wire::common::stream_observation::EventKind;
use crate::wire::kind::Wire;
use crate::wire::openai::stream::watch::Watch as OpenAiWatch;

/// Reads along one stream.
#[derive(Debug)]
pub struct Tap {
    event_bytes_max: usize,
    cutter: Cutter,
    /// The start of the event at hand, if its end has not come.
    carried: Vec<u8>,
    /// The event at hand is the stream's first.
    first: bool,
    /// The event at hand is too long to be looked into.
    skipping: bool,
    /// Bytes came since the last event ended.
    within: bool,
    /// Bytes of the latest input up to where the stream broke: all of them, if it did not.
    passed: usize,
    /// The wire's own terminator came.
    terminated: bool,
    joined: Vec<u8>,
    tape: Tape,
    watch: Watch,
    progress: Progress,
    error: Option<Box<ErrorFacts>>,
}

#[derive(Debug)]
enum Watch {
    OpenAi(OpenAiWatch),
    Anthropic(AnthropicWatch),
}

impl Watch {
    /// Looks at the data of an event.
    fn see(&mut self, data: &[u8], tape: &mut Tape) -> EventKind {
        match self {
            Self::OpenAi(watch) => watch.see(data, tape),
            Self::Anthropic(watch) => watch.see(data, tape),
        }
    }

    /// Whether an event of this name is the wire's, and its data JSON.
    fn knows(&self, event: &[u8]) -> bool {
        match self {
            Self::OpenAi(_) => event.is_empty(),
            Self::Anthropic(_) => anthropic_watch::is_known(event),
        }
    }
}

impl Tap {
    /// A tap on a stream of `wire`; events longer than `event_bytes_max` are not looked into.
    #[must_use]
    pub fn new(wire: Wire, event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            cutter: Cutter::new(),
            carried: Vec::new(),
            first: true,
            skipping: false,
            within: false,
            passed: 0,
            terminated: false,
            joined: Vec::new(),
            tape: Tape::new(),
            watch: match wire {
                Wire::OpenAiChat => Watch::OpenAi(OpenAiWatch::default()),
                Wire::AnthropicMessages => Watch::Anthropic(AnthropicWatch::default()),
            },
            progress: Progress::START,
            error: None,
        }
    }

    /// Looks at a piece of the body.
    pub fn push(&mut self, input: &[u8]) -> Progress {
        self.progress.deltas = 0;
        self.progress.events = 0;
        self.passed = 0;
        let mut rest = input;
        while !rest.is_empty() && !self.is_broken() {
            let end = match self.simple(rest) {
                Some(end) => end,
                None => match self.cutter.end(rest) {
                    Some(end) => {
                        self.record_end(rest.get(..end).unwrap_or_default());
                        end
                    }
                    None => break,
                },
            };
            self.within = false;
            self.passed += end;
            rest = rest.get(end..).unwrap_or_default();
        }
        if self.is_broken() {
            return self.progress;
        }
        self.passed = input.len();
        if !rest.is_empty() {
            // A lone LF here is the second half of a line end: it starts no event.
            self.within |= rest != b"\n";
            self.carry(rest);
        }
        self.progress
    }

    /// How much of the latest input the client is to get: all of it, or, where the stream broke,
    /// what came up to the end of the event that broke it.
    #[must_use]
    pub const fn passed(&self) -> usize {
        self.passed
    }

    /// Whether the wire's own terminator has come: nothing may follow it, no error either. One
    /// that only its blank line is missing of counts, because whatever followed would end it.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        self.terminated
    }

    const fn is_broken(&self) -> bool {
        matches!(self.progress.end, End::Truncated | End::UpstreamError)
    }

    /// Bytes of memory held for the event at hand.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.carried.capacity() + self.joined.capacity()
    }

    /// Gives that memory back: the event at hand is not looked into.
    pub fn let_go(&mut self) {
        self.skipping |= !self.carried.is_empty();
        self.carried = Vec::new();
        self.joined = Vec::new();
    }

    /// Ends the stream; `clean` when the body ended by its own framing. An unclean end is
    /// truncation in any case.
    pub fn finish(&mut self, clean: bool) -> Progress {
        self.progress.deltas = 0;
        self.progress.events = 0;
        let carried = core::mem::take(&mut self.carried);
        if !clean {
            if self.progress.end != End::UpstreamError {
                // Half an event counts for nothing, unless it is the terminator.
                self.record(&carried);
                (self.progress.deltas, self.progress.events) = (0, 0);
                self.progress.end = End::Truncated;
            }
            return self.progress;
        }
        if self.progress.end == End::Open && (self.skipping || !self.last_is_whole(&carried)) {
            self.progress.end = End::Truncated;
        }
        self.record(&carried);
        if self.progress.end == End::Open {
            self.progress.end = if self.is_finished() {
                End::Complete
            } else {
                End::Truncated
            };
        }
        self.progress
    }

    /// Whether an unterminated last event may count: it is no more than blanks or a comment, or
    /// its data is whole by itself.
    fn last_is_whole(&mut self, carried: &[u8]) -> bool {
        match record::data(carried, self.first, &mut self.joined) {
            Some(data) => codec::is_whole(data, &mut self.tape),
            None => record::is_idle(carried),
        }
    }

    const fn is_finished(&self) -> bool {
        match &self.watch {
            Watch::OpenAi(watch) => watch.is_finished(),
            Watch::Anthropic(watch) => watch.is_finished(),
        }
    }

    /// Token counts so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        match &self.watch {
            Watch::OpenAi(watch) => watch.usage(),
            Watch::Anthropic(watch) => watch.usage(),
        }
    }

    /// Why the model stopped, once it said so.
    #[must_use]
    pub const fn stop(&self) -> Option<StopReason> {
        match &self.watch {
            Watch::OpenAi(watch) => watch.stop(),
            Watch::Anthropic(watch) => watch.stop(),
        }
    }

    /// The model that the provider says is answering, cut to what is logged.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        match &self.watch {
            Watch::OpenAi(watch) => watch.model(),
            Watch::Anthropic(watch) => watch.model(),
        }
    }

    /// How the stream stands.
    #[must_use]
    pub const fn end(&self) -> End {
        self.progress.end
    }

    /// Whether the bytes so far end at the end of an event: an error event may follow directly.
    #[must_use]
    pub const fn is_between_frames(&self) -> bool {
        !self.within
    }

    /// The error that the provider sent within the stream.
    #[must_use]
    pub fn upstream_error(&self) -> Option<&ErrorFacts> {
        self.error.as_deref()
    }

    fn record_end(&mut self, part: &[u8]) {
        if self.skipping {
            self.skipping = false;
        } else if self.carried.is_empty() {
            self.record(part);
        } else {
            let mut carried = core::mem::take(&mut self.carried);
            carried.extend_from_slice(part);
            self.record(&carried);
            carried.clear();
            if carried.capacity() <= IDLE_FRAME_BYTES {
                self.carried = carried;
            }
        }
        self.first = false;
    }

    fn carry(&mut self, part: &[u8]) {
        if self.skipping || self.progress.end != End::Open {
            return;
        }
        let first = self.carried.first().or_else(|| part.first());
        let cut_lf = usize::from(first == Some(&b'\n'));
        // What ends the event is still to come.
        if self.carried.len() + part.len() - cut_lf >= self.event_bytes_max {
            self.skipping = true;
            self.carried = Vec::new();
            return;
        }
        self.carried.extend_from_slice(part);
    }

    /// Looks at the event that `input` opens with, if it is whole and none is under way: the short
    /// way of what [`Cutter`] and [`Tap::record`] do. Tells where it ends.
    fn simple(&mut self, input: &[u8]) -> Option<usize> {
        let is_between = self.carried.is_empty() && !self.skipping && self.cutter.is_between();
        let found = is_between.then(|| record::simple(input)).flatten()?;
        if self.progress.end == End::Open && found.len <= self.event_bytes_max {
            let seen = self.watch.see(found.data, &mut self.tape);
            self.saw(seen, || found.event);
        }
        self.first = false;
        Some(found.len)
    }

    /// A whole event. After the end nothing is looked at.
    fn record(&mut self, record: &[u8]) {
        if self.progress.end != End::Open || record::len(record) > self.event_bytes_max {
            return;
        }
        let Some(data) = record::data(record, self.first, &mut self.joined) else {
            return;
        };
        let seen = self.watch.see(data, &mut self.tape);
        let first = self.first;
        self.saw(seen, || record::event(record, first));
    }

    /// What an event was; its name is asked for where it matters.
    fn saw<'e>(&mut self, seen: EventKind, event: impl FnOnce() -> &'e [u8]) {
        self.tape.shrink_to(EVENT_VALUES_KEPT);
        self.progress.events = self.progress.events.saturating_add(1);
        match seen {
            EventKind::Nothing => {}
            EventKind::Content => self.progress.content = true,
            EventKind::Delta => {
                self.progress.content = true;
                self.progress.deltas = self.progress.deltas.saturating_add(1);
            }
            EventKind::End => {
                self.progress.content = true;
                self.progress.end = End::Complete;
                self.terminated = true;
            }
            EventKind::Malformed if self.watch.knows(event()) => {
                self.progress.end = End::Truncated;
            }
            EventKind::Malformed => {}
            EventKind::Error(facts) => {
                self.error = Some(facts);
                self.progress.end = End::UpstreamError;
            }
        }
    }
}

/// What a whole answer is.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value an answer, read where it is made; a box would be an allocation"
)]
pub enum Whole {
    /// A JSON document: usage, stop reason and model, as far as they can be read.
    Answer(AnswerFacts),
    /// It reports an error where an answer should be.
    Error(Box<ErrorFacts>),
    /// Neither: JSON that is nothing of this wire.
    Other,
}

/// Whether a body is JSON of the kind that errors are: an object or an array.
pub fn is_json(body: &[u8], tape: &mut Tape) -> bool {
    match tape.read(unmarked(body), DEPTH_MAX, ANSWER_VALUES_MAX) {
        Ok(root) => matches!(root.kind(), JsonKind::Object | JsonKind::Array),
        Err(error) => error.kind.is_limit(),
    }
}

/// Reads a whole answer of `wire`; nothing if it is not JSON. A byte order mark, which clients pass
/// over, may stand before it.
pub fn whole(wire: Wire, body: &[u8], tape: &mut Tape) -> Option<Whole> {
    let root = match tape.read(unmarked(body), DEPTH_MAX, ANSWER_VALUES_MAX) {
        Ok(root) => root,
        Err(error) if error.kind.is_limit() => return Some(Whole::Answer(AnswerFacts::default())),
        Err(_) => return None,
    };
    Some(match codec::read_facts(wire, root) {
        Ok(_) if !codec::is_answer(wire, root) => Whole::Other,
        Ok(facts) => Whole::Answer(AnswerFacts {
            usage: facts.usage,
            stop: facts.stop,
            model: facts.model.and_then(logged),
            ..AnswerFacts::default()
        }),
        Err(error) => Whole::Error(error),
    })
}
