//! Translated streams: the same bytes however the upstream's are cut, one valid stream of the
//! client's wire with one end, and no end that did not come.

use ringway::chat::usage::{End, StopReason, Usage};
use ringway::limits::IDLE_FRAME_BYTES;
use ringway::sse::encode;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::wire::kind::Wire;

use crate::pieces::Bytes;
use crate::stream_judge::{contexts, judge, may_be_complete, other};
use crate::{pieces, plain_sse, recipe};

/// An upstream's event stream.
pub fn check(input: &[u8]) {
    let contexts = contexts();
    let context = &contexts[input.len() % contexts.len()];
    for (from, stream) in recipe::streams(input) {
        let cut = &stream[..pieces::place(&stream)];
        for setting in pieces::settings(input, 7) {
            match setting {
                0 => holds(from, context, &stream, EVENT_MAX, true),
                1 => holds(from, context, &stream, EVENT_MAX, false),
                2 => holds(from, context, cut, EVENT_MAX, true),
                3 => holds(from, context, cut, EVENT_MAX, false),
                4 => holds(from, context, &stream, 256, true),
                5 => frames_one_by_one(from, context, &stream),
                _ => watched(from, context, &stream),
            }
        }
    }
}

/// Who only watches a stream counts what its translation counts, if that reads it to its end.
fn watched(from: Wire, context: &AnswerContext, stream: &[u8]) {
    let out = run(from, context, &[stream], EVENT_MAX, true);
    if out.end == End::Complete {
        let mut tap = Tap::new(from, EVENT_MAX);
        tap.push(stream);
        assert_eq!((tap.finish(true).end, tap.usage()), (out.end, out.usage));
    }
}

/// One stream that ends by its own framing (`clean`) or breaks off.
fn holds(from: Wire, context: &AnswerContext, stream: &[u8], max: usize, clean: bool) {
    let out = pieces::same_in_all_ways(stream, |it| run(from, context, it, max, clean));
    assert!(out.end != End::Open && (clean || out.end != End::Complete));
    let told = judge(other(from), &out.bytes.0);
    assert!(
        !told || may_be_complete(from, stream, clean),
        "an end is never invented"
    );
    assert!(told || out.end != End::Complete);
    let events = plain_sse::items(stream).len();
    assert!(out.bytes.0.len() <= 8 * stream.len() + 2048 * events + 8192);
}

/// Longer than any input.
const EVENT_MAX: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
struct Out {
    bytes: Bytes,
    end: End,
    deltas: u32,
    events: u32,
    usage: Usage,
    stop: Option<StopReason>,
}

fn run(from: Wire, context: &AnswerContext, pieces: &[&[u8]], max: usize, clean: bool) -> Out {
    let mut translator = StreamTranslator::new(from, other(from), context.clone(), max);
    let mut bytes = Vec::new();
    let (mut deltas, mut events) = (0, 0);
    for piece in pieces {
        let progress = translator.push(piece, &mut bytes);
        deltas += progress.deltas;
        events += progress.events;
        assert!(translator.held_bytes() <= 6 * max.max(IDLE_FRAME_BYTES));
    }
    let last = translator.finish(clean, &mut bytes);
    let end = bytes.len();
    translator.push(b"data: {}\n\n", &mut bytes);
    translator.finish(clean, &mut bytes);
    translator.ping(&mut bytes);
    assert_eq!(bytes.len(), end, "nothing follows the end");
    Out {
        bytes: Bytes(bytes),
        end: last.end,
        deltas: deltas + last.deltas,
        events: events + last.events,
        usage: translator.usage(),
        stop: translator.stop(),
    }
}

/// A frame that repeats the one before is not parsed. With a frame that means nothing between any
/// two, none repeats, and the stream still means the same.
fn frames_one_by_one(from: Wire, context: &AnswerContext, stream: &[u8]) {
    let nothing: &[u8] = match from {
        Wire::OpenAiChat => b"{\"choices\":[]}",
        Wire::AnthropicMessages => b"{\"type\":\"nothing\"}",
    };
    // Even a chunk without choices starts an answer, so both streams begin with one.
    let (mut close, mut apart) = (Vec::new(), Vec::new());
    encode::frame(&mut close, b"", nothing);
    encode::frame(&mut apart, b"", nothing);
    for data in plain_sse::data(stream, false) {
        encode::frame(&mut close, b"", &data);
        encode::frame(&mut apart, b"", &data);
        encode::frame(&mut apart, b"", nothing);
    }
    let (close, apart) = (
        run(from, context, &[&close], EVENT_MAX, true),
        run(from, context, &[&apart], EVENT_MAX, true),
    );
    assert_eq!(close.bytes, apart.bytes);
    assert_eq!((close.end, close.deltas), (apart.end, apart.deltas));
    assert_eq!((close.usage, close.stop), (apart.usage, apart.stop));
}
