//! Stand-ins for the runtime's timers: the world's where there is one, else the runtime's.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::rc::Rc;

use crate::net::runtime::alarm;
use crate::net::runtime::clock::{self, Instant};
use crate::net::sim::world::{self, SimWorld};

/// A timer.
#[derive(Debug)]
pub(crate) enum Sleep {
    /// The runtime's.
    Runtime(alarm::Sleep),
    /// The world's.
    World(SimTimer),
}

/// A timer of the world.
pub struct SimTimer {
    world: Rc<SimWorld>,
    at: u64,
    /// Its number, while it runs.
    serial: Option<u64>,
}

impl SimTimer {
    pub(super) const fn new(world: Rc<SimWorld>, at: u64) -> Self {
        Self {
            world,
            at,
            serial: None,
        }
    }

    pub(super) fn poll_fired(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.quieten();
        if self.world.now() >= self.at {
            return Poll::Ready(());
        }
        self.serial = Some(self.world.set_timer(self.at, cx.waker().clone()));
        Poll::Pending
    }

    fn quieten(&mut self) {
        if let Some(serial) = self.serial.take() {
            self.world.unset_timer(self.at, serial);
        }
    }
}

impl core::fmt::Debug for SimTimer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Alarm({})", self.at)
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        self.quieten();
    }
}

impl Sleep {
    /// Moves the timer.
    pub(crate) fn reset(&mut self, at: Instant) {
        match self {
            Self::Runtime(sleep) => sleep.reset(at),
            Self::World(alarm) => {
                alarm.quieten();
                alarm.at = within_a_year(at);
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self {
            Self::Runtime(sleep) => Pin::new(sleep).poll(cx),
            Self::World(alarm) => alarm.poll_fired(cx),
        }
    }
}

/// A timer for `at`.
pub(crate) fn sleep_until(at: Instant) -> Sleep {
    match world::current() {
        Some(world) => Sleep::World(SimTimer::new(world, within_a_year(at))),
        None => Sleep::Runtime(alarm::sleep_until(at)),
    }
}

/// Time that jumps to a timer must have room behind it.
fn within_a_year(at: Instant) -> u64 {
    at.min(clock::now().plus_ms(MS_PER_YEAR)).as_nanos()
}

const MS_PER_YEAR: u64 = 365 * 24 * 3600 * 1000;
