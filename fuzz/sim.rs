#![expect(unsafe_code, reason = "a counting allocator")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it speaks to a terminal"
)]
//! Seeds of the simulation, on every core, one after the other:
//!
//! ```text
//! cargo run --release --features sim --example sim -- --seconds 60     from a seed of its own choice
//! cargo run --release --features sim --example sim -- --seed 17        one seed, twice
//! ```
//!
//! `--from SEED` says where to begin. Ends with 1 at the first seed that does not hold, and says
//! what was wrong.

use core::cell::Cell;
use core::num::NonZero;
use core::sync::atomic::{AtomicBool, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringway::sim::run::{SimReport, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|each| each == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    std::panic::set_hook(Box::new(|info| {
        eprintln!("seed {}: {info}", SEED.get());
    }));
    let outcome = match (value("--seed"), value("--seconds")) {
        (Some(seed), _) => replay(seed),
        (None, Some(seconds)) => search(value("--from"), Duration::from_secs(seconds)),
        (None, None) => Err("expected --seed SEED or --seconds SECONDS [--from SEED]".to_owned()),
    };
    match outcome {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// One seed twice: what happens must be the same.
fn replay(seed: u64) -> Result<String, String> {
    SEED.set(seed);
    let first = run(seed)?;
    let again = run(seed)?;
    if first != again {
        return Err(format!(
            "seed {seed} came to two ends: {first:?}, {again:?}"
        ));
    }
    Ok(format!("seed {seed} holds: {first:?}"))
}

/// Seeds from `from` on until the time is over or one does not hold.
fn search(from: Option<u64>, time: Duration) -> Result<String, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let first = from.unwrap_or_else(|| now.map_or(0, |now| now.as_secs() << 20));
    let until = Instant::now() + time;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let is_over = AtomicBool::new(false);
    let parts: Vec<_> = thread::scope(|scope| {
        let lanes = (0..threads).map(|lane| {
            let seeds = (first..).skip(lane).step_by(threads);
            let is_over = &is_over;
            scope.spawn(move || {
                let done = lane_of(seeds, until, is_over);
                is_over.fetch_or(done.is_err(), Ordering::Relaxed);
                done
            })
        });
        let lanes: Vec<_> = lanes.collect();
        let joined = lanes.into_iter().map(|lane| lane.join());
        joined
            .map(|part| part.unwrap_or_else(|_| Err("a lane panicked".to_owned())))
            .collect()
    });
    let (mut count, mut sum) = (0, SimReport::default());
    for part in parts {
        let (seeds, report) = part?;
        count += seeds;
        add(&mut sum, &report);
    }
    Ok(format!(
        "{count} seeds from {first} hold: {} exchanges, {} answered whole; the longest took {} steps, \
         another {} ms",
        sum.exchanges, sum.answered, sum.steps, sum.ms
    ))
}

/// How many of `seeds` held, and what their reports come to.
fn lane_of(
    seeds: impl Iterator<Item = u64>,
    until: Instant,
    is_over: &AtomicBool,
) -> Result<(u64, SimReport), String> {
    let (mut count, mut sum) = (0, SimReport::default());
    let mut before = 0;
    for seed in seeds {
        if is_over.load(Ordering::Relaxed) || (Instant::now() >= until && count > 0) {
            break;
        }
        SEED.set(seed);
        let report = run(seed)?;
        add(&mut sum, &report);
        if count == 0 {
            before = HELD.get();
        }
        count += 1;
        let kept = HELD.get() - before;
        if kept > KEPT_BYTES_MAX {
            return Err(format!("seed {seed}: {kept} bytes are still held"));
        }
    }
    Ok((count, sum))
}

/// Exchanges add up; of steps and time the longest run counts.
fn add(sum: &mut SimReport, report: &SimReport) {
    sum.exchanges += report.exchanges;
    sum.answered += report.answered;
    sum.steps = sum.steps.max(report.steps);
    sum.ms = sum.ms.max(report.ms);
}

/// What a lane may keep between seeds: the plans that it met later than in its first one.
const KEPT_BYTES_MAX: i64 = 1 << 20;

thread_local! {
    /// The seed that runs.
    static SEED: Cell<u64> = const { Cell::new(0) };
    /// Bytes that this thread has allocated less those it has freed.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: usize, sign: i64) {
    let bytes = i64::try_from(bytes).unwrap_or(0) * sign;
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches a
// thread-local number that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
