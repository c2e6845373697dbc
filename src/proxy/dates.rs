//! The wall clock as a thread sees it, and the `date` of answers of ours: both once a second.

use core::cell::Cell;

use crate::http1::date::{DATE_LINE_BYTES, date_line};
use crate::net::clock::{self, Instant};

/// One thread's `date` line, and its wall clock. That is read once a second and goes on by the other
/// clock in between; if it jumps, both follow within one.
#[derive(Debug)]
pub struct Dates {
    line: Cell<[u8; DATE_LINE_BYTES]>,
    /// When the second is over, by the monotonic clock.
    until: Cell<Instant>,
    /// The same by the wall clock, in milliseconds since 1970.
    until_ms: Cell<u64>,
}

impl Default for Dates {
    fn default() -> Self {
        Self {
            line: Cell::new(date_line(0)),
            until: Cell::default(),
            until_ms: Cell::default(),
        }
    }
}

impl Dates {
    /// The field line at `now`, its CRLF included.
    #[must_use]
    pub fn line(&self, now: Instant) -> [u8; DATE_LINE_BYTES] {
        self.look(now);
        self.line.get()
    }

    /// Milliseconds since 1970 at `now`, which is a time that this thread has just read.
    #[must_use]
    pub fn unix_ms(&self, now: Instant) -> u64 {
        self.look(now);
        let left = self.until.get().as_nanos().saturating_sub(now.as_nanos());
        self.until_ms
            .get()
            .saturating_sub(left.div_ceil(NANOS_PER_MS))
    }

    fn look(&self, now: Instant) {
        if now >= self.until.get() {
            let ms = clock::unix_millis();
            let left_ms = 1_000 - ms % 1_000;
            self.line.set(date_line(ms / 1_000));
            self.until.set(now.plus_ms(left_ms));
            self.until_ms.set(ms + left_ms);
        }
    }
}

const NANOS_PER_MS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_stands_for_a_second_at_most_and_is_then_made_anew() {
        let dates = Dates::default();
        let now = clock::now();
        let before = clock::unix_seconds();
        let first = dates.line(now);
        let after = clock::unix_seconds();
        assert!((before..=after).any(|second| date_line(second) == first));
        let until = dates.until.get();
        assert!(until > now && until <= now.plus_ms(1_000));
        assert_eq!(dates.line(now), first);
        assert_eq!(dates.until.get(), until);
        let end_ms = dates.until_ms.get();
        assert_eq!(end_ms % 1_000, 0);
        assert_eq!(
            dates.unix_ms(Instant::from_nanos(until.as_nanos() - 1)),
            end_ms - 1
        );
        let ms_before = Instant::from_nanos(until.as_nanos() - 7_000_000);
        assert_eq!(dates.unix_ms(ms_before), end_ms - 7);
        let later = dates.line(until);
        assert!(dates.until.get() > until);
        assert!((before..=clock::unix_seconds()).any(|second| date_line(second) == later));
    }
}
