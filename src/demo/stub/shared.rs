//! What the stub's threads share: whether it has ended, and how many connections are open.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::io::{self, ErrorKind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the stub's threads share.
#[derive(Debug, Default)]
pub struct Shared {
    stopped: Mutex<bool>,
    told: Condvar,
    open: AtomicUsize,
    number: AtomicU64,
}

impl Shared {
    /// The next request's number.
    pub fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether the stub ends.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.lock()
    }

    /// Waits for a point in time.
    ///
    /// # Errors
    /// The stub ends.
    pub fn wait_until(&self, at: Instant) -> io::Result<()> {
        let mut stopped = self.lock();
        while !*stopped {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let waited = self.told.wait_timeout(stopped, left);
            (stopped, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        Err(ErrorKind::Interrupted.into())
    }

    /// Ends the stub: whoever waits is told.
    pub fn stop(&self) {
        *self.lock() = true;
        self.told.notify_all();
    }

    /// Connections that are open.
    pub fn open_count(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// A connection was taken.
    pub fn opened(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    /// A connection has ended.
    pub fn closed(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
