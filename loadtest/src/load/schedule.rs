//! When requests of an open loop are due, whatever became of those before.
//!
//! Latency counts from the moment that a request was due. A slow answer then also counts for those
//! that had to wait behind it: there is no coordinated omission.

use std::io::Write;
use std::os::unix::net::UnixStream;

use clap::ValueEnum;
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec};

use crate::chance::Chance;
use crate::clock::{self, SECOND};

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arrival {
    /// All the same time apart.
    Constant,
    /// Like clients that do not know of each other.
    Poisson,
}

/// The moments, in nanoseconds from the start: endless, and the same for the same seed.
#[derive(Clone, Debug)]
pub struct Schedule {
    arrival: Arrival,
    gap: f64,
    at: f64,
    chance: Chance,
}

impl Schedule {
    /// So many requests a second.
    #[must_use]
    pub const fn new(arrival: Arrival, per_second: f64, seed: u64) -> Self {
        Self {
            arrival,
            gap: SECOND as f64 / per_second,
            at: 0.0,
            chance: Chance::new(seed),
        }
    }
}

impl Iterator for Schedule {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let due = self.at;
        self.at += match self.arrival {
            Arrival::Constant => self.gap,
            Arrival::Poisson => self.chance.exponential(self.gap),
        };
        Some(due as u64)
    }
}

/// Writes one byte for each request when it is due, until `end` or until nobody reads. Blocks: for
/// a thread of its own, because the runtime's timers know milliseconds only.
pub fn pace(schedule: Schedule, start: u64, end: u64, mut out: UnixStream) {
    let mut due = schedule
        .map(|offset| start + offset)
        .take_while(|due| *due < end)
        .peekable();
    while let Some(next) = due.peek() {
        let wake = Timespec {
            tv_sec: i64::try_from(next / SECOND).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(next % SECOND).unwrap_or(0),
        };
        // A signal wakes it early, which the loop over the clock below puts right.
        let _ = clock_nanosleep_absolute(ClockId::Monotonic, &wake);
        let now = clock::now();
        let mut count = 0;
        while count < BYTES.len() && due.next_if(|due| *due <= now).is_some() {
            count += 1;
        }
        if out
            .write_all(BYTES.get(..count).unwrap_or_default())
            .is_err()
        {
            return;
        }
    }
}

const BYTES: [u8; 256] = [0; 256];

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::{Arrival, Schedule, pace};
    use crate::clock::{self, MILLISECOND, SECOND};

    #[test]
    fn constant_arrivals_are_the_same_time_apart() {
        let due: Vec<u64> = Schedule::new(Arrival::Constant, 1000.0, 1)
            .take(4)
            .collect();
        assert_eq!(due, [0, MILLISECOND, 2 * MILLISECOND, 3 * MILLISECOND]);
    }

    #[test]
    fn arrivals_do_not_drift() {
        let mut due = Schedule::new(Arrival::Constant, 3000.0, 1);
        let last = due.nth(3_000_000).unwrap();
        assert!(last.abs_diff(1000 * SECOND) < 1000, "{last}");
    }

    #[test]
    fn poisson_arrivals_keep_the_rate_and_vary_as_they_should() {
        let due: Vec<u64> = Schedule::new(Arrival::Poisson, 1000.0, 5)
            .take(100_001)
            .collect();
        let rate = 100_000.0 / (due[100_000] as f64 / SECOND as f64);
        assert!((rate - 1000.0).abs() < 15.0, "{rate}");
        let short = due
            .windows(2)
            .filter(|pair| pair[1] - pair[0] < MILLISECOND)
            .count();
        // 1 - 1/e of the gaps are shorter than their mean.
        assert!((short as f64 / 100_000.0 - 0.632).abs() < 0.01, "{short}");
        let again: Vec<u64> = Schedule::new(Arrival::Poisson, 1000.0, 5)
            .take(10)
            .collect();
        assert_eq!(again, due[..10]);
    }

    #[test]
    fn pace_writes_each_arrival_once_and_ends() {
        let (mut read, write) = UnixStream::pair().unwrap();
        let start = clock::now();
        let schedule = Schedule::new(Arrival::Constant, 100_000.0, 1);
        let thread =
            std::thread::spawn(move || pace(schedule, start, start + 20 * MILLISECOND, write));
        let mut bytes = Vec::new();
        read.read_to_end(&mut bytes).unwrap();
        thread.join().unwrap();
        assert_eq!(bytes.len(), 2000);
        assert!(clock::now() >= start + 19 * MILLISECOND);
    }
}
