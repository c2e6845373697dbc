#![expect(
    unsafe_code,
    reason = "borrowing the runtime's descriptors, lengths after a raw receive, disconnect, looks at the peer"
)]
//! A connected socket: both halves for the runtime, and the system calls that do not wait.
//!
//! [`Socket`] keeps the descriptor open for as long as it lives, so that looking, options and
//! shutting down are possible while a read is pending. None of its calls ever blocks.

use core::cell::UnsafeCell;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;

use monoio::buf::{IoBuf, Slice, SliceMut};
use monoio::io::{
    AsyncReadRent, AsyncWriteRent, CancelHandle, CancelableAsyncReadRent, Canceller, OwnedReadHalf,
    OwnedWriteHalf, Splitable,
};
use monoio::net::{TcpStream, UnixStream};
use socket2::{SockRef, TcpKeepalive};

use crate::limits::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, UNACKED_TIMEOUT};
use crate::net::connection::vectored_write::VectoredWrite;
use crate::net::runtime::loop_turn;
use crate::net::sim::injected_failure;
use crate::net::sim::socket::SimHandle;

/// A shared hold on a connected socket.
#[derive(Clone)]
pub(in crate::net) struct Socket {
    keeper: SocketOwner,
    fd: RawFd,
}

#[derive(Clone)]
#[expect(dead_code, reason = "held for their drop alone")]
enum SocketOwner {
    Tcp(Rc<UnsafeCell<TcpStream>>),
    Unix(Rc<UnsafeCell<UnixStream>>),
    Sim(SimHandle),
}

/// The reading half, for the runtime.
pub(in crate::net) enum ReadHalf {
    Tcp(OwnedReadHalf<TcpStream>),
    Unix(OwnedReadHalf<UnixStream>),
    Sim(SimHandle),
}

/// The writing half, for the runtime.
pub(in crate::net) enum WriteHalf {
    Tcp(OwnedWriteHalf<TcpStream>),
    Unix(OwnedWriteHalf<UnixStream>),
    Sim(SimHandle),
}

/// What calls a read back that waits.
pub(in crate::net) enum ReadCanceller {
    Runtime(Canceller),
    Sim(SimHandle),
}

/// How a connection came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Origin {
    /// We connected.
    Connected,
    /// A listener that [`set_options`] was called on accepted it.
    Accepted,
}

/// What a look at a socket shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Readiness {
    /// Nothing to read, and the peer is there.
    Quiet,
    /// Bytes, an end or an error wait.
    Something,
}

impl Socket {
    /// Takes over a TCP connection. An accepted one has its listener's options already.
    pub(in crate::net) fn from_tcp(
        stream: TcpStream,
        origin: Origin,
    ) -> (Self, ReadHalf, WriteHalf) {
        let fd = stream.as_raw_fd();
        let (read, write) = stream.into_split();
        let socket = Self {
            keeper: SocketOwner::Tcp(Rc::clone(&read.0)),
            fd,
        };
        match origin {
            Origin::Connected => set_options(&socket.borrow()),
            Origin::Accepted => socket.close_on_exec(),
        }
        (socket, ReadHalf::Tcp(read), WriteHalf::Tcp(write))
    }

    /// Takes over a Unix connection.
    pub(in crate::net) fn from_unix(stream: UnixStream) -> (Self, ReadHalf, WriteHalf) {
        let fd = stream.as_raw_fd();
        let (read, write) = stream.into_split();
        let socket = Self {
            keeper: SocketOwner::Unix(Rc::clone(&read.0)),
            fd,
        };
        socket.close_on_exec();
        (socket, ReadHalf::Unix(read), WriteHalf::Unix(write))
    }

    /// Takes over a simulated connection.
    pub(in crate::net) fn from_sim(end: SimHandle) -> (Self, ReadHalf, WriteHalf) {
        let socket = Self {
            keeper: SocketOwner::Sim(end.clone()),
            fd: -1,
        };
        (socket, ReadHalf::Sim(end.clone()), WriteHalf::Sim(end))
    }

    fn simulated(&self) -> Option<&SimHandle> {
        match &self.keeper {
            SocketOwner::Sim(end) => Some(end),
            SocketOwner::Tcp(_) | SocketOwner::Unix(_) => None,
        }
    }

    /// Whether this is a Unix socket.
    pub(in crate::net) const fn is_unix(&self) -> bool {
        matches!(self.keeper, SocketOwner::Unix(_))
    }

    /// The address on our side.
    pub(in crate::net) fn local_address(&self) -> Option<SocketAddr> {
        if self.simulated().is_some() {
            return None;
        }
        self.borrow().local_addr().ok()?.as_socket()
    }

    /// Whether anything waits to be read.
    pub(in crate::net) fn look(&self) -> Readiness {
        match self.simulated() {
            Some(end) if end.has_something() => return Readiness::Something,
            Some(_) => return Readiness::Quiet,
            None if injected_failure::fails().is_err() => return Readiness::Something,
            None => {}
        }
        let mut byte = [core::mem::MaybeUninit::uninit()];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        match self.borrow().recv_with_flags(&mut byte, flags) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Readiness::Quiet,
            _ => Readiness::Something,
        }
    }

    /// Whether the peer has ended its direction or the connection broke, whatever still lies unread
    /// before that.
    pub(in crate::net) fn has_peer_ended(&self) -> bool {
        match self.simulated() {
            Some(end) => return end.has_peer_ended(),
            None if injected_failure::fails().is_err() => return false,
            None => {}
        }
        let mut asked = libc::pollfd {
            fd: self.fd,
            events: libc::POLLRDHUP,
            revents: 0,
        };
        // SAFETY: one whole `pollfd` is lent, `fd` is open while `self.keeper` lives, and with a
        // timeout of nought the call does not wait.
        let count = unsafe { libc::poll(&raw mut asked, 1, 0) };
        count > 0
    }

    /// How many bytes the peer's side has acknowledged since the connection began; unknown on a Unix
    /// socket.
    pub(in crate::net) fn acknowledged(&self) -> Option<u64> {
        if let Some(end) = self.simulated() {
            return Some(end.acknowledged());
        }
        let mut info = [0u64; TCP_INFO_WORDS];
        let mut size = TCP_INFO_BYTES;
        // SAFETY: `fd` is open while `self.keeper` lives, and the kernel writes at most `size` bytes
        // into `info`, which is as large.
        let done = unsafe {
            libc::getsockopt(
                self.fd,
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut size,
            )
        };
        (done == 0 && size == TCP_INFO_BYTES).then(|| info[TCP_INFO_WORDS - 1])
    }

    /// Appends what is there, at most `room` bytes and never past the capacity of `into`; does not
    /// wait. No room is an empty read.
    pub(in crate::net) fn receive(&self, into: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        if let Some(end) = self.simulated() {
            return end.receive_into(into, room);
        }
        injected_failure::fails()?;
        let spare = into.spare_capacity_mut();
        let room = room.min(spare.len());
        let Some(spare) = spare.get_mut(..room).filter(|spare| !spare.is_empty()) else {
            return Ok(0);
        };
        let count = self.borrow().recv_with_flags(spare, libc::MSG_DONTWAIT)?;
        let length = into.len() + count.min(room);
        // SAFETY: the kernel has just written `count` bytes behind the old length, within capacity.
        unsafe { into.set_len(length) };
        Ok(count)
    }

    /// Sends what the socket takes at once; for last words, whose loss does not matter.
    pub(in crate::net) fn send_last_words(&self, bytes: &[u8]) {
        match self.simulated() {
            Some(end) => return end.send(bytes),
            None if injected_failure::fails().is_err() => return,
            None => {}
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let _ = self.borrow().send_with_flags(bytes, flags);
    }

    /// Ends our direction: the peer reads what was written, then the end.
    pub(in crate::net) fn shutdown_write(&self) -> io::Result<()> {
        match self.simulated() {
            Some(end) => return end.shutdown_write(),
            None => injected_failure::fails()?,
        }
        self.borrow().shutdown(Shutdown::Write)
    }

    /// Ends both directions at once. A pending read completes, so that the descriptor can close.
    pub(in crate::net) fn shutdown(&self) {
        if let Some(end) = self.simulated() {
            return end.shutdown();
        }
        let _ = self.borrow().shutdown(Shutdown::Both);
    }

    /// Ends the connection by a reset, unsent bytes thrown away. A pending read completes.
    pub(in crate::net) fn reset(&self) {
        if let Some(end) = self.simulated() {
            return end.reset();
        }
        if self.is_unix() {
            return self.shutdown();
        }
        let _ = self.borrow().set_linger(Some(core::time::Duration::ZERO));
        // Family 0 is AF_UNSPEC: to connect to it is to disconnect.
        let nowhere = libc::sockaddr {
            sa_family: 0,
            sa_data: [0; 14],
        };
        // SAFETY: `fd` is open while `self.keeper` lives; the address is a whole `sockaddr`, and
        // connecting to the unspecified family neither waits nor writes memory.
        let done = unsafe { libc::connect(self.fd, &raw const nowhere, SOCKADDR_BYTES) };
        if done != 0 {
            self.shutdown();
        }
    }

    /// io_uring's accept leaves it out.
    fn close_on_exec(&self) {
        let _ = self.borrow().set_cloexec(true);
    }

    fn borrow(&self) -> SockRef<'_> {
        SockRef::from(self)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the stream behind `self.keeper` owns `fd`, is never moved out of its cell, and
        // closes it only when dropped; the borrow ends before `self` does.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl ReadHalf {
    /// Reads once. What has a `recall` can end before bytes have come, and costs some 100 ns more.
    pub(in crate::net) async fn read(
        &mut self,
        buffer: SliceMut<Vec<u8>>,
        recall: Option<CancelHandle>,
    ) -> (io::Result<usize>, SliceMut<Vec<u8>>) {
        if let Err(error) = injected_failure::fails() {
            return (Err(error), buffer);
        }
        match (self, recall) {
            (Self::Sim(end), _) => end.read_into(buffer).await,
            (Self::Tcp(half), None) => half.read(buffer).await,
            (Self::Tcp(half), Some(recall)) => half.cancelable_read(buffer, recall).await,
            (Self::Unix(half), None) => half.read(buffer).await,
            (Self::Unix(half), Some(recall)) => half.cancelable_read(buffer, recall).await,
        }
    }

    /// What calls back reads of this half.
    pub(in crate::net) fn recall(&self) -> ReadCanceller {
        match self {
            Self::Sim(end) => ReadCanceller::Sim(end.clone()),
            Self::Tcp(_) | Self::Unix(_) => ReadCanceller::Runtime(Canceller::new()),
        }
    }

    /// Waits until a read would not wait, or would fail. Safe to drop.
    pub(in crate::net) async fn readable(&mut self) {
        // Whatever is wrong, the read behind it tells.
        let _ = match self {
            Self::Sim(end) => {
                end.readable().await;
                Ok(())
            }
            Self::Tcp(half) => {
                // SAFETY: the cell is never borrowed mutably: the runtime takes a mutable reference
                // for the length of a call alone, to reach the same descriptor.
                let stream = unsafe { &*half.0.get() };
                stream.readable(true).await
            }
            Self::Unix(half) => {
                // SAFETY: as above.
                let stream = unsafe { &*half.0.get() };
                stream.readable(true).await
            }
        };
    }
}

impl ReadCanceller {
    /// For a read that is to end when it is called.
    pub(in crate::net) fn handle(&self) -> Option<CancelHandle> {
        match self {
            Self::Runtime(canceller) => Some(canceller.handle()),
            Self::Sim(_) => None,
        }
    }

    /// The read ends with `ECANCELED`, or with what had come before.
    pub(in crate::net) fn call(self) {
        match self {
            Self::Runtime(canceller) => drop(canceller.cancel()),
            Self::Sim(end) => end.recall(),
        }
    }
}

impl WriteHalf {
    pub(in crate::net) async fn write<B: IoBuf>(
        &mut self,
        buffer: Slice<B>,
    ) -> (io::Result<usize>, Slice<B>) {
        loop_turn::end().await;
        if let Err(error) = injected_failure::fails() {
            return (Err(error), buffer);
        }
        match self {
            Self::Sim(end) => (end.write([bytes_of(&buffer)].into_iter()).await, buffer),
            Self::Tcp(half) => half.write(buffer).await,
            Self::Unix(half) => half.write(buffer).await,
        }
    }

    pub(in crate::net) async fn write_pieces(
        &mut self,
        pieces: VectoredWrite,
    ) -> (io::Result<usize>, VectoredWrite) {
        loop_turn::end().await;
        if let Err(error) = injected_failure::fails() {
            return (Err(error), pieces);
        }
        match self {
            Self::Sim(end) => (end.write(pieces.slices()).await, pieces),
            Self::Tcp(half) => half.writev(pieces).await,
            Self::Unix(half) => half.writev(pieces).await,
        }
    }
}

fn bytes_of<B: IoBuf>(buffer: &Slice<B>) -> &[u8] {
    // SAFETY: a buffer for writing lends so many bytes from its pointer on, for as long as it lives
    // and is not moved; the borrow sees to both.
    unsafe { core::slice::from_raw_parts(buffer.read_ptr(), buffer.bytes_init()) }
}

/// Small writes leave at once, and dead peers are found. Set on a listener, its connections inherit
/// all of it. A refusal is no error: either the peer has already gone, which the first read tells,
/// or the connection is merely less comfortable.
pub(in crate::net) fn set_options(socket: &socket2::Socket) {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(UNACKED_TIMEOUT));
}

/// `struct tcp_info` up to `tcpi_bytes_acked` (Linux 4.1), which is its last word then.
const TCP_INFO_WORDS: usize = 16;
const TCP_INFO_BYTES: libc::socklen_t = 128;
const _: () = assert!(size_of::<[u64; TCP_INFO_WORDS]>() == TCP_INFO_BYTES as usize);

const SOCKADDR_BYTES: libc::socklen_t = 16;
const _: () = assert!(size_of::<libc::sockaddr>() == 16 && libc::AF_UNSPEC == 0);
