//! The reading half of a connection, plain or TLS.
//!
//! Promises:
//! - A pending read is never lost: [`ConnectionReader::poll_read`] may be polled and left alone any number of
//!   times, in any select, across exchanges; what came is handed out by the next poll.
//! - A pending read owns 1.5 KiB, less where hardly anything is expected, and nothing once it dozes
//!   ([`ConnectionReader::doze`]). Larger buffers are taken only when bytes are known to wait.
//! - In steady state a read on a plain connection allocates nothing.
//! - A TLS connection that ends without a close message is an error, never a clean end.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker, ready};
use std::io;

use crate::limits::{
    BUSY_READ_BYTES, FILL_READ_BYTES, MIDDLE_READ_BYTES, QUIET_READ_BYTES, SPARSE_READ_BYTES,
    UNBROKEN_READ_BYTES,
};
use crate::net::connection::pump::{CompletedRead, Pump, ReadRequest};
use crate::net::connection::socket::{ReadHalf, Socket};
use crate::net::connection::tls::{SharedTlsSession, TlsSession};
use crate::net::error::{NetError, NetErrorKind, NetOperation, TlsFault};
use crate::net::runtime::buffers::{self, Class};
use crate::net::runtime::driver;
use crate::net::runtime::timer::Deadline;

/// The reading half.
pub struct ConnectionReader {
    pump: Pump,
    socket: Socket,
    session: Option<SharedTlsSession>,
    /// Plaintext that came along with the end of the handshake. Empty afterwards.
    early: Vec<u8>,
    /// A failure met after bytes that had to be handed out first.
    failed: Option<NetError>,
    /// Bytes read since a read last had to wait. Past the bound, `rest` is set.
    unbroken: usize,
    /// The end of a pause that others get.
    rest: Deadline,
    /// Hardly anything is expected: reads begin with a sparse buffer.
    is_sparse: bool,
    /// Reads that wait may give their buffer back.
    dozes: bool,
    /// On io_uring every read waits for the driver's turn, so that nobody is kept waiting.
    is_tireless: bool,
}

impl ConnectionReader {
    pub(in crate::net) fn new(half: ReadHalf, socket: Socket) -> Self {
        Self {
            pump: Pump::new(half),
            socket,
            session: None,
            early: Vec::new(),
            failed: None,
            unbroken: 0,
            rest: Deadline::new(),
            is_sparse: false,
            dozes: false,
            is_tireless: driver::current().is_some_and(driver::DriverKind::is_uring),
        }
    }

    /// From here on what comes is opened by `session`; `early` is plaintext that came with its
    /// handshake.
    pub(in crate::net) fn secure(&mut self, session: SharedTlsSession, early: Vec<u8>) {
        self.session = Some(session);
        self.early = early;
    }

    /// Appends what comes next to `into` and says how much that was; 0 is the peer's clean end.
    ///
    /// One call appends a small buffer, and what else is there until `into` holds
    /// [`BUSY_READ_BYTES`]. An empty `into` is swapped for the buffer that was read
    /// into, and its own goes to the free list.
    ///
    /// # Errors
    ///
    /// When the connection broke. Bytes that came before are handed out first.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<Result<usize, NetError>> {
        self.poll_read_most(cx, into, BUSY_READ_BYTES)
    }

    /// Like [`ConnectionReader::poll_read`], for those who make more of what comes: it reads until `into`
    /// holds `most`, where less than that was there.
    ///
    /// # Errors
    ///
    /// Those of `poll_read`.
    pub fn poll_read_most(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        most: usize,
    ) -> Poll<Result<usize, NetError>> {
        match self.session.clone() {
            None => self.poll_bytes(cx, into, most),
            Some(session) => self.poll_opened(cx, &session, into, most),
        }
    }

    /// Begins the next read, for those who cannot use yet what it brings: a small buffer of it waits,
    /// and no more. Wakes the task when it is there.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        if self.unbroken <= UNBROKEN_READ_BYTES {
            let dozes = self.dozes;
            self.pump.begin(cx, || quiet_ask(dozes));
        }
    }

    /// Says whether hardly anything is expected from here on, as from a client that listens to a
    /// stream: the reads that begin then wait with [`SPARSE_READ_BYTES`].
    pub const fn expect_little(&mut self, is_sparse: bool) {
        self.is_sparse = is_sparse;
    }

    /// Reads that begin from here on can doze.
    pub const fn may_doze(&mut self) {
        self.dozes = true;
    }

    /// Gives the buffer of a read that waits back: from here on the socket is watched, and a buffer
    /// taken when bytes are there. Nothing is lost. For a connection that has long been silent: the
    /// read costs a turn more.
    pub fn doze(&mut self, cx: &mut Context<'_>) {
        self.pump.doze(cx);
    }

    /// Waits for [`ConnectionReader::poll_read`]. Safe to drop: nothing is lost.
    ///
    /// # Errors
    ///
    /// Those of `poll_read`.
    pub async fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, NetError> {
        poll_fn(|cx| self.poll_read(cx, into)).await
    }

    /// Appends what comes next to `buffer`, for bodies too large to pass through small buffers:
    /// on a plain connection the kernel writes into it directly. It grows by doubling, as bytes
    /// come.
    ///
    /// At most `max` bytes are asked for; a read that was pending before may bring as much as
    /// [`ConnectionReader::poll_read`] whatever `max` says. The result is that of [`ConnectionReader::poll_read`].
    ///
    /// Dropped early, `buffer` is gone, and what comes is handed out by the next read.
    pub async fn fill(
        &mut self,
        mut buffer: Vec<u8>,
        max: usize,
    ) -> (Result<usize, NetError>, Vec<u8>) {
        if max == 0 {
            return (Ok(0), buffer);
        }
        if self.session.is_some() || !self.is_empty() {
            let result = self.read(&mut buffer).await;
            return (result, buffer);
        }
        let mut ask = Some(large_ask(buffer, max));
        let done = poll_fn(|cx| {
            self.pump.poll(cx, || {
                ask.take()
                    .expect("an empty pump asks once, at the first poll")
            })
        })
        .await;
        let result = done
            .result
            .map_err(|error| NetError::from_io(NetOperation::Read, &error));
        (result, done.buffer)
    }

    /// Whether no read is pending and nothing that came is left to hand out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pump.is_idle() && self.failed.is_none() && self.early.is_empty()
    }

    /// Begins the read that will tell of an end, or of bytes that nobody asked for; it wakes no one.
    pub(in crate::net) fn rest(&mut self) {
        let mut nobody = Context::from_waker(Waker::noop());
        self.pump.begin(&mut nobody, || quiet_ask(false));
    }

    /// Whether the read that [`ConnectionReader::rest`] began has brought nothing.
    pub(in crate::net) fn is_resting(&mut self) -> bool {
        self.rest();
        self.pump.is_waiting() && self.failed.is_none() && self.early.is_empty()
    }

    /// Whether the peer has ended the connection, however much lies unread before its end.
    #[must_use]
    pub fn has_peer_ended(&self) -> bool {
        self.socket.has_peer_ended()
    }

    /// How many bytes the peer's side has acknowledged since the connection began; unknown on a Unix
    /// socket.
    #[must_use]
    pub fn acknowledged(&self) -> Option<u64> {
        self.socket.acknowledged()
    }

    /// Bytes as they are on the wire.
    pub(in crate::net) fn poll_bytes(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        most: usize,
    ) -> Poll<Result<usize, NetError>> {
        if let Some(failure) = self.failed.take() {
            return Poll::Ready(Err(failure));
        }
        let (is_sparse, dozes) = (self.is_sparse, self.dozes);
        let done = ready!(self.poll_pump(cx, || match is_sparse {
            true => sparse_ask(),
            false => quiet_ask(dozes),
        }));
        let count = match done.result {
            Ok(count) => count,
            Err(error) => {
                buffers::give(done.buffer);
                return Poll::Ready(Err(NetError::from_io(NetOperation::Read, &error)));
            }
        };
        if into.is_empty() && done.start == 0 {
            buffers::give(core::mem::replace(into, done.buffer));
        } else {
            into.extend_from_slice(done.buffer.get(done.start..).unwrap_or_default());
            buffers::give(done.buffer);
        }
        if count < done.room || count == 0 {
            return Poll::Ready(Ok(count));
        }
        Poll::Ready(Ok(count + self.receive_rest(into, most)))
    }

    /// The pump's next read, after a rest where one is due.
    fn poll_pump(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnOnce() -> ReadRequest,
    ) -> Poll<CompletedRead> {
        if self.unbroken > UNBROKEN_READ_BYTES {
            ready!(self.rest.poll_expired(cx));
            self.unbroken = 0;
        }
        let polled = self.pump.poll(cx, ask);
        match &polled {
            Poll::Ready(done) => {
                self.count_unbroken(done.result.as_ref().map_or(0, |&count| count))
            }
            Poll::Pending => self.unbroken = 0,
        }
        polled
    }

    /// Counts bytes that came without waiting; past the bound, a rest is due.
    fn count_unbroken(&mut self, count: usize) {
        if self.is_tireless {
            return;
        }
        self.unbroken = self.unbroken.saturating_add(count);
        if self.unbroken > UNBROKEN_READ_BYTES {
            self.rest.set_in(1);
        }
    }

    /// After a read that filled its buffer: takes what else is there, without waiting, until `into`
    /// holds `most`. Its failure is kept for the next read, because the kernel tells it only once.
    fn receive_rest(&mut self, into: &mut Vec<u8>, most: usize) -> usize {
        let room = most.saturating_sub(into.len());
        buffers::make_room(into, room);
        match self.socket.receive(into, room) {
            Ok(count) => {
                self.count_unbroken(count);
                count
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                self.failed = Some(NetError::from_io(NetOperation::Read, &error));
                0
            }
        }
    }

    /// Plaintext out of the TLS session.
    fn poll_opened(
        &mut self,
        cx: &mut Context<'_>,
        session: &RefCell<TlsSession>,
        into: &mut Vec<u8>,
        most: usize,
    ) -> Poll<Result<usize, NetError>> {
        if !self.early.is_empty() {
            let early = core::mem::take(&mut self.early);
            into.extend_from_slice(&early);
            return Poll::Ready(Ok(early.len()));
        }
        loop {
            if session.borrow().is_closed_by_peer() {
                return Poll::Ready(Ok(0));
            }
            let mut sealed = Vec::new();
            if ready!(self.poll_bytes(cx, &mut sealed, most))? == 0 {
                return Poll::Ready(Err(NetError::new(NetOperation::Read, NetErrorKind::Cut)));
            }
            let before = into.len();
            buffers::make_room(into, sealed.len());
            let opened = session.borrow_mut().open(&sealed, into);
            buffers::give(sealed);
            let failure = opened.err().map(|fault| self.refuse(session, fault));
            if into.len() > before {
                self.failed = self.failed.or(failure);
                return Poll::Ready(Ok(into.len() - before));
            }
            if let Some(failure) = failure {
                return Poll::Ready(Err(failure));
            }
        }
    }

    /// Tells the peer what was wrong with its bytes, as far as the socket takes it at once.
    #[cold]
    fn refuse(&self, session: &RefCell<TlsSession>, fault: TlsFault) -> NetError {
        let mut alert = Vec::new();
        session.borrow_mut().drain(&mut alert);
        self.socket.send_last_words(&alert);
        NetError::new(NetOperation::Read, NetErrorKind::Tls(fault))
    }
}

fn quiet_ask(dozes: bool) -> ReadRequest {
    ReadRequest {
        buffer: buffers::take(Class::Quiet),
        end: QUIET_READ_BYTES,
        dozes,
    }
}

/// It never dozes: what calls a read back takes as much memory as it would give back.
fn sparse_ask() -> ReadRequest {
    ReadRequest {
        buffer: Vec::with_capacity(SPARSE_READ_BYTES),
        end: SPARSE_READ_BYTES,
        dozes: false,
    }
}

fn large_ask(mut buffer: Vec<u8>, max: usize) -> ReadRequest {
    let length = buffer.len();
    let wanted = max.min(MIDDLE_READ_BYTES);
    if buffer.capacity() - length < wanted {
        buffer.reserve(wanted);
    }
    let room = (buffer.capacity() - length).min(max).min(FILL_READ_BYTES);
    ReadRequest {
        end: length + room,
        buffer,
        dozes: false,
    }
}

#[cfg(test)]
mod tests;
