//! A provider's stream into the client's wire: bytes in, bytes out.
//!
//! [`StreamTranslator::push`] takes the upstream body as it arrives, cut at any place, and appends
//! what it means in the client's wire: one event out per event in, at once.
//!
//! Invariants:
//! - the same bytes come out for every way of cutting the same input;
//! - exactly one end: the wire's own terminator, or one error event, and nothing after it;
//! - a terminator is written only for one that came (or, at a clean end of the body, for finish
//!   reasons that came); a stream that broke, was malformed or reported an error never gets one;
//! - one event and all that is held back are bounded by `event_bytes_max` each, and what one event
//!   becomes by [`EVENT_GROWTH_MAX`] times that; no allocation per
//!   text, thinking or tool-argument delta once warm.
//!
//! # Examples
//!
//! ```
//! use ringway::chat::usage::End;
//! use ringway::translate::answer_context::AnswerContext;
//! use ringway::translate::stream::StreamTranslator;
//! use ringway::wire::kind::Wire;
//!
//! let (from, to) = (Wire::OpenAiChat, Wire::AnthropicMessages);
//! let mut translator = StreamTranslator::new(from, to, AnswerContext::default(), 1 << 20);
//! let mut out = Vec::new();
//! let chunk = br#"data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}"#;
//! translator.push(chunk, &mut out);
//! assert!(out.is_empty(), "the event has not ended yet");
//! let progress = translator.push(b"\n\n", &mut out);
//! assert_eq!(progress.deltas, 1);
//! assert!(core::str::from_utf8(&out)?.contains(r#"{"type":"text_delta","text":"Hi"}"#));
//!
//! // The body ends without a finish reason: an error event, no invented end.
//! assert_eq!(translator.finish(true, &mut out).end, End::Truncated);
//! assert!(core::str::from_utf8(&out)?.contains("event: error"));
//! # Ok::<(), core::str::Utf8Error>(())
//! ```
//!
//! Upstream comments are signs of life for the caller's timers and are not passed on: the caller
//! pings a quiet client by its own clock.

use crate::chat::error::{ApiError, ErrorFacts, ErrorKind};
use crate::chat::event::{Event, Step, StreamFault};
use crate::chat::member::Member;
use crate::chat::usage::{End, StopReason, Usage};
use crate::json::tape::Tape;
use crate::limits::{EVENT_GROWTH_MAX, EVENT_VALUES_KEPT};
use crate::translate::answer_context::AnswerContext;
use crate::translate::framing::{Frame, FrameDecoder};
use crate::translate::notes::Notes;
use crate::translate::progress::Progress;
use crate::translate::response_mapping::Restore;
use crate::translate::stream_error;
use crate::wire::codec::{self, StreamDecoder, StreamEncoder};
use crate::wire::common::stream_observation::AnsweringModel;
use crate::wire::kind::Wire;

/// Translates one stream.
#[derive(Debug)]
pub struct StreamTranslator {
    frames: FrameDecoder,
    core: Core,
}

/// Everything but the framing, so that a frame can be lent from one half to the other.
#[derive(Debug)]
struct Core {
    decoder: StreamDecoder,
    restore: Restore,
    encoder: StreamEncoder,
    tape: Tape,
    named: AnsweringModel,
    begun: bool,
    progress: Progress,
    upstream_error: Option<Box<ErrorFacts>>,
    /// Where it was written, in the output of its call.
    error_at: usize,
    fault: Option<StreamFault>,
    /// The most that may be held back.
    held_bytes_max: usize,
    /// The most that one event of the upstream may become.
    output_bytes_max: usize,
}

impl StreamTranslator {
    /// A translator of one answer from an upstream of the wire `from` to a client of the wire
    /// `to`. `event_bytes_max` bounds one event, and what is held back.
    #[must_use]
    pub fn new(from: Wire, to: Wire, context: AnswerContext, event_bytes_max: usize) -> Self {
        Self {
            frames: FrameDecoder::new(codec::conventions(from).framing, event_bytes_max),
            core: Core {
                decoder: StreamDecoder::new(from, event_bytes_max, context.whole_names),
                restore: Restore::new(
                    context.json_answer,
                    context.tool_names,
                    context.model,
                    event_bytes_max,
                ),
                encoder: StreamEncoder::new(to, context.needs, context.seed, event_bytes_max),
                tape: Tape::new(),
                named: AnsweringModel::default(),
                begun: false,
                progress: Progress::START,
                upstream_error: None,
                error_at: 0,
                fault: None,
                held_bytes_max: event_bytes_max,
                output_bytes_max: event_bytes_max.saturating_mul(EVENT_GROWTH_MAX),
            },
        }
    }

    /// Takes a piece of the upstream body and appends the client's events to `out`. A stream that
    /// breaks here ends with an error event in `out`.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Progress {
        self.core.reset();
        let Self { frames, core } = self;
        if core.is_open() {
            frames.push(input, |frame| {
                match frame {
                    Ok(frame) => core.frame(frame, out),
                    Err(_) => core.broken(StreamFault::TooLarge, out),
                }
                core.is_open()
            });
        }
        core.progress
    }

    /// Bytes of memory held for the frame at hand, and by what waits for frames to come.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.frames.held_bytes() + self.core.held_bytes()
    }

    /// Ends the stream; `clean` when the body ended by its own framing. An unclean end is
    /// truncation in any case, also behind a terminator that has been passed on.
    pub fn finish(&mut self, clean: bool, out: &mut Vec<u8>) -> Progress {
        self.core.reset();
        if !clean {
            if self.core.progress.end == End::Complete {
                self.core.progress.end = End::Truncated;
            }
            self.core.broken(StreamFault::Early, out);
            return self.core.progress;
        }
        let between = self.frames.is_between_frames();
        let last = self.frames.finish();
        if self.core.is_open() {
            match last {
                // What is cut shows no more than that, whosever event it was.
                Ok(Some(frame)) if codec::is_whole(frame.data, &mut self.core.tape) => {
                    self.core.frame(frame, out);
                }
                Ok(None) if between => {}
                Ok(_) | Err(_) => self.core.broken(StreamFault::Early, out),
            }
        }
        self.core.finish(out);
        self.core.progress
    }

    /// Writes `error` as the client's last event, unless the stream has ended; once.
    pub fn fail(&mut self, error: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
        if self.core.is_open() {
            codec::write_error_event(self.core.encoder.wire(), error, request_id, out);
            self.core.progress.end = End::Truncated;
        }
    }

    /// Writes a sign of life, unless the stream has ended.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        if !self.core.is_open() {
            return;
        }
        self.core.encoder.ping(self.core.begun, out);
    }

    /// Whether the client's stream has begun: some event of the answer has been written.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.core.begun
    }

    /// Token counts so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.core.decoder.usage()
    }

    /// Why the model stopped, once it said so.
    #[must_use]
    pub fn stop(&self) -> Option<StopReason> {
        let stop = self.core.decoder.stop()?;
        Some(self.core.restore.stop(stop))
    }

    /// The model that the provider says is answering, cut to what is logged.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.core.named.model()
    }

    /// What of the answer was lost on the way so far. The head went out before: it stands in the record.
    #[must_use]
    pub fn notes(&self) -> Notes {
        let mut notes = Notes::new(self.core.encoder.wire());
        for name in self.core.decoder.lost().names() {
            notes.dropped(Member::Unknown(name.clone()));
        }
        if self.core.encoder.has_lost_citation() {
            notes.dropped(Member::Citations);
        }
        if self.core.restore.has_dropped() {
            notes.dropped(Member::Content);
        }
        if self.stop() == Some(StopReason::Other) {
            notes.changed(Member::StopReason);
        }
        notes
    }

    /// What made the stream malformed.
    #[must_use]
    pub const fn fault(&self) -> Option<StreamFault> {
        self.core.fault
    }

    /// How the stream stands.
    #[must_use]
    pub const fn end(&self) -> End {
        self.core.progress.end
    }

    /// The error that the provider sent within the stream.
    #[must_use]
    pub fn upstream_error(&self) -> Option<&ErrorFacts> {
        self.core.upstream_error.as_deref()
    }

    /// Where it begins in the output of the call that wrote it.
    #[must_use]
    pub const fn error_at(&self) -> usize {
        self.core.error_at
    }
}

impl Core {
    fn reset(&mut self) {
        self.progress.deltas = 0;
        self.progress.events = 0;
    }

    /// Bytes that all stages hold back together.
    fn held_bytes(&self) -> usize {
        let codecs = self.decoder.held_bytes() + self.encoder.held_bytes();
        codecs.saturating_add(self.restore.held_bytes())
    }

    fn is_open(&self) -> bool {
        self.progress.end == End::Open
    }

    #[inline]
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) {
        self.progress.events = self.progress.events.saturating_add(1);
        let mut step = self.run(Some(frame), out);
        // The chunk that starts a stream may name no model.
        self.named.look(frame.data);
        if matches!(step, Ok(Step::Open)) && self.held_bytes() > self.held_bytes_max {
            step = Err(StreamFault::TooLarge);
        }
        self.tape.shrink_to(EVENT_VALUES_KEPT);
        self.settle(step, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.is_open() {
            let step = self.run(None, out);
            self.settle(step, out);
        }
    }

    /// Runs the decoder on a frame, or on the end of the body, with a sink that restores, encodes
    /// and counts.
    fn run(&mut self, frame: Option<Frame<'_>>, out: &mut Vec<u8>) -> Result<Step, StreamFault> {
        let end = out.len().saturating_add(self.output_bytes_max);
        let Self {
            decoder,
            restore,
            encoder,
            tape,
            named,
            begun,
            progress,
            ..
        } = self;
        let mut sink = |event: Event<'_>| {
            if let Event::Start { model, .. } = &event {
                named.keep(*model);
            }
            restore.event(&event, |event| {
                let before = out.len();
                encoder.encode(event, out)?;
                *begun = true;
                if out.len() > end {
                    return Err(StreamFault::TooLarge);
                }
                if out.len() > before {
                    progress.content |= event.is_content();
                    progress.deltas += u32::from(event.is_delta());
                }
                Ok(())
            })
        };
        match frame {
            Some(frame) => decoder.decode(frame.event, frame.data, tape, &mut sink),
            None => decoder.finish(&mut sink),
        }
    }

    fn settle(&mut self, step: Result<Step, StreamFault>, out: &mut Vec<u8>) {
        match step {
            Ok(Step::Open) => {}
            Ok(Step::Complete) => self.progress.end = End::Complete,
            Ok(Step::Failed(facts)) => {
                self.error_at = out.len();
                stream_error::write(self.encoder.wire(), &facts, out);
                self.upstream_error = Some(facts);
                self.progress.end = End::UpstreamError;
            }
            Err(fault) => self.broken(fault, out),
        }
    }

    /// The stream is truncated: says so to the client, if it has not been told an end already.
    fn broken(&mut self, fault: StreamFault, out: &mut Vec<u8>) {
        if !self.is_open() {
            return;
        }
        let error = ApiError {
            kind: ErrorKind::Api,
            message: fault.text(),
            param: None,
            code: None,
        };
        codec::write_error_event(self.encoder.wire(), &error, "", out);
        self.progress.end = End::Truncated;
        self.fault = Some(fault);
    }
}
