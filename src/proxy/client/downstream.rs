//! One client connection's state, and waiting that notices when the client has gone.
//!
//! While a provider is awaited, one read of the client's socket stays pending beside it
//! ([`Client::watch`]): its end means the client left, its bytes are the next request and wait in
//! `ahead`, at most one buffer of them.

use core::future::poll_fn;
use core::ops::Range;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::rc::Rc;

use crate::limits::{KIB, QUIET_READ_BYTES};
use crate::net::connection::reader::ConnectionReader;
use crate::net::connection::stream::NetStream;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::loop_turn;
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::timer::Deadline;
use crate::proxy::client::answer_head::BodyForm;
use crate::proxy::client::early_head::EarlyHead;
use crate::proxy::shared::charge::Admission;
use crate::proxy::shared::drain::{Drain, Phase};
use crate::proxy::shared::failure::Kind;
use crate::proxy::shared::memory_budget::Charge;

/// A client's connection.
pub struct Client {
    /// Its socket.
    pub stream: NetStream,
    /// The request in hand, from its first byte.
    pub input: Vec<u8>,
    /// What came behind it.
    pub ahead: Vec<u8>,
    /// What `ahead` is charged in the budget of held bytes; none where it is small.
    pub ahead_charge: Option<Charge>,
    /// The same for `input`, where it is what came behind the request before.
    pub input_charge: Option<Charge>,
    /// The one timer of this connection.
    pub deadline: Deadline,
    /// When to look again for the end of a client whose bytes are no longer read.
    pub look: Option<Deadline>,
    /// A head that goes out while a provider is waited for.
    pub early: Option<Box<EarlyHead>>,
    /// The end of the process.
    pub drain: Rc<Drain>,
    /// What the request in hand has reserved.
    pub admission: Option<Admission>,
}

/// Why waiting ended without its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The client left.
    Gone,
    /// The deadline passed.
    Expired,
    /// The drain limit passed.
    Cut,
}

impl Interrupt {
    /// What has happened to an answer whose writing was interrupted.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Gone => Kind::ClientGone,
            Self::Expired => Kind::ClientStalled,
            Self::Cut => Kind::DrainCut,
        }
    }
}

impl Client {
    /// One of which nothing has been read yet.
    #[must_use]
    pub fn new(stream: NetStream, drain: Rc<Drain>) -> Self {
        Self {
            stream,
            input: Vec::new(),
            ahead: Vec::new(),
            ahead_charge: None,
            input_charge: None,
            deadline: Deadline::new(),
            look: None,
            early: None,
            drain,
            admission: None,
        }
    }

    /// Waits for `work`, unless the client leaves, the deadline passes or the process is cut.
    ///
    /// The work is dropped when it is interrupted: whatever socket it was using must be closed.
    ///
    /// # Errors
    /// What came first instead of the result.
    pub async fn watch<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
    ) -> Result<F::Output, Interrupt> {
        if self.early.is_some() {
            return boxed(|| self.watch_early(work)).await;
        }
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if loop_turn::is_awaited(cx) => Poll::Pending,
            Poll::Pending => self.poll_interrupt(cx).map(Err),
        })
        .await
    }

    /// The same while an early head is due at some time, or its comments are.
    async fn watch_early<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
    ) -> Result<F::Output, Interrupt> {
        loop {
            let done = poll_fn(|cx| {
                if let Poll::Ready(output) = work.as_mut().poll(cx) {
                    return Poll::Ready(Some(Ok(output)));
                }
                if let Poll::Ready(interrupt) = self.poll_interrupt(cx) {
                    return Poll::Ready(Some(Err(interrupt)));
                }
                match &mut self.early {
                    Some(early) => early.poll_due(cx).map(|()| None),
                    None => Poll::Pending,
                }
            })
            .await;
            let done = match done {
                Some(done) => Some(done),
                None => self.write_due(work.as_mut()).await,
            };
            if let Some(done) = done {
                return done;
            }
        }
    }

    /// Writes what is due of an early head while the work goes on; gives its output if it came
    /// meanwhile. A client that takes nothing is as good as gone.
    async fn write_due<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
    ) -> Option<Result<F::Output, Interrupt>> {
        let Self { stream, early, .. } = self;
        let early = early.as_mut()?;
        let NetStream { reader, writer, .. } = stream;
        let bytes = early.take_due();
        let len = bytes.len();
        let mut writing = pin!(writer.write(bytes, 0..len));
        let mut taking = Taking::new(early.stall_ms());
        let mut look = Deadline::new();
        look.set_at(taking.look_at(clock::now()));
        let mut output = None;
        let written = poll_fn(|cx| {
            if let Poll::Ready((result, _)) = writing.as_mut().poll(cx) {
                return Poll::Ready(result.is_ok());
            }
            if output.is_none()
                && let Poll::Ready(done) = work.as_mut().poll(cx)
            {
                output = Some(Ok(done));
            }
            taking.poll_stalled(reader, &mut look, cx).map(|()| false)
        })
        .await;
        if !written {
            return Some(Err(Interrupt::Gone));
        }
        early.bytes_out += len as u64;
        output
    }

    /// How the body behind an early head is framed, if that has gone out.
    #[must_use]
    pub fn begun_form(&self) -> Option<BodyForm> {
        let early = self.early.as_ref().filter(|early| early.has_begun())?;
        Some(early.form)
    }

    /// Whether an early head has gone out.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.early.as_ref().is_some_and(|early| early.has_begun())
    }

    /// Like [`Client::watch`], while the client's bytes are left alone: they are still to be read.
    ///
    /// # Errors
    /// What came first instead of the result.
    pub async fn watch_unread<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
    ) -> Result<F::Output, Interrupt> {
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if poll_left(&self.stream.reader, &mut self.look, cx).is_ready() => {
                Poll::Ready(Err(Interrupt::Gone))
            }
            Poll::Pending => self.poll_expired(cx).map(Err),
        })
        .await
    }

    /// Like [`Client::watch`] for polling by hand.
    pub fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Interrupt> {
        let reader = &mut self.stream.reader;
        match poll_gone(reader, &mut self.ahead, &mut self.look, cx) {
            Poll::Ready(()) => Poll::Ready(Interrupt::Gone),
            Poll::Pending => self.poll_expired(cx),
        }
    }

    /// Ready when the deadline has passed or the process is cut.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<Interrupt> {
        if self.drain.phase() == Phase::Cut {
            return Poll::Ready(Interrupt::Cut);
        }
        self.deadline.poll_expired(cx).map(|()| Interrupt::Expired)
    }

    /// Writes all of `bytes`; the buffer comes back empty. A slow client is no stalled one.
    ///
    /// # Errors
    /// The client left or does not read.
    pub async fn send(&mut self, bytes: &mut Vec<u8>, stall_ms: u64) -> Result<(), Interrupt> {
        self.send_from(bytes, clock::now(), stall_ms, &mut 0).await
    }

    /// Like [`Client::send`], for those who have just read the clock; `sent` grows by what went out.
    ///
    /// # Errors
    /// The client left or does not read.
    pub async fn send_from(
        &mut self,
        bytes: &mut Vec<u8>,
        now: Instant,
        stall_ms: u64,
        sent: &mut u64,
    ) -> Result<(), Interrupt> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Self {
            stream, deadline, ..
        } = self;
        let mut taken = core::mem::take(bytes);
        let mut start = 0;
        let mut taking = Taking::new(stall_ms);
        deadline.set_at(taking.look_at(now));
        while start < taken.len() {
            let end = taken.len().min(start + SEND_BYTES);
            taken = write_or_expire(stream, (taken, start..end), (&mut taking, deadline)).await?;
            *sent += (end - start) as u64;
            start = end;
        }
        taken.clear();
        *bytes = taken;
        Ok(())
    }
}

/// Ready when the client has left. What it sends meanwhile is the next request: one buffer of it is
/// taken into `ahead`, the rest stays in the socket, where only a look finds the end behind it.
pub fn poll_gone(
    reader: &mut ConnectionReader,
    ahead: &mut Vec<u8>,
    look: &mut Option<Deadline>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    while ahead.len() < QUIET_READ_BYTES {
        match ready!(reader.poll_read(cx, ahead)) {
            Ok(0) | Err(_) => return Poll::Ready(()),
            Ok(_) => {}
        }
    }
    poll_left(reader, look, cx)
}

/// Ready when a client has left whose bytes stay in the socket: nothing tells of the end behind
/// them, it has to be looked for.
fn poll_left(
    reader: &ConnectionReader,
    look: &mut Option<Deadline>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let look = look.get_or_insert_with(|| {
        let mut soon = Deadline::new();
        soon.set_in(LOOK_MS);
        soon
    });
    while look.poll_expired(cx).is_ready() {
        if reader.has_peer_ended() {
            return Poll::Ready(());
        }
        look.set_in(LOOK_MS);
    }
    Poll::Pending
}

/// Writes, unless the deadline passes. The drain limit does not end it: last words are written past
/// it, and the process ends soon in any case.
async fn write_or_expire(
    NetStream { reader, writer, .. }: &mut NetStream,
    (bytes, range): (Vec<u8>, Range<usize>),
    (taking, deadline): (&mut Taking, &mut Deadline),
) -> Result<Vec<u8>, Interrupt> {
    let mut work = pin!(writer.write(bytes, range));
    poll_fn(|cx| {
        if let Poll::Ready((result, buffer)) = work.as_mut().poll(cx) {
            return Poll::Ready(result.map(|()| buffer).map_err(|_| Interrupt::Gone));
        }
        taking
            .poll_stalled(reader, deadline, cx)
            .map(|()| Err(Interrupt::Expired))
    })
    .await
}

/// Tells a client that takes what is written slowly from one that takes nothing.
///
/// A write that waits looks a few times within the stall time at what the client's side has
/// acknowledged, and asks the kernel for it only then: almost no write waits so long. The first look
/// only tells from where to count, so that a client is given up behind one and a quarter of the stall
/// time at most, and never before its end.
#[derive(Debug)]
pub struct Taking {
    stall_ms: u64,
    /// What was acknowledged at the latest look.
    seen: Option<u64>,
    /// Looks, one after the other, that saw nothing move.
    idle_looks: u32,
}

impl Taking {
    /// For one write.
    #[must_use]
    pub const fn new(stall_ms: u64) -> Self {
        Self {
            stall_ms,
            seen: None,
            idle_looks: 0,
        }
    }

    /// When to look first at a write that begins at `now`.
    #[must_use]
    pub const fn look_at(&self, now: Instant) -> Instant {
        now.plus_ms(self.stall_ms / LOOKS)
    }

    /// Ready when the client has taken nothing for the stall time. `deadline` is the next look.
    pub fn poll_stalled(
        &mut self,
        reader: &ConnectionReader,
        deadline: &mut Deadline,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        while deadline.poll_expired(cx).is_ready() {
            if self.is_stalled(reader.acknowledged()) {
                return Poll::Ready(());
            }
            deadline.set_in(self.stall_ms.div_ceil(LOOKS));
        }
        Poll::Pending
    }

    /// Takes in a look; says whether nothing has moved for the stall time. Where nobody knows what
    /// was acknowledged, that is the time of the whole write.
    fn is_stalled(&mut self, acknowledged: Option<u64>) -> bool {
        let moved = acknowledged.is_some() && acknowledged != self.seen;
        self.seen = acknowledged;
        self.idle_looks = if moved { 0 } else { self.idle_looks + 1 };
        u64::from(self.idle_looks) >= LOOKS
    }
}

/// A large answer goes out in parts of this size: those that were taken are counted.
const SEND_BYTES: usize = 256 * KIB;
/// Looks at a write within the stall time.
const LOOKS: u64 = 4;
/// Between two looks for the end of a client that has sent more than is read.
const LOOK_MS: u64 = 50;

#[cfg(test)]
mod tests {
    use super::{LOOKS, Taking};

    #[test]
    fn a_client_is_given_up_when_nothing_has_moved_for_the_whole_stall_time() {
        let looks = usize::try_from(LOOKS).unwrap();
        let given_up = |acknowledged: &[Option<u64>]| {
            let mut taking = Taking::new(1_000);
            let mut looked = acknowledged.iter();
            looked.position(|seen| taking.is_stalled(*seen))
        };
        // The first look is no silence yet: what was taken before it is not known.
        assert_eq!(given_up(&vec![Some(7); looks]), None);
        assert_eq!(given_up(&vec![Some(7); looks + 1]), Some(looks));
        // Who takes a little before each end is never given up.
        let slow: Vec<_> = (0..9).flat_map(|at| vec![Some(at); looks]).collect();
        assert_eq!(given_up(&slow), None);
        let then_nothing = [slow, vec![Some(8)]].concat();
        assert_eq!(given_up(&then_nothing), Some(then_nothing.len() - 1));
        assert_eq!(given_up(&vec![None; looks]), Some(looks - 1));
    }
}
