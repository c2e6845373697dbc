//! A request's body: check it whole, find what routing needs, send it on with the model renamed.
//!
//! `cargo bench --no-default-features --bench rewrite`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringway::json::rewrite::Piece;
use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::wire::kind::Wire;
use ringway::wire::peek::peek;
use ringway::wire::peek_edits::{Overrides, edits_for};

/// What a client sends: a question, a long agent's history, an image.
fn bodies() -> [(&'static str, Vec<u8>); 3] {
    let turn = |i: usize| {
        format!(
            r#"{{"role":"user","content":"Question {i}: how do I say \"it works\" in a log?\nKeep it short."}},
{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_{i:08}","type":"function","function":{{"name":"read_file","arguments":"{{\"path\":\"src/module_{i}.rs\",\"from\":{i},\"to\":{}}}"}}}}]}},
{{"role":"tool","tool_call_id":"call_{i:08}","content":"fn main() {{\n    let answer = {i};\n    println!(\"{{answer}}\");\n}}\n"}},"#,
            i + 40
        )
    };
    let chat = |turns: usize, last: &str| {
        let history: String = (0..turns).map(turn).collect();
        format!(
            r#"{{"model":"gpt-5-mini","stream":true,"temperature":0.7,"messages":[{{"role":"system","content":"You are a helpful assistant."}},{history}{{"role":"user","content":{last}}}],"max_completion_tokens":4096}}"#
        )
        .into_bytes()
    };
    let base64 =
        "iVBORw0KGgoAAAANSUhEUgAAB4AAAAQ4CAYAAADo08FDAAAABHNCSVQICAgIfAhkiA".repeat(75_000);
    let image = format!(
        r#"[{{"type":"text","text":"What is this?"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{base64}"}}}}]"#
    );
    [
        (
            "1k",
            chat(
                2,
                r#""And now? Please look at the second file once more, then write down in two or three sentences what it does, and what a reader of the log should know about it.""#,
            ),
        ),
        ("100k", chat(240, r#""And now?""#)),
        ("5M", chat(2, &image)),
    ]
}

fn benches(criterion: &mut Criterion) {
    let limits = Limits::default();
    let overrides = Overrides {
        model: Some("gpt-5-mini-2026-08-07"),
        inject_usage: true,
    };
    let mut group = criterion.benchmark_group("body");
    for (name, body) in bodies() {
        group.throughput(Throughput::Bytes(body.len() as u64));
        let mut out = Vec::with_capacity(body.len() + 256);

        group.bench_function(BenchmarkId::new("memcpy", name), |b| {
            b.iter(|| {
                out.clear();
                out.extend_from_slice(black_box(&body));
                out.len()
            });
        });
        group.bench_function(BenchmarkId::new("peek", name), |b| {
            b.iter(|| {
                let peek = peek(black_box(&body), Wire::OpenAiChat, &limits).expect("valid");
                assert!(peek.stream());
            });
        });
        group.bench_function(BenchmarkId::new("peek_edit_pieces", name), |b| {
            b.iter(|| {
                let peek = peek(black_box(&body), Wire::OpenAiChat, &limits).expect("valid");
                let edits = edits_for(&peek, &overrides);
                let len: usize = edits
                    .pieces(body.len())
                    .map(|piece| match piece {
                        Piece::Source(span) => span.len(),
                        Piece::New(bytes) => bytes.len(),
                    })
                    .sum();
                assert_eq!(len, edits.len_after(body.len()));
            });
        });
        group.bench_function(BenchmarkId::new("peek_edit_apply", name), |b| {
            b.iter(|| {
                let peek = peek(black_box(&body), Wire::OpenAiChat, &limits).expect("valid");
                out.clear();
                edits_for(&peek, &overrides).apply(&body, &mut out);
                out.len()
            });
        });
        let mut tape = Tape::new();
        group.bench_function(BenchmarkId::new("tape", name), |b| {
            b.iter(|| {
                let root = tape.read(black_box(&body), 128, 1_000_000).expect("valid");
                assert_eq!(root.span().end, body.len());
            });
        });
        bench_simd_json(&mut group, name, &body);
    }
    group.finish();
}

/// What a ready-made parser pays to check the body: a scratch copy and its tape, nothing looked up.
fn bench_simd_json(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    body: &[u8],
) {
    let mut scratch = Vec::with_capacity(body.len() + simd_json::INPUT_PADDING);
    let mut buffers = simd_json::Buffers::new(body.len());
    let mut kept = simd_json::Tape(Vec::new());
    group.bench_function(BenchmarkId::new("simd_json", name), |b| {
        b.iter(|| {
            scratch.clear();
            scratch.extend_from_slice(black_box(body));
            scratch.resize(body.len() + simd_json::INPUT_PADDING, 0);
            let mut tape = core::mem::replace(&mut kept, simd_json::Tape(Vec::new())).reset();
            simd_json::fill_tape_padded(&mut scratch, body.len(), &mut buffers, &mut tape)
                .expect("valid");
            assert!(tape.0.len() > 10);
            kept = tape.reset();
        });
    });
}

criterion_group!(group, benches);
criterion_main!(group);
