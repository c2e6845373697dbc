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
//! A read that has waited for long can give its buffer back ([`Pump::doze`]): the kernel is asked to
//! end it, and where nothing had come the socket is watched instead, until there is something to read.
//!
//! Dropping a pump with a read pending hands the buffer over to the driver until the kernel has
//! answered; shut the socket down before, so that it answers soon.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::rc::Rc;

use monoio::buf::SliceMut;
use monoio::io::CancelHandle;

use crate::net::connection::socket::{ReadCanceller, ReadHalf};
use crate::net::runtime::buffers::{self, Class};

/// A read to be done: into `buffer`, from `start` (its length) to `end` (within its capacity).
pub(in crate::net) struct ReadRequest {
    pub(in crate::net) buffer: Vec<u8>,
    pub(in crate::net) end: usize,
    /// Whether it may doze: then the buffer must be empty.
    pub(in crate::net) dozes: bool,
}

/// A read that was done.
pub(in crate::net) struct CompletedRead {
    /// Bytes read; 0 is the end.
    pub(in crate::net) result: io::Result<usize>,
    /// Holds the bytes from `start` on.
    pub(in crate::net) buffer: Vec<u8>,
    pub(in crate::net) start: usize,
    /// Bytes asked for.
    pub(in crate::net) room: usize,
}

/// The reads of one connection.
pub(in crate::net) struct Pump {
    slot: Rc<PumpSlot>,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

struct PumpSlot {
    state: RefCell<PumpState>,
    recall: Cell<Option<ReadCanceller>>,
    /// The read that waits was called back.
    is_recalled: Cell<bool>,
}

#[derive(Default)]
enum PumpState {
    #[default]
    Idle,
    Asked(ReadRequest),
    Reading,
    Done(CompletedRead),
}

impl Pump {
    pub(in crate::net) fn new(half: ReadHalf) -> Self {
        let slot = Rc::new(PumpSlot {
            state: RefCell::new(PumpState::Idle),
            recall: Cell::new(None),
            is_recalled: Cell::new(false),
        });
        Self {
            future: Box::pin(run(half, Rc::clone(&slot))),
            slot,
        }
    }

    /// Whether no read is pending and none waits to be collected.
    pub(in crate::net) fn is_idle(&self) -> bool {
        matches!(*self.slot.state.borrow(), PumpState::Idle)
    }

    /// Whether a read is under way that has brought nothing yet.
    pub(in crate::net) fn is_waiting(&self) -> bool {
        matches!(*self.slot.state.borrow(), PumpState::Reading)
    }

    /// Begins the read that `ask` wants, unless one is pending or waits to be collected.
    pub(in crate::net) fn begin(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnOnce() -> ReadRequest,
    ) {
        if self.slot.is_done() {
            return;
        }
        if self.is_idle() {
            self.slot.state.replace(PumpState::Asked(ask()));
        }
        // It never ends, so that its own answer says nothing; the slot does.
        let _ = self.future.as_mut().poll(cx);
    }

    /// Gives the buffer of a read that waits back, as soon as the kernel has let go of it; another one
    /// is taken when there is something to read.
    pub(in crate::net) fn doze(&mut self, cx: &mut Context<'_>) {
        if self.is_waiting()
            && let Some(recall) = self.slot.recall.take()
        {
            self.slot.is_recalled.set(true);
            recall.call();
            let _ = self.future.as_mut().poll(cx);
        }
    }

    /// The next read: the one that is pending, or else the one that `ask` begins.
    pub(in crate::net) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnOnce() -> ReadRequest,
    ) -> Poll<CompletedRead> {
        self.begin(cx, ask);
        match self.slot.take_done() {
            Some(done) => Poll::Ready(done),
            None => Poll::Pending,
        }
    }
}

impl PumpSlot {
    /// For a read that may be called back.
    fn handle(&self, half: &ReadHalf) -> Option<CancelHandle> {
        let recall = self.recall.take().unwrap_or_else(|| half.recall());
        let handle = recall.handle();
        self.recall.set(Some(recall));
        handle
    }

    fn begin(&self) -> Poll<ReadRequest> {
        let mut state = self.state.borrow_mut();
        match core::mem::replace(&mut *state, PumpState::Reading) {
            PumpState::Asked(ask) => Poll::Ready(ask),
            other @ (PumpState::Idle | PumpState::Reading | PumpState::Done(_)) => {
                *state = other;
                Poll::Pending
            }
        }
    }

    fn is_done(&self) -> bool {
        matches!(*self.state.borrow(), PumpState::Done(_))
    }

    fn take_done(&self) -> Option<CompletedRead> {
        if !self.is_done() {
            return None;
        }
        match self.state.take() {
            PumpState::Done(done) => Some(done),
            PumpState::Idle | PumpState::Asked(_) | PumpState::Reading => None,
        }
    }
}

async fn run(mut half: ReadHalf, slot: Rc<PumpSlot>) {
    loop {
        // Pending without a waker: whoever asks also polls.
        let ReadRequest {
            buffer,
            mut end,
            dozes,
        } = poll_fn(|_| slot.begin()).await;
        let start = buffer.len();
        let room = end.saturating_sub(start);
        slot.is_recalled.set(false);
        let recall = if dozes { slot.handle(&half) } else { None };
        let (result, slice) = half.read(SliceMut::new(buffer, start, end), recall).await;
        let mut buffer = slice.into_inner();
        match result.as_ref().map_err(io::Error::raw_os_error) {
            Err(Some(libc::EINTR)) => {}
            Err(Some(libc::ECANCELED)) if slot.is_recalled.get() => {
                buffers::give(buffer);
                half.readable().await;
                buffer = buffers::take(Class::Quiet);
                end = Class::Quiet.bytes();
            }
            Ok(_) | Err(_) => {
                slot.state.replace(PumpState::Done(CompletedRead {
                    result,
                    buffer,
                    start,
                    room,
                }));
                continue;
            }
        }
        slot.state
            .replace(PumpState::Asked(ReadRequest { buffer, end, dozes }));
    }
}
