//! A connection: a reading and a writing half that work at the same time in one task, plain over
//! TCP or a Unix socket, or TLS over TCP.
//!
//! Promises:
//! - A pending read is never lost: [`Reader::poll_read`] may be polled and left alone any number of
//!   times, in any select, across exchanges; what came is handed out by the next poll.
//! - A pending read owns 2 KiB. Larger buffers are taken only when bytes are known to wait.
//! - Dropping or [`Stream::abort`]ing shuts the socket down first, so that the peer sees the end
//!   at once even while a read is pending.
//! - In steady state a read or write on a plain connection allocates nothing.
//! - A TLS connection that ends without a close message is an error, never a clean end.
//!
//! Not here: time limits (see `timer`), reuse (see `pool`).

use core::cell::RefCell;
use core::future::poll_fn;
use core::ops::Range;
use core::task::{Context, Poll, ready};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use monoio::buf::{IoBuf, Slice};
use monoio::net::{TcpStream, UnixStream};

use crate::limits::{
    BUSY_READ_BYTES, FILL_READ_BYTES, MIDDLE_READ_BYTES, QUIET_READ_BYTES, SEAL_BYTES_MAX,
    UNBROKEN_READ_BYTES,
};
use crate::net::buffers::{self, Class};
use crate::net::driver;
use crate::net::error::{Act, Kind, NetError, TlsFault};
use crate::net::gather::{Gather, Piece};
use crate::net::pump::{Ask, Done, Pump};
use crate::net::socket::{Look, Origin, Socket, WriteHalf};
use crate::net::timer::Deadline;
use crate::net::tls::{Facts, Session};

/// A connection.
pub struct Stream {
    /// The half that reads.
    pub reader: Reader,
    /// The half that writes.
    pub writer: Writer,
    socket: Socket,
    peer: Option<SocketAddr>,
    session: Option<SharedSession>,
}

/// The reading half.
pub struct Reader {
    pump: Pump,
    socket: Socket,
    session: Option<SharedSession>,
    /// Plaintext that came along with the end of the handshake. Empty afterwards.
    early: Vec<u8>,
    /// A failure met after bytes that had to be handed out first.
    failed: Option<NetError>,
    /// Bytes read since a read last had to wait. Past the bound, `rest` is set.
    unbroken: usize,
    /// The end of a pause that others get.
    rest: Deadline,
    /// On io_uring every read waits for the driver's turn, so that nobody is kept waiting.
    is_tireless: bool,
}

/// The writing half.
pub struct Writer {
    half: WriteHalf,
    session: Option<SharedSession>,
}

type SharedSession = Rc<RefCell<Session>>;

impl Stream {
    /// A plain connection over TCP.
    pub(super) fn from_tcp(stream: TcpStream, peer: SocketAddr, origin: Origin) -> Self {
        let (socket, read, write) = Socket::from_tcp(stream, origin);
        Self::plain(socket, Pump::new(read), write, Some(peer))
    }

    /// A plain connection over a Unix socket.
    pub(super) fn from_unix(stream: UnixStream) -> Self {
        let (socket, read, write) = Socket::from_unix(stream);
        Self::plain(socket, Pump::new(read), write, None)
    }

    fn plain(socket: Socket, pump: Pump, half: WriteHalf, peer: Option<SocketAddr>) -> Self {
        let reader = Reader {
            pump,
            socket: socket.clone(),
            session: None,
            early: Vec::new(),
            failed: None,
            unbroken: 0,
            rest: Deadline::new(),
            is_tireless: driver::current().is_some_and(driver::Rung::is_uring),
        };
        Self {
            reader,
            writer: Writer {
                half,
                session: None,
            },
            socket,
            peer,
            session: None,
        }
    }

    /// From here on the connection speaks through `session`, whose handshake is done; `early` is
    /// plaintext that came with it.
    pub(super) fn secure(&mut self, session: Session, early: Vec<u8>) {
        let session = Rc::new(RefCell::new(session));
        self.reader.session = Some(Rc::clone(&session));
        self.reader.early = early;
        self.writer.session = Some(Rc::clone(&session));
        self.session = Some(session);
    }

    /// The peer's address; none on a Unix socket.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Our own address; none on a Unix socket.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.socket.local_address()
    }

    /// What TLS agreed on; none on a plain connection.
    #[must_use]
    pub fn tls(&self) -> Option<Facts> {
        self.session
            .as_ref()
            .map(|session| session.borrow().facts())
    }

    /// Whether the connection may be used for another exchange: no read is pending, nothing that
    /// came is left over, and the socket has neither bytes nor an end nor an error waiting.
    #[must_use]
    pub fn is_clean_idle(&self) -> bool {
        self.reader.is_empty() && self.socket.look() == Look::Quiet
    }

    /// Ends our direction after what was written; the peer reads it all and then the end. Reading
    /// goes on.
    ///
    /// Dropped early, the close message may be lost; the connection is to be closed then.
    ///
    /// # Errors
    ///
    /// When the connection is gone already.
    pub async fn half_close(&mut self) -> Result<(), NetError> {
        self.writer.say_goodbye().await?;
        self.socket
            .shutdown_write()
            .map_err(|error| NetError::from_io(Act::Write, &error))
    }

    /// Ends both directions now, whatever is pending. What was written before still arrives.
    pub fn abort(&self) {
        self.socket.shutdown();
    }

    /// Says `words`, as far as the socket takes them at once, and closes. What the client had sent
    /// is read before, so that it gets the words and not a reset.
    pub fn refuse(self, words: &[u8]) {
        let mut unread = buffers::take(Class::Middle);
        let _ = self.socket.receive(&mut unread, MIDDLE_READ_BYTES);
        buffers::give(unread);
        self.socket.send_last_words(words);
    }

    /// Ends the connection by a reset: the peer gets an error, unsent bytes are thrown away.
    pub fn reset(self) {
        self.socket.reset();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A pending read would else keep the descriptor open for as long as the peer is silent.
        self.socket.shutdown();
    }
}

impl Reader {
    /// Appends what comes next to `into` and says how much that was; 0 is the peer's clean end.
    ///
    /// One call appends at most 66 KiB. An empty `into` is swapped for the buffer that was read
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
        match self.session.clone() {
            None => self.poll_bytes(cx, into),
            Some(session) => self.poll_opened(cx, &session, into),
        }
    }

    /// Waits for [`Reader::poll_read`]. Safe to drop: nothing is lost.
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
    /// At most `max` bytes are asked for; a read that was pending before may bring up to 66 KiB
    /// whatever `max` says. The result is that of [`Reader::poll_read`].
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
            .map_err(|error| NetError::from_io(Act::Read, &error));
        (result, done.buffer)
    }

    /// Whether no read is pending and nothing that came is left to hand out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pump.is_idle() && self.failed.is_none() && self.early.is_empty()
    }

    /// Whether the peer has ended the connection, however much lies unread before its end.
    #[must_use]
    pub fn has_peer_ended(&self) -> bool {
        self.socket.has_peer_ended()
    }

    /// Bytes as they are on the wire.
    pub(super) fn poll_bytes(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<Result<usize, NetError>> {
        if let Some(failure) = self.failed.take() {
            return Poll::Ready(Err(failure));
        }
        let done = ready!(self.poll_pump(cx, quiet_ask));
        let count = match done.result {
            Ok(count) => count,
            Err(error) => {
                buffers::give(done.buffer);
                return Poll::Ready(Err(NetError::from_io(Act::Read, &error)));
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
        Poll::Ready(Ok(count + self.receive_rest(into)))
    }

    /// The pump's next read, after a rest where one is due.
    fn poll_pump(&mut self, cx: &mut Context<'_>, ask: impl FnOnce() -> Ask) -> Poll<Done> {
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

    /// After a read that filled its buffer: takes what else is there, without waiting. Its failure
    /// is kept for the next read, because the kernel tells it only once.
    fn receive_rest(&mut self, into: &mut Vec<u8>) -> usize {
        if into.capacity() - into.len() < MIDDLE_READ_BYTES {
            let wanted = into.len() + MIDDLE_READ_BYTES;
            let mut larger = buffers::take(Class::Busy);
            if wanted <= larger.capacity() {
                larger.extend_from_slice(into);
                buffers::give(core::mem::replace(into, larger));
            } else {
                buffers::give(larger);
                into.reserve(MIDDLE_READ_BYTES);
            }
        }
        match self.socket.receive(into, BUSY_READ_BYTES) {
            Ok(count) => {
                self.count_unbroken(count);
                count
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                self.failed = Some(NetError::from_io(Act::Read, &error));
                0
            }
        }
    }

    /// Plaintext out of the TLS session.
    fn poll_opened(
        &mut self,
        cx: &mut Context<'_>,
        session: &RefCell<Session>,
        into: &mut Vec<u8>,
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
            if ready!(self.poll_bytes(cx, &mut sealed))? == 0 {
                return Poll::Ready(Err(NetError::new(Act::Read, Kind::Cut)));
            }
            let before = into.len();
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
    fn refuse(&self, session: &RefCell<Session>, fault: TlsFault) -> NetError {
        let mut alert = Vec::new();
        session.borrow_mut().drain(&mut alert);
        self.socket.send_last_words(&alert);
        NetError::new(Act::Read, Kind::Tls(fault))
    }
}

impl Writer {
    /// Writes all of `buffer[range]` and gives the buffer back.
    ///
    /// Dropped early, an unknown part was written: the connection is to be closed then.
    ///
    /// # Errors
    ///
    /// When the connection broke; how much was written is unknown then.
    pub async fn write(
        &mut self,
        buffer: Vec<u8>,
        range: Range<usize>,
    ) -> (Result<(), NetError>, Vec<u8>) {
        debug_assert!(
            range.start <= range.end && range.end <= buffer.len(),
            "range in buffer"
        );
        match self.session.clone() {
            None => self.write_bytes(buffer, range).await,
            Some(session) => {
                let plain = buffer.get(range).unwrap_or_default();
                (
                    self.write_sealed(&session, [plain].into_iter()).await,
                    buffer,
                )
            }
        }
    }

    /// Writes all of the pieces, in order and in one go where the kernel takes them, without copying
    /// them. A piece that lies outside of its buffer is left out.
    ///
    /// Dropped early, an unknown part was written: the connection is to be closed then.
    ///
    /// # Errors
    ///
    /// Those of [`Writer::write`].
    pub async fn write_pieces(&mut self, pieces: Vec<Piece>) -> Result<(), NetError> {
        if let [Piece { buffer, range }] = pieces.as_slice() {
            // One piece goes the short way: a vectored write costs the kernel more.
            return self.write_shared(Rc::clone(buffer), range.clone()).await;
        }
        let mut gather = Gather::new(pieces);
        if let Some(session) = self.session.clone() {
            return self.write_sealed(&session, gather.slices()).await;
        }
        while !gather.is_done() {
            let (result, back) = self.half.write_pieces(gather).await;
            gather = back;
            match result {
                Ok(0) => return Err(NetError::new(Act::Write, Kind::Closed)),
                Ok(count) => gather.advance(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(NetError::from_io(Act::Write, &error)),
            }
        }
        Ok(())
    }

    /// Writes all of `buffer[range]`, which others may go on reading.
    ///
    /// Dropped early, an unknown part was written: the connection is to be closed then.
    ///
    /// # Errors
    ///
    /// When the connection broke; how much was written is unknown then.
    pub async fn write_shared(
        &mut self,
        buffer: Rc<Vec<u8>>,
        range: Range<usize>,
    ) -> Result<(), NetError> {
        debug_assert!(
            range.start <= range.end && range.end <= buffer.len(),
            "range in buffer"
        );
        match self.session.clone() {
            None => self.write_bytes(buffer, range).await.0,
            Some(session) => {
                let plain = buffer.get(range).unwrap_or_default();
                self.write_sealed(&session, [plain].into_iter()).await
            }
        }
    }

    /// Bytes as they are on the wire.
    pub(super) async fn write_bytes<B: IoBuf>(
        &mut self,
        mut buffer: B,
        range: Range<usize>,
    ) -> (Result<(), NetError>, B) {
        let Range { mut start, end } = range;
        while start < end {
            let (result, slice) = self.half.write(Slice::new(buffer, start, end)).await;
            buffer = slice.into_inner();
            match result {
                Ok(0) => return (Err(NetError::new(Act::Write, Kind::Closed)), buffer),
                Ok(count) => start += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (Err(NetError::from_io(Act::Write, &error)), buffer),
            }
        }
        (Ok(()), buffer)
    }

    /// Seals the pieces together and writes a buffer whenever it is full.
    async fn write_sealed<'a>(
        &mut self,
        session: &RefCell<Session>,
        pieces: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<(), NetError> {
        let total: usize = pieces
            .clone()
            .map(|piece| piece.len() + SEAL_OVERHEAD_BYTES)
            .sum();
        let class = Class::fitting(total);
        let mut sealed = buffers::take(class);
        for piece in pieces.flat_map(|piece| piece.chunks(SEAL_BYTES_MAX)) {
            if sealed.len() + piece.len() + SEAL_OVERHEAD_BYTES > class.bytes() {
                self.flush(sealed).await?;
                sealed = buffers::take(class);
            }
            let fault = session.borrow_mut().seal(piece, &mut sealed);
            fault.map_err(|fault| NetError::new(Act::Write, Kind::Tls(fault)))?;
        }
        self.flush(sealed).await
    }

    /// The TLS close message, where there is TLS.
    async fn say_goodbye(&mut self) -> Result<(), NetError> {
        let Some(session) = self.session.clone() else {
            return Ok(());
        };
        let mut sealed = buffers::take(Class::Quiet);
        session.borrow_mut().close(&mut sealed);
        self.flush(sealed).await
    }

    /// Writes a buffer of our own and gives it to the free list.
    pub(super) async fn flush(&mut self, sealed: Vec<u8>) -> Result<(), NetError> {
        let length = sealed.len();
        let (result, sealed) = self.write_bytes(sealed, 0..length).await;
        buffers::give(sealed);
        result
    }
}

fn quiet_ask() -> Ask {
    Ask {
        buffer: buffers::take(Class::Quiet),
        end: QUIET_READ_BYTES,
    }
}

fn large_ask(mut buffer: Vec<u8>, max: usize) -> Ask {
    let length = buffer.len();
    let wanted = max.min(MIDDLE_READ_BYTES);
    if buffer.capacity() - length < wanted {
        buffer.reserve(wanted);
    }
    let room = (buffer.capacity() - length).min(max).min(FILL_READ_BYTES);
    Ask {
        end: length + room,
        buffer,
    }
}

/// Header and tag of three records, and a key update.
const SEAL_OVERHEAD_BYTES: usize = 256;

const _: () = assert!(SEAL_BYTES_MAX + SEAL_OVERHEAD_BYTES <= BUSY_READ_BYTES);

#[cfg(test)]
mod tests;
