//! Listening: taking addresses at start, and accepting on the workers.
//!
//! [`bind`] runs on the main thread, before there are workers: a TCP address gets one socket per
//! worker (`SO_REUSEPORT`: the kernel spreads the connections), after a probe without that option,
//! so that an address in use is an error and not silently shared. A Unix address gets one socket
//! that the workers share, and so has one that is handed in (see `inherited`); a dead socket file in its place is removed, a live one is an error.
//! `[::]` means IPv6 alone; list `0.0.0.0` too for both families.
//!
//! [`Listener::accept`] runs on a worker, alone in its task: never in a select or a timeout, where
//! an accepted descriptor could be lost. It is stopped by its [`Stopper`].
//!
//! Where descriptors run out, the spare descriptor is closed to accept one client at a time and refuse
//! it with a reply (see `spare_descriptor`); accepting resumes by itself, and never spins.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use monoio::io::{CancelHandle, Canceller};
use monoio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::limits::{ACCEPT_BATCH, ACCEPT_PAUSE, LISTEN_BACKLOG, MIDDLE_READ_BYTES};
use crate::net::connection::socket::{Origin, set_options};
use crate::net::connection::stream::NetStream;
use crate::net::endpoint::spare_descriptor::SpareDescriptor;
use crate::net::error::{NetError, NetErrorKind, NetOperation};
use crate::net::runtime::{driver, task, timer};
use crate::net::sim::injected_failure;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A bound address. Dropping it removes the file of a Unix socket.
#[derive(Debug)]
pub struct BoundAddress {
    address: Address,
    seats: Vec<ListenSocket>,
    /// Device and inode of the socket file that is ours.
    file: Option<(u64, u64)>,
}

/// One worker's socket of a bound address.
#[derive(Debug)]
pub struct ListenSocket {
    socket: Socket,
    is_unix: bool,
}

/// Accepts connections on a worker.
pub struct Listener {
    inner: RuntimeListener,
    stopper: Stopper,
    /// Closed to accept one client while descriptors are short.
    spare: SpareDescriptor,
    /// The reply to such a client.
    refusal: RefusalText,
    /// Tries since the other tasks of the thread last ran. 0 <= tries <= ACCEPT_BATCH.
    tries: u32,
    /// Connections that may still be taken out of the queue after a stop.
    left_after_stop: i32,
}

/// Makes the reply to a client that cannot be accepted.
pub type RefusalText = fn() -> Vec<u8>;

/// What a listener has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerCounts {
    /// Connections handed out.
    pub accepted: u64,
    /// Connections turned away for want of descriptors.
    pub refused: u64,
    /// Times that descriptors or kernel memory were short.
    pub exhausted: u64,
    /// Accepts that failed for a reason that is neither the client's nor of the moment.
    pub failed: u64,
}

/// Stops a listener from elsewhere on its thread, and knows what it has done.
#[derive(Clone, Default)]
pub struct Stopper(Rc<StopState>);

#[derive(Default)]
struct StopState {
    is_stopped: Cell<bool>,
    canceller: RefCell<Canceller>,
    counts: Cell<ListenerCounts>,
}

enum RuntimeListener {
    Tcp(TcpListener, Socket),
    Unix(UnixListener, Socket),
}

impl Address {
    /// Reads `ADDRESS:PORT`, `[IPV6]:PORT` or `unix:PATH`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("unix:") {
            Some("") => None,
            Some(path) => Some(Self::Unix(PathBuf::from(path))),
            None => text.parse().ok().map(Self::Tcp),
        }
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Takes `address` for `workers` workers. Blocks for a moment; not for a worker's thread.
///
/// An address in use is tried again: under io_uring a process that was killed goes on listening for
/// some milliseconds, and its successor may be there before.
///
/// # Errors
///
/// When the address is in use, not ours, or not permitted.
pub fn bind(address: &Address, workers: usize) -> Result<BoundAddress, NetError> {
    let mut pauses = BIND_PAUSES.iter();
    loop {
        let bound = match address {
            Address::Tcp(address) => bind_tcp(*address, workers.max(1)),
            Address::Unix(path) => bind_unix(path, workers.max(1)),
        };
        let failure = match bound {
            Ok(bound) => return Ok(bound),
            Err(error) => NetError::from_io(NetOperation::Bind, &error),
        };
        match pauses.next() {
            Some(&pause) if failure.kind() == NetErrorKind::InUse => {
                std::thread::park_timeout(pause)
            }
            _ => return Err(failure),
        }
    }
}

impl BoundAddress {
    /// A socket that listens on `address` already, for `workers` workers to share. Its file, if it has one,
    /// stays when this is dropped.
    pub(in crate::net) fn inherited(
        socket: Socket,
        address: Address,
        workers: usize,
    ) -> io::Result<Self> {
        let is_unix = matches!(address, Address::Unix(_));
        if !is_unix {
            set_options(&socket);
        }
        Ok(Self {
            address,
            seats: share(socket, is_unix, workers)?,
            file: None,
        })
    }

    /// The address, with the port that the system chose.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether this made a socket file, and removes it at the end.
    #[must_use]
    pub const fn owns_file(&self) -> bool {
        self.file.is_some()
    }

    /// The workers' parts; empty the second time.
    pub fn take_seats(&mut self) -> Vec<ListenSocket> {
        core::mem::take(&mut self.seats)
    }
}

impl ListenSocket {
    /// The listening socket, for another runtime than a worker's.
    #[must_use]
    pub fn into_descriptor(self) -> OwnedFd {
        self.socket.into()
    }
}

impl Drop for BoundAddress {
    fn drop(&mut self) {
        if let (Address::Unix(path), Some(file)) = (&self.address, self.file)
            && file_id(path).is_ok_and(|found| found == file)
        {
            let _ = fs::remove_file(path);
        }
    }
}

impl Listener {
    /// Opens a seat on this worker. `refusal` is what a client is told where descriptors are short.
    ///
    /// # Errors
    ///
    /// When the driver cannot take the socket.
    pub fn open(seat: ListenSocket, refusal: RefusalText) -> Result<Self, NetError> {
        let inner =
            open_inner(seat).map_err(|error| NetError::from_io(NetOperation::Accept, &error))?;
        Ok(Self {
            inner,
            stopper: Stopper::default(),
            spare: SpareDescriptor::new(),
            refusal,
            tries: 0,
            left_after_stop: LISTEN_BACKLOG,
        })
    }

    /// What stops this listener.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// The next connection. Not safe to drop: a descriptor could be lost.
    ///
    /// On epoll an accept is ready at once while anyone waits. So the other tasks of the thread, and the
    /// sockets, have their turn behind every [`ACCEPT_BATCH`] tries.
    ///
    /// Once stopped, what waits in the queue is still handed out: as many as the queue can hold, though
    /// others go on coming.
    ///
    /// # Errors
    ///
    /// [`NetErrorKind::Stopped`] after a stop: the listener has ended. Any other is told after a pause, and
    /// accepting may go on.
    pub async fn accept(&mut self) -> Result<NetStream, NetError> {
        loop {
            if self.tries == ACCEPT_BATCH {
                self.tries = 0;
                task::yield_now().await;
            }
            self.tries += 1;
            let accepted = if self.stopper.0.is_stopped.get() {
                if self.left_after_stop == 0 {
                    return Err(NetError::new(NetOperation::Accept, NetErrorKind::Stopped));
                }
                self.left_after_stop -= 1;
                self.inner.accept_waiting()
            } else {
                let handle = self.stopper.0.canceller.borrow().handle();
                self.inner.accept(handle).await
            };
            match accepted {
                Ok(stream) if self.spare.restore() => {
                    self.count(|counts| counts.accepted += 1);
                    return Ok(stream);
                }
                Ok(stream) => self.turn_away(stream).await,
                Err(error) => self.recover(&error).await?,
            }
        }
    }

    fn count(&self, change: impl FnOnce(&mut ListenerCounts)) {
        let mut counts = self.stopper.counts();
        change(&mut counts);
        self.stopper.0.counts.set(counts);
    }

    /// Refuses a connection that took what should have become the spare one.
    async fn turn_away(&mut self, stream: NetStream) {
        self.count(|counts| counts.refused += 1);
        stream.refuse(&(self.refusal)());
        // Closing is done by the driver in its next turn; only then is there a descriptor again.
        timer::sleep(CLOSE_MS).await;
        self.spare.restore();
    }

    /// After a failed accept: returns if another may follow.
    async fn recover(&mut self, error: &io::Error) -> Result<(), NetError> {
        let failure = NetError::from_io(NetOperation::Accept, error);
        if self.stopper.0.is_stopped.get() {
            return match failure.kind() {
                // The cancelled one: now for what waits in the queue.
                NetErrorKind::Stopped => Ok(()),
                _ => Err(NetError::new(NetOperation::Accept, NetErrorKind::Stopped)),
            };
        }
        match failure.kind() {
            NetErrorKind::Exhausted => {
                self.count(|counts| counts.exhausted += 1);
                let (inner, refusal) = (&self.inner, self.refusal);
                match self.spare.lend(|| inner.refuse_waiting(&refusal())) {
                    Some(Ok(())) => self.count(|counts| counts.refused += 1),
                    // Nobody waits, or the spare descriptor is lost.
                    Some(Err(_)) | None => {
                        pause().await;
                        self.spare.restore();
                    }
                }
                Ok(())
            }
            // Of the connection that came, not of the listener.
            NetErrorKind::Reset
            | NetErrorKind::Unreachable
            | NetErrorKind::Timeout
            | NetErrorKind::Closed => Ok(()),
            NetErrorKind::Os(libc::EINTR | libc::EPROTO | libc::EPERM | libc::EOPNOTSUPP) => Ok(()),
            // Only where workers with different drivers share a Unix socket.
            NetErrorKind::Os(libc::EAGAIN) => {
                pause().await;
                Ok(())
            }
            kind => {
                self.count(|counts| counts.failed += 1);
                pause().await;
                // Cancelled, though nobody stopped it: a failure like any other.
                Err(match kind {
                    NetErrorKind::Stopped => {
                        NetError::new(NetOperation::Accept, NetErrorKind::Os(libc::ECANCELED))
                    }
                    _ => failure,
                })
            }
        }
    }
}

impl Stopper {
    /// Stops the listener: its pending accept ends.
    pub fn stop(&self) {
        self.0.is_stopped.set(true);
        let canceller = self.0.canceller.take();
        *self.0.canceller.borrow_mut() = canceller.cancel();
    }

    /// What the listener has done.
    #[must_use]
    pub fn counts(&self) -> ListenerCounts {
        self.0.counts.get()
    }
}

impl RuntimeListener {
    async fn accept(&self, handle: CancelHandle) -> io::Result<NetStream> {
        injected_failure::fails()?;
        match self {
            Self::Tcp(listener, _) => {
                let (stream, peer) = listener.cancelable_accept(handle).await?;
                Ok(NetStream::from_tcp(stream, peer, Origin::Accepted))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.cancelable_accept(handle).await?;
                Ok(NetStream::from_unix(stream))
            }
        }
    }

    /// Takes in a connection that waits in the queue, tells it so and closes it, all at once.
    fn refuse_waiting(&self, refusal: &[u8]) -> io::Result<()> {
        let (accepted, _) = self.accept_queued()?;
        accepted.set_nonblocking(true)?;
        // What it has sent is read before, so that it gets the words and not a reset.
        let mut unread = [core::mem::MaybeUninit::uninit(); MIDDLE_READ_BYTES];
        let _ = accepted.recv(&mut unread);
        let _ = accepted.send_with_flags(refusal, libc::MSG_NOSIGNAL);
        Ok(())
    }

    fn accept_queued(&self) -> io::Result<(Socket, SockAddr)> {
        injected_failure::fails()?;
        let (Self::Tcp(_, socket) | Self::Unix(_, socket)) = self;
        socket.set_nonblocking(true)?;
        let accepted = socket.accept();
        // See `open_inner`: for the accepts to come.
        socket.set_nonblocking(!is_uring())?;
        accepted
    }

    /// A connection that waits in the queue, without waiting for one.
    fn accept_waiting(&self) -> io::Result<NetStream> {
        let (accepted, peer) = self.accept_queued()?;
        accepted.set_nonblocking(!is_uring())?;
        match peer.as_socket() {
            Some(peer) => {
                let stream = TcpStream::from_std(accepted.into())?;
                Ok(NetStream::from_tcp(stream, peer, Origin::Accepted))
            }
            None => Ok(NetStream::from_unix(UnixStream::from_std(accepted.into())?)),
        }
    }
}

fn open_inner(seat: ListenSocket) -> io::Result<RuntimeListener> {
    // epoll reads until it would block; io_uring must not, or it would say so at once.
    seat.socket.set_nonblocking(!is_uring())?;
    let for_queue = seat.socket.try_clone()?;
    if seat.is_unix {
        let listener: std::os::unix::net::UnixListener = seat.socket.into();
        return Ok(RuntimeListener::Unix(
            UnixListener::from_std(listener)?,
            for_queue,
        ));
    }
    Ok(RuntimeListener::Tcp(
        TcpListener::from_std(seat.socket.into())?,
        for_queue,
    ))
}

fn is_uring() -> bool {
    driver::current().is_some_and(driver::DriverKind::is_uring)
}

async fn pause() {
    timer::sleep(u64::try_from(ACCEPT_PAUSE.as_millis()).unwrap_or(CLOSE_MS)).await;
}

fn bind_tcp(address: SocketAddr, workers: usize) -> io::Result<BoundAddress> {
    if address.port() != 0 {
        // Taken alone, then let go: another program's listener makes this fail, whatever options
        // it has set. It never listens itself: who connected meanwhile would be reset, or wait a
        // second for the kernel to ask again.
        drop(tcp_socket(address, false)?);
    }
    let first = tcp_socket(address, true)?;
    let chosen = first.local_addr()?.as_socket().unwrap_or(address);
    let mut sockets = vec![first];
    for _ in 1..workers {
        sockets.push(tcp_socket(chosen, true)?);
    }
    let mut seats = Vec::with_capacity(workers);
    for socket in sockets {
        set_options(&socket);
        socket.listen(LISTEN_BACKLOG)?;
        seats.push(ListenSocket {
            socket,
            is_unix: false,
        });
    }
    Ok(BoundAddress {
        address: Address::Tcp(chosen),
        seats,
        file: None,
    })
}

fn tcp_socket(address: SocketAddr, is_shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(is_shared)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

/// One listening socket under a descriptor for each worker.
fn share(socket: Socket, is_unix: bool, workers: usize) -> io::Result<Vec<ListenSocket>> {
    let mut seats = Vec::with_capacity(workers);
    for _ in 1..workers {
        let socket = socket.try_clone()?;
        seats.push(ListenSocket { socket, is_unix });
    }
    seats.push(ListenSocket { socket, is_unix });
    Ok(seats)
}

fn bind_unix(path: &Path, workers: usize) -> io::Result<BoundAddress> {
    remove_dead(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let mut bound = BoundAddress {
        address: Address::Unix(path.to_owned()),
        seats: Vec::new(),
        file: Some(file_id(path)?),
    };
    socket.listen(LISTEN_BACKLOG)?;
    bound.seats = share(socket, true, workers)?;
    Ok(bound)
}

/// Removes a socket file that nobody listens behind. Anything else in its place is an error.
fn remove_dead(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let in_use = || Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
    if !found.file_type().is_socket() {
        return in_use();
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => in_use(),
    }
}

fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Between the tries to take an address that is in use.
const BIND_PAUSES: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(200),
];
/// After closing a descriptor: the driver's next turn, and some.
const CLOSE_MS: u64 = 2;

#[cfg(test)]
mod tests;
