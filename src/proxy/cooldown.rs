//! Targets that failed step behind the others for a while.
//!
//! A cool-down only changes the order in which a route's targets are tried: when nothing else is
//! left, the request is still sent. It is kept per worker, grows with each failure in a row and
//! ends with the first answer that was good: a whole one, the first content of a stream. What fails
//! while the target is cooling down already belongs to the same failure and adds nothing to it. What
//! a model does (429, 5xx, silence) is kept for that target alone; what falls on every model of a
//! provider, no connection or a refused credential of ours, for the provider, for as short a time.

use crate::limits::Limits;
use crate::route::target::Target;

/// What a failure fell on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One model at one provider.
    Target,
    /// The way to a provider, or its credential: every model there.
    Provider,
}

/// A target as cool-downs know it.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    provider: usize,
    number: Option<usize>,
}

impl Slot {
    /// Where `target` is kept.
    #[must_use]
    pub const fn of(target: &Target) -> Self {
        Self {
            provider: target.provider,
            number: target.number,
        }
    }
}

/// The cool-downs of one worker.
#[derive(Debug, Default)]
pub struct Cooldowns {
    providers: Vec<State>,
    targets: Vec<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    until_ns: u64,
    failures: u32,
}

impl State {
    fn fail(&mut self, now_ns: u64, limits: &Limits) {
        if now_ns < self.until_ns {
            return;
        }
        let factor = 1u64 << self.failures.min(20);
        let wait_ms = limits
            .cooldown_ms
            .saturating_mul(factor)
            .min(limits.cooldown_max_ms);
        self.failures = self.failures.saturating_add(1);
        self.until_ns = now_ns.saturating_add(wait_ms.saturating_mul(1_000_000));
    }
}

impl Cooldowns {
    /// Nothing is cooling down, of so many providers and targets.
    #[must_use]
    pub fn new(providers: usize, targets: usize) -> Self {
        Self {
            providers: vec![State::default(); providers],
            targets: vec![State::default(); targets],
        }
    }

    /// Whether `target` should be tried after the others at `now_ns`.
    #[must_use]
    pub fn is_cooling(&self, target: &Target, now_ns: u64) -> bool {
        let own = target.number.and_then(|number| self.targets.get(number));
        let states = [self.providers.get(target.provider), own];
        states
            .into_iter()
            .flatten()
            .any(|state| state.until_ns > now_ns)
    }

    /// The target gave a good answer.
    pub fn succeeded(&mut self, slot: Slot) {
        for scope in [Scope::Target, Scope::Provider] {
            if let Some(state) = self.state(slot, scope) {
                *state = State::default();
            }
        }
    }

    /// The target failed: it cools down for `cooldown_ms`, doubled with each failure up to
    /// `cooldown_max_ms`, and where the failure fell on its provider, all of that does.
    pub fn failed(&mut self, slot: Slot, scope: Scope, now_ns: u64, limits: &Limits) {
        if let Some(state) = self.state(slot, scope) {
            state.fail(now_ns, limits);
        }
    }

    /// The places of `targets`, those that are cooling down behind the others, order kept.
    #[must_use]
    pub fn order(&self, targets: &[Target], now_ns: u64) -> Vec<usize> {
        let cooling = |(_, target): &(usize, &Target)| self.is_cooling(target, now_ns);
        let places = targets.iter().enumerate();
        let ready = places.clone().filter(|place| !cooling(place));
        ready
            .chain(places.filter(cooling))
            .map(|(place, _)| place)
            .collect()
    }

    fn state(&mut self, slot: Slot, scope: Scope) -> Option<&mut State> {
        match scope {
            Scope::Target => self.targets.get_mut(slot.number?),
            Scope::Provider => self.providers.get_mut(slot.provider),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Targets of these providers, numbered in order.
    fn targets(providers: &[usize]) -> Vec<Target> {
        let numbered = providers.iter().enumerate().map(|(number, &provider)| {
            let mut target = Target::new(provider, "m");
            target.number = Some(number);
            target
        });
        numbered.collect()
    }

    fn limits() -> Limits {
        Limits {
            cooldown_ms: 1_000,
            cooldown_max_ms: 60_000,
            ..Limits::default()
        }
    }

    #[test]
    fn cooling_targets_step_back_and_return() {
        let all = targets(&[0, 1, 2]);
        let mut cooldowns = Cooldowns::new(3, 3);
        cooldowns.failed(Slot::of(&all[0]), Scope::Target, 0, &limits());
        assert_eq!(cooldowns.order(&all, 1), [1, 2, 0]);
        assert_eq!(cooldowns.order(&all, 999_999_999), [1, 2, 0]);
        assert_eq!(cooldowns.order(&all, 1_000_000_000), [0, 1, 2]);
        cooldowns.failed(Slot::of(&all[0]), Scope::Target, 1_000_000_000, &limits());
        assert!(cooldowns.is_cooling(&all[0], 2_500_000_000));
        cooldowns.succeeded(Slot::of(&all[0]));
        assert!(!cooldowns.is_cooling(&all[0], 2_500_000_000));
    }

    #[test]
    fn a_models_failure_leaves_the_providers_other_models_in_place() {
        let all = targets(&[0, 0, 1]);
        let mut cooldowns = Cooldowns::new(2, 3);
        cooldowns.failed(Slot::of(&all[0]), Scope::Target, 0, &limits());
        assert_eq!(cooldowns.order(&all, 1), [1, 2, 0]);
    }

    #[test]
    fn a_providers_failure_moves_all_its_models_back_until_one_of_them_answers() {
        let all = targets(&[0, 0, 1]);
        let mut cooldowns = Cooldowns::new(2, 3);
        cooldowns.failed(Slot::of(&all[0]), Scope::Provider, 0, &limits());
        assert_eq!(cooldowns.order(&all, 1), [2, 0, 1]);
        cooldowns.succeeded(Slot::of(&all[1]));
        assert_eq!(cooldowns.order(&all, 1), [0, 1, 2]);
    }

    #[test]
    fn a_target_that_a_clients_id_made_is_remembered_by_its_provider_alone() {
        let made = Target::new(0, "m");
        let mut cooldowns = Cooldowns::new(1, 1);
        cooldowns.failed(Slot::of(&made), Scope::Target, 0, &limits());
        assert!(!cooldowns.is_cooling(&made, 1));
        cooldowns.failed(Slot::of(&made), Scope::Provider, 0, &limits());
        assert!(cooldowns.is_cooling(&made, 1));
    }

    #[test]
    fn growth_stops_at_its_bound() {
        let all = targets(&[0]);
        let mut cooldowns = Cooldowns::new(1, 1);
        let mut now = 0;
        for _ in 0..200 {
            cooldowns.failed(Slot::of(&all[0]), Scope::Target, now, &limits());
            now += 60_000_000_000;
        }
        assert!(cooldowns.is_cooling(&all[0], now - 1));
        assert!(!cooldowns.is_cooling(&all[0], now));
    }

    #[test]
    fn failures_while_cooling_down_are_one_failure() {
        let all = targets(&[0]);
        let mut cooldowns = Cooldowns::new(1, 1);
        for now in [0, 0, 1, 500_000_000, 999_999_999] {
            cooldowns.failed(Slot::of(&all[0]), Scope::Target, now, &limits());
        }
        assert!(!cooldowns.is_cooling(&all[0], 1_000_000_000));
        // The first one after that doubles.
        cooldowns.failed(Slot::of(&all[0]), Scope::Target, 1_000_000_000, &limits());
        assert!(cooldowns.is_cooling(&all[0], 2_999_999_999));
        assert!(!cooldowns.is_cooling(&all[0], 3_000_000_000));
    }
}
