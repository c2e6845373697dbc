//! SSE framing: bytes to frames.
//!
//! `cargo bench --no-default-features --bench sse`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringway::sse::decode::{Decoder, Item};
use ringway::sse::encode;

const MIB: usize = 1 << 20;

/// A stream's middle in either wire's own spelling: (name, bytes, frames).
fn streams() -> [(&'static str, Vec<u8>, usize); 2] {
    let openai: String = (0..1_000)
        .map(|i| {
            format!(
                "data: {{\"id\":\"chatcmpl-DCXo2jQ2rQ\",\"object\":\"chat.completion.chunk\",\"created\":1771000000,\"model\":\"gpt-5-mini-2026-08-07\",\"service_tier\":\"default\",\"system_fingerprint\":null,\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word{i}\"}},\"finish_reason\":null}}],\"obfuscation\":\"qTz0b\"}}\n\n"
            )
        })
        .collect();
    let anthropic: String = (0..1_000)
        .map(|i| {
            format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\" word{i}\"}}   }}\n\n"
            )
        })
        .collect();
    [
        ("openai", openai.into_bytes(), 1_000),
        ("anthropic", anthropic.into_bytes(), 1_000),
    ]
}

fn count(decoder: &mut Decoder, input: &[u8]) -> usize {
    let mut frames = decoder.push(input);
    let mut count = 0;
    while let Some(item) = frames.next() {
        if let Item::Frame(frame) = item.expect("short frames") {
            count += usize::from(!black_box(frame).data.is_empty());
        }
    }
    count
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sse_decode");
    for (name, stream, frames) in streams() {
        group.throughput(Throughput::Elements(frames as u64));
        for read in [stream.len(), 64 << 10, 1400] {
            let mut decoder = Decoder::new(MIB);
            group.bench_function(BenchmarkId::new(name, read), |b| {
                b.iter(|| {
                    let pieces = stream.chunks(read);
                    let seen: usize = pieces.map(|piece| count(&mut decoder, piece)).sum();
                    assert_eq!(seen, frames);
                });
            });
        }
    }
    group.finish();

    // One long event in small reads: the time per byte must not grow with its length.
    let mut group = criterion.benchmark_group("sse_long_event");
    for kib in [64, 256, 1_000] {
        let stream = format!("data: {}\n\n", "x".repeat(kib << 10));
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_function(BenchmarkId::new("reads_of_1k", kib), |b| {
            b.iter(|| {
                let mut decoder = Decoder::new(MIB);
                let pieces = stream.as_bytes().chunks(1 << 10);
                let seen: usize = pieces.map(|piece| count(&mut decoder, piece)).sum();
                assert_eq!(seen, 1);
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("sse_encode");
    group.throughput(Throughput::Elements(1));
    let data = [b'x'; 200];
    let mut out = Vec::with_capacity(MIB);
    group.bench_function("frame", |b| {
        b.iter(|| {
            out.clear();
            encode::frame(&mut out, b"content_block_delta", black_box(&data));
            out.len()
        });
    });
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
