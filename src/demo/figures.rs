//! The numbers of one streamed answer, as its client sees them.

use core::time::Duration;
use std::time::Instant;

/// Taken while a stream is read.
#[derive(Clone, Debug)]
pub struct Figures {
    started: Instant,
    last: Option<Instant>,
    /// From the request to the first token.
    pub ttft: Option<Duration>,
    gaps: Vec<Duration>,
    /// Records with data.
    pub events: u64,
    /// Output tokens as told by usage.
    pub tokens: u64,
    /// CPU time of the gateway for one event.
    pub cpu_per_event: Option<Duration>,
}

impl Figures {
    /// A request leaves now.
    #[must_use]
    pub const fn start(now: Instant) -> Self {
        Self {
            started: now,
            last: None,
            ttft: None,
            gaps: Vec::new(),
            events: 0,
            tokens: 0,
            cpu_per_event: None,
        }
    }

    /// A token came.
    pub fn token(&mut self, now: Instant) {
        match self.last {
            None => self.ttft = Some(now.saturating_duration_since(self.started)),
            Some(_) if self.gaps.len() >= GAPS_MAX => {}
            Some(last) => self.gaps.push(now.saturating_duration_since(last)),
        }
        self.last = Some(now);
    }

    /// The gap between tokens that so many percent do not exceed.
    #[must_use]
    pub fn gap(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.gaps.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied()
    }
}

/// Gaps that are kept.
const GAPS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::time::Instant;

    use super::Figures;

    #[test]
    fn gaps_are_ranked_and_the_first_token_is_none() {
        let start = Instant::now();
        let mut figures = Figures::start(start);
        assert_eq!(figures.gap(50), None);
        let mut at = start + Duration::from_millis(7);
        figures.token(at);
        for gap in 1..=100 {
            at += Duration::from_millis(gap);
            figures.token(at);
        }
        assert_eq!(figures.ttft, Some(Duration::from_millis(7)));
        assert_eq!(figures.gap(50), Some(Duration::from_millis(50)));
        assert_eq!(figures.gap(99), Some(Duration::from_millis(99)));
    }
}
