//! What happens to an answer's bytes on their way: passed on and watched, or translated.
//!
//! One enum in front of the codecs, so that the relay need not know which of them is at work.

use core::cell::RefCell;

use crate::chat::error::ApiError;
use crate::chat::usage::{End, StopReason, Usage};
use crate::json::tape::Tape;
use crate::limits::MIB;
use crate::translate::progress::Progress;
use crate::translate::response::AnswerFacts;
use crate::translate::stream::StreamTranslator;
use crate::translate::tap::{self, Tap};
use crate::translate::usage_strip::UsageStrip;
use crate::wire::error;
use crate::wire::kind::Wire;

/// The way of one answer's body.
pub enum Mode {
    /// Bytes as they come; nobody looks.
    Plain,
    /// A whole answer in the client's wire, kept aside (bounded) to read its usage at the end.
    Whole {
        /// Its wire.
        wire: Wire,
        /// Its length, where the head declares it.
        len: Option<u64>,
        /// What was read of it, once it was whole.
        facts: Option<Box<AnswerFacts>>,
        /// What came so far; `None` once it is too long to be read, or has been.
        kept: Option<Vec<u8>>,
    },
    /// A stream in the client's wire, watched, less the usage chunk that we asked for.
    Watched {
        /// Its wire.
        wire: Wire,
        /// The watcher.
        tap: Box<Tap>,
        /// Takes the usage chunk out.
        strip: Option<Box<UsageStrip>>,
    },
    /// A stream that crosses the wires.
    Translated(Box<StreamTranslator>),
}

impl Mode {
    /// Whether this is a stream of events.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        matches!(self, Self::Watched { .. } | Self::Translated(_))
    }

    /// Whether what goes out is what comes in.
    #[must_use]
    pub const fn keeps_length(&self) -> bool {
        matches!(
            self,
            Self::Plain | Self::Whole { .. } | Self::Watched { strip: None, .. }
        )
    }

    /// Takes payload in and appends what the client gets.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>, tape: &RefCell<Tape>) -> Progress {
        match self {
            Self::Plain => out.extend_from_slice(input),
            Self::Whole {
                wire,
                len,
                facts,
                kept,
            } => {
                out.extend_from_slice(input);
                if *len == Some(input.len() as u64) {
                    // All of it in one piece, as small answers come: read where it lies.
                    *facts = Some(Box::new(tap::whole(*wire, input, &mut tape.borrow_mut())));
                    *kept = None;
                } else {
                    keep(kept, input);
                }
            }
            Self::Watched { tap, strip, .. } => {
                match strip {
                    Some(strip) => {
                        out.reserve(input.len());
                        strip.push(input, out);
                    }
                    None => out.extend_from_slice(input),
                }
                return tap.push(input);
            }
            Self::Translated(translator) => return translator.push(input, out),
        }
        Progress::START
    }

    /// Bytes of memory held of what is not yet whole.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Whole { kept, .. } => kept.as_ref().map_or(0, Vec::capacity),
            Self::Watched { tap, strip, .. } => {
                tap.held_bytes() + strip.as_ref().map_or(0, |strip| strip.held_bytes())
            }
            Self::Translated(translator) => translator.held_bytes(),
        }
    }

    /// Gives that memory back where the answer can do without; says whether it can.
    pub fn let_go(&mut self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Plain => {}
            Self::Whole { kept, .. } => *kept = None,
            Self::Watched { tap, strip, .. } => {
                tap.let_go();
                if let Some(strip) = strip {
                    strip.let_go(out);
                }
            }
            Self::Translated(_) => return false,
        }
        true
    }

    /// Ends the body; `clean` when it ended by its own framing.
    pub fn finish(&mut self, clean: bool, out: &mut Vec<u8>) -> Progress {
        match self {
            Self::Plain | Self::Whole { .. } => {
                let end = if clean { End::Complete } else { End::Truncated };
                Progress {
                    end,
                    ..Progress::START
                }
            }
            Self::Watched { tap, strip, .. } => {
                if let Some(strip) = strip {
                    strip.finish(out);
                }
                tap.finish(clean)
            }
            Self::Translated(translator) => translator.finish(clean, out),
        }
    }

    /// Tells the client, in its wire, that the stream broke; nothing where no event can be sent.
    pub fn fail(&mut self, failure: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
        match self {
            Self::Plain | Self::Whole { .. } => {}
            Self::Watched { wire, tap, .. } => {
                if !tap.is_between_frames() {
                    out.extend_from_slice(b"\n\n");
                }
                error::write_event(*wire, failure, request_id, out);
            }
            Self::Translated(translator) => translator.fail(failure, request_id, out),
        }
    }

    /// Appends a sign of life, where the stream is ours to write into. Says whether it did.
    pub fn ping(&mut self, out: &mut Vec<u8>) -> bool {
        let Self::Translated(translator) = self else {
            return false;
        };
        let before = out.len();
        translator.ping(out);
        out.len() > before
    }

    /// Whether pings are due on a quiet stream.
    #[must_use]
    pub const fn pings(&self) -> bool {
        matches!(self, Self::Translated(_))
    }

    /// Token counts and stop reason at the end.
    #[must_use]
    pub fn facts(&self, tape: &mut Tape) -> (Usage, Option<StopReason>) {
        match self {
            Self::Plain => (Usage::default(), None),
            Self::Whole {
                facts: Some(facts), ..
            } => (facts.usage, facts.stop),
            Self::Whole {
                wire,
                kept: Some(body),
                ..
            } => {
                let facts = tap::whole(*wire, body, tape);
                (facts.usage, facts.stop)
            }
            Self::Whole { kept: None, .. } => (Usage::default(), None),
            Self::Watched { tap, .. } => (tap.usage(), tap.stop()),
            Self::Translated(translator) => (translator.usage(), translator.stop()),
        }
    }
}

fn keep(kept: &mut Option<Vec<u8>>, input: &[u8]) {
    if let Some(body) = kept {
        if body.len() + input.len() > KEPT_BYTES_MAX {
            *kept = None;
        } else {
            body.extend_from_slice(input);
        }
    }
}

/// Whole answers longer than this are passed on without their usage being read.
const KEPT_BYTES_MAX: usize = MIB;
