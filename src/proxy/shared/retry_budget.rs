//! How often the process may try again: one budget for each tenant and each list of targets, so that a
//! failing provider uses up nobody's retries but those of the requests that it was asked by.
//!
//! A budget is filled by answers that succeed: each adds a share of a retry. Below that lies a floor: ten
//! retries a minute, or as many as requests of the budget were under way together in that minute. So a
//! provider that drops all its connections at once costs no request that a healthy target can answer,
//! while those who ask again and again find a retry for each that was under way, and no more. Hours
//! without a failure save up nothing: a minute begins with the first request after the last one has
//! ended. What one thread counts while another begins a minute may be lost with the minute before.
//!
//! The budgets are a table of fixed size. Two may fall on one place of it and share that budget.

use core::hash::{Hash, Hasher};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::hash::DefaultHasher;

use crate::net::runtime::clock::Instant;

/// The budgets of the process.
#[derive(Debug)]
pub struct Retries {
    budgets: Box<[Budget]>,
}

/// One tenant's budget for one list of targets. Retries are counted in hundredths.
#[derive(Debug, Default)]
pub struct Budget {
    /// When this minute began.
    began_at: AtomicU64,
    /// Requests that have begun and not ended.
    under_way: AtomicU64,
    /// The most of them at one time in this minute.
    under_way_most: AtomicU64,
    /// What successes have added in this minute.
    earned: AtomicU64,
    /// What retries have taken in this minute.
    taken: AtomicU64,
}

/// A request under way; it ends when this is dropped.
#[derive(Debug)]
pub struct UnderWay<'b> {
    budget: &'b Budget,
    percent: u64,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            budgets: (0..BUDGETS).map(|_| Budget::default()).collect(),
        }
    }
}

impl Retries {
    /// The budget of a tenant for a list of targets, by whatever tells them from others.
    #[must_use]
    pub fn of(&self, tenant: usize, targets: impl Iterator<Item = impl Hash>) -> &Budget {
        let mut hasher = DefaultHasher::new();
        tenant.hash(&mut hasher);
        targets.for_each(|target| target.hash(&mut hasher));
        let count = self.budgets.len() as u64;
        let at = usize::try_from(hasher.finish() % count).unwrap_or(0);
        &self.budgets[at]
    }
}

impl Budget {
    /// A request begins `now`, and each success adds `percent` of a retry.
    pub fn begin(&self, now: Instant, percent: u32) -> UnderWay<'_> {
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        let began_at = self.began_at.load(Ordering::Relaxed);
        if now.since(Instant::from_nanos(began_at)) >= MINUTE {
            self.begin_minute(began_at, now);
        }
        self.under_way_most.fetch_max(under_way, Ordering::Relaxed);
        UnderWay {
            budget: self,
            percent: u64::from(percent),
        }
    }

    fn begin_minute(&self, began_at: u64, now: Instant) {
        let ours = self.began_at.compare_exchange(
            began_at,
            now.as_nanos(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if ours.is_ok() {
            self.under_way_most.store(0, Ordering::Relaxed);
            self.earned.store(0, Ordering::Relaxed);
            self.taken.store(0, Ordering::Relaxed);
        }
    }

    /// What all retries of the minute may take together.
    fn most(&self) -> u64 {
        let under_way = self.under_way_most.load(Ordering::Relaxed);
        under_way.max(RETRIES_FREE) * RETRY + self.earned.load(Ordering::Relaxed)
    }
}

impl UnderWay<'_> {
    /// Takes one retry, if one is left.
    pub fn take(&self) -> bool {
        let most = self.budget.most();
        let more = |taken| (taken + RETRY <= most).then_some(taken + RETRY);
        let taken = &self.budget.taken;
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// Whether a retry is left, none being taken.
    #[must_use]
    pub fn has_one(&self) -> bool {
        self.budget.taken.load(Ordering::Relaxed) + RETRY <= self.budget.most()
    }

    /// The request was answered by a success.
    pub fn succeeded(&self) {
        self.budget
            .earned
            .fetch_add(self.percent, Ordering::Relaxed);
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.budget.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// Retries that are allowed in a minute however few requests there are.
const RETRIES_FREE: u64 = 10;
/// One retry, in hundredths.
const RETRY: u64 = 100;
/// Places in the table.
const BUDGETS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::default().plus(Duration::from_secs(seconds))
    }

    /// How many retries a request finds.
    fn taken(budget: &Budget, second: u64, percent: u32) -> usize {
        let request = budget.begin(at(second), percent);
        (0..2_000).filter(|_| request.take()).count()
    }

    fn succeed(budget: &Budget, second: u64, count: usize) {
        for _ in 0..count {
            budget.begin(at(second), 10).succeeded();
        }
    }

    #[test]
    fn p11_retries_stay_within_ten_and_a_tenth_of_successes() {
        let budget = Budget::default();
        succeed(&budget, 100, 100);
        assert_eq!(taken(&budget, 100, 10), 20);
        let request = budget.begin(at(159), 10);
        assert!(!request.has_one(), "the minute is not over");
        request.succeeded();
        assert!(!request.has_one() && !request.take(), "a tenth is no retry");
        succeed(&budget, 159, 9);
        assert!(request.has_one(), "asking takes none");
        assert!(request.take() && !request.take());
        assert_eq!(taken(&budget, 160, 10), 10, "the minute is over");
    }

    #[test]
    fn p11_every_request_under_way_finds_one_retry_and_the_next_ones_none() {
        for count in [9, 10, 11, 500] {
            let budget = Budget::default();
            let mut requests: Vec<_> = (0..count).map(|_| budget.begin(at(100), 10)).collect();
            // One after the other fails, asks again and ends.
            while let Some(request) = requests.pop() {
                assert!(request.take(), "{} of {count} left", requests.len());
            }
            let left = 10_usize.saturating_sub(count);
            assert_eq!(taken(&budget, 101, 10), left, "{count}");
        }
    }

    #[test]
    fn p11_two_thousand_requests_that_all_fail_make_no_storm() {
        let budget = Budget::default();
        let mut retries = 0;
        for _ in 0..(2_000 / 64) {
            let requests: Vec<_> = (0..64).map(|_| budget.begin(at(100), 10)).collect();
            retries += requests.iter().filter(|request| request.take()).count();
        }
        assert_eq!(retries, 64);
    }

    #[test]
    fn p11_requests_that_last_longer_than_a_minute_stay_covered() {
        let budget = Budget::default();
        let long: Vec<_> = (0..50).map(|_| budget.begin(at(100), 10)).collect();
        drop(budget.begin(at(200), 10));
        assert!(long.iter().all(UnderWay::take));
    }

    #[test]
    fn p11_seldom_requests_find_a_retry_each_however_long_a_target_is_down() {
        let budget = Budget::default();
        for request in 0..500 {
            assert!(budget.begin(at(60 + request * 20), 10).take(), "{request}");
        }
    }

    #[test]
    fn p11_hours_without_a_failure_save_up_no_retries() {
        let budget = Budget::default();
        for request in 0..36_000 {
            succeed(&budget, 60 + request / 10, 1);
        }
        // The last minute began at second 3,600 and saw ten successes a second.
        assert_eq!(taken(&budget, 3_659, 10), 60 + 10);
    }

    #[test]
    fn p11_tenants_and_lists_of_targets_have_budgets_of_their_own() {
        let retries = Retries::default();
        let lists = [["a", "b"], ["a", "c"], ["b", "a"]];
        let of = |tenant, list: &[&'static str; 2]| retries.of(tenant, list.iter());
        assert_eq!(taken(of(0, &lists[0]), 100, 10), 10);
        for (tenant, list) in [(1, &lists[0]), (0, &lists[1]), (0, &lists[2])] {
            assert_eq!(taken(of(tenant, list), 100, 10), 10, "{tenant} {list:?}");
        }
        assert_eq!(taken(of(0, &lists[0]), 100, 10), 0);
    }
}
