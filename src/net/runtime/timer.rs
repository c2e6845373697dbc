//! Deadlines: one alarm per connection, set lazily.
//!
//! Setting a deadline is a store. The alarm behind it is moved only when it rings too early or
//! when the deadline comes nearer, so a busy stream that pushes its stall deadline ahead on every
//! read pays for moving it once per timeout, not per read.
//!
//! Resolution is a millisecond; deadlines are never early.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use crate::net::runtime::clock::{Instant, now};
use crate::net::sim::time::{self, Sleep};

/// A point in time that a task waits for beside other things.
#[derive(Debug, Default)]
pub struct Deadline {
    at: Option<Instant>,
    /// What the alarm is set for. Only meaningful where there is one.
    armed_for: Instant,
    /// Made at the first wait.
    sleep: Option<Sleep>,
}

impl Deadline {
    /// A deadline that never comes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            at: None,
            armed_for: Instant::from_nanos(0),
            sleep: None,
        }
    }

    /// Comes `ms` milliseconds from now.
    pub fn set_in(&mut self, ms: u64) {
        self.at = Some(now().plus_ms(ms));
    }

    /// Comes at `at`.
    pub const fn set_at(&mut self, at: Instant) {
        self.at = Some(at);
    }

    /// Never comes, until it is set again.
    pub const fn clear(&mut self) {
        self.at = None;
    }

    /// When it comes.
    #[must_use]
    pub const fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Ready once the deadline has passed, and from then on until it is set or cleared.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        if self.sleep.is_none() {
            self.armed_for = at;
        }
        let sleep = self.sleep.get_or_insert_with(|| time::sleep_until(at));
        if at < self.armed_for {
            sleep.reset(at);
            self.armed_for = at;
        }
        // Two rounds: fired early, armed anew, and then pending. A third would mean that time
        // passed the deadline in between, which the clock has just said.
        while Pin::new(&mut *sleep).poll(cx).is_ready() {
            if now() >= at {
                return Poll::Ready(());
            }
            sleep.reset(at);
            self.armed_for = at;
        }
        Poll::Pending
    }

    /// Waits for the deadline. Safe to drop.
    pub async fn expired(&mut self) {
        poll_fn(|cx| self.poll_expired(cx)).await;
    }
}

/// Waits for `ms` milliseconds. Safe to drop.
pub async fn sleep(ms: u64) {
    time::sleep_until(now().plus_ms(ms)).await;
}

/// The result of `future`, or `None` once `ms` milliseconds have passed.
///
/// The future is dropped then: give it only what may be dropped there, such as a connect, or an
/// exchange on a stream that is closed afterwards.
pub async fn within<F: Future>(ms: u64, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut deadline = Deadline::new();
    deadline.set_in(ms);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        deadline.poll_expired(cx).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests;
