//! Waiting for conditions, with a deadline.

use core::time::Duration;
use std::thread;
use std::time::Instant;

/// Longest wait for anything that is expected to happen. Generous: machines are busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Looks until `look` finds something; fails the test after [`DEADLINE`].
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "never came: {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}
