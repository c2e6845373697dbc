//! The `date` of answers of ours, made once a second, and the time that records and limits follow.

use core::cell::Cell;

use crate::http1::date::{DATE_LINE_BYTES, date_line};
use crate::net::runtime::clock::{self, Instant};

/// One thread's `date` line. Where the wall clock jumps it follows within a second.
#[derive(Debug)]
pub struct Dates {
    line: Cell<[u8; DATE_LINE_BYTES]>,
    /// When the second is over, by the monotonic clock.
    until: Cell<Instant>,
}

impl Default for Dates {
    fn default() -> Self {
        Self {
            line: Cell::new(date_line(0)),
            until: Cell::default(),
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

    /// Milliseconds since 1970 at `now`, by the checked clock.
    #[must_use]
    pub fn unix_ms(&self, now: Instant) -> u64 {
        clock::checked_ms(now)
    }

    fn look(&self, now: Instant) {
        if now >= self.until.get() {
            let ms = clock::unix_millis();
            let left_ms = 1_000 - ms % 1_000;
            self.line.set(date_line(ms / 1_000));
            self.until.set(now.plus_ms(left_ms));
        }
    }
}

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
        let later = dates.line(until);
        assert!(dates.until.get() > until);
        assert!((before..=clock::unix_seconds()).any(|second| date_line(second) == later));
    }
}
