//! Injected failures: one chosen operation on real sockets fails instead of being done.
//!
//! `net` asks [`fails`] before every read, write, connect, accept and look. Counting is over all
//! threads of the process, so that only a test that has the process to itself may [`arm`].

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::io;

use crate::net::sim::world;

static COUNT: AtomicU64 = AtomicU64::new(0);
static AIM: AtomicU64 = AtomicU64::new(0);
static ERRNO: AtomicI32 = AtomicI32::new(0);

/// From now on the operation number `nth` (the first is 1; none where it is nought) fails with
/// `errno`. Counting begins anew.
pub fn arm(nth: u64, errno: i32) {
    ERRNO.store(errno, Ordering::SeqCst);
    AIM.store(nth, Ordering::SeqCst);
    COUNT.store(0, Ordering::SeqCst);
}

/// Operations since [`arm`].
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Ordering::SeqCst)
}

/// Counts an operation, unless it is a simulated world's.
///
/// # Errors
/// When it is the one that fails.
pub fn fails() -> io::Result<()> {
    if world::current().is_some() {
        return Ok(());
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    if number == AIM.load(Ordering::Relaxed) {
        return Err(io::Error::from_raw_os_error(ERRNO.load(Ordering::Relaxed)));
    }
    Ok(())
}
