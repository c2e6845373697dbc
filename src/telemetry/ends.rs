//! How exchanges and attempts ended, and how many did in which way.

use crate::telemetry::attempts::Attempt;
use crate::telemetry::exchange::{Operation, Outcome};

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeEnd {
    /// What was asked for.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// Status sent; nought when nothing was.
    pub status: u16,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptEnd {
    /// The provider, by the number that it has for good; none for all past the bound.
    pub provider: Option<usize>,
    /// Status that came back; nought when none did.
    pub status: u16,
    /// Why its answer was not the client's.
    pub fault: Option<&'static str>,
}

impl AttemptEnd {
    /// That of an attempt; none where nothing was asked.
    #[must_use]
    pub fn of(attempt: &Attempt, provider: Option<usize>) -> Option<Self> {
        (attempt.started_at > 0).then_some(Self {
            provider,
            status: attempt.status,
            fault: attempt.fault,
        })
    }
}

/// How many there were of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<K>(Vec<(K, u64)>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + PartialEq> Tally<K> {
    /// Counts one of a kind.
    pub fn count(&mut self, kind: K) {
        self.add(kind, 1);
    }

    /// Counts one of a kind, or of `other` where there are `most` kinds.
    pub fn count_within(&mut self, kind: K, other: K, most: usize) {
        let is_known = || self.0.iter().any(|(known, _)| *known == kind);
        let kind = if self.0.len() < most || is_known() {
            kind
        } else {
            other
        };
        self.add(kind, 1);
    }

    /// Adds another worker's.
    pub fn merge(&mut self, others: &Self) {
        others
            .iter()
            .for_each(|(kind, count)| self.add(kind, count));
    }

    /// Each kind with its count.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> {
        self.0.iter().copied()
    }

    fn add(&mut self, kind: K, count: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, sum)) => *sum += count,
            None => self.0.push((kind, count)),
        }
    }
}

/// Kinds of ends of attempts that one worker keeps apart: a provider may answer with any status.
pub const ATTEMPT_ENDS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::{ATTEMPT_ENDS_MAX, AttemptEnd, Tally};

    #[test]
    fn ends_past_the_bound_are_counted_as_other() {
        let mut tally = Tally::default();
        let end = |status| AttemptEnd {
            provider: Some(1),
            status,
            fault: None,
        };
        let most = u16::try_from(ATTEMPT_ENDS_MAX).unwrap();
        for status in (0..most + 2).chain([0]) {
            tally.count_within(end(status), AttemptEnd::default(), ATTEMPT_ENDS_MAX);
        }
        let count = |kind| {
            tally
                .iter()
                .find(|(known, _)| *known == kind)
                .map(|it| it.1)
        };
        assert_eq!(count(end(0)), Some(2), "what is known stays known");
        assert_eq!(count(end(most - 1)), Some(1));
        assert_eq!(
            (count(end(most)), count(AttemptEnd::default())),
            (None, Some(2))
        );
        assert_eq!(tally.iter().count(), ATTEMPT_ENDS_MAX + 1);
    }
}
