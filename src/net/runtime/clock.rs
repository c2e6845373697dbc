//! The clock: the one caller of the system's two clocks.
//!
//! [`Instant`] is the monotonic one, a number that can be passed on and compared; timers and all
//! measuring use it. The wall clock is for records only, and may jump.
//!
//! Budgets, windows and expiry follow [`checked_ms`], which does not jump, see [`crate::net::runtime::checked_time`].
//!
//! Read it once per turn and pass it on: a reading costs 34 to 115 ns.

use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::net::runtime::checked_time::{CheckedClock, ClockChange};
use crate::net::sim::world;

/// A point of monotonic time: nanoseconds since the first reading of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The time that passed from `earlier` to this, or zero if it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whole milliseconds that passed since `earlier`.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / NANOS_PER_MS
    }

    /// This point, `ms` milliseconds on; the far future if that is out of range.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(NANOS_PER_MS)))
    }

    /// This point, `duration` on; the far future if that is out of range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds since the first reading of the process.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The point that lies `nanos` nanoseconds after the first reading of the process.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Milliseconds since 1970: those of the wall clock at the first call, and what has passed since.
    /// Later points never have less, whatever the wall clock is set to meanwhile.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        static BASE: OnceLock<u64> = OnceLock::new();
        if world::current().is_some() {
            return SIM_UNIX_MS + self.0 / NANOS_PER_MS;
        }
        let base = *BASE.get_or_init(|| unix_millis().saturating_sub(now().0 / NANOS_PER_MS));
        base.saturating_add(self.0 / NANOS_PER_MS)
    }

    /// The same point for the runtime's timers. Points further than a year on become one year on:
    /// the timer wheel refuses what lies past two.
    pub(in crate::net) fn to_runtime(self) -> monoio::time::Instant {
        let nanos = self.0.min(now().0.saturating_add(NANOS_PER_YEAR));
        monoio::time::Instant::from_std(base() + Duration::from_nanos(nanos))
    }
}

/// The time now, monotonic.
#[must_use]
pub fn now() -> Instant {
    if let Some(world) = world::current() {
        return Instant(world.now());
    }
    let nanos = base().elapsed().as_nanos();
    Instant(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Seconds since 1970 by the wall clock, for records. Zero if the clock stands before that.
#[must_use]
pub fn unix_seconds() -> u64 {
    since_epoch().as_secs()
}

/// Milliseconds since 1970 by the wall clock, for records. Zero if the clock stands before that.
#[must_use]
pub fn unix_millis() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970 at `now`, by the checked clock.
#[must_use]
pub fn checked_ms(now: Instant) -> u64 {
    if world::current().is_some() {
        return SIM_UNIX_MS + now.0 / NANOS_PER_MS;
    }
    let mut base = BASE_MS.load(Ordering::Relaxed);
    if base == UNKNOWN {
        base = checked(|checked| checked.base());
    }
    base.saturating_add_unsigned(now.0 / NANOS_PER_MS)
        .max(0)
        .unsigned_abs()
}

/// Milliseconds since 1970 now, by the checked clock.
#[must_use]
pub fn checked_now_ms() -> u64 {
    checked_ms(now())
}

/// Notes what a reference says of the time: milliseconds since 1970 at `at`.
pub fn refer(at: Instant, unix_ms: u64) {
    checked(|checked| checked.refer(at.0 / NANOS_PER_MS, unix_ms));
}

/// Checks the wall clock, once a second or so; gives what is to be reported.
#[must_use]
pub fn check() -> Option<ClockChange> {
    let (mono, wall) = (now().0 / NANOS_PER_MS, unix_millis());
    checked(|checked| checked.check(mono, wall))
}

/// How often clocks have begun to differ.
#[must_use]
pub fn jumps() -> u64 {
    checked(|checked| checked.jumps())
}

/// Works with the checked clock, and lets all threads know its base.
fn checked<T>(work: impl FnOnce(&mut CheckedClock) -> T) -> T {
    static CHECKED: Mutex<Option<CheckedClock>> = Mutex::new(None);
    let mut locked: MutexGuard<'_, Option<CheckedClock>> =
        CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let checked =
        locked.get_or_insert_with(|| CheckedClock::new(now().0 / NANOS_PER_MS, unix_millis()));
    let done = work(checked);
    BASE_MS.store(checked.base(), Ordering::Relaxed);
    done
}

fn since_epoch() -> Duration {
    if let Some(world) = world::current() {
        return Duration::from_millis(SIM_UNIX_MS) + Duration::from_nanos(world.now());
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}

fn base() -> std::time::Instant {
    static BASE: OnceLock<std::time::Instant> = OnceLock::new();
    *BASE.get_or_init(std::time::Instant::now)
}

/// When simulated worlds begin.
const SIM_UNIX_MS: u64 = 1_700_000_000_000;
/// Of the checked clock, see [`CheckedClock::base`].
static BASE_MS: AtomicI64 = AtomicI64::new(UNKNOWN);
const UNKNOWN: i64 = i64::MIN;
const NANOS_PER_MS: u64 = 1_000_000;
const NANOS_PER_YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::{Instant, now, unix_millis, unix_seconds};

    #[test]
    fn now_read_twice_does_not_go_back() {
        let first = now();
        let second = now();
        assert!(second >= first);
        assert_eq!(first.since(second.plus_ms(1)).as_nanos(), 0);
    }

    #[test]
    fn plus_ms_past_the_end_saturates() {
        let far = now().plus_ms(u64::MAX);
        assert_eq!(far, Instant::from_nanos(u64::MAX));
        assert_eq!(
            Instant::from_nanos(0)
                .plus_ms(7)
                .ms_since(Instant::from_nanos(0)),
            7
        );
    }

    #[test]
    fn wall_clock_units_agree() {
        let seconds = unix_seconds();
        assert!(unix_millis() / 1000 - seconds <= 1);
        assert!(seconds > 1_700_000_000);
    }
}
