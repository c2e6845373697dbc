//! Who only looks at a stream sees the same however it is cut, and sees an end only where one came;
//! who takes the usage chunk out takes nothing else.

use ringway::chat::usage::{End, StopReason, Usage};
use ringway::json::tape::Tape;
use ringway::limits::IDLE_FRAME_BYTES;
use ringway::translate::tap::{self, Tap};
use ringway::translate::usage_strip::UsageStrip;
use ringway::wire::kind::Wire;

use crate::pieces::Bytes;
use crate::stream_judge::may_be_complete;
use crate::{json, pieces, recipe};

/// An event stream.
pub fn check(input: &[u8]) {
    let stream = recipe::stream(input);
    for setting in pieces::settings(input, 5) {
        match setting {
            0 => seen(&stream, EVENT_MAX, true),
            1 => seen(&stream, EVENT_MAX, false),
            2 => seen(&stream, 64, true),
            3 => {
                let out = pieces::same_in_all_ways(&stream, |it| strip(it, EVENT_MAX));
                assert_eq!(out, Bytes(stripped(&stream)));
            }
            _ => drop(pieces::same_in_all_ways(&stream, |it| strip(it, 64))),
        }
    }
}

/// The stream as one of either wire, ended by its own framing (`clean`) or broken off.
fn seen(stream: &[u8], max: usize, clean: bool) {
    for wire in recipe::WIRES {
        let seen = pieces::same_in_all_ways(stream, |it| watch(wire, it, max, clean));
        assert!(seen.end != End::Open);
        let complete = seen.end == End::Complete;
        assert!(!complete || may_be_complete(wire, stream, clean));
        let _ = tap::whole(wire, stream, &mut Tape::new());
    }
}

/// Longer than any input.
const EVENT_MAX: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    deltas: u32,
    events: u32,
    content: bool,
    end: End,
    usage: Usage,
    stop: Option<StopReason>,
    between: bool,
}

fn watch(wire: Wire, pieces: &[&[u8]], max: usize, clean: bool) -> Seen {
    let mut tap = Tap::new(wire, max);
    let (mut deltas, mut events) = (0, 0);
    for piece in pieces {
        let progress = tap.push(piece);
        deltas += progress.deltas;
        events += progress.events;
        assert!(tap.held_bytes() <= 4 * max.max(IDLE_FRAME_BYTES));
    }
    let between = tap.is_between_frames();
    let last = tap.finish(clean);
    Seen {
        deltas: deltas + last.deltas,
        events: events + last.events,
        content: last.content,
        end: last.end,
        usage: tap.usage(),
        stop: tap.stop(),
        between,
    }
}

fn strip(pieces: &[&[u8]], max: usize) -> Bytes {
    let (mut strip, mut out) = (UsageStrip::new(max), Vec::new());
    for piece in pieces {
        strip.push(piece, &mut out);
        assert!(strip.held_bytes() <= 4 * max.max(IDLE_FRAME_BYTES));
    }
    strip.finish(&mut out);
    Bytes(out)
}

/// The stream without its usage chunks, record by record.
fn stripped(stream: &[u8]) -> Vec<u8> {
    let records = records(stream);
    let kept = records.into_iter().filter(|record| !is_usage_chunk(record));
    kept.collect::<Vec<_>>().concat()
}

/// A stream apart behind every blank line.
fn records(stream: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(len) = stream[at..].iter().position(|b| b"\r\n".contains(b)) {
        let is_pair = stream[at + len..].starts_with(b"\r\n");
        at += len + if is_pair { 2 } else { 1 };
        if len == 0 {
            records.push(&stream[start..at]);
            start = at;
        }
    }
    records.push(&stream[start..]);
    records
}

fn is_usage_chunk(record: &[u8]) -> bool {
    let data = crate::plain_sse::data(record, true);
    let Some(members) = data.first().and_then(|data| json::members(data)) else {
        return false;
    };
    let empty = |list: &&str| json::elements(list.as_bytes()).is_some_and(|all| all.is_empty());
    let (choices, usage) = (json::all(&members, "choices"), json::all(&members, "usage"));
    let is_object = usage.last().is_some_and(|it| it.starts_with('{'));
    !choices.is_empty() && choices.iter().all(empty) && is_object
}
