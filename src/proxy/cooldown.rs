//! Targets that failed step behind the others for a while.
//!
//! A cool-down only changes the order in which a route's targets are tried: when nothing else is
//! left, the request is still sent. It is kept per provider and worker, grows with each failure in
//! a row and ends with the first success. A refused credential of ours counts as a failure of that
//! provider's credential, for as short a time.

/// The cool-downs of one worker, by provider index.
#[derive(Debug, Default)]
pub struct Cooldowns {
    until: Vec<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    until_ns: u64,
    failures: u32,
}

impl Cooldowns {
    /// No provider is cooling down.
    #[must_use]
    pub fn new(providers: usize) -> Self {
        Self {
            until: vec![State::default(); providers],
        }
    }

    /// Whether `provider` should be tried after the others at `now`.
    #[must_use]
    pub fn is_cooling(&self, provider: usize, now_ns: u64) -> bool {
        self.until
            .get(provider)
            .is_some_and(|state| state.until_ns > now_ns)
    }

    /// `provider` answered.
    pub fn succeeded(&mut self, provider: usize) {
        if let Some(state) = self.until.get_mut(provider) {
            *state = State::default();
        }
    }

    /// `provider` failed: it cools down for `base_ms`, doubled with each failure up to `max_ms`.
    pub fn failed(&mut self, provider: usize, now_ns: u64, base_ms: u64, max_ms: u64) {
        let Some(state) = self.until.get_mut(provider) else {
            return;
        };
        let factor = 1u64 << state.failures.min(20);
        let wait_ms = base_ms.saturating_mul(factor).min(max_ms);
        state.failures = state.failures.saturating_add(1);
        state.until_ns = now_ns.saturating_add(wait_ms.saturating_mul(1_000_000));
    }

    /// Puts the indices of `targets` that are cooling down behind the others, order kept.
    pub fn order(&self, targets: impl Iterator<Item = usize> + Clone, now_ns: u64) -> Vec<usize> {
        let cooling = |(_, provider): &(usize, usize)| self.is_cooling(*provider, now_ns);
        let indexed = targets.enumerate();
        let ready = indexed.clone().filter(|pair| !cooling(pair));
        ready
            .chain(indexed.filter(cooling))
            .map(|(index, _)| index)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cooling_targets_step_back_and_return() {
        let mut cooldowns = Cooldowns::new(3);
        cooldowns.failed(0, 0, 1_000, 60_000);
        assert_eq!(cooldowns.order([0, 1, 2].into_iter(), 1), [1, 2, 0]);
        assert_eq!(cooldowns.order([0, 0].into_iter(), 1), [0, 1]);
        assert_eq!(cooldowns.order([0, 1].into_iter(), 1_000_000_000), [0, 1]);
        cooldowns.failed(0, 1_000_000_000, 1_000, 60_000);
        assert!(cooldowns.is_cooling(0, 2_500_000_000));
        cooldowns.succeeded(0);
        assert!(!cooldowns.is_cooling(0, 2_500_000_000));
    }

    #[test]
    fn growth_stops_at_its_bound() {
        let mut cooldowns = Cooldowns::new(1);
        for _ in 0..200 {
            cooldowns.failed(0, 0, 1_000, 60_000);
        }
        assert!(cooldowns.is_cooling(0, 59_999_999_999));
        assert!(!cooldowns.is_cooling(0, 60_000_000_001));
    }
}
