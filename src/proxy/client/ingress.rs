//! Taking a request in: its head, then its body, each within its bounds and times.
//!
//! A drop at any await leaves nothing behind but the connection's own buffers.

use core::future::poll_fn;
use core::ops::Range;
use core::task::Poll;
use std::sync::Arc;

use crate::http1::body::{BodyDecoder, BodyFault, BodyLimits};
use crate::http1::encode;
use crate::http1::fault::HeadFault;
use crate::http1::head::{self, HeadLimits, HeadProgress, RequestHead};
use crate::limits::{BUSY_READ_BYTES, Limits, MIB, RATE_WINDOW, UNCHARGED_BYTES};
use crate::net::runtime::clock::{self, Instant};
use crate::proxy::client::downstream::{Client, Interrupt};
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::memory_budget::{Budget, Charge};

/// A head that was read.
#[derive(Clone, Copy, Debug)]
pub struct HeadRead {
    /// Where the body starts in `Client::input`.
    pub body_at: usize,
    /// When its first byte was there.
    pub started: Instant,
    /// When its last byte was.
    pub ended: Instant,
}

/// A body that was read.
#[derive(Clone, Debug)]
pub struct BodyRead {
    /// Where it lies in `Client::input`.
    pub body: Range<usize>,
    /// When its last byte was there; `None` when it came along with the head.
    pub at: Option<Instant>,
}

/// A body that has begun to come.
#[derive(Debug)]
pub struct Begun {
    /// How far its framing was read.
    pub decoder: BodyDecoder,
    /// How fast it came.
    pub pace: Pace,
}

impl Begun {
    /// Nothing of it came yet.
    #[must_use]
    const fn new(decoder: BodyDecoder, limits: &Limits) -> Self {
        Self {
            decoder,
            pace: Pace::new(limits),
        }
    }
}

/// Why there is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadEnd {
    /// The connection ended or idled out between requests.
    Closed,
    /// It ended or broke inside a head.
    Broken,
    /// The head took too long: 408.
    TooSlow,
    /// The head is refused.
    Fault(HeadFault),
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// The client left.
    Gone,
    /// Too slow, or stalled: 408.
    TooSlow,
    /// Too large or malformed.
    Fault(BodyFault),
    /// No room in the budget: 503.
    NoRoom,
}

/// Reads the next request's head into `client.input`. `first`: the connection is new, so the head
/// timeout has run since it was accepted.
///
/// # Errors
/// Why there is none.
pub async fn read_head(
    client: &mut Client,
    head: &mut RequestHead,
    limits: &Limits,
    first: bool,
) -> Result<HeadRead, HeadEnd> {
    let bounds = HeadLimits::of_request(limits);
    let mut scanned = 0;
    let mut started = None;
    if first {
        client.deadline.set_in(limits.head_timeout_ms);
    } else if client.input.is_empty() {
        client.deadline.set_in(limits.idle_timeout_ms.min(DOZE_MS));
    }
    let mut wait = Wait {
        dozing_ms: (!first).then(|| limits.idle_timeout_ms.saturating_sub(DOZE_MS)),
        is_leaving: false,
    };
    let mut ended = None;
    loop {
        if !client.input.is_empty() {
            let started = *started.get_or_insert_with(|| {
                let now = clock::now();
                if !first || wait.is_leaving {
                    client.deadline.set_at(now.plus_ms(limits.head_timeout_ms));
                }
                now
            });
            match head::parse_request(&client.input, scanned, &bounds, head) {
                Ok(HeadProgress::Complete { consumed }) => {
                    return Ok(HeadRead {
                        body_at: consumed,
                        started,
                        ended: ended.unwrap_or(started),
                    });
                }
                Ok(HeadProgress::Partial { scanned: so_far }) => scanned = so_far,
                Err(fault) => return Err(HeadEnd::Fault(fault)),
            }
        }
        read_some(client, head, &mut wait).await?;
        ended = started.map(|_| clock::now());
    }
}

/// What waiting for a request has come to.
struct Wait {
    /// How long an idle connection stays open once it dozes; none where it does already, or must not.
    dozing_ms: Option<u64>,
    /// The process drains: it closes soon.
    is_leaving: bool,
}

/// Waits for more of a head. A connection that has been idle for long dozes: it gives back what it
/// holds. One that is idle ends when the process drains, a moment later: a request that is in the
/// socket already is served.
async fn read_some(
    client: &mut Client,
    head: &mut RequestHead,
    wait: &mut Wait,
) -> Result<(), HeadEnd> {
    let idle = client.input.is_empty();
    poll_fn(|cx| {
        loop {
            match client.stream.reader.poll_read(cx, &mut client.input) {
                Poll::Ready(Ok(0) | Err(_)) if idle => return Poll::Ready(Err(HeadEnd::Closed)),
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(HeadEnd::Broken)),
                Poll::Ready(Ok(_)) => return Poll::Ready(Ok(())),
                Poll::Pending => {}
            }
            if idle && client.drain.phase() >= Phase::Draining && !wait.is_leaving {
                wait.is_leaving = true;
                wait.dozing_ms = None;
                client.deadline.set_in(LEAVE_MS);
            }
            match client.poll_expired(cx) {
                Poll::Ready(Interrupt::Expired) if idle && let Some(ms) = wait.dozing_ms.take() => {
                    client.stream.reader.doze(cx);
                    *head = RequestHead::new();
                    client.deadline.set_in(ms);
                }
                Poll::Ready(_) if idle => return Poll::Ready(Err(HeadEnd::Closed)),
                Poll::Ready(_) => return Poll::Ready(Err(HeadEnd::TooSlow)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// Reads a whole body behind the head in `client.input` and returns where it lies; what follows
/// it goes to `client.ahead`. `charge` grows with what is held.
///
/// # Errors
/// Why there is none; the rest of it has not been read.
pub async fn read_body(
    client: &mut Client,
    body_at: usize,
    head: &RequestHead,
    limits: &Limits,
    charge: &mut Charge,
    budget: &Arc<Budget>,
) -> Result<BodyRead, BodyEnd> {
    let bounds = BodyLimits::new(limits.body_bytes_max as u64, limits);
    let decoder = BodyDecoder::new(head.framing, &bounds).map_err(BodyEnd::Fault)?;
    let mut begun = Begun::new(decoder, limits);
    let held = (body_at, usize::MAX);
    let read = read_held(client, held, head, limits, (&mut begun, charge, budget)).await?;
    read.ok_or(BodyEnd::Fault(BodyFault::TooLarge))
}

/// Reads a body of a relayed request as far as bodies are held. Of a longer one, what was read lies in
/// `client.input` from `body_at` on.
///
/// # Errors
/// Why there is none; the rest of it has not been read.
pub async fn read_start(
    client: &mut Client,
    body_at: usize,
    head: &RequestHead,
    limits: &Limits,
    charge: &mut Charge,
    budget: &Arc<Budget>,
) -> Result<Result<BodyRead, Begun>, BodyEnd> {
    let bounds = BodyLimits::new(limits.relay_body_bytes_max, limits);
    let decoder = BodyDecoder::new(head.framing, &bounds).map_err(BodyEnd::Fault)?;
    let mut begun = Begun::new(decoder, limits);
    let held = (body_at, limits.body_bytes_max);
    let read = read_held(client, held, head, limits, (&mut begun, charge, budget)).await?;
    Ok(read.ok_or(begun))
}

async fn read_held(
    client: &mut Client,
    (body_at, held_max): (usize, usize),
    head: &RequestHead,
    limits: &Limits,
    (begun, charge, budget): (&mut Begun, &mut Charge, &Arc<Budget>),
) -> Result<Option<BodyRead>, BodyEnd> {
    let Begun { decoder, pace } = begun;
    let mut end = body_at;
    let mut asked = !head.expect_continue;
    let mut now = None;
    loop {
        let done = decoder
            .decode_in_place(&mut client.input, &mut end)
            .map_err(BodyEnd::Fault)?;
        if end - body_at > held_max {
            split_ahead(client, end, charge)?;
            return Ok(None);
        }
        if done {
            split_ahead(client, end, charge)?;
            return Ok(Some(BodyRead {
                body: body_at..end,
                at: now,
            }));
        }
        if !asked {
            asked = true;
            send_continue(client, limits).await?;
        }
        let at = *now.get_or_insert_with(clock::now);
        if !pace.holds(end - body_at, at, budget.is_tight()) {
            return Err(BodyEnd::TooSlow);
        }
        make_room(client, charge, decoder.remaining())?;
        fill(client, limits.body_stall_timeout_ms).await?;
        now = Some(clock::now());
    }
}

/// Answers `Expect: 100-continue`, when the body has not begun to come anyway.
pub async fn send_continue(client: &mut Client, limits: &Limits) -> Result<(), BodyEnd> {
    let mut interim = Vec::with_capacity(32);
    encode::status_line(&mut interim, 100);
    encode::end_head(&mut interim);
    client
        .send(&mut interim, limits.write_stall_timeout_ms)
        .await
        .map_err(|_| BodyEnd::Gone)
}

/// Moves what lies behind `end` out of the request's buffer. It is held until the next request, and is
/// charged to whom `charge` is of.
///
/// # Errors
/// There is no room for it: [`BodyEnd::NoRoom`]. What lies behind `end` is thrown away then.
pub fn split_ahead(client: &mut Client, end: usize, charge: &Charge) -> Result<(), BodyEnd> {
    let rest = client.input.get(end..).unwrap_or_default();
    let held = client.ahead.len() + rest.len();
    let room = match held > UNCHARGED_BYTES {
        true => {
            let ahead = client.ahead_charge.get_or_insert_with(|| charge.beside());
            ahead.hold(held).map_err(|_| BodyEnd::NoRoom)
        }
        false => Ok(()),
    };
    if room.is_ok() && !rest.is_empty() {
        client.ahead.extend_from_slice(rest);
    }
    client.input.truncate(end);
    room
}

/// Takes the first `len` bytes off, so that a large rest stays where it is.
#[must_use]
pub fn split_front(buf: &mut Vec<u8>, len: usize) -> Vec<u8> {
    if len == buf.len() {
        return core::mem::take(buf);
    }
    buf.drain(..len).collect()
}

/// Lets the buffer grow, as far as the budget goes: by doubling, and past [`LARGE_BYTES`] to all that
/// the head declares at once. Memory that is not written to costs nothing, so that a large body is
/// moved once; what was really received sets how much of it is charged.
fn make_room(client: &mut Client, charge: &mut Charge, left: Option<u64>) -> Result<(), BodyEnd> {
    let input = &mut client.input;
    let left = left.and_then(|left| usize::try_from(left).ok());
    let declared = left.map(|left| input.len().saturating_add(left));
    let (wanted, charged) = match declared {
        Some(declared) if input.len() >= LARGE_BYTES => {
            let charged = charged_for(input.len()).min(declared);
            (declared.max(input.len() + 1), charged)
        }
        // Over TLS a buffer grows by what was opened into it.
        _ if input.capacity() > input.len() => (input.capacity(), input.capacity()),
        _ => {
            let doubled = (input.capacity() * 2).max(BUSY_READ_BYTES / 4);
            (doubled, doubled)
        }
    };
    charge.hold(charged).map_err(|_| BodyEnd::NoRoom)?;
    if wanted > input.capacity() {
        let more = wanted - input.len();
        input.try_reserve_exact(more).map_err(|_| BodyEnd::NoRoom)?;
    }
    Ok(())
}

/// What a body of declared length is charged for, of which `received` bytes are there: eight times
/// that at most, in steps, so that of many that come together some come to their end.
const fn charged_for(received: usize) -> usize {
    let mut charged = 8 * LARGE_BYTES;
    while charged <= received {
        charged = charged.saturating_mul(8);
    }
    charged
}

async fn fill(client: &mut Client, stall_ms: u64) -> Result<(), BodyEnd> {
    client.deadline.set_in(stall_ms);
    let room = client.input.capacity() - client.input.len();
    let buffer = core::mem::take(&mut client.input);
    let mut work = core::pin::pin!(client.stream.reader.fill(buffer, room));
    let (deadline, drain) = (&mut client.deadline, &client.drain);
    let outcome = poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        if drain.phase() == Phase::Cut {
            return Poll::Ready(Err(Interrupt::Cut));
        }
        deadline.poll_expired(cx).map(|()| Err(Interrupt::Expired))
    })
    .await;
    match outcome {
        Ok((result, buffer)) => {
            client.input = buffer;
            match result {
                Ok(0) | Err(_) => Err(BodyEnd::Gone),
                Ok(_) => Ok(()),
            }
        }
        Err(Interrupt::Expired) => Err(BodyEnd::TooSlow),
        Err(Interrupt::Gone | Interrupt::Cut) => Err(BodyEnd::Gone),
    }
}

/// The lowest rate at which a body may come, over windows of [`RATE_WINDOW`]; over a shorter one
/// and at a higher rate while the budget is tight.
#[derive(Debug)]
pub struct Pace {
    window_from: Option<Instant>,
    window_bytes: usize,
    rate_min: u64,
    rate_large_min: u64,
}

impl Pace {
    /// The pace that `limits` ask for.
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self {
            window_from: None,
            window_bytes: 0,
            rate_min: limits.body_rate_min,
            rate_large_min: limits.body_rate_large_min,
        }
    }

    /// Leaves time out during which it was not the client that was waited for.
    pub fn pause(&mut self, from: Instant, to: Instant) {
        if let Some(window) = self.window_from {
            self.window_from = Some(window.plus(to.since(from)));
        }
    }

    /// Whether a body of which `received` bytes are there at `now` comes fast enough.
    pub fn holds(&mut self, received: usize, now: Instant, tight: bool) -> bool {
        let Some(from) = self.window_from else {
            self.window_from = Some(now);
            self.window_bytes = received;
            return true;
        };
        let window_ns =
            u64::try_from(if tight { RATE_WINDOW / 10 } else { RATE_WINDOW }.as_nanos())
                .unwrap_or(u64::MAX);
        let elapsed_ns = u64::try_from(now.since(from).as_nanos()).unwrap_or(u64::MAX);
        if elapsed_ns < window_ns {
            return true;
        }
        let large = received > MIB;
        let rate_min = match (tight, large) {
            (true, _) => self.rate_large_min * 4,
            (false, true) => self.rate_large_min,
            (false, false) => self.rate_min,
        };
        let came = (received - self.window_bytes) as u64;
        self.window_from = Some(now);
        self.window_bytes = received;
        came.saturating_mul(1_000_000_000) / elapsed_ns.max(1) >= rate_min
    }
}

/// A connection that has been idle for so long dozes.
const DOZE_MS: u64 = 1_000;
/// How long an idle connection is still listened to when the process drains.
const LEAVE_MS: u64 = 20;

/// From here on the declared length sets how much room is made.
const LARGE_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use super::{BodyEnd, Limits, MIB, Pace, RATE_WINDOW, UNCHARGED_BYTES, split_ahead};
    use crate::net::runtime::clock::Instant;
    use crate::net::test_support::{on_both_drivers, pair};
    use crate::proxy::client::downstream::Client;
    use crate::proxy::shared::drain::Drain;
    use crate::proxy::shared::memory_budget::{Budget, Charge};

    #[test]
    fn p27_what_comes_behind_a_request_is_charged_and_refused_where_there_is_no_room() {
        const STEP: usize = UNCHARGED_BYTES;
        on_both_drivers(|| async {
            let (stream, _peer) = pair().await;
            let mut client = Client::new(stream, Rc::new(Drain::default()));
            let budget = Arc::new(Budget::new(2 * STEP, 0));
            let charge = Charge::new(Arc::clone(&budget), 0);
            for (behind, charged) in [
                (0, Some(0)),
                (STEP, Some(0)),
                (STEP + 1, Some(2 * STEP)),
                (2 * STEP, Some(2 * STEP)),
                (2 * STEP + 1, None),
            ] {
                client.input = vec![b'x'; 100 + behind];
                let split = split_ahead(&mut client, 100, &charge).err();
                let refusal = charged.is_none().then_some(BodyEnd::NoRoom);
                assert_eq!(split, refusal, "{behind}");
                assert_eq!(budget.held(), charged.unwrap_or(0), "{behind}");
                let kept = if charged.is_some() { behind } else { 0 };
                assert_eq!((client.input.len(), client.ahead.len()), (100, kept));
                client.ahead.clear();
                client.ahead_charge = None;
                assert_eq!(budget.held(), 0, "{behind}");
            }
        });
    }

    /// Whether a pace holds after `seconds` in which a body grew from `before` to `after` bytes.
    fn holds(seconds: u64, before: usize, after: usize, is_tight: bool) -> bool {
        let mut pace = Pace::new(&Limits::default());
        let begun = Instant::from_nanos(7);
        assert!(pace.holds(before, begun, is_tight), "nothing is known yet");
        pace.holds(after, begun.plus_ms(seconds * 1_000), is_tight)
    }

    #[test]
    fn p28_bodies_at_the_lowest_rate_are_fast_enough_and_a_byte_below_it_are_not() {
        let limits = Limits::default();
        let bytes = |rate: u64, seconds: u64| usize::try_from(rate * seconds).unwrap();
        let window = RATE_WINDOW.as_secs();
        let small = bytes(limits.body_rate_min, window);
        let large = bytes(limits.body_rate_large_min, window);
        let tight = bytes(limits.body_rate_large_min * 4, window / 10);
        for (seconds, before, least, is_tight) in [
            (window, 0, small, false),
            (window, 1_000, small, false),
            (window, 2 * MIB, large, false),
            (window / 10, 0, tight, true),
        ] {
            let row = (seconds, before, is_tight);
            assert!(holds(seconds, before, before + least, is_tight), "{row:?}");
            assert!(
                !holds(seconds, before, before + least - 1, is_tight),
                "{row:?}"
            );
            // Nobody is judged before the window is over.
            assert!(holds(seconds - 1, before, before, is_tight), "{row:?}");
        }
    }

    #[test]
    fn time_that_the_provider_took_is_not_the_clients() {
        let mut pace = Pace::new(&Limits::default());
        let begun = Instant::from_nanos(0);
        assert!(pace.holds(0, begun, false));
        let (from, to) = (begun.plus_ms(1_000), begun.plus_ms(60_000));
        pace.pause(from, to);
        assert!(pace.holds(0, to.plus_ms(28_999), false));
        assert!(!pace.holds(0, to.plus_ms(29_000), false));
    }
}
