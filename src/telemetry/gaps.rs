//! Every inter-token gap of one stream, in a fixed half KiB.
//!
//! A gap goes into one of 184 buckets, eight to an octave of microseconds, so a quantile read
//! back is at most 1/8 too high and never too low. None is sampled, none is lost: counts
//! saturate only past four billion.

/// The gaps of one stream. Boxed by its owner: a quiet stream pays one allocation.
#[derive(Clone, Debug)]
pub struct Gaps {
    counts: [u32; BUCKETS],
    total: u64,
    longest_us: u64,
}

impl Default for Gaps {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            total: 0,
            longest_us: 0,
        }
    }
}

impl Gaps {
    /// Records one gap.
    pub fn record(&mut self, gap_us: u64) {
        self.record_many(gap_us, 1);
    }

    /// Records `count` gaps of one length (deltas that arrived together have gaps of nought).
    pub fn record_many(&mut self, gap_us: u64, count: u32) {
        if count == 0 {
            return;
        }
        if let Some(slot) = self.counts.get_mut(bucket(gap_us)) {
            *slot = slot.saturating_add(count);
        }
        self.total += u64::from(count);
        self.longest_us = self.longest_us.max(gap_us);
    }

    /// Gaps recorded.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.total
    }

    /// The longest gap, exact.
    #[must_use]
    pub const fn max_us(&self) -> u64 {
        self.longest_us
    }

    /// Calls `sink` with each bucket that holds gaps: its upper edge and how many.
    pub fn for_each(&self, mut sink: impl FnMut(u64, u32)) {
        for (index, &count) in self
            .counts
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0)
        {
            sink(self.edge(index), count);
        }
    }

    /// The gap that `percent` of all gaps do not exceed.
    #[must_use]
    pub fn quantile_us(&self, percent: u64) -> u64 {
        let rank = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0u64;
        for (index, &count) in self.counts.iter().enumerate() {
            seen += u64::from(count);
            if seen >= rank {
                return self.edge(index);
            }
        }
        self.longest_us
    }

    /// The largest gap that a bucket may hold; the last one has no edge but the longest gap.
    fn edge(&self, index: usize) -> u64 {
        let edge = if index == BUCKETS - 1 {
            u64::MAX
        } else {
            upper_edge(index)
        };
        edge.min(self.longest_us)
    }
}

/// Values below 8 have a bucket each; above, eight buckets to an octave.
fn bucket(us: u64) -> usize {
    if us < 8 {
        return usize::try_from(us).unwrap_or(0);
    }
    let octave = us.ilog2();
    let step = usize::try_from(us >> (octave - 3) & 7).unwrap_or(0);
    ((octave as usize - 2) * 8 + step).min(BUCKETS - 1)
}

/// The largest value that falls into a bucket.
fn upper_edge(index: usize) -> u64 {
    if index < 8 {
        return index as u64;
    }
    let octave = index / 8 + 2;
    let step = (index % 8) as u64;
    (1 << octave) + ((step + 1) << (octave - 3)) - 1
}

/// Up to 2^25 µs, about 33 seconds; longer gaps share the last bucket and the exact maximum.
const BUCKETS: usize = 184;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_hold_their_bucket_and_the_next_value_does_not() {
        for index in 0..BUCKETS - 1 {
            assert_eq!(bucket(upper_edge(index)), index);
            assert_eq!(bucket(upper_edge(index) + 1), index + 1);
        }
    }

    #[test]
    fn quantiles_are_never_low_and_at_most_an_eighth_high() {
        let mut gaps = Gaps::default();
        for us in 1..=10_000 {
            gaps.record(us);
        }
        for (percent, exact) in [(50, 5_000), (99, 9_900), (100, 10_000)] {
            let read = gaps.quantile_us(percent);
            assert!(
                read >= exact && read <= exact + exact / 8,
                "{percent}: {read}"
            );
        }
        assert_eq!(gaps.count(), 10_000);
        assert_eq!(gaps.max_us(), 10_000);
    }

    #[test]
    fn gaps_that_arrived_together_count_as_nought() {
        let mut gaps = Gaps::default();
        gaps.record_many(0, 9);
        gaps.record(90_000_000);
        assert_eq!(gaps.quantile_us(50), 0);
        assert_eq!(gaps.quantile_us(100), 90_000_000);
    }
}
