//! The time that budgets, windows and expiry follow: the wall clock, as long as it goes on as the monotonic
//! clock does and agrees with a reference, the clock of the store or of Redis.
//!
//! A jump is a difference of more than [`JUMP_MS`]. With these the time is decided, once a second:
//!
//! | reference | local wall clock | the time |
//! |---|---|---|
//! | goes on steadily | whatever it says | that of the reference |
//! | has jumped | says the same | that of both: the machine slept |
//! | has jumped | does not | goes on, and follows the reference after [`HOLD_MS`] |
//! | none | goes on steadily | that of the wall clock |
//! | none | has jumped | goes on, and follows the wall clock after [`HOLD_MS`] |
//!
//! The first word of a reference is believed.

/// What the time rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckedClock {
    /// Milliseconds since 1970 at the monotonic clock's beginning.
    base: i64,
    /// The same by the reference, and when it said so, by the monotonic clock.
    reference: Option<(i64, u64)>,
    /// A reference has been heard.
    is_referred: bool,
    /// Since when the time has not been that of the clock that it follows.
    held_since: Option<u64>,
    /// That clocks differ was reported.
    is_told: bool,
    jumps: u64,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// Clocks differ now from the time that is followed; milliseconds by which they are ahead.
    Differ {
        /// The local wall clock.
        local: i64,
        /// The reference.
        reference: Option<i64>,
    },
    /// They agree again.
    Agree,
}

impl CheckedClock {
    /// The time begins with what the wall clock says.
    #[must_use]
    pub fn new(mono_ms: u64, wall_ms: u64) -> Self {
        Self {
            base: between(mono_ms, wall_ms),
            ..Self::default()
        }
    }

    /// Milliseconds since 1970 at the monotonic clock's beginning.
    #[must_use]
    pub const fn base(&self) -> i64 {
        self.base
    }

    /// How often clocks have begun to differ.
    #[must_use]
    pub const fn jumps(&self) -> u64 {
        self.jumps
    }

    /// Notes what a reference says.
    pub fn refer(&mut self, mono_ms: u64, unix_ms: u64) {
        self.reference = Some((between(mono_ms, unix_ms), mono_ms));
    }

    /// Decides what the time is; gives what is to be reported.
    pub fn check(&mut self, mono_ms: u64, wall_ms: u64) -> Option<ClockChange> {
        let wall = between(mono_ms, wall_ms);
        let fresh = |&(_, said): &(i64, u64)| mono_ms.saturating_sub(said) <= FRESH_MS;
        let reference = self.reference.filter(fresh).map(|(base, _)| base);
        let followed = reference.unwrap_or(wall);
        let is_first = reference.is_some() && !self.is_referred;
        self.is_referred |= is_first;
        let is_agreed = reference.is_some_and(|it| !differ(it, wall));
        let since = *self.held_since.get_or_insert(mono_ms);
        let is_over = mono_ms.saturating_sub(since) >= HOLD_MS;
        let before = self.base;
        if !differ(followed, self.base) || is_first || is_agreed || is_over {
            self.base = followed;
            self.held_since = None;
        }
        // A jump that is followed at once is reported too.
        let has_moved = differ(self.base, before);
        let is_off = differ(wall, self.base) || reference.is_some_and(|it| differ(it, self.base));
        if has_moved || is_off && !self.is_told {
            self.jumps += 1;
            self.is_told = is_off;
            let ahead = |it: i64| it.saturating_sub(if has_moved { before } else { self.base });
            return Some(ClockChange::Differ {
                local: ahead(wall),
                reference: reference.map(ahead),
            });
        }
        let agrees = self.is_told && !is_off;
        self.is_told &= is_off;
        agrees.then_some(ClockChange::Agree)
    }
}

fn between(mono_ms: u64, unix_ms: u64) -> i64 {
    let number = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
    number(unix_ms).saturating_sub(number(mono_ms))
}

const fn differ(one: i64, other: i64) -> bool {
    one.abs_diff(other) > JUMP_MS
}

/// The largest difference that is no jump.
pub const JUMP_MS: u64 = 60_000;
/// After this time a jump is followed that no other clock confirms.
pub const HOLD_MS: u64 = 3_600_000;
/// A reference that has said nothing for longer counts no more.
const FRESH_MS: u64 = 15_000;

#[cfg(test)]
mod tests {
    use super::{CheckedClock, ClockChange, HOLD_MS, JUMP_MS};

    const START: u64 = 1_700_000_000_000;
    const DAY: u64 = 86_400_000;

    /// A second after the other: what the wall clock and the reference are ahead, and the time then.
    fn steps(said: &[(u64, i64, Option<i64>)]) -> Vec<(i64, Option<ClockChange>)> {
        let mut checked = CheckedClock::new(0, START);
        let step = |&(mono, wall, reference): &(u64, i64, Option<i64>)| {
            let at = |ahead: i64| (START + mono).checked_add_signed(ahead).unwrap();
            if let Some(reference) = reference {
                checked.refer(mono, at(reference));
            }
            let change = checked.check(mono, at(wall));
            (checked.base() - i64::try_from(START).unwrap(), change)
        };
        said.iter().map(step).collect()
    }

    fn differ(local: i64, reference: Option<i64>) -> Option<ClockChange> {
        Some(ClockChange::Differ { local, reference })
    }

    #[test]
    fn a_wall_clock_that_jumps_and_comes_back_moves_nothing_and_is_told_once() {
        let day = i64::try_from(DAY).unwrap();
        for jump in [day, -day, 30 * day, 3_600_000] {
            let told = steps(&[
                (1_000, 5, None),
                (2_000, jump, None),
                (3_000, jump, None),
                (1_000 + HOLD_MS, jump, None),
                (1_500 + HOLD_MS, 7, None),
            ]);
            let expected = [
                (5, None),
                (5, differ(jump - 5, None)),
                (5, None),
                (5, None),
                (7, Some(ClockChange::Agree)),
            ];
            assert_eq!(told, expected, "{jump}");
        }
    }

    #[test]
    fn a_jump_that_stands_is_followed_after_an_hour() {
        let jump = -7_200_000;
        let told = steps(&[
            (1_000, jump, None),
            (999 + HOLD_MS, jump, None),
            (1_000 + HOLD_MS, jump, None),
            (2_000 + HOLD_MS, jump, None),
        ]);
        let bases: Vec<_> = told.iter().map(|it| it.0).collect();
        assert_eq!(bases, [0, 0, jump, jump]);
        assert_eq!(told[3].1, None);
    }

    #[test]
    fn a_jump_begins_past_its_bound() {
        let most = i64::try_from(JUMP_MS).unwrap();
        let told = steps(&[(1_000, most, None), (2_000, 2 * most + 1, None)]);
        assert_eq!(told, [(most, None), (most, differ(most + 1, None))]);
    }

    #[test]
    fn a_reference_outranks_the_wall_clock_and_not_the_two_others_together() {
        let day = i64::try_from(DAY).unwrap();
        let told = steps(&[
            // Its first word is believed.
            (1_000, day, Some(0)),
            (2_000, 0, Some(3)),
            // The wall clock jumps.
            (3_000, day, Some(3)),
            (4_000, 3, Some(3)),
            // The reference does.
            (5_000, 3, Some(day)),
            (6_000, 3, Some(3)),
            // Both do.
            (7_000, day, Some(day)),
            (8_000, day, Some(day)),
        ]);
        let expected = [
            (0, differ(day, Some(0))),
            (3, Some(ClockChange::Agree)),
            (3, differ(day - 3, Some(0))),
            (3, Some(ClockChange::Agree)),
            (3, differ(0, Some(day - 3))),
            (3, Some(ClockChange::Agree)),
            (day, differ(day - 3, Some(day - 3))),
            (day, None),
        ];
        assert_eq!(told, expected);
    }
}
