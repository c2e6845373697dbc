//! A request's body sent on with its model renamed: by spans, and as one would with a parser's tree.
//!
//! `cargo bench --manifest-path benches/rewrite/Cargo.toml`
//!
//! All of them check the whole body and write a whole one with the new model. What differs is what
//! comes out beside it: `spans` keeps every other byte; the trees write the document anew, with
//! their own spacing, and lose what their values cannot hold (digits past a double, repeated names).
//! `serde_json` keeps the order of members here (its `preserve_order`), as a gateway must.
//! `simd_json` parses in place: it gets a copy, which is part of its price. `memcpy` is the floor,
//! `simd_json_tape` what a fast parser pays to check the body, with nothing looked up.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use ringway::limits::Limits;
use ringway::wire::kind::Wire;
use ringway::wire::peek::body::peek;
use ringway::wire::peek::edits::{Overrides, edits_for};
use simd_json::prelude::*;
use sonic_rs::JsonValueMutTrait as _;

#[path = "../../cases/bodies.rs"]
mod bodies;
#[path = "../../cases/clock.rs"]
mod clock;

const MODEL: &str = "gpt-5-mini-2026-08-07";

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rewrite");
    for (size, body) in bodies::bodies() {
        group.throughput(Throughput::Bytes(body.len() as u64));
        check(&body);
        time(&mut group, "memcpy", size, &body, |body, out| {
            out.extend_from_slice(body);
        });
        time(&mut group, "spans", size, &body, spans);
        time(&mut group, "serde_json", size, &body, serde);
        time(&mut group, "simd_json", size, &body, simd);
        time(&mut group, "sonic_rs", size, &body, sonic);
        simd_tape(&mut group, size, &body);
    }
    group.finish();
}

fn time(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    size: &str,
    body: &[u8],
    rewrite: fn(&[u8], &mut Vec<u8>),
) {
    let mut out = Vec::with_capacity(body.len() + 256);
    group.bench_function(BenchmarkId::new(name, size), |b| {
        b.iter_custom(|runs| {
            let start = clock::run_time();
            for _ in 0..runs {
                out.clear();
                rewrite(black_box(body), &mut out);
                black_box(&out);
            }
            clock::run_time() - start
        });
    });
}

/// All of them say the same.
fn check(body: &[u8]) {
    let mut expected: serde_json::Value = serde_json::from_slice(body).expect("valid");
    expected["model"] = MODEL.into();
    for rewrite in [spans, serde, simd, sonic] {
        let mut out = Vec::new();
        rewrite(body, &mut out);
        let said: serde_json::Value = serde_json::from_slice(&out).expect("valid");
        assert_eq!(said, expected);
    }
}

fn spans(body: &[u8], out: &mut Vec<u8>) {
    let overrides = Overrides {
        model: Some(MODEL),
        inject_usage: false,
    };
    let peek = peek(body, Wire::OpenAiChat, &Limits::default()).expect("valid");
    edits_for(&peek, &overrides).apply(body, out);
}

fn serde(body: &[u8], out: &mut Vec<u8>) {
    let mut value: serde_json::Value = serde_json::from_slice(body).expect("valid");
    value["model"] = MODEL.into();
    serde_json::to_writer(out, &value).expect("memory");
}

fn simd(body: &[u8], out: &mut Vec<u8>) {
    let mut copy = body.to_vec();
    let mut value = simd_json::to_borrowed_value(&mut copy).expect("valid");
    value.insert("model", MODEL).expect("an object");
    value.write(out).expect("memory");
}

fn sonic(body: &[u8], out: &mut Vec<u8>) {
    let mut value: sonic_rs::Value = sonic_rs::from_slice(body).expect("valid");
    let object = value.as_object_mut().expect("an object");
    object.insert("model", MODEL);
    sonic_rs::to_writer(out, &value).expect("memory");
}

/// A scratch copy and its tape, both kept from run to run.
fn simd_tape(group: &mut BenchmarkGroup<'_, WallTime>, size: &str, body: &[u8]) {
    let mut scratch = Vec::with_capacity(body.len() + simd_json::INPUT_PADDING);
    let mut buffers = simd_json::Buffers::new(body.len());
    let mut kept = simd_json::Tape(Vec::new());
    let mut run = || {
        scratch.clear();
        scratch.extend_from_slice(black_box(body));
        scratch.resize(body.len() + simd_json::INPUT_PADDING, 0);
        let mut tape = core::mem::replace(&mut kept, simd_json::Tape(Vec::new())).reset();
        simd_json::fill_tape_padded(&mut scratch, body.len(), &mut buffers, &mut tape)
            .expect("valid");
        assert!(tape.0.len() > 10);
        kept = tape.reset();
    };
    group.bench_function(BenchmarkId::new("simd_json_tape", size), |b| {
        b.iter_custom(|runs| {
            let start = clock::run_time();
            (0..runs).for_each(|_| run());
            clock::run_time() - start
        });
    });
}

criterion_group!(group, benches);
criterion_main!(group);
