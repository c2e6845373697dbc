//! The chain that an answer's body goes through: the same bytes, end and facts however the body is
//! cut, no credential in what goes out, and no end that did not come.

use std::cell::RefCell;

use ringway::chat::usage::End;
use ringway::json::tape::Tape;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::response::AnswerFacts;
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::translate::transforms::Transforms;
use ringway::translate::transforms::mode::Mode;
use ringway::translate::transforms::scrub::Scrubber;
use ringway::translate::usage_strip::UsageStrip;
use ringway::wire::kind::Wire;

use crate::pieces::Bytes;
use crate::stream_judge::{may_be_complete, other};
use crate::{pieces, recipe};

/// An upstream's event stream.
pub fn check(input: &[u8]) {
    for (wire, stream) in recipe::streams(input) {
        let key = key(&stream);
        for setting in pieces::settings(input, 6) {
            let clean = setting % 2 == 0;
            let run = |pieces: &[&[u8]]| run(mode(wire, setting / 2), key, pieces, clean);
            let came = pieces::same_in_all_ways(&stream, run);
            assert!(clean || came.end != End::Complete);
            let is_scrubbed = key.len() == KEY_BYTES;
            let complete = setting >= 2 && came.end == End::Complete;
            assert!(is_scrubbed || !complete || may_be_complete(wire, &stream, clean));
            // A translator's own words may hold the same letters.
            let mut parts = came.out.0.windows(KEY_BYTES);
            assert!(!is_scrubbed || setting >= 4 || parts.all(|part| part != key));
        }
    }
}

/// Eight bytes of the stream that stand in for a credential; fewer are not looked for.
fn key(stream: &[u8]) -> &[u8] {
    let start = pieces::place(stream);
    let part = &stream[start..stream.len().min(start + KEY_BYTES)];
    match part.iter().all(u8::is_ascii_alphanumeric) {
        true => part,
        false => b"",
    }
}

const KEY_BYTES: usize = 8;

/// Longer than any input.
const EVENT_MAX: usize = 1 << 20;

fn mode(wire: Wire, number: usize) -> Mode {
    match number {
        0 => Mode::relayed(wire, true),
        1 => Mode::Watched {
            wire,
            tap: Box::new(Tap::new(wire, EVENT_MAX)),
            strip: Some(Box::new(UsageStrip::new(EVENT_MAX))),
            unmark: Some(Default::default()),
        },
        _ => {
            let context = AnswerContext::default();
            let translator = StreamTranslator::new(wire, other(wire), context, EVENT_MAX);
            Mode::Translated(Box::new(translator))
        }
    }
}

#[derive(Debug, PartialEq)]
struct Came {
    out: Bytes,
    end: End,
    deltas: u32,
    events: u32,
    facts: AnswerFacts,
}

/// Runs a body through the chain as a relay does: piece by piece, up to an event that ends it.
fn run(mode: Mode, key: &[u8], pieces: &[&[u8]], clean: bool) -> Came {
    let mut transforms = Transforms::new(Scrubber::owned(key), mode);
    let (mut out, tape) = (Vec::new(), RefCell::new(Tape::new()));
    let (mut progress, mut is_broken) = (Vec::new(), false);
    for piece in pieces {
        let pushed = transforms.push(piece, &mut out, &tape);
        progress.push(pushed);
        is_broken = matches!(pushed.end, End::UpstreamError | End::Truncated);
        if is_broken {
            break;
        }
    }
    progress.extend(transforms.flush(&mut out, &tape));
    let last = transforms.finish(clean, &mut out, &tape);
    progress.push(last);
    if is_broken {
        // The line end of the event that broke may be cut: nothing behind it is pushed.
        out.truncate(out.trim_ascii_end().len());
    }
    Came {
        out: Bytes(out),
        end: last.end,
        deltas: progress.iter().map(|it| it.deltas).sum(),
        events: progress.iter().map(|it| it.events).sum(),
        facts: transforms.facts(),
    }
}
