//! A connection: a reading and a writing half that work at the same time in one task, plain over
//! TCP or a Unix socket, or TLS over TCP.
//!
//! Dropping or [`NetStream::abort`]ing shuts the socket down first, so that the peer sees the end at
//! once even while a read is pending. After a write that was not finished, dropping resets; so it
//! does while an answer is waited for that nobody wants any more ([`NetStream::revoke_on_drop`]).
//!
//! Not here: the halves (see `reader` and `writer`), time limits (see `timer`), reuse (see `pool`).

use core::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use monoio::net::{TcpStream, UnixStream};

use crate::limits::MIDDLE_READ_BYTES;
use crate::net::connection::reader::ConnectionReader;
use crate::net::connection::socket::{Origin, ReadHalf, Readiness, Socket, WriteHalf};
use crate::net::connection::tls::{NegotiatedTls, SharedTlsSession, TlsSession};
use crate::net::connection::writer::ConnectionWriter;
use crate::net::error::{NetError, NetOperation};
use crate::net::runtime::buffers::{self, Class};
use crate::net::sim::socket::SimHandle;

/// A connection.
pub struct NetStream {
    /// The half that reads.
    pub reader: ConnectionReader,
    /// The half that writes.
    pub writer: ConnectionWriter,
    socket: Socket,
    peer: Option<SocketAddr>,
    session: Option<SharedTlsSession>,
    /// What was asked here is wanted no more if the connection is dropped.
    revokes: bool,
}

impl NetStream {
    /// A plain connection over TCP.
    pub(in crate::net) fn from_tcp(stream: TcpStream, peer: SocketAddr, origin: Origin) -> Self {
        let (socket, read, write) = Socket::from_tcp(stream, origin);
        Self::plain(socket, read, write, Some(peer))
    }

    /// A plain connection over a Unix socket.
    pub(in crate::net) fn from_unix(stream: UnixStream) -> Self {
        let (socket, read, write) = Socket::from_unix(stream);
        Self::plain(socket, read, write, None)
    }

    /// A plain connection of a simulated world.
    pub(crate) fn from_sim(end: SimHandle, peer: SocketAddr) -> Self {
        let (socket, read, write) = Socket::from_sim(end);
        Self::plain(socket, read, write, Some(peer))
    }

    fn plain(socket: Socket, read: ReadHalf, write: WriteHalf, peer: Option<SocketAddr>) -> Self {
        Self {
            reader: ConnectionReader::new(read, socket.clone()),
            writer: ConnectionWriter::new(write),
            socket,
            peer,
            session: None,
            revokes: false,
        }
    }

    /// From here on the connection speaks through `session`, whose handshake is done; `early` is
    /// plaintext that came with it.
    pub(in crate::net) fn secure(&mut self, session: TlsSession, early: Vec<u8>) {
        let session = Rc::new(RefCell::new(session));
        self.reader.secure(Rc::clone(&session), early);
        self.writer.secure(Rc::clone(&session));
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
    pub fn tls(&self) -> Option<NegotiatedTls> {
        self.session
            .as_ref()
            .map(|session| session.borrow().facts())
    }

    /// Lays the connection aside after an exchange, if it may be used for another: no read is pending
    /// and nothing that came is left over. From now on a read waits for what the peer does meanwhile.
    pub(in crate::net) fn lay_aside(&mut self) -> bool {
        let is_clean = self.reader.is_empty();
        if is_clean {
            self.reader.rest();
        }
        is_clean
    }

    /// Whether the peer of a connection that was laid aside has neither sent nor ended anything. The
    /// pending read tells once the kernel `was_heard` since; until then the socket is looked at.
    pub(in crate::net) fn is_undisturbed(&mut self, was_heard: bool) -> bool {
        self.reader.is_resting() && (was_heard || self.socket.look() == Readiness::Quiet)
    }

    /// Whether no read is pending, nothing that came is left over, and nothing waits in the socket.
    #[cfg(test)]
    pub(crate) fn is_clean_idle(&self) -> bool {
        self.reader.is_empty() && self.socket.look() == Readiness::Quiet
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
            .map_err(|error| NetError::from_io(NetOperation::Write, &error))
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

    /// Whether the peer's side may have received everything that was written. Exact once the peer has
    /// ended its direction in good order: its end acknowledges what had come before. A reset
    /// acknowledges nothing.
    #[must_use]
    pub fn may_be_delivered(&self) -> bool {
        let acknowledged = self.socket.acknowledged();
        acknowledged.is_none_or(|bytes| bytes >= self.writer.begun_bytes())
    }

    /// Whether dropping the connection resets it, so that a request that is still on its way is
    /// thrown away.
    pub const fn revoke_on_drop(&mut self, revokes: bool) {
        self.revokes = revokes;
    }

    /// Ends the connection by a reset: the peer gets an error, unsent bytes are thrown away.
    pub fn reset(self) {
        self.socket.reset();
    }
}

impl Drop for NetStream {
    fn drop(&mut self) {
        // A pending read would else keep the descriptor open for as long as the peer is silent.
        if self.revokes || self.writer.is_unfinished() {
            // An end behind the first part of a write would reach a peer that does not read when it
            // reads again, and a peer that does as if all were well.
            self.socket.reset();
        } else {
            self.socket.shutdown();
        }
    }
}

#[cfg(test)]
mod tests;
