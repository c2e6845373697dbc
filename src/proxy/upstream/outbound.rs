//! A request on its way to a provider, and what comes back before the end of an answer's head.
//!
//! Reading goes on while the request is written: a provider may refuse it before it has all of it. A
//! connection that ends before the first byte of an answer is a stale one, and its failure says whether
//! the provider may have received the whole request.

use core::future::poll_fn;
use core::iter::once;
use core::pin::pin;
use core::task::{Poll, ready};

use crate::http1::head::{self, HeadLimits, HeadProgress, ResponseHead};
use crate::http1::method::Method;
use crate::limits::Limits;
use crate::net::connection::stream::NetStream;
use crate::net::connection::vectored_write::WritePiece;
use crate::net::error::{NetError, NetErrorKind as NetKind, NetOperation};
use crate::net::runtime::{buffers, loop_turn, timer};
use crate::proxy::shared::failure::{Failure, Kind};

/// A request as it goes out: small pieces together, large ones from where they lie.
#[derive(Debug)]
pub struct Outbound {
    /// The method: it decides whether the answer has a body.
    pub method: Method,
    /// What is written, nearly always all of it.
    pub first: WritePiece,
    /// What is written behind it, in order.
    pub rest: Vec<WritePiece>,
}

impl Outbound {
    /// Gives its buffer back, which must have gone out or never will.
    pub fn recycle(self) {
        if let Some(buffer) = buffers::unshare(self.first.buffer) {
            buffers::give(buffer);
        }
    }
}

/// What came of an answer whose head is not whole yet. Interim heads are taken out as they come.
#[derive(Debug, Default)]
pub struct Early {
    /// The bytes.
    pub buf: Vec<u8>,
    /// Bytes of `buf` that were looked through. 0 <= scanned <= buf.len().
    scanned: usize,
    /// Interim heads so far.
    interim: u32,
    /// The head of a success is there: nothing more is read before the request has gone out.
    accepted: bool,
}

/// What an answer means for a request that is still being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reception {
    /// None is there yet.
    Open,
    /// A success on a connection that stays: it wants the rest.
    Accepted,
    /// A refusal, an answer on a connection that ends, or what can be none: nothing more is wanted.
    Over,
}

impl Early {
    /// Where the answer's head ends, once it is whole.
    fn advance(
        &mut self,
        head: &mut ResponseHead,
        method: Method,
        limits: &Limits,
    ) -> Result<Option<usize>, Failure> {
        let bounds = HeadLimits::of_response(limits);
        while !self.buf.is_empty() {
            match head::parse_response(&self.buf, self.scanned, &bounds, method, head) {
                Ok(HeadProgress::Complete { consumed }) if head.is_interim() => {
                    self.interim += 1;
                    if self.interim > limits.interim_responses_max {
                        let detail = "too many interim heads";
                        return Err(Failure::with_detail(Kind::Framing, detail));
                    }
                    self.buf.drain(..consumed);
                    self.scanned = 0;
                }
                Ok(HeadProgress::Complete { consumed }) => return Ok(Some(consumed)),
                Ok(HeadProgress::Partial { scanned }) => {
                    self.scanned = scanned;
                    return Ok(None);
                }
                Err(fault) => return Err(Failure::with_detail(Kind::Framing, fault.text())),
            }
        }
        Ok(None)
    }

    /// Whether more of the answer may be read while the request goes out.
    #[must_use]
    pub const fn listens(&self) -> bool {
        !self.accepted
    }

    /// Whether the answer says that nothing more needs to be sent: it refuses, or ends the
    /// connection, or can be none. A success is no such word: it may come before its provider has
    /// read everything.
    pub fn is_refused(&mut self, method: Method, limits: &Limits) -> bool {
        let reception = self.reception(method, limits);
        self.accepted = reception == Reception::Accepted;
        reception == Reception::Over
    }

    fn reception(&mut self, method: Method, limits: &Limits) -> Reception {
        let mut head = ResponseHead::new();
        match self.advance(&mut head, method, limits) {
            Ok(None) => Reception::Open,
            Ok(Some(_)) if head.status < 300 && head.keep_alive => Reception::Accepted,
            Ok(Some(_)) | Err(_) => Reception::Over,
        }
    }
}

/// Writes the request; an answer that refuses it before all of it is written ends the writing.
/// Interim heads do not, nor does a success, of which no more is read meanwhile. Says whether all
/// went out.
///
/// # Errors
/// The connection failed and no answer came.
pub async fn send(
    stream: &mut NetStream,
    out: &Outbound,
    early: &mut Early,
    limits: &Limits,
) -> Result<bool, Failure> {
    let (end, error) = match write_and_listen(stream, out, early, limits).await {
        Written::Whole => return Ok(true),
        Written::Refused => return Ok(false),
        Written::Broken(end, error) => (end, error),
    };
    // The provider may have answered and closed before it read everything; what it said can be
    // read all the same.
    if !early.buf.is_empty() {
        return Ok(false);
    }
    let reading = poll_fn(|cx| stream.reader.poll_read(cx, &mut early.buf));
    match timer::within(LAST_WORDS_MS, reading).await {
        Some(Ok(count)) if count > 0 => Ok(false),
        Some(_) | None => Err(lost(stream, end, error)),
    }
}

/// What became of the writing of a request.
enum Written {
    /// All of it went out.
    Whole,
    /// An answer came that wants no more of it.
    Refused,
    /// The connection ended.
    Broken(End, NetError),
}

/// How a connection ended before an answer.
#[derive(Clone, Copy)]
enum End {
    /// A write failed: the request did not go out whole.
    Write,
    /// The provider ended its direction in good order.
    Closed,
    /// A reset, or whatever else a read failed with.
    Failed,
}

impl End {
    /// What a read that failed says. A TLS connection may end in good order but for its close message.
    fn of(error: NetError) -> Self {
        match error.kind() {
            NetKind::Cut | NetKind::Closed => Self::Closed,
            _ => Self::Failed,
        }
    }
}

async fn write_and_listen(
    stream: &mut NetStream,
    out: &Outbound,
    early: &mut Early,
    limits: &Limits,
) -> Written {
    let NetStream { reader, writer, .. } = stream;
    let mut writing = pin!(async {
        let first = out.first.clone();
        if out.rest.is_empty() {
            return writer.write_shared(first.buffer, first.range).await;
        }
        let pieces = once(first).chain(out.rest.iter().cloned()).collect();
        writer.write_pieces(pieces).await
    });
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = writing.as_mut().poll(cx) {
                return Poll::Ready(match result {
                    Ok(()) => Written::Whole,
                    Err(error) => Written::Broken(End::Write, error),
                });
            }
            if !early.listens() || loop_turn::is_awaited(cx) {
                return Poll::Pending;
            }
            match ready!(reader.poll_read(cx, &mut early.buf)) {
                Ok(0) => return Poll::Ready(Written::Broken(End::Closed, closed())),
                Ok(_) if early.is_refused(out.method, limits) => {
                    return Poll::Ready(Written::Refused);
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Written::Broken(End::of(error), error)),
            }
        }
    })
    .await
}

/// Reads the head of the answer, past interim ones; returns where the body starts.
///
/// # Errors
/// The connection ended before that, or sent what is no head.
pub async fn read_head(
    stream: &mut NetStream,
    early: &mut Early,
    head: &mut ResponseHead,
    method: Method,
    limits: &Limits,
) -> Result<usize, Failure> {
    loop {
        if let Some(head_end) = early.advance(head, method, limits)? {
            return Ok(head_end);
        }
        let fresh = early.buf.is_empty() && early.interim == 0;
        match poll_fn(|cx| stream.reader.poll_read(cx, &mut early.buf)).await {
            Ok(0) if fresh => return Err(lost(stream, End::Closed, closed())),
            Ok(0) => return Err(Failure::with_detail(Kind::Reset, "closed inside the head")),
            Ok(_) => {}
            Err(error) if fresh => return Err(lost(stream, End::of(error), error)),
            Err(error) => return Err(Failure::with_detail(Kind::Reset, error.to_string())),
        }
    }
}

const fn closed() -> NetError {
    NetError::new(NetOperation::Read, NetKind::Closed)
}

/// The connection failed before a byte of an answer. A reset says nothing of what was received before
/// it: the acknowledgement may have been still to come.
fn lost(stream: &NetStream, end: End, error: NetError) -> Failure {
    Failure {
        may_be_delivered: match end {
            End::Write => false,
            End::Closed => stream.may_be_delivered(),
            End::Failed => true,
        },
        ..Failure::with_detail(Kind::Stale, error.to_string())
    }
}

/// How long an answer is waited for behind a write that failed. A provider that is gone has said
/// before what it had to say; one that is not waits for the rest of the request.
const LAST_WORDS_MS: u64 = 100;
