//! What happens to an answer's bytes on their way: passed on and watched, or translated.
//!
//! One enum in front of the codecs, so that the relay need not know which of them is at work.

use core::cell::RefCell;

use crate::chat::error::{ApiError, ErrorFacts};
use crate::chat::event::StreamFault;
use crate::chat::small_str::SmallStr;
use crate::chat::usage::End;
use crate::json::nesting::Nesting;
use crate::json::tape::Tape;
use crate::limits::{BUSY_READ_BYTES, MIB, MIDDLE_READ_BYTES};
use crate::translate::progress::Progress;
use crate::translate::relay_tap::RelayTap;
use crate::translate::response::AnswerFacts;
use crate::translate::stream::StreamTranslator;
use crate::translate::tap::{self, Tap, Whole};
use crate::translate::unmark::Unmark;
use crate::translate::usage_strip::UsageStrip;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// The way of one answer's body.
#[expect(
    clippy::large_enum_variant,
    reason = "it lies in the relay's box: one more for what a whole answer says is an allocation a request"
)]
pub enum Mode {
    /// Bytes as they come; nobody looks.
    Plain,
    /// Bytes as they come, of which a relayed endpoint's figures are read.
    Relayed(Box<RelayTap>),
    /// A whole answer in the client's wire, kept aside (bounded) to read its usage at the end.
    Whole {
        /// Its wire.
        wire: Wire,
        /// Its length, where the head declares it.
        len: Option<u64>,
        /// Whether its document is closed, where the end of the connection alone ends it.
        nesting: Option<Nesting>,
        /// What it turned out to be.
        found: Found,
        /// What came so far; `None` once it is too long to be read, or has been.
        kept: Option<Vec<u8>>,
        /// A stream was asked for: only an error can be meant.
        unasked: bool,
    },
    /// A stream in the client's wire, watched, less the usage chunk that we asked for.
    Watched {
        /// Its wire.
        wire: Wire,
        /// The watcher.
        tap: Box<Tap>,
        /// Takes the usage chunk out.
        strip: Option<Box<UsageStrip>>,
        /// Takes the provider's byte order mark off, where the stream follows bytes of ours.
        unmark: Option<Unmark>,
    },
    /// A stream that crosses the wires.
    Translated(Box<StreamTranslator>),
}

/// What a whole answer turned out to be.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value an answer, read where it is made; a box would be an allocation"
)]
pub enum Found {
    /// Not looked into: it is not whole, or too long.
    Unread,
    /// A JSON document, and what it says.
    Answer(AnswerFacts),
    /// A document that reports an error.
    Error(Box<ErrorFacts>),
    /// A document that is neither.
    Other,
    /// Not JSON, or nothing at all.
    Garbage,
}

impl Found {
    fn read(wire: Wire, body: &[u8], tape: &mut Tape) -> Self {
        match tap::whole(wire, body, tape) {
            Some(Whole::Answer(facts)) => Self::Answer(facts),
            Some(Whole::Error(facts)) => Self::Error(facts),
            Some(Whole::Other) => Self::Other,
            None => Self::Garbage,
        }
    }
}

impl Mode {
    /// The way of a relayed answer whose figures are read.
    #[must_use]
    pub fn relayed(wire: Wire, is_events: bool) -> Self {
        Self::Relayed(Box::new(RelayTap::new(wire, is_events)))
    }

    /// Tells that the stream follows bytes of ours: a byte order mark at its start must not pass.
    pub fn follow_own_bytes(&mut self) {
        if let Self::Watched { unmark, .. } = self {
            *unmark = Some(Unmark::default());
        }
    }

    /// Whether events pass, relayed ones too.
    #[must_use]
    pub fn is_events(&self) -> bool {
        self.is_stream() || matches!(self, Self::Relayed(tap) if tap.is_events())
    }

    /// Whether this is a stream of events in which the gateway may have a say.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        matches!(self, Self::Watched { .. } | Self::Translated(_))
    }

    /// How much is read at a time. Events grow where they are translated, and need no reads as large as
    /// bodies do. Framed, what comes fits a buffer of the same size.
    #[must_use]
    pub const fn read_bytes(&self) -> usize {
        if self.is_stream() {
            MIDDLE_READ_BYTES
        } else {
            BUSY_READ_BYTES
        }
    }

    /// Whether so many bytes go out as come in, whatever happens. Of a stream nobody can say: an
    /// error event may have to follow what came, and would fill the gap of one that was cut.
    #[must_use]
    pub const fn keeps_length(&self) -> bool {
        !self.is_stream()
    }

    /// Whether this is a whole answer that was read and is no JSON.
    #[must_use]
    pub const fn is_garbage(&self) -> bool {
        matches!(
            self,
            Self::Whole {
                found: Found::Garbage,
                ..
            }
        )
    }

    /// Whether this is a whole document that was read and reports an error, or is no answer.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(
            self,
            Self::Whole {
                found: Found::Error(_) | Found::Other,
                ..
            }
        )
    }

    /// Whether nothing of a whole answer should be shown yet: JSON that nobody asked for, and, where
    /// `has_next`, what begins like an error.
    #[must_use]
    pub fn is_dubious(&self, has_next: bool) -> bool {
        match self {
            Self::Whole {
                kept: Some(body),
                unasked,
                ..
            } => *unasked || (has_next && begins_like_error(body)),
            Self::Plain
            | Self::Relayed(_)
            | Self::Whole { .. }
            | Self::Watched { .. }
            | Self::Translated(_) => false,
        }
    }

    /// Takes payload in and appends what the client gets.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>, tape: &RefCell<Tape>) -> Progress {
        match self {
            Self::Plain => out.extend_from_slice(input),
            Self::Relayed(tap) => {
                out.extend_from_slice(input);
                return tap.push(input);
            }
            Self::Whole {
                wire,
                len,
                nesting,
                found,
                kept,
                ..
            } => {
                out.extend_from_slice(input);
                if let Some(nesting) = nesting {
                    nesting.push(input);
                }
                if *len == Some(input.len() as u64) {
                    // All of it in one piece, as small answers come: read where it lies.
                    *found = Found::read(*wire, input, &mut tape.borrow_mut());
                    *kept = None;
                } else {
                    keep(kept, input);
                }
            }
            Self::Watched {
                tap, strip, unmark, ..
            } => {
                let mut strip = strip.as_deref_mut();
                let Some(unmark) = unmark else {
                    return watch(tap, strip, input, out);
                };
                let (withheld, input) = unmark.push(input);
                // The start of a mark ends no event.
                watch(tap, strip.as_deref_mut(), withheld, out);
                return watch(tap, strip, input, out);
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
            Self::Relayed(tap) => tap.held_bytes(),
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
            // What a tap holds is bounded by a few values.
            Self::Plain | Self::Relayed(_) => {}
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

    /// Ends the body; `clean` when it ended by its own framing. A whole answer is read here at the
    /// latest: before its last bytes are written.
    pub fn finish(&mut self, clean: bool, out: &mut Vec<u8>, tape: &RefCell<Tape>) -> Progress {
        match self {
            Self::Plain => ended(clean),
            Self::Relayed(tap) => tap.finish(clean),
            Self::Whole {
                wire,
                nesting,
                found,
                kept,
                ..
            } => {
                if !clean || nesting.is_some_and(|nesting| !nesting.is_closed()) {
                    return ended(false);
                }
                if let Some(body) = kept.take() {
                    *found = Found::read(*wire, &body, &mut tape.borrow_mut());
                }
                match found {
                    Found::Unread | Found::Answer(_) => ended(true),
                    Found::Garbage => ended(false),
                    Found::Error(_) | Found::Other => Progress {
                        end: End::UpstreamError,
                        ..Progress::START
                    },
                }
            }
            Self::Watched {
                tap, strip, unmark, ..
            } => {
                if let Some(unmark) = unmark {
                    watch(tap, strip.as_deref_mut(), unmark.finish(), out);
                }
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
            Self::Plain | Self::Relayed(_) | Self::Whole { .. } => {}
            // A terminator, even one that lacks its blank line, has the last word.
            Self::Watched { tap, .. } if tap.is_terminated() => {}
            Self::Watched { wire, tap, .. } => {
                if !tap.is_between_frames() {
                    out.extend_from_slice(b"\n\n");
                }
                codec::write_error_event(*wire, failure, request_id, out);
            }
            Self::Translated(translator) => translator.fail(failure, request_id, out),
        }
    }

    /// Appends a sign of life, where the stream is ours to write into.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        if let Self::Translated(translator) = self {
            translator.ping(out);
        }
    }

    /// Whether pings are due on a quiet stream.
    #[must_use]
    pub const fn pings(&self) -> bool {
        matches!(self, Self::Translated(_))
    }

    /// The error that the provider sent within the stream.
    #[must_use]
    pub fn upstream_error(&self) -> Option<&ErrorFacts> {
        match self {
            Self::Whole {
                found: Found::Error(facts),
                ..
            } => Some(facts),
            Self::Plain | Self::Relayed(_) | Self::Whole { .. } => None,
            Self::Watched { tap, .. } => tap.upstream_error(),
            Self::Translated(translator) => translator.upstream_error(),
        }
    }

    /// What made a translated stream malformed.
    #[must_use]
    pub const fn fault(&self) -> Option<StreamFault> {
        match self {
            Self::Translated(translator) => translator.fault(),
            Self::Plain | Self::Relayed(_) | Self::Whole { .. } | Self::Watched { .. } => None,
        }
    }

    /// Token counts, stop reason and model at the end.
    #[must_use]
    pub fn facts(&mut self) -> AnswerFacts {
        let owned = |model: Option<&str>| model.map(SmallStr::from);
        match self {
            Self::Plain => AnswerFacts::default(),
            Self::Relayed(tap) => AnswerFacts {
                usage: tap.usage(),
                stop: tap.stop(),
                model: owned(tap.model()),
                ..AnswerFacts::default()
            },
            Self::Whole { found, .. } => match found {
                Found::Answer(facts) => core::mem::take(facts),
                Found::Unread | Found::Error(_) | Found::Other | Found::Garbage => {
                    AnswerFacts::default()
                }
            },
            Self::Watched { tap, .. } => AnswerFacts {
                usage: tap.usage(),
                stop: tap.stop(),
                model: owned(tap.model()),
                ..AnswerFacts::default()
            },
            Self::Translated(translator) => AnswerFacts {
                usage: translator.usage(),
                stop: translator.stop(),
                model: owned(translator.model()),
                notes: translator.notes(),
            },
        }
    }
}

/// Passes a piece of a watched stream on.
fn watch(
    tap: &mut Tap,
    strip: Option<&mut UsageStrip>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> Progress {
    let progress = tap.push(input);
    let input = input.get(..tap.passed()).unwrap_or(input);
    match strip {
        Some(strip) => {
            out.reserve(input.len());
            strip.push(input, out);
        }
        None => out.extend_from_slice(input),
    }
    progress
}

const fn ended(whole: bool) -> Progress {
    Progress {
        end: if whole { End::Complete } else { End::Truncated },
        ..Progress::START
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

/// Whether a document begins as errors do in both wires: their first member says so.
fn begins_like_error(body: &[u8]) -> bool {
    let Some(rest) = body.trim_ascii_start().strip_prefix(b"{") else {
        return false;
    };
    let rest = rest.trim_ascii_start();
    let same = |name: &[u8]| rest.starts_with(name) || name.starts_with(rest);
    if same(br#""error""#) {
        return true;
    }
    let Some(kind) = rest.strip_prefix(br#""type""#) else {
        return br#""type""#.starts_with(rest);
    };
    let kind = kind.trim_ascii_start();
    let kind = kind.strip_prefix(b":").unwrap_or(kind).trim_ascii_start();
    kind.starts_with(br#""error""#) || br#""error""#.starts_with(kind)
}

/// Whole answers longer than this are passed on without their usage being read.
const KEPT_BYTES_MAX: usize = MIB;

#[cfg(test)]
mod tests;
