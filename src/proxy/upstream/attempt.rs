//! One attempt at one provider: a connection, the request out, the answer's head in.
//!
//! Nothing here has been seen by the client yet, so every failure may lead to another attempt. A
//! drop at any await closes the connection that was being used.

use core::cell::Cell;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::Poll;

use crate::http1::body::{BodyDecoder, BodyFault, BodyLimits};
use crate::http1::head::ResponseHead;
use crate::http1::method::Method;
use crate::limits::{Limits, STALE_WINDOW};
use crate::net::connection::stream::NetStream;
use crate::net::endpoint::connect::{self, ConnectTimeouts};
use crate::net::error::{NetError, NetErrorKind as NetKind, NetOperation};
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::timer::Deadline;
use crate::net::runtime::{buffers, task};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::worker::Worker;
use crate::proxy::upstream::outbound::{Early, Outbound, read_head, send};
use crate::proxy::upstream::stream_timeouts::{Patience, Wait, await_head, interrupted};
use crate::route::plan::target::TargetFacts;
use crate::telemetry::attempts::{Attempt, Peer};
use crate::telemetry::exchange::ExchangeRecord;

/// A provider's answer of which the head has been read. Half a kilobyte, passed on by many hands until it
/// is relayed: in a box, so that none of them copies it.
pub struct Upstream {
    /// The connection.
    pub stream: Box<NetStream>,
    /// The head.
    pub head: ResponseHead,
    /// The head's bytes, then what came of the body.
    pub buf: Vec<u8>,
    /// Where the head ends in `buf`.
    pub head_end: usize,
    /// What of `buf` has been dealt with.
    pub body_at: usize,
    /// Its framing.
    pub body: BodyDecoder,
    /// The provider, by its place in the plan.
    pub provider: usize,
    /// The request went out whole: only then may the connection be used again.
    pub sent_whole: bool,
}

impl Upstream {
    /// Whether the answer has ended by its own framing and nothing follows it.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.body.is_done() && self.body_at >= self.buf.len()
    }

    /// The next piece of the body's payload that is there; nothing once more has to be read, or the
    /// body is done.
    ///
    /// # Errors
    /// The body's framing is malformed.
    #[inline]
    pub fn payload(&mut self) -> Result<Option<&[u8]>, BodyFault> {
        self.body.payload(&self.buf, &mut self.body_at)
    }

    /// Reads the rest of a body whose meaning has ended, for a moment and a few bytes at most;
    /// gives the connection back if it may be used again.
    pub async fn read_out(mut self) -> Option<Box<NetStream>> {
        let mut deadline = Deadline::new();
        deadline.set_in(READ_OUT_MS);
        let mut read = 0;
        loop {
            while self.payload().ok()?.is_some() {}
            if self.body.is_done() {
                return self.is_over().then_some(self.stream);
            }
            self.buf.clear();
            self.body_at = 0;
            let (reader, buf) = (&mut self.stream.reader, &mut self.buf);
            let count = poll_fn(|cx| match reader.poll_read(cx, buf) {
                Poll::Ready(result) => Poll::Ready(result.ok()),
                Poll::Pending => deadline.poll_expired(cx).map(|()| None),
            })
            .await?;
            read += count;
            if count == 0 || read > READ_OUT_BYTES_MAX {
                return None;
            }
        }
    }
}

impl core::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Upstream(provider {}, status {})",
            self.provider, self.head.status
        )
    }
}

/// Where and when one attempt is made.
pub struct At<'p> {
    /// The provider, by its place in the plan.
    pub provider: usize,
    /// What is stated of the target: also where its addresses may lie.
    pub facts: &'p TargetFacts,
    /// When the attempt began.
    pub started: Instant,
    /// Where an attempt before it failed: when its answer is no longer waited for, whatever the
    /// provider's own timeout.
    pub until: Option<Instant>,
    /// When another target is asked instead.
    pub patience: Option<Patience<'p>>,
    /// Whether a request whose pooled connection ended is sent once more.
    pub resend: Resend,
}

/// When a request goes out once more because the pooled connection under it ended before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// Always: carried out twice it does no harm.
    Always,
    /// Only when the provider cannot have received all of it.
    Undelivered,
}

impl Resend {
    /// What holds for a method whose meaning at the provider is not known.
    #[must_use]
    pub const fn of(method: Method) -> Self {
        match method.is_idempotent() {
            true => Self::Always,
            false => Self::Undelivered,
        }
    }
}

/// Sends the request to a provider and reads the head of its answer; a pooled connection that
/// turns out dead is replaced once, as far as [`At::resend`] allows.
///
/// # Errors
/// The failure of this attempt.
pub async fn attempt(
    at: At<'_>,
    out: &Outbound,
    exchange: &mut Exchange<'_, '_>,
) -> Result<Box<Upstream>, Failure> {
    let At {
        provider,
        started,
        facts,
        until,
        mut patience,
        resend,
    } = at;
    let worker = exchange.worker;
    exchange.record.peer = None;
    let until = |up_at: Instant| {
        let own = up_at.plus_ms(wait_ms(worker, provider));
        until.map_or(own, |until| own.min(until))
    };
    let pooled = worker.kept(provider, started);
    let admits = |stream: &NetStream| stream.peer().is_none_or(|peer| facts.admits(peer.ip()));
    if let Some(stream) = pooled.filter(|stream| admits(stream)) {
        exchange.record.peer = peer_of(&stream);
        let wait = Wait {
            until: until(started),
            patience: patience.as_mut(),
        };
        let outcome = send_and_read(provider, wait, stream, out, exchange).await;
        match outcome {
            Err(failure) if may_replace(&failure, started, resend) => {
                worker.thread.meter.borrow_mut().counters.stale_retries += 1;
                note_stale(provider, started, failure, &mut exchange.record);
            }
            outcome => return outcome.map_err(fresh_name),
        }
    }
    let (stream, up_at) = boxed(|| open(provider, facts, exchange)).await?;
    let wait = Wait {
        until: until(up_at),
        patience: patience.as_mut(),
    };
    send_and_read(provider, wait, stream, out, exchange)
        .await
        .map_err(fresh_name)
}

/// Whether a pooled connection was dead already when it was used, and a fresh one may be tried. Not a
/// retry: the provider has answered nothing, and at most one follows each connection that was kept.
fn may_replace(failure: &Failure, started: Instant, resend: Resend) -> bool {
    let is_allowed = resend == Resend::Always || !failure.may_be_delivered;
    failure.kind == Kind::Stale && is_allowed && clock::now().since(started) <= STALE_WINDOW
}

/// Records the first sending as an attempt of its own.
fn note_stale(provider: usize, started: Instant, failure: Failure, record: &mut ExchangeRecord) {
    record.attempts.push(Attempt {
        provider,
        fault: Some(failure.verdict().word),
        detail: failure.detail,
        nanos: clock::now().as_nanos().saturating_sub(started.as_nanos()),
        number: record.target.and_then(|target| target.number),
        started_at: started.as_nanos(),
        peer: record.peer.take(),
        ..Attempt::default()
    });
}

/// Puts a connection back whose answer was delivered, at once or when the rest of its framing has
/// come; or closes it, where it may not serve again.
pub fn release(worker: &Worker, mut upstream: Box<Upstream>, now: Instant) {
    upstream.stream.revoke_on_drop(false);
    if !upstream.head.keep_alive || !upstream.sent_whole {
        return;
    }
    if upstream.is_over() {
        let Upstream {
            stream,
            provider,
            head,
            buf,
            ..
        } = *upstream;
        worker.thread.give_table(head.fields);
        buffers::give(buf);
        worker.keep(provider, stream, now);
    } else if let (Some(thread), Some(id)) =
        (worker.thread.me.upgrade(), worker.id_of(upstream.provider))
    {
        // The client has its answer; what is left is a last chunk that no one waits for.
        drop(task::spawn(async move {
            if let Some(stream) = upstream.read_out().await {
                let mut pool = thread.pool.borrow_mut();
                pool.put(id.index(), stream, clock::now());
            }
        }));
    }
}

/// A connection that was not pooled cannot be stale, and a stale one that is not replaced is a reset
/// like any other.
#[must_use]
pub fn fresh_name(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Stale => Failure {
            kind: Kind::Reset,
            ..failure
        },
        _ => failure,
    }
}

/// Opens a fresh connection to a provider; says when it was up.
///
/// # Errors
/// Why there is none.
pub async fn open(
    provider: usize,
    facts: &TargetFacts,
    exchange: &mut Exchange<'_, '_>,
) -> Result<(Box<NetStream>, Instant), Failure> {
    let worker = exchange.worker;
    let (Some(endpoint), Some(spec)) = (
        worker.endpoints.get(provider),
        worker.plan.providers.get(provider),
    ) else {
        return Err(Failure::with_detail(
            Kind::Bug,
            "provider index out of range",
        ));
    };
    let times = &spec.timeouts;
    let waits = ConnectTimeouts {
        resolve_ms: worker.limits().resolve_timeout_ms,
        connect_ms: times.connect_ms,
        handshake_ms: times.handshake_ms,
    };
    // The connector keeps to its waits by itself; the connection's own timer stands aside.
    exchange.client.deadline.clear();
    exchange.record.wait(clock::now().as_nanos());
    let admitted = Cell::new((0, None));
    let admits = |ip| {
        let is_admitted = facts.admits(ip);
        if is_admitted {
            admitted.set((admitted.get().0 + 1, Some(ip)));
        }
        is_admitted
    };
    let mut connecting = pin!(connect::connect(endpoint, waits, admits));
    match exchange.client.watch(connecting.as_mut()).await {
        Ok(Ok(stream)) => {
            worker.thread.meter.borrow_mut().counters.connected += 1;
            exchange.record.peer = peer_of(&stream);
            let up_at = clock::now();
            exchange.record.waited(up_at.as_nanos());
            Ok((Box::new(stream), up_at))
        }
        Ok(Err(error)) => {
            // Of several addresses none is the one that failed.
            if let (1, Some(ip)) = admitted.get() {
                let address = SocketAddr::new(ip, endpoint.port());
                exchange.record.peer = Some(Peer { address, tls: None });
            }
            let failure = connect_failure(error);
            if failure.kind == Kind::NoRoom {
                // What lies idle stands in the way of what is asked for.
                worker.thread.pool.borrow_mut().clear();
            }
            if failure.kind == Kind::Network {
                exchange.record.refused.push(failure.verdict().word);
            }
            Err(failure)
        }
        Err(interrupt) => Err(interrupted(interrupt, Kind::ConnectTimeout)),
    }
}

/// The other end, where it has an address.
fn peer_of(stream: &NetStream) -> Option<Peer> {
    Some(Peer {
        address: stream.peer()?,
        tls: stream.tls().map(|facts| facts.version),
    })
}

fn connect_failure(error: NetError) -> Failure {
    let kind = match (error.act(), error.kind()) {
        (_, NetKind::Barred) => Kind::Network,
        (_, NetKind::NoAddress) | (NetOperation::Resolve, _) => Kind::Unresolved,
        (_, NetKind::Timeout) => Kind::ConnectTimeout,
        (_, NetKind::Exhausted) => Kind::NoRoom,
        (NetOperation::Handshake, _) | (_, NetKind::Tls(_)) => Kind::Tls,
        _ => Kind::Connect,
    };
    Failure::with_detail(kind, error.to_string())
}

async fn send_and_read(
    provider: usize,
    wait: Wait<'_, '_>,
    mut stream: Box<NetStream>,
    out: &Outbound,
    exchange: &mut Exchange<'_, '_>,
) -> Result<Box<Upstream>, Failure> {
    exchange.client.deadline.set_at(wait.until);
    stream.revoke_on_drop(true);
    let mut early = Early::default();
    let sending = send(&mut stream, out, &mut early, exchange.worker.limits());
    let is_whole = match exchange.client.watch(pin!(sending)).await {
        Ok(result) => result?,
        Err(interrupt) => return Err(interrupted(interrupt, Kind::HeadTimeout)),
    };
    let sent = Sent {
        provider,
        stream,
        early,
        is_whole,
        method: out.method,
    };
    read_answer(sent, wait, exchange).await
}

/// A request that went out, whole or as far as the provider wanted it.
pub struct Sent {
    /// The provider, by its place in the plan.
    pub provider: usize,
    /// The connection.
    pub stream: Box<NetStream>,
    /// What came meanwhile.
    pub early: Early,
    /// It went out whole.
    pub is_whole: bool,
    /// Its method.
    pub method: Method,
}

/// Reads the head of the answer to a request that went out, until the given time.
///
/// # Errors
/// The failure of this attempt.
pub async fn read_answer(
    sent: Sent,
    wait: Wait<'_, '_>,
    exchange: &mut Exchange<'_, '_>,
) -> Result<Box<Upstream>, Failure> {
    let Sent {
        provider,
        mut stream,
        mut early,
        is_whole,
        method,
    } = sent;
    let worker = exchange.worker;
    let limits = worker.limits();
    exchange.record.sent(clock::now().as_nanos());
    let mut head = ResponseHead {
        fields: worker.thread.table(),
        ..ResponseHead::new()
    };
    let head_end = {
        let reading = read_head(&mut stream, &mut early, &mut head, method, limits);
        await_head(exchange.client, wait, pin!(reading)).await?
    };
    exchange.record.head_at = clock::now().as_nanos();
    if is_redirect(head.status, method) {
        return Err(Failure::with_detail(
            Kind::Redirect,
            format!("status {}", head.status),
        ));
    }
    let body = BodyDecoder::new(head.framing, &BodyLimits::endless(limits))
        .map_err(|fault| Failure::with_detail(Kind::Framing, fault.text()))?;
    Ok(Box::new(Upstream {
        stream,
        head,
        buf: early.buf,
        head_end,
        body_at: head_end,
        body,
        provider,
        sent_whole: is_whole,
    }))
}

/// Whether an answer leads elsewhere. One that says that the client's copy is still good does not.
const fn is_redirect(status: u16, method: Method) -> bool {
    match status {
        304 => !matches!(method, Method::Get | Method::Head),
        _ => matches!(status, 300..400),
    }
}

/// When a request's attempts end, all together.
#[must_use]
pub const fn attempts_end(record: &ExchangeRecord, limits: &Limits) -> Instant {
    Instant::from_nanos(record.request_at).plus_ms(limits.attempts_timeout_ms)
}

/// Longest wait for the head of a provider's answer.
#[must_use]
pub fn wait_ms(worker: &Worker, provider: usize) -> u64 {
    match worker.plan.providers.get(provider) {
        Some(spec) => spec.timeouts.answer_head_ms,
        None => worker.limits().answer_head_timeout_ms,
    }
}

/// How long the end of an answer's framing is waited for once its meaning has ended.
const READ_OUT_MS: u64 = 1_000;
/// How much may come meanwhile.
const READ_OUT_BYTES_MAX: usize = 16 * 1024;
