//! Connections of the admin listener: how many there may be, and how long a peer may keep one.
//!
//! A peer has so long from its first byte until it takes the answer, whatever it sends meanwhile,
//! and so long between two requests. Who comes past the bound waits in the listener's queue.
//!
//! Not here: HTTP (see `admin`).

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

use crate::limits::Limits;

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionTimeouts {
    /// From the first byte of a request (or accept) to its answer, and between two parts of that.
    pub request: Duration,
    /// Between two requests.
    pub idle: Duration,
}

impl ConnectionTimeouts {
    /// Those of clients.
    #[must_use]
    pub const fn of(limits: &Limits) -> Self {
        Self {
            request: Duration::from_millis(limits.head_timeout_ms),
            idle: Duration::from_millis(limits.idle_timeout_ms),
        }
    }
}

/// A connection that ends by itself.
pub struct Timed<S> {
    stream: S,
    waits: ConnectionTimeouts,
    until: Pin<Box<Sleep>>,
    /// Bytes of a request came that has no answer yet.
    asked: bool,
    /// Held for its drop alone.
    _place: Option<OwnedSemaphorePermit>,
}

impl<S> Timed<S> {
    /// For a connection that was just accepted.
    pub fn new(stream: S, waits: ConnectionTimeouts, place: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            stream,
            waits,
            until: Box::pin(sleep(waits.request)),
            asked: true,
            _place: place,
        }
    }

    fn poll_expired<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.until.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            return self.poll_expired(cx);
        }
        if !self.asked {
            self.asked = true;
            let until = Instant::now() + self.waits.request;
            self.until.as_mut().reset(until);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_pending() {
            return self.poll_expired(cx);
        }
        self.asked = false;
        let until = Instant::now() + self.waits.idle;
        self.until.as_mut().reset(until);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
