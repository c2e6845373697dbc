//! The pump: one boxed future per connection that does its reads, one after the other.
//!
//! A read that the kernel has begun owns its buffer and must not be forgotten: what it brings
//! would be lost. So the future that waits for it lives as long as the connection and is polled by
//! whoever reads; any number of polls, select rounds and exchanges may pass. No read allocates.
//!
//! ```text
//!   Idle ──ask()──► Asked ──the future takes it──► Reading ──the kernel answers──► Done ──take──► Idle
//! ```
//!
//! Dropping a pump with a read pending hands the buffer over to the driver until the kernel has
//! answered; shut the socket down before, so that it answers soon.

use core::cell::Cell;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::rc::Rc;

use monoio::buf::SliceMut;

use crate::net::socket::ReadHalf;

/// A read to be done: into `buffer`, from `start` (its length) to `end` (within its capacity).
pub(super) struct Ask {
    pub(super) buffer: Vec<u8>,
    pub(super) end: usize,
}

/// A read that was done.
pub(super) struct Done {
    /// Bytes read; 0 is the end.
    pub(super) result: io::Result<usize>,
    /// Holds the bytes from `start` on.
    pub(super) buffer: Vec<u8>,
    pub(super) start: usize,
    /// Bytes asked for.
    pub(super) room: usize,
}

/// The reads of one connection.
pub(super) struct Pump {
    slot: Rc<Slot>,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

struct Slot(Cell<State>);

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Asked(Ask),
    Reading,
    Done(Done),
}

impl Pump {
    pub(super) fn new(half: ReadHalf) -> Self {
        let slot = Rc::new(Slot(Cell::new(State::Idle)));
        Self {
            future: Box::pin(run(half, Rc::clone(&slot))),
            slot,
        }
    }

    /// Whether no read is pending and none waits to be collected.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.slot.0.take();
        let is_idle = matches!(state, State::Idle);
        self.slot.0.set(state);
        is_idle
    }

    /// Whether a read is under way that has brought nothing yet.
    pub(super) fn is_waiting(&self) -> bool {
        let state = self.slot.0.take();
        let is_waiting = matches!(state, State::Reading);
        self.slot.0.set(state);
        is_waiting
    }

    /// Begins the read that `ask` wants, unless one is pending or waits to be collected.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, ask: impl FnOnce() -> Ask) {
        match self.slot.0.take() {
            State::Idle => self.slot.0.set(State::Asked(ask())),
            done @ State::Done(_) => return self.slot.0.set(done),
            other @ (State::Asked(_) | State::Reading) => self.slot.0.set(other),
        }
        // It never ends, so that its own answer says nothing; the slot does.
        let _ = self.future.as_mut().poll(cx);
    }

    /// The next read: the one that is pending, or else the one that `ask` begins.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, ask: impl FnOnce() -> Ask) -> Poll<Done> {
        self.begin(cx, ask);
        match self.slot.0.take() {
            State::Done(done) => Poll::Ready(done),
            other @ (State::Idle | State::Asked(_) | State::Reading) => {
                self.slot.0.set(other);
                Poll::Pending
            }
        }
    }
}

impl Slot {
    fn begin(&self) -> Poll<Ask> {
        match self.0.replace(State::Reading) {
            State::Asked(ask) => Poll::Ready(ask),
            other @ (State::Idle | State::Reading | State::Done(_)) => {
                self.0.set(other);
                Poll::Pending
            }
        }
    }
}

async fn run(mut half: ReadHalf, slot: Rc<Slot>) {
    loop {
        // Pending without a waker: whoever asks also polls.
        let Ask { buffer, end } = poll_fn(|_| slot.begin()).await;
        let start = buffer.len();
        let room = end.saturating_sub(start);
        let (result, slice) = half.read(SliceMut::new(buffer, start, end)).await;
        let buffer = slice.into_inner();
        if result
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::Interrupted)
        {
            slot.0.set(State::Asked(Ask { buffer, end }));
            continue;
        }
        slot.0.set(State::Done(Done {
            result,
            buffer,
            start,
            room,
        }));
    }
}
