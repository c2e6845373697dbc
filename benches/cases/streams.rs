//! What every streamed event costs: translated, or watched on its way.
//!
//! Each delta comes by itself, as models send them.

use std::hint::black_box;

use ringway::chat::usage::End;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::translate::usage_strip::UsageStrip;
use ringway::wire::codec::ClientNeeds;
use ringway::wire::kind::Wire;
use ringway::wire::openai::settings::Needs;

use super::case::Case;
use super::framing::EVENT_BYTES_MAX;
use super::shapes::{Stream, streams};

/// Whole short streams: opening, two deltas, end, usage.
const WHOLE: [(Wire, &str); 2] = [
    (
        Wire::OpenAiChat,
        include_str!("../../tests/fixtures/openai/streams/text.sse"),
    ),
    (
        Wire::AnthropicMessages,
        include_str!("../../tests/fixtures/anthropic/streams/text.sse"),
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(streams().into_iter().map(translated));
    cases.extend(streams().into_iter().map(watched));
    let openai = |stream: &Stream| stream.wire == Wire::OpenAiChat;
    cases.extend(streams().into_iter().filter(openai).map(stripped));
    cases.extend(WHOLE.into_iter().map(whole));
    cases
}

pub(crate) const fn other(wire: Wire) -> Wire {
    match wire {
        Wire::OpenAiChat => Wire::AnthropicMessages,
        Wire::AnthropicMessages => Wire::OpenAiChat,
    }
}

pub(crate) fn translator(from: Wire) -> StreamTranslator {
    let context = AnswerContext {
        stream: true,
        needs: ClientNeeds::OpenAi(Needs {
            include_usage: true,
            created: 1_731_456_253,
            ..Needs::default()
        }),
        seed: 7,
        ..AnswerContext::default()
    };
    StreamTranslator::new(from, other(from), context, EVENT_BYTES_MAX)
}

/// A case that pushes each delta of a stream by itself; `push` says how many deltas it saw.
fn deltas(group: &str, stream: Stream, mut push: impl FnMut(&[u8]) -> u32 + 'static) -> Case {
    push(stream.opening.as_bytes());
    let deltas = stream.deltas;
    let bytes = deltas.iter().map(String::len).sum();
    let name = format!("{group}/{}", stream.name);
    Case::events(name, (deltas.len(), bytes), move || {
        for delta in &deltas {
            assert_eq!(push(black_box(delta.as_bytes())), 1);
        }
    })
}

fn translated(stream: Stream) -> Case {
    let mut translator = translator(stream.wire);
    let mut out = Vec::with_capacity(4096);
    deltas("translate", stream, move |input| {
        out.clear();
        let progress = translator.push(input, &mut out);
        black_box(&out);
        progress.deltas
    })
}

fn watched(stream: Stream) -> Case {
    let mut tap = Tap::new(stream.wire, EVENT_BYTES_MAX);
    deltas("tap", stream, move |input| tap.push(input).deltas)
}

fn stripped(stream: Stream) -> Case {
    let mut strip = UsageStrip::new(EVENT_BYTES_MAX);
    let mut out = Vec::with_capacity(4096);
    deltas("strip", stream, move |input| {
        out.clear();
        strip.push(input, &mut out);
        u32::from(out.len() == input.len())
    })
}

fn whole((from, stream): (Wire, &'static str)) -> Case {
    let events = stream.matches("data:").count();
    let mut out = Vec::with_capacity(4096);
    let name = format!("translate/{}-whole", from.name());
    Case::events(name, (events, stream.len()), move || {
        out.clear();
        let mut translator = translator(from);
        translator.push(black_box(stream.as_bytes()), &mut out);
        assert_eq!(translator.finish(true, &mut out).end, End::Complete);
    })
}
