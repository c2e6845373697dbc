//! Stand-ins for the runtime's timers: the world's where there is one, else the runtime's.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::rc::Rc;

use monoio::time::Instant;

use crate::net::clock;
use crate::net::sim::world::{self, World};

/// A timer.
#[derive(Debug)]
pub enum Sleep {
    /// The runtime's.
    Runtime(Pin<Box<monoio::time::Sleep>>),
    /// The world's.
    World(Alarm),
}

/// A timer of the world.
pub struct Alarm {
    world: Rc<World>,
    at: u64,
    /// Its number, while it runs.
    serial: Option<u64>,
}

impl Alarm {
    pub(super) const fn new(world: Rc<World>, at: u64) -> Self {
        Self {
            world,
            at,
            serial: None,
        }
    }

    pub(super) fn poll_rung(&mut self, cx: &Context<'_>) -> Poll<()> {
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

impl core::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Alarm({})", self.at)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.quieten();
    }
}

impl Sleep {
    /// Moves the timer.
    pub fn reset(self: Pin<&mut Self>, at: Instant) {
        match self.get_mut() {
            Self::Runtime(sleep) => sleep.as_mut().reset(at),
            Self::World(alarm) => {
                alarm.quieten();
                alarm.at = clock::from_runtime(at).as_nanos();
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self {
            Self::Runtime(sleep) => sleep.as_mut().poll(cx),
            Self::World(alarm) => alarm.poll_rung(cx),
        }
    }
}

/// A timer for `at`.
#[must_use]
pub fn sleep_until(at: Instant) -> Sleep {
    match world::current() {
        Some(world) => Sleep::World(Alarm::new(world, clock::from_runtime(at).as_nanos())),
        None => Sleep::Runtime(Box::pin(monoio::time::sleep_until(at))),
    }
}

/// A timer for `duration` from now.
#[must_use]
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(clock::now().plus(duration).to_runtime())
}
