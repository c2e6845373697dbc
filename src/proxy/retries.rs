//! How often the process may try again: a share of its requests and a few more, minute by minute.
//!
//! A minute begins with the first request after the last one has ended. So the few are there for
//! those who send a request now and then to a target that is down, and hours without a failure save
//! up no retries for the next outage. What one thread counts while another begins a minute may be
//! lost with the minute before.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use crate::net::clock::Instant;

/// What this minute has seen.
#[derive(Debug, Default)]
pub struct Retries {
    began_at: AtomicU64,
    requests: AtomicU64,
    taken: AtomicU64,
}

impl Retries {
    /// Counts a request that came `now`.
    pub fn count_request(&self, now: Instant) {
        let began_at = self.began_at.load(Ordering::Relaxed);
        if now.since(Instant::from_nanos(began_at)) >= MINUTE {
            self.begin(began_at, now);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one retry out of `percent` of the minute's requests and ten more.
    pub fn take(&self, percent: u32) -> bool {
        let most = self.most(percent);
        let more = |taken| (taken < most).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// Whether a retry is left, none being taken.
    #[must_use]
    pub fn has_one(&self, percent: u32) -> bool {
        self.taken.load(Ordering::Relaxed) < self.most(percent)
    }

    fn most(&self, percent: u32) -> u64 {
        let requests = self.requests.load(Ordering::Relaxed);
        requests.saturating_mul(u64::from(percent)) / 100 + RETRIES_FREE
    }

    fn begin(&self, began_at: u64, now: Instant) {
        let ours = self.began_at.compare_exchange(
            began_at,
            now.as_nanos(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if ours.is_ok() {
            self.requests.store(0, Ordering::Relaxed);
            self.taken.store(0, Ordering::Relaxed);
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// Retries that are allowed however few requests there were.
const RETRIES_FREE: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::default().plus(Duration::from_secs(seconds))
    }

    fn taken(retries: &Retries, percent: u32) -> usize {
        (0..200).filter(|_| retries.take(percent)).count()
    }

    #[test]
    fn p11_retries_stay_within_ten_and_a_tenth_of_requests() {
        let retries = Retries::default();
        for _ in 0..100 {
            retries.count_request(at(1));
        }
        assert_eq!(taken(&retries, 10), 20);
        assert!(!retries.has_one(10));
        assert!(retries.has_one(11), "asking takes none");
        assert!(retries.take(11));
        retries.count_request(at(59));
        assert!(!retries.has_one(10), "the minute is not over");
    }

    #[test]
    fn p11_seldom_requests_find_a_retry_each_however_long_a_target_is_down() {
        let retries = Retries::default();
        for request in 0..500 {
            retries.count_request(at(request * 20));
            assert!(retries.take(10), "request {request}");
        }
    }

    #[test]
    fn p11_hours_without_a_failure_save_up_no_retries() {
        let retries = Retries::default();
        for request in 0..36_000 {
            retries.count_request(at(request / 10));
        }
        // The last minute began at second 3,540 and saw ten requests a second.
        assert_eq!(taken(&retries, 10), 60 + 10);
    }
}
