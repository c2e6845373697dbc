use std::path::Path;
use std::{fs, thread};

use crate::net::sim::seeded_random::SeededRandom;
use crate::net::test_support;
use crate::sim::plan::plan;
use crate::sim::run::{SimReport, run, steered};
use crate::sim::script::PLANS;

/// Seeds of `cargo test`; `fuzz/run.sh sim` runs as many as there is time for.
const SEEDS: u64 = 2_000;
const THREADS: usize = 2;

/// Runs seeds on two threads; the sums of their reports.
fn all(seeds: u64) -> SimReport {
    let part = move |first: u64| {
        let mut sum = SimReport::default();
        let mut failed = Vec::new();
        for seed in (first..seeds).step_by(THREADS) {
            match run(seed) {
                Ok(report) => {
                    sum.exchanges += report.exchanges;
                    sum.answered += report.answered;
                }
                Err(wrong) => failed.push(wrong),
            }
        }
        (sum, failed)
    };
    let threads: Vec<_> = (0..)
        .take(THREADS)
        .map(|first| thread::spawn(move || part(first)))
        .collect();
    let mut sum = SimReport::default();
    for thread in threads {
        let (part, failed) = thread.join().unwrap();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        sum.exchanges += part.exchanges;
        sum.answered += part.answered;
    }
    sum
}

#[test]
fn seeds_hold() {
    let count = std::env::var("RINGWAY_SIM_SEEDS").map_or(SEEDS, |count| count.parse().unwrap());
    let sum = all(count);
    println!("{count} seeds: {sum:?}");
    assert!(sum.exchanges >= 3 * count, "{sum:?}");
    assert!(sum.answered >= sum.exchanges / 4, "{sum:?}");
}

#[test]
fn a_seed_does_the_same_again() {
    let mut traces = Vec::new();
    for seed in 0..60 {
        let first = run(seed);
        assert_eq!(first, run(seed));
        traces.push(first.unwrap().trace);
    }
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 60);
}

#[test]
fn steered_runs_hold_for_the_corpus_every_finding_and_any_bytes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut inputs = Vec::new();
    for folder in ["fuzz/corpus", "tests/fixtures/regression"] {
        let folder = root.join(folder).join("whole_exchange");
        for entry in fs::read_dir(folder).into_iter().flatten() {
            inputs.push(fs::read(entry.unwrap().path()).unwrap());
        }
    }
    assert!(inputs.len() > 20, "the corpus is missing");
    for seed in 0..200 {
        let mut random = SeededRandom::new(seed);
        let length = random.below(600);
        inputs.push((0..length).map(|_| random.bytes::<1>()[0]).collect());
    }
    for input in inputs {
        if let Err(wrong) = steered(&input) {
            panic!("{}: {wrong}", input.escape_ascii());
        }
    }
}

#[test]
fn a_run_gives_all_its_memory_back() {
    // The plans are made once and stay.
    for number in 0..PLANS {
        plan(number, false)
            .and_then(|_| plan(number, true))
            .unwrap();
    }
    (0..30).for_each(|seed| drop(run(seed)));
    for seed in 30..130 {
        let before = test_support::held_bytes();
        run(seed).unwrap();
        assert_eq!(test_support::held_bytes(), before, "seed {seed}");
    }
}
