//! Waiting for conditions, with a deadline.

use core::time::Duration;
use std::thread;
use std::time::Instant;

/// Longest wait for anything that is expected to happen. Generous: machines are busy.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// How often [`shortest`] measures before it gives up.
const MEASUREMENTS: usize = 40;
/// How long [`settled`] sees no growth before a count is taken for settled.
const SETTLED: Duration = Duration::from_millis(500);

/// Looks until `look` finds something; fails the test after [`DEADLINE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "never came: {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Measures until one measurement is at most `most`; fails after [`MEASUREMENTS`] longer ones.
///
/// A busy machine makes a measurement longer and never shorter, so the shortest of many is the time
/// that the program itself takes.
pub fn shortest(what: &str, most: Duration, measure: impl FnMut(usize) -> Duration) {
    let mut measurements = (0..MEASUREMENTS).map(measure);
    let mut best = Duration::MAX;
    let is_met = measurements.any(|took| {
        best = best.min(took);
        took <= most
    });
    assert!(is_met, "{what}: {best:?} at best, expected {most:?}");
}

/// Waits until a count is not zero and grows by no more than `slack` in [`SETTLED`]; gives the count.
///
/// Fails when it stays zero for [`DEADLINE`], or still grows after five times as long.
pub fn settled(what: &str, slack: usize, mut count: impl FnMut() -> usize) -> usize {
    let begun = Instant::now();
    let mut last = (0, begun);
    loop {
        let seen = count();
        if seen > last.0 + slack {
            last = (seen, Instant::now());
        }
        let waited = last.1.elapsed();
        if seen > 0 && waited > SETTLED {
            return seen;
        }
        let is_late = waited > DEADLINE || begun.elapsed() > 5 * DEADLINE;
        assert!(!is_late, "never settled: {what}, {seen}");
        thread::park_timeout(Duration::from_millis(5));
    }
}
