//! Cost of one streamed event: translator in both directions, tap and usage strip.
//!
//! Each iteration pushes one delta as it would arrive by itself. The answer is asserted once per
//! bench, so that `cargo test --benches` checks it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringway::translate::context::AnswerContext;
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::translate::usage_strip::UsageStrip;
use ringway::wire::kind::Wire;

const OPENAI_START: &str = "data: {\"id\":\"chatcmpl-ASv9hB9He94oQyZr1CDC8coqvmn5U\",\"object\":\"chat.completion.chunk\",\"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_0ba0d124f1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
const OPENAI_TEXT: &str = "data: {\"id\":\"chatcmpl-ASv9hB9He94oQyZr1CDC8coqvmn5U\",\"object\":\"chat.completion.chunk\",\"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_0ba0d124f1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
const OPENAI_PADDED: &str = "data: {\"id\":\"chatcmpl-ASv9hB9He94oQyZr1CDC8coqvmn5U\",\"object\":\"chat.completion.chunk\",\"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_0ba0d124f1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"kX8d2mVb\"}\n\n";
const OPENAI_TOOL_START: &str = "data: {\"id\":\"chatcmpl-ASv9hB9He94oQyZr1CDC8coqvmn5U\",\"object\":\"chat.completion.chunk\",\"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"[\"}}]},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
const OPENAI_TOOL: &str = "data: {\"id\":\"chatcmpl-ASv9hB9He94oQyZr1CDC8coqvmn5U\",\"object\":\"chat.completion.chunk\",\"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"x\\\",\"}}]},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
const ANTHROPIC_START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const ANTHROPIC_TEXT: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}         }\n\n";
const ANTHROPIC_THINKING: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\" token\"} }\n\n";

const ANTHROPIC_TOOL_START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"model\":\"claude-sonnet-4-5-20250929\",\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}\n\n";
const ANTHROPIC_TOOL: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\\\"x\\\",\"}  }\n\n";

const CASES: [(&str, Wire, &str, &str); 7] = [
    ("openai_text", Wire::OpenAiChat, OPENAI_START, OPENAI_TEXT),
    (
        "openai_padded",
        Wire::OpenAiChat,
        OPENAI_START,
        OPENAI_PADDED,
    ),
    (
        "openai_tool",
        Wire::OpenAiChat,
        OPENAI_TOOL_START,
        OPENAI_TOOL,
    ),
    (
        "anthropic_text",
        Wire::AnthropicMessages,
        ANTHROPIC_START,
        ANTHROPIC_TEXT,
    ),
    (
        "anthropic_thinking",
        Wire::AnthropicMessages,
        ANTHROPIC_START,
        ANTHROPIC_THINKING,
    ),
    (
        "anthropic_tool",
        Wire::AnthropicMessages,
        ANTHROPIC_TOOL_START,
        ANTHROPIC_TOOL,
    ),
    (
        "anthropic_text_compact",
        Wire::AnthropicMessages,
        ANTHROPIC_START,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" token\"}}\n\n",
    ),
];

fn translate(c: &mut Criterion) {
    let mut group = c.benchmark_group("translate");
    group.throughput(Throughput::Elements(1));
    for (name, from, start, delta) in CASES {
        let to = match from {
            Wire::OpenAiChat => Wire::AnthropicMessages,
            Wire::AnthropicMessages => Wire::OpenAiChat,
        };
        let mut translator = StreamTranslator::new(from, to, AnswerContext::default(), 1 << 20);
        let mut out = Vec::with_capacity(4096);
        translator.push(start.as_bytes(), &mut out);
        assert_eq!(
            translator.push(delta.as_bytes(), &mut out).deltas,
            1,
            "{name}"
        );
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                black_box(translator.push(black_box(delta.as_bytes()), &mut out))
            });
        });
    }
    group.finish();
}

fn tap(c: &mut Criterion) {
    let mut group = c.benchmark_group("tap");
    group.throughput(Throughput::Elements(1));
    for (name, wire, start, delta) in CASES {
        let mut tap = Tap::new(wire, 1 << 20);
        tap.push(start.as_bytes());
        assert_eq!(tap.push(delta.as_bytes()).deltas, 1, "{name}");
        group.bench_function(name, |b| {
            b.iter(|| black_box(tap.push(black_box(delta.as_bytes()))))
        });
    }
    group.finish();
}

fn strip(c: &mut Criterion) {
    let mut group = c.benchmark_group("strip");
    group.throughput(Throughput::Elements(1));
    for (name, _, _, delta) in CASES.into_iter().filter(|case| case.1 == Wire::OpenAiChat) {
        let mut strip = UsageStrip::new(1 << 20);
        let mut out = Vec::with_capacity(4096);
        strip.push(delta.as_bytes(), &mut out);
        assert_eq!(out, delta.as_bytes(), "{name}");
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                strip.push(black_box(delta.as_bytes()), &mut out);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, translate, tap, strip);
criterion_main!(benches);
