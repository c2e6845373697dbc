//! Connections in memory.
//!
//! Two pipes, one for each direction, each with so much room. An end of the gateway's reads and
//! writes as the kernel may do it: late, in part, or with an error. An end of an actor's does what
//! it is told.
//!
//! What the gateway must not do is reported to the world: read where an earlier read was given up
//! (its bytes would be lost), write behind a write that was given up.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use monoio::buf::SliceMut;

use crate::net::sim::time::SimTimer;
use crate::net::sim::world::SimWorld;

/// One end of a connection; closed when dropped.
pub struct SimSocket {
    world: Rc<SimWorld>,
    id: u64,
    /// The gateway's: its operations are as rough as the world is.
    is_rough: bool,
    incoming: Rc<Pipe>,
    outgoing: Rc<Pipe>,
    reading: Cell<bool>,
    /// The read that waits is to end without bytes.
    recalled: Cell<bool>,
    writing: Cell<bool>,
    is_closed: Cell<bool>,
}

/// A shared end.
pub type SimHandle = Rc<SimSocket>;

/// One direction.
struct Pipe {
    bytes: RefCell<VecDeque<u8>>,
    room: usize,
    /// Bytes before the latest slice that was written, where not all of them were read: a read may
    /// end there.
    seam: Cell<usize>,
    /// All that was read.
    taken: Cell<u64>,
    /// Nothing more is written.
    is_ended: Cell<bool>,
    /// Nobody reads any more.
    is_deaf: Cell<bool>,
    /// The reader has shut its side: it sees an end behind what is there.
    is_shut: Cell<bool>,
    /// A reset that the reader has yet to see.
    is_reset: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    /// When the writer ended it: the world's lived time.
    ended_at: Cell<u64>,
}

/// When an end's other side was let go: the lived time, nought while it was not.
pub struct PeerWatch(Rc<Pipe>);

impl PeerWatch {
    /// The lived time at which the other side ended its direction.
    #[must_use]
    pub fn ended_at(&self) -> Option<u64> {
        self.0.is_ended.get().then(|| self.0.ended_at.get())
    }
}

/// Both ends of a new connection: the gateway's, and an actor's.
pub fn pair(world: &Rc<SimWorld>) -> (SimSocket, SimSocket) {
    let id = world.next_serial();
    let pipe = || {
        let room = world.draw(|random| random.pick(&ROOMS));
        Rc::new(Pipe::new(room))
    };
    let (one, two) = (pipe(), pipe());
    let end = |is_rough, incoming: &Rc<Pipe>, outgoing: &Rc<Pipe>| SimSocket {
        world: Rc::clone(world),
        id,
        is_rough,
        incoming: Rc::clone(incoming),
        outgoing: Rc::clone(outgoing),
        reading: Cell::new(false),
        recalled: Cell::new(false),
        writing: Cell::new(false),
        is_closed: Cell::new(false),
    };
    world.held.set(world.held.get() + 1);
    (end(true, &one, &two), end(false, &two, &one))
}

/// Lets `nanos` pass.
pub(super) async fn pass(world: &Rc<SimWorld>, nanos: u64) {
    if nanos > 0 {
        let mut alarm = SimTimer::new(Rc::clone(world), world.now() + nanos);
        poll_fn(|cx| alarm.poll_fired(cx)).await;
    }
}

impl Pipe {
    fn new(room: usize) -> Self {
        Self {
            bytes: RefCell::default(),
            room,
            seam: Cell::new(0),
            taken: Cell::new(0),
            is_ended: Cell::new(false),
            is_deaf: Cell::new(false),
            is_shut: Cell::new(false),
            is_reset: Cell::new(false),
            reader: RefCell::default(),
            writer: RefCell::default(),
            ended_at: Cell::new(0),
        }
    }

    fn end(&self, lived: u64) {
        if !self.is_ended.replace(true) {
            self.ended_at.set(lived);
        }
        self.wake();
    }

    fn wake(&self) {
        self.reader.take().into_iter().for_each(Waker::wake);
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    /// Whether a read would not wait.
    fn is_readable(&self) -> bool {
        let shut = self.is_shut.get() || self.is_ended.get() || self.is_reset.get();
        shut || !self.bytes.borrow().is_empty()
    }

    /// Takes the first `count` bytes of `slices` in.
    fn put<'s>(&self, slices: impl Iterator<Item = &'s [u8]>, mut count: usize) {
        let mut bytes = self.bytes.borrow_mut();
        for slice in slices {
            let part = slice.get(..count.min(slice.len())).unwrap_or_default();
            self.seam.set(bytes.len());
            bytes.extend(part);
            count -= part.len();
        }
        drop(bytes);
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn take(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() && self.is_reset.replace(false) {
            return Err(io::Error::from_raw_os_error(libc::ECONNRESET));
        }
        let count = most.min(bytes.len());
        let (one, two) = bytes.as_slices();
        let from_one = count.min(one.len());
        let mut taken = Vec::with_capacity(count);
        taken.extend_from_slice(one.get(..from_one).unwrap_or_default());
        taken.extend_from_slice(two.get(..count - from_one).unwrap_or_default());
        bytes.drain(..count);
        self.seam.set(self.seam.get().saturating_sub(count));
        self.taken.set(self.taken.get() + count as u64);
        drop(bytes);
        self.writer.take().into_iter().for_each(Waker::wake);
        Ok(taken)
    }
}

impl SimSocket {
    /// Its number, the same on both sides.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// What tells when the other side ended its direction.
    #[must_use]
    pub fn watch(&self) -> PeerWatch {
        PeerWatch(Rc::clone(&self.incoming))
    }

    /// Reads at most `most` bytes; none is the end. `most` must not be nought.
    ///
    /// # Errors
    /// A reset, or an injected failure.
    pub async fn read(&self, most: usize) -> io::Result<Vec<u8>> {
        if self.reading.replace(true) {
            self.blame("a read behind one that was given up");
        }
        self.recalled.set(false);
        self.dawdle().await;
        let early = self.is_rough && self.draw_below(2) == 0;
        if early {
            self.fail_reading()?;
        }
        let is_recalled = poll_fn(|cx| match self.poll_readable(cx) {
            Poll::Pending if self.recalled.get() => Poll::Ready(true),
            polled => polled.map(|()| false),
        });
        if is_recalled.await {
            self.reading.set(false);
            return Err(io::Error::from_raw_os_error(libc::ECANCELED));
        }
        if !early {
            self.fail_reading()?;
        }
        self.reading.set(false);
        let taken = self.incoming.take(self.read_part_of(most));
        self.note(taken.as_ref().map_or(0, Vec::len));
        taken
    }

    /// Ends the read that waits, unless there is something for it.
    pub(crate) fn recall(&self) {
        self.recalled.set(true);
        self.incoming
            .reader
            .take()
            .into_iter()
            .for_each(Waker::wake);
    }

    /// Waits until a read would not wait.
    pub(crate) async fn readable(&self) {
        self.dawdle().await;
        poll_fn(|cx| self.poll_readable(cx)).await;
    }

    /// Reads into the part that `slice` is of its buffer, as the runtime does.
    pub(crate) async fn read_into(
        &self,
        slice: SliceMut<Vec<u8>>,
    ) -> (io::Result<usize>, SliceMut<Vec<u8>>) {
        let (from, to) = (slice.begin(), slice.end());
        let mut buffer = slice.into_inner();
        let result = match to - from {
            0 => Ok(Vec::new()),
            room => self.read(room).await,
        };
        let result = result.map(|bytes| {
            buffer.truncate(from);
            buffer.extend_from_slice(&bytes);
            bytes.len()
        });
        (result, SliceMut::new(buffer, from, to))
    }

    /// Writes some of `slices`, in order; says how much.
    ///
    /// # Errors
    /// The other side is gone, or a failure is injected.
    pub async fn write(&self, slices: impl Iterator<Item = &[u8]> + Clone) -> io::Result<usize> {
        if self.writing.replace(true) {
            self.blame("a write behind one that was given up");
        }
        self.dawdle().await;
        if let Some(errno) = self.fault(&WRITE_FAULTS) {
            self.writing.set(errno != libc::EINTR);
            return Err(io::Error::from_raw_os_error(errno));
        }
        let room = poll_fn(|cx| self.poll_writable(cx)).await?;
        let total: usize = slices.clone().map(<[u8]>::len).sum();
        let count = self.part_of(room.min(total));
        if !self.outgoing.is_deaf.get() {
            self.outgoing.put(slices, count);
        }
        self.writing.set(false);
        self.note(count);
        Ok(count)
    }

    /// Whether bytes, an end or an error wait; does not wait.
    #[must_use]
    pub fn has_something(&self) -> bool {
        self.fault(&READ_FAULTS).is_some() || self.incoming.is_readable()
    }

    /// Whether the other side has ended its direction, whatever lies before that.
    #[must_use]
    pub fn has_peer_ended(&self) -> bool {
        self.incoming.is_ended.get() || self.incoming.is_reset.get() || self.incoming.is_shut.get()
    }

    /// Appends what is there, at most `room` bytes and never past the capacity of `into`; does not
    /// wait. No room is an empty read.
    pub(crate) fn receive_into(&self, into: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        let room = room.min(into.capacity() - into.len());
        if room == 0 {
            return Ok(0);
        }
        if let Some(errno) = self.fault(&READ_FAULTS) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        if !self.incoming.is_readable() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = self.incoming.take(self.read_part_of(room))?;
        self.note(taken.len());
        into.extend_from_slice(&taken);
        Ok(taken.len())
    }

    /// What the other side has read so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.outgoing.taken.get()
    }

    /// Bytes that a write would take now.
    #[must_use]
    pub fn room(&self) -> usize {
        let held = self.outgoing.bytes.borrow().len();
        self.outgoing.room.saturating_sub(held)
    }

    /// Writes what there is room for.
    pub fn send(&self, bytes: &[u8]) {
        if self.outgoing.is_ended.get() || self.outgoing.is_deaf.get() {
            return;
        }
        let room = self.room().min(bytes.len());
        self.outgoing.put([bytes].into_iter(), room);
    }

    /// Ends our direction.
    ///
    /// # Errors
    /// The connection is gone, or a failure is injected.
    pub fn shutdown_write(&self) -> io::Result<()> {
        if let Some(errno) = self.fault(&READ_FAULTS) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        if self.incoming.is_reset.get() {
            return Err(io::Error::from_raw_os_error(libc::ENOTCONN));
        }
        self.outgoing.end(self.world.lived());
        Ok(())
    }

    /// Ends both directions; what was written still arrives.
    pub fn shutdown(&self) {
        self.incoming.is_shut.set(true);
        self.incoming.wake();
        self.outgoing.end(self.world.lived());
    }

    /// Ends the connection by a reset; what was written and not read may be thrown away.
    pub fn reset(&self) {
        let loses = match self.is_rough {
            true => self.draw_one_in(self.world.fault_rates().losing),
            false => self.draw_below(2) == 0,
        };
        if loses {
            self.outgoing.bytes.borrow_mut().clear();
        }
        self.outgoing.is_reset.set(true);
        self.outgoing.end(self.world.lived());
        self.incoming.is_deaf.set(true);
        self.incoming.is_shut.set(true);
        self.incoming.bytes.borrow_mut().clear();
        self.incoming.wake();
    }

    /// Closes: an end, or a reset where bytes lie unread. Nothing more may be read or written.
    pub fn close(&self) {
        if self.is_closed.replace(true) {
            return;
        }
        if self.is_rough {
            self.world.held.set(self.world.held.get() - 1);
        }
        let is_unread = !self.incoming.bytes.borrow().is_empty();
        if is_unread && !self.outgoing.is_reset.get() {
            return self.reset();
        }
        self.incoming.is_deaf.set(true);
        self.incoming.is_shut.set(true);
        self.incoming.wake();
        self.outgoing.end(self.world.lived());
    }

    fn poll_readable(&self, cx: &Context<'_>) -> Poll<()> {
        if self.incoming.is_readable() {
            return Poll::Ready(());
        }
        *self.incoming.reader.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The room there is, once there is some.
    fn poll_writable(&self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        if self.outgoing.is_ended.get() {
            return Poll::Ready(Err(io::Error::from_raw_os_error(libc::EPIPE)));
        }
        if self.outgoing.is_deaf.get() {
            // The first write behind a close goes well, and earns a reset.
            self.incoming.is_reset.set(true);
            self.incoming.end(self.world.lived());
            self.outgoing.is_ended.set(true);
            return Poll::Ready(Ok(usize::MAX));
        }
        let held = self.outgoing.bytes.borrow().len();
        if held < self.outgoing.room {
            return Poll::Ready(Ok(self.outgoing.room - held));
        }
        *self.outgoing.writer.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn fail_reading(&self) -> io::Result<()> {
        match self.fault(&READ_FAULTS) {
            None => Ok(()),
            Some(errno) => {
                self.reading.set(false);
                Err(io::Error::from_raw_os_error(errno))
            }
        }
    }

    fn fault(&self, list: &[i32]) -> Option<i32> {
        if !self.is_rough || !self.draw_one_in(self.world.fault_rates().failing) {
            return None;
        }
        let errno = self.world.draw(|random| random.pick(list));
        self.world.note(u64::from(errno.unsigned_abs()));
        Some(errno)
    }

    /// What the kernel does of an operation that asks for so much.
    fn part_of(&self, most: usize) -> usize {
        if self.is_rough && most > 1 && self.draw_below(3) == 0 {
            return self.world.draw(|random| random.between(1, most));
        }
        most
    }

    /// Where a read of so much ends: now and then at a seam.
    fn read_part_of(&self, most: usize) -> usize {
        let seam = self.incoming.seam.get();
        if self.is_rough && (1..most).contains(&seam) && self.draw_below(2) == 0 {
            return seam;
        }
        self.part_of(most)
    }

    /// Operations of the gateway's are not always done at once.
    async fn dawdle(&self) {
        if self.is_rough && self.draw_below(4) == 0 {
            let nanos = self.draw_below(40) as u64 * 1_000;
            pass(&self.world, nanos).await;
        }
    }

    fn draw_below(&self, end: usize) -> usize {
        self.world.draw(|random| random.below(end))
    }

    fn draw_one_in(&self, many: u32) -> bool {
        self.world.draw(|random| random.one_in(many))
    }

    fn note(&self, count: usize) {
        self.world.note(self.id << 32 ^ count as u64);
    }

    #[cold]
    fn blame(&self, what: &str) {
        if self.is_rough {
            self.world.blame(format!("connection {}: {what}", self.id));
        }
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.close();
    }
}

/// What fits into one direction of a connection.
const ROOMS: [usize; 6] = [1 << 20, 1 << 16, 1 << 16, 4_096, 900, 70];

const READ_FAULTS: [i32; 6] = [
    libc::ECONNRESET,
    libc::ENOBUFS,
    libc::ENOMEM,
    libc::ECANCELED,
    libc::EINTR,
    libc::ETIMEDOUT,
];

const WRITE_FAULTS: [i32; 6] = [
    libc::EPIPE,
    libc::ECONNRESET,
    libc::ENOBUFS,
    libc::ENOMEM,
    libc::ECANCELED,
    libc::EINTR,
];
