//! What a round brought: counts, and histograms in nanoseconds. Never a mean alone.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::series::Series;

/// All that is recorded of one target in one round, or of all its rounds together.
#[derive(Clone, Debug)]
pub struct Figures {
    /// From the moment a request was due to the last byte of its answer.
    pub latency: Histogram<u64>,
    /// From the same moment to the first delta.
    pub ttft: Histogram<u64>,
    /// Between two deltas of a stream, each.
    pub gap: Histogram<u64>,
    /// From the moment the provider sent a delta to the moment it was read here.
    pub relay: Histogram<u64>,
    /// Gaps over the time of the run.
    pub gaps: Series,
    /// Answers that were whole within the window.
    pub done: u64,
    /// Deltas within the window.
    pub tokens: u64,
    /// Streams that were cut because the window ended.
    pub cut: u64,
    /// Answers that were not as they should be.
    pub wrong: u64,
    /// The first of them.
    pub first_wrong: Option<String>,
}

/// Percentiles of a histogram, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Values in all.
    pub count: u64,
    /// Half are at most this.
    pub p50: u64,
    /// 90 of 100.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 999 of 1,000.
    pub p999: u64,
    /// The largest.
    pub max: u64,
}

impl Figures {
    /// Empty ones, for a run of this length.
    #[must_use]
    pub fn new(run_ms: u64) -> Self {
        Self {
            latency: histogram(),
            ttft: histogram(),
            gap: histogram(),
            relay: histogram(),
            gaps: Series::new(run_ms),
            done: 0,
            tokens: 0,
            cut: 0,
            wrong: 0,
            first_wrong: None,
        }
    }

    /// Counts an answer that was wrong, and keeps the first one's words.
    pub fn fail(&mut self, why: String) {
        self.wrong += 1;
        self.first_wrong.get_or_insert(why);
    }

    /// Adds those of another round. Gaps over time stay those of the first that has any.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.latency, &other.latency),
            (&mut self.ttft, &other.ttft),
            (&mut self.gap, &other.gap),
            (&mut self.relay, &other.relay),
        ];
        for (own, other) in pairs {
            own.add(other).expect("all histograms have one range");
        }
        if self.gaps.points().is_empty() {
            self.gaps = other.gaps.clone();
        }
        self.done += other.done;
        self.tokens += other.tokens;
        self.cut += other.cut;
        self.wrong += other.wrong;
        if self.first_wrong.is_none() {
            self.first_wrong.clone_from(&other.first_wrong);
        }
    }
}

/// A histogram of nanoseconds up to an hour, three digits exact; 300 KB at most.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(VALUE_MAX, 3).expect("three digits up to an hour are legal")
}

/// The percentiles of a histogram.
#[must_use]
pub fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    Percentiles {
        count: histogram.len(),
        p50: histogram.value_at_quantile(0.5),
        p90: histogram.value_at_quantile(0.9),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
    }
}

/// The middle of some values; not a number where there are none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    match sorted.len().is_multiple_of(2) {
        true if middle > 0 => {
            f64::midpoint(sorted.get(middle - 1).copied().unwrap_or(upper), upper)
        }
        _ => upper,
    }
}

const VALUE_MAX: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use super::{Figures, VALUE_MAX, histogram, median, percentiles};

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut values = histogram();
        for value in 1..=10_000 {
            values.record(value * 1000).unwrap();
        }
        let told = percentiles(&values);
        assert_eq!(told.count, 10_000);
        let near = |told: u64, exact: u64| told.abs_diff(exact) <= exact / 1000;
        for (told, exact) in [
            (told.p50, 5_000_000),
            (told.p90, 9_000_000),
            (told.p99, 9_900_000),
            (told.p999, 9_990_000),
            (told.max, 10_000_000),
        ] {
            assert!(near(told, exact), "{told} {exact}");
        }
    }

    #[test]
    fn nothing_recorded_is_nothing_told() {
        assert_eq!(percentiles(&histogram()).max, 0);
    }

    #[test]
    fn value_past_the_range_counts_as_the_largest() {
        let mut values = histogram();
        values.saturating_record(u64::MAX);
        assert!(percentiles(&values).max >= VALUE_MAX);
        assert_eq!(values.len(), 1);
    }

    #[test]
    fn rounds_add_up() {
        let mut sum = Figures::new(100);
        let mut one = Figures::new(100);
        one.latency.record(5).unwrap();
        one.done = 1;
        one.fail("first".to_owned());
        one.fail("second".to_owned());
        sum.add(&one);
        sum.add(&one);
        assert_eq!((sum.done, sum.wrong, sum.latency.len()), (2, 4, 2));
        assert_eq!(sum.first_wrong.as_deref(), Some("first"));
    }

    #[test]
    fn median_of_odd_and_even_counts() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }
}
