//! A histogram as Prometheus reads it: how many values did not exceed each of a few fixed edges.
//!
//! Counts are exact. A histogram is one size for good and lies within its owner: one that grew while
//! the gateway was busy would hold on to the memory around it when all else has been given back.

/// The upper edges of buckets, ascending: the value in our unit, and how it is printed.
type Edges = &'static [(u64, &'static str)];

/// Values of one kind, counted by bucket.
#[derive(Clone, Debug)]
pub struct Values {
    edges: Edges,
    /// How many came into each bucket; behind those of `edges`, what exceeds them all.
    counts: [u64; EDGES_MAX + 1],
    sum: u64,
}

impl Values {
    /// Microseconds, from ten on.
    #[must_use]
    pub const fn short() -> Self {
        Self::of(SHORT)
    }

    /// Microseconds, from a millisecond on.
    #[must_use]
    pub const fn long() -> Self {
        Self::of(LONG)
    }

    /// Tokens.
    #[must_use]
    pub const fn tokens() -> Self {
        Self::of(TOKENS)
    }

    const fn of(edges: Edges) -> Self {
        assert!(edges.len() <= EDGES_MAX);
        Self {
            edges,
            counts: [0; EDGES_MAX + 1],
            sum: 0,
        }
    }

    /// Records one value.
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Records a value `count` times.
    pub fn record_many(&mut self, value: u64, count: u64) {
        let bucket = self.edges.partition_point(|&(edge, _)| edge < value);
        if let Some(held) = self.counts.get_mut(bucket) {
            *held = held.saturating_add(count);
        }
        self.sum = self.sum.saturating_add(value.saturating_mul(count));
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }

    /// The sum of all values, exact.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// Each edge as it is printed, and how many values do not exceed it.
    pub fn up_to_edges(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let buckets = self.edges.iter().zip(&self.counts);
        buckets.scan(0, |sum: &mut u64, (&(_, text), count)| {
            *sum = sum.saturating_add(*count);
            Some((text, *sum))
        })
    }

    /// Adds values of the same kind.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Most edges of a kind.
const EDGES_MAX: usize = SHORT.len();

/// Microseconds; the conventions' own edges, with finer ones below for gaps and overhead.
const SHORT: Edges = &[
    (10, "0.00001"),
    (30, "0.00003"),
    (100, "0.0001"),
    (300, "0.0003"),
    (1_000, "0.001"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (20_000, "0.02"),
    (40_000, "0.04"),
    (80_000, "0.08"),
    (160_000, "0.16"),
    (320_000, "0.32"),
    (640_000, "0.64"),
    (1_280_000, "1.28"),
    (2_560_000, "2.56"),
    (5_120_000, "5.12"),
    (10_240_000, "10.24"),
    (20_480_000, "20.48"),
    (40_960_000, "40.96"),
    (81_920_000, "81.92"),
];
/// The same from a millisecond on: no answer of a model is faster.
const LONG: Edges = SHORT.split_at(4).1;
const TOKENS: Edges = &[
    (1, "1"),
    (4, "4"),
    (16, "16"),
    (64, "64"),
    (256, "256"),
    (1_024, "1024"),
    (4_096, "4096"),
    (16_384, "16384"),
    (65_536, "65536"),
    (262_144, "262144"),
    (1_048_576, "1048576"),
    (4_194_304, "4194304"),
    (16_777_216, "16777216"),
    (67_108_864, "67108864"),
];

#[cfg(test)]
mod tests {
    use super::{EDGES_MAX, Edges, LONG, SHORT, TOKENS, Values};

    const KINDS: [Edges; 3] = [SHORT, LONG, TOKENS];

    /// What a twin that keeps every value would say.
    fn twin(edges: Edges, values: &[u64]) -> Vec<(&'static str, u64)> {
        let up_to = |edge| values.iter().filter(|&&value| value <= edge).count() as u64;
        edges
            .iter()
            .map(|&(edge, text)| (text, up_to(edge)))
            .collect()
    }

    #[test]
    fn counts_are_exact_on_both_sides_of_every_edge() {
        for edges in KINDS {
            assert!(edges.is_sorted_by_key(|&(edge, _)| edge) && edges.len() <= EDGES_MAX);
            let around = edges
                .iter()
                .flat_map(|&(edge, _)| [edge - 1, edge, edge + 1]);
            let values: Vec<u64> = around.chain([0, 1 << 60]).collect();
            let mut held = Values::of(edges);
            assert!(held.is_empty());
            values.iter().for_each(|&value| held.record(value));
            let told: Vec<_> = held.up_to_edges().collect();
            assert_eq!(told, twin(edges, &values));
            assert_eq!(held.count(), values.len() as u64);
            assert_eq!(held.sum(), values.iter().sum::<u64>());
        }
    }

    #[test]
    fn edges_are_printed_as_what_they_are() {
        for (edges, unit) in KINDS.into_iter().zip([1e6, 1e6, 1.0]) {
            for &(edge, text) in edges {
                let read: f64 = text.parse().unwrap();
                assert!((read * unit - edge as f64).abs() < 1e-6, "{text}");
            }
        }
    }

    #[test]
    fn added_values_and_repeated_ones_count_as_if_each_had_been_recorded() {
        let (mut one, mut two) = (Values::short(), Values::short());
        one.record_many(30, 3);
        two.record(31);
        two.record_many(u64::MAX, 2);
        one.add(&two);
        let told: Vec<_> = one.up_to_edges().map(|(_, count)| count).collect();
        assert_eq!((told[1], told[2], told[EDGES_MAX - 1]), (3, 4, 4));
        assert_eq!((one.count(), one.sum()), (6, u64::MAX));
    }
}
