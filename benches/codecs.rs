//! Every case of `cases`, timed.
//!
//! `cargo bench --no-default-features --bench codecs -- translate/`
//!
//! The time is that of one event where the case is of events, else of one head, body or answer; the
//! throughput is in bytes of input. Counted is what the thread ran, not what it waited for others.

use core::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringway::sse::decode::SseDecoder;

mod cases;
#[path = "cases/clock.rs"]
mod clock;

use cases::framing::{EVENT_BYTES_MAX, SEGMENT, frames};

fn codecs(criterion: &mut Criterion) {
    for mut case in cases::all() {
        let (group, name) = case.name.split_once('/').expect("group/what");
        let mut group = criterion.benchmark_group(group);
        let units = case.units as u64;
        group.throughput(Throughput::Bytes(case.bytes as u64 / units));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|units_wanted| per_unit(&mut case.run, units_wanted, units));
        });
        group.finish();
    }
}

/// The time of `wanted` units, of which each run does `units`.
fn per_unit(run: &mut dyn FnMut(), wanted: u64, units: u64) -> Duration {
    let runs = wanted.div_ceil(units);
    let start = clock::run_time();
    for _ in 0..runs {
        run();
    }
    let share = wanted as f64 / (runs * units) as f64;
    (clock::run_time() - start).mul_f64(share)
}

/// One long event in small reads: a byte of it must not cost more the longer it is. What it costs in
/// instructions depends on where the heap lets its buffer grow, so it is timed only.
fn long_event(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sse-long-event");
    for kib in [64, 256, 1_000] {
        let stream = format!("data: {}\n\n", "x".repeat(kib << 10)).into_bytes();
        group.throughput(Throughput::Bytes(stream.len() as u64));
        let mut run = || {
            let mut decoder = SseDecoder::new(EVENT_BYTES_MAX);
            assert_eq!(frames(&mut decoder, &stream, SEGMENT), 1);
        };
        group.bench_function(format!("{kib}k"), |bencher| {
            bencher.iter_custom(|wanted| per_unit(&mut run, wanted, 1));
        });
    }
    group.finish();
}

criterion_group!(benches, codecs, long_event);
criterion_main!(benches);
