//! Streams in steady state allocate nothing: text, thinking and tool arguments, both directions,
//! tap and strip alike.

#![expect(
    unsafe_code,
    reason = "a counting allocator can only be an unsafe impl; it passes every call on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ringway::translate::context::AnswerContext;
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::translate::usage_strip::UsageStrip;
use ringway::wire::kind::Wire;

struct Counting;

thread_local! {
    /// Allocations of this thread: tests run side by side.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is being torn down counts nothing.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every method passes its arguments on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `System` by the methods above, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: `memory` came from `System`; the promise about `size` is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

/// A stream's opening, and one delta of each kind that repeats.
struct Stream {
    wire: Wire,
    opening: &'static str,
    delta: &'static str,
}

const STREAMS: [Stream; 7] = [
    Stream {
        wire: Wire::OpenAiChat,
        opening: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        delta: "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello \\u00e9\\n\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"abc\"}\n\n",
    },
    Stream {
        wire: Wire::OpenAiChat,
        opening: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[]}\n\n",
        delta: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"reasoning_content\":\"Let me see\"},\"finish_reason\":null}]}\n\n",
    },
    Stream {
        wire: Wire::OpenAiChat,
        opening: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[]}\n\n",
        delta: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"a\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"a\",\"index\":0}]},\"finish_reason\":null}]}\n\n",
    },
    Stream {
        wire: Wire::OpenAiChat,
        opening: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":[\"}}]}}]}\n\n",
        delta: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"x\\\",\"}}]},\"finish_reason\":null}]}\n\n",
    },
    Stream {
        wire: Wire::AnthropicMessages,
        opening: "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        delta: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello \\u00e9\\n\"}    }\n\n",
    },
    Stream {
        wire: Wire::AnthropicMessages,
        opening: "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n",
        delta: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Let me\"}}\n\n",
    },
    Stream {
        wire: Wire::AnthropicMessages,
        opening: "data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}\n\n",
        delta: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\\\"x\\\",\"}}\n\n",
    },
];

const WARM: usize = 8;
const STEADY: usize = 1000;

/// Feeds a stream whole and in two pieces per delta; returns allocations once warm.
fn steady(stream: &Stream, mut feed: impl FnMut(&[u8])) -> u64 {
    let (first, second) = stream.delta.as_bytes().split_at(stream.delta.len() / 2);
    feed(stream.opening.as_bytes());
    let mut round = || {
        feed(stream.delta.as_bytes());
        feed(first);
        feed(second);
    };
    (0..WARM).for_each(|_| round());
    allocations(|| (0..STEADY).for_each(|_| round()))
}

#[test]
fn translator_in_steady_state_allocates_nothing() {
    for stream in &STREAMS {
        let to = match stream.wire {
            Wire::OpenAiChat => Wire::AnthropicMessages,
            Wire::AnthropicMessages => Wire::OpenAiChat,
        };
        let context = AnswerContext {
            include_usage: true,
            ..AnswerContext::default()
        };
        let mut translator = StreamTranslator::new(stream.wire, to, context, 1 << 20);
        let mut out = Vec::with_capacity(1 << 16);
        let mut deltas = 0;
        let count = steady(stream, |piece| {
            out.clear();
            deltas += translator.push(piece, &mut out).deltas as usize;
        });
        assert!(
            deltas >= 2 * (WARM + STEADY),
            "{deltas} deltas: {}",
            stream.delta
        );
        assert_eq!(count, 0, "{}", stream.delta);
    }
}

#[test]
fn tap_in_steady_state_allocates_nothing() {
    for stream in &STREAMS {
        let mut tap = Tap::new(stream.wire, 1 << 20);
        let mut deltas = 0;
        let count = steady(stream, |piece| deltas += tap.push(piece).deltas as usize);
        assert!(
            deltas >= 2 * (WARM + STEADY),
            "{deltas} deltas: {}",
            stream.delta
        );
        assert_eq!(count, 0, "{}", stream.delta);
    }
}

#[test]
fn strip_in_steady_state_allocates_nothing() {
    for stream in STREAMS
        .iter()
        .filter(|stream| stream.wire == Wire::OpenAiChat)
    {
        let mut strip = UsageStrip::new(1 << 20);
        let mut out = Vec::with_capacity(1 << 16);
        let count = steady(stream, |piece| {
            out.clear();
            strip.push(piece, &mut out);
        });
        assert_eq!(count, 0, "{}", stream.delta);
    }
}

#[test]
fn counting_allocator_counts() {
    let made = allocations(|| drop(vec![0u8; 100]));
    assert_eq!(made, 1);
}
