//! Where the body of an answer comes from.
//!
//! A source gives payload, without framing, and says when that ends; the reading side of a relay
//! knows no more of it. Another source, such as a kept answer, is one more variant here.

use core::task::{Context, Poll};

use crate::http1::body::{BodyEnd, BodyFault};
use crate::net::error::NetError;
use crate::net::runtime::buffers;
use crate::net::runtime::clock::Instant;
use crate::proxy::shared::worker::Worker;
use crate::proxy::upstream::attempt::{self, Upstream};

/// Where the body of an answer comes from.
#[derive(Debug)]
pub enum Source {
    /// A provider's connection.
    Upstream(Box<Upstream>),
}

impl Source {
    /// The next payload that is there; nothing once more has to be read, or the body is done.
    ///
    /// # Errors
    /// The body's framing is malformed.
    #[inline]
    pub fn payload(&mut self) -> Result<Option<&[u8]>, BodyFault> {
        let Self::Upstream(upstream) = self;
        upstream.payload()
    }

    /// Bytes that are there and not dealt with.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        let Self::Upstream(upstream) = self;
        upstream.buf.len().saturating_sub(upstream.body_at)
    }

    /// Whether the body has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let Self::Upstream(upstream) = self;
        upstream.body.is_done()
    }

    /// Gives the buffer of what was read back, where all of it is dealt with.
    pub fn give_buffer(&mut self) {
        let Self::Upstream(upstream) = self;
        if upstream.body_at >= upstream.buf.len() {
            buffers::give(core::mem::take(&mut upstream.buf));
            upstream.body_at = 0;
        }
    }

    /// Reads what comes next, up to so many bytes; 0 is the clean end of what it is read from.
    ///
    /// # Errors
    /// The connection broke.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<Result<usize, NetError>> {
        let Self::Upstream(upstream) = self;
        let reader = &mut upstream.stream.reader;
        reader.poll_read_most(cx, &mut upstream.buf, most)
    }

    /// Begins a read whose bytes are not wanted yet.
    pub fn begin_read(&mut self, cx: &mut Context<'_>) {
        let Self::Upstream(upstream) = self;
        upstream.stream.reader.begin(cx);
    }

    /// Tells that nothing more is to be read.
    #[must_use]
    pub fn end_of_input(&mut self) -> BodyEnd {
        let Self::Upstream(upstream) = self;
        upstream.body.end_of_input()
    }

    /// Lets go of what only the answer's head needed.
    pub fn forget_head(&mut self, worker: &Worker) {
        let Self::Upstream(upstream) = self;
        worker
            .thread
            .give_table(core::mem::take(&mut upstream.head.fields));
    }

    /// The answer was delivered: what it was read from may serve again.
    pub fn release(self, worker: &Worker, now: Instant) {
        let Self::Upstream(upstream) = self;
        attempt::release(worker, upstream, now);
    }
}
