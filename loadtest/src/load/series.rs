//! Gaps over time: a few percentiles for each stretch of a run, as many stretches as a plot can
//! show.

use hdrhistogram::Histogram;
use serde::Serialize;

/// One stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// When it began, milliseconds from the start.
    pub at_ms: u64,
    /// Values in it.
    pub count: u64,
    /// Half were at most this, nanoseconds.
    pub p50: u64,
    /// 99 of 100 were at most this.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

/// Stretches of a run.
#[derive(Clone, Debug)]
pub struct Series {
    points: Vec<Point>,
    current: Histogram<u64>,
    width_ms: u64,
    begun_ms: u64,
}

impl Series {
    /// Stretches such that a run of this length has `POINTS` of them.
    #[must_use]
    pub fn new(run_ms: u64) -> Self {
        Self {
            points: Vec::new(),
            current: Histogram::new_with_max(VALUE_MAX, 2)
                .expect("two digits up to an hour are legal"),
            width_ms: (run_ms / POINTS as u64).max(20),
            begun_ms: 0,
        }
    }

    /// Takes a value that came `at_ms` after the start. What comes after the last stretch is in it.
    pub fn record(&mut self, at_ms: u64, value: u64) {
        if at_ms >= self.begun_ms + self.width_ms && self.points.len() < POINTS {
            self.close();
            self.begun_ms = at_ms - at_ms % self.width_ms;
        }
        self.current.saturating_record(value);
    }

    fn close(&mut self) {
        if !self.current.is_empty() {
            self.points.push(self.point());
            self.current.reset();
        }
    }

    fn point(&self) -> Point {
        Point {
            at_ms: self.begun_ms,
            count: self.current.len(),
            p50: self.current.value_at_quantile(0.5),
            p99: self.current.value_at_quantile(0.99),
            max: self.current.max(),
        }
    }

    /// All of them, the last one included.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let last = (!self.current.is_empty()).then(|| self.point());
        self.points.iter().copied().chain(last).collect()
    }
}

/// Stretches of a run.
const POINTS: usize = 120;
/// An hour, in nanoseconds.
const VALUE_MAX: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use super::{POINTS, Series};

    #[test]
    fn values_fall_into_the_stretch_in_which_they_came() {
        let mut series = Series::new(120 * 50);
        for (at, value) in [(0, 10), (49, 30), (50, 20), (170, 5)] {
            series.record(at, value);
        }
        let points = series.points();
        let told: Vec<_> = points.iter().map(|p| (p.at_ms, p.count, p.max)).collect();
        assert_eq!(told, [(0, 2, 30), (50, 1, 20), (150, 1, 5)]);
    }

    #[test]
    fn series_holds_no_more_than_its_bound_however_long_the_run() {
        let mut series = Series::new(0);
        for at in 0..100_000 {
            series.record(at, 1);
        }
        let points = series.points();
        assert_eq!(points.len(), POINTS + 1);
        assert_eq!(points.iter().map(|point| point.count).sum::<u64>(), 100_000);
    }
}
