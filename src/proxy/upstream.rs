//! One attempt at one provider: a connection, the request out, the answer's head in.
//!
//! Nothing here has been seen by the client yet, so every failure may lead to another attempt. A
//! drop at any await closes the connection that was being used.

use core::cell::Cell;
use core::future::poll_fn;
use core::iter::once;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Poll, ready};

use crate::http1::body::{BodyDecoder, BodyLimits};
use crate::http1::head::{self, HeadLimits, Parsed, ResponseHead};
use crate::http1::method::Method;
use crate::limits::{Limits, STALE_WINDOW};
use crate::net::boxed::boxed;
use crate::net::buffers;
use crate::net::clock::{self, Instant};
use crate::net::connect::{self, Waits};
use crate::net::error::{Act, Kind as NetKind, NetError};
use crate::net::gather::Piece;
use crate::net::stream::Stream;
use crate::net::task;
use crate::net::timer::{self, Deadline};
use crate::net::turn;
use crate::proxy::client::Client;
use crate::proxy::failure::{Failure, Kind};
use crate::proxy::patience::{Patience, Wait, await_head, interrupted};
use crate::proxy::worker::Worker;
use crate::route::target::TargetFacts;
use crate::telemetry::attempts::{Attempt, Peer};
use crate::telemetry::exchange::Exchange;

/// A request as it goes out: small pieces together, large ones from where they lie.
#[derive(Debug)]
pub struct Outbound {
    /// The method: it decides whether the answer has a body.
    pub method: Method,
    /// What is written, nearly always all of it.
    pub first: Piece,
    /// What is written behind it, in order.
    pub rest: Vec<Piece>,
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
                Ok(Parsed::Complete { consumed }) if head.is_interim() => {
                    self.interim += 1;
                    if self.interim > limits.interim_responses_max {
                        let detail = "too many interim heads";
                        return Err(Failure::with_detail(Kind::Framing, detail));
                    }
                    self.buf.drain(..consumed);
                    self.scanned = 0;
                }
                Ok(Parsed::Complete { consumed }) => return Ok(Some(consumed)),
                Ok(Parsed::Partial { scanned }) => {
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

/// A provider's answer of which the head has been read. Half a kilobyte, passed on by many hands until it
/// is relayed: in a box, so that none of them copies it.
pub struct Upstream {
    /// The connection.
    pub stream: Box<Stream>,
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

    /// Reads the rest of a body whose meaning has ended, for a moment and a few bytes at most;
    /// gives the connection back if it may be used again.
    pub async fn read_out(mut self) -> Option<(usize, Box<Stream>)> {
        let mut deadline = Deadline::new();
        deadline.set_in(READ_OUT_MS);
        let mut read = 0;
        loop {
            while self.body_at < self.buf.len() && !self.body.is_done() {
                let input = self.buf.get(self.body_at..).unwrap_or_default();
                self.body_at += self.body.step(input).ok()?.consumed;
            }
            if self.body.is_done() {
                return self.is_over().then_some((self.provider, self.stream));
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
}

/// Sends the request to a provider and reads the head of its answer; a pooled connection that
/// turns out dead is replaced once.
///
/// # Errors
/// The failure of this attempt.
pub async fn attempt(
    client: &mut Client<'_>,
    worker: &Worker,
    at: At<'_>,
    out: &Outbound,
    exchange: &mut Exchange,
) -> Result<Box<Upstream>, Failure> {
    let At {
        provider,
        started,
        facts,
        until,
        mut patience,
    } = at;
    exchange.peer = None;
    let until = |up_at: Instant| {
        let own = up_at.plus_ms(wait_ms(worker, provider));
        until.map_or(own, |until| own.min(until))
    };
    let pooled = worker.pool.borrow_mut().take(provider, started);
    let admits = |stream: &Stream| stream.peer().is_none_or(|peer| facts.admits(peer.ip()));
    if let Some(stream) = pooled.filter(|stream| admits(stream)) {
        exchange.peer = peer_of(&stream);
        let wait = Wait {
            until: until(started),
            patience: patience.as_mut(),
        };
        let outcome = send_and_read(client, worker, (provider, wait), stream, out, exchange).await;
        match outcome {
            Err(failure) if may_replace(worker, &failure, started) => {
                note_stale(worker, (provider, started), failure, exchange);
            }
            outcome => return outcome.map_err(fresh_name),
        }
    }
    let (stream, up_at) = boxed(|| open(client, worker, (provider, facts), exchange)).await?;
    let wait = Wait {
        until: until(up_at),
        patience: patience.as_mut(),
    };
    send_and_read(client, worker, (provider, wait), stream, out, exchange)
        .await
        .map_err(fresh_name)
}

/// Whether a pooled connection was dead already when it was used, and a fresh one may be tried.
fn may_replace(worker: &Worker, failure: &Failure, started: Instant) -> bool {
    let percent = worker.limits().retry_budget_percent;
    failure.kind == Kind::Stale
        && clock::now().since(started) <= STALE_WINDOW
        && worker.shared.retries.take(percent)
}

/// Counts the retry, and gives what it takes the place of a line of its own.
fn note_stale(
    worker: &Worker,
    (provider, started): (usize, Instant),
    failure: Failure,
    exchange: &mut Exchange,
) {
    worker.meter.borrow_mut().counters.stale_retries += 1;
    exchange.attempts.push(Attempt {
        provider,
        fault: Some(failure.verdict().word),
        detail: failure.detail,
        nanos: clock::now().as_nanos().saturating_sub(started.as_nanos()),
        number: exchange.target.and_then(|target| target.number),
        started_at: started.as_nanos(),
        peer: exchange.peer.take(),
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
        worker.give_table(head.fields);
        buffers::give(buf);
        worker.pool.borrow_mut().put(provider, stream, now);
    } else if let Some(worker) = worker.me.upgrade() {
        // The client has its answer; what is left is a last chunk that no one waits for.
        drop(task::spawn(async move {
            if let Some((provider, stream)) = upstream.read_out().await {
                worker.pool.borrow_mut().put(provider, stream, clock::now());
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
    client: &mut Client<'_>,
    worker: &Worker,
    (provider, facts): (usize, &TargetFacts),
    exchange: &mut Exchange,
) -> Result<(Box<Stream>, Instant), Failure> {
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
    let waits = Waits {
        resolve_ms: worker.limits().resolve_timeout_ms,
        connect_ms: times.connect_ms,
        handshake_ms: times.handshake_ms,
    };
    // The connector keeps to its waits by itself; the connection's own timer stands aside.
    client.deadline.clear();
    exchange.wait(clock::now().as_nanos());
    let admitted = Cell::new((0, None));
    let admits = |ip| {
        let is_admitted = facts.admits(ip);
        if is_admitted {
            admitted.set((admitted.get().0 + 1, Some(ip)));
        }
        is_admitted
    };
    let mut connecting = pin!(connect::connect(endpoint, waits, admits));
    match client.watch(connecting.as_mut()).await {
        Ok(Ok(stream)) => {
            worker.meter.borrow_mut().counters.connected += 1;
            exchange.peer = peer_of(&stream);
            let up_at = clock::now();
            exchange.waited(up_at.as_nanos());
            Ok((Box::new(stream), up_at))
        }
        Ok(Err(error)) => {
            // Of several addresses none is the one that failed.
            if let (1, Some(ip)) = admitted.get() {
                let address = SocketAddr::new(ip, endpoint.port());
                exchange.peer = Some(Peer { address, tls: None });
            }
            let failure = connect_failure(error);
            if failure.kind == Kind::NoRoom {
                // What lies idle stands in the way of what is asked for.
                worker.pool.borrow_mut().clear();
            }
            if failure.kind == Kind::Network {
                exchange.refused.push(failure.verdict().word);
            }
            Err(failure)
        }
        Err(interrupt) => Err(interrupted(interrupt, Kind::ConnectTimeout)),
    }
}

/// The other end, where it has an address.
fn peer_of(stream: &Stream) -> Option<Peer> {
    Some(Peer {
        address: stream.peer()?,
        tls: stream.tls().map(|facts| facts.version),
    })
}

fn connect_failure(error: NetError) -> Failure {
    let kind = match (error.act(), error.kind()) {
        (_, NetKind::Barred) => Kind::Network,
        (_, NetKind::NoAddress) | (Act::Resolve, _) => Kind::Unresolved,
        (_, NetKind::Timeout) => Kind::ConnectTimeout,
        (_, NetKind::Exhausted) => Kind::NoRoom,
        (Act::Handshake, _) | (_, NetKind::Tls(_)) => Kind::Tls,
        _ => Kind::Connect,
    };
    Failure::with_detail(kind, error.to_string())
}

async fn send_and_read(
    client: &mut Client<'_>,
    worker: &Worker,
    (provider, wait): (usize, Wait<'_, '_>),
    mut stream: Box<Stream>,
    out: &Outbound,
    exchange: &mut Exchange,
) -> Result<Box<Upstream>, Failure> {
    client.deadline.set_at(wait.until);
    stream.revoke_on_drop(true);
    let mut early = Early::default();
    let sending = send(&mut stream, out, &mut early, worker.limits());
    let sent_whole = match client.watch(pin!(sending)).await {
        Ok(result) => result?,
        Err(interrupt) => return Err(interrupted(interrupt, Kind::HeadTimeout)),
    };
    let method = out.method;
    let (at, arrived) = ((provider, wait), (early, sent_whole));
    read_answer(client, worker, at, stream, arrived, method, exchange).await
}

/// Reads the head of the answer to a request that went out (whole, or as far as the provider
/// wanted it), until the given time. `early` is what came meanwhile.
///
/// # Errors
/// The failure of this attempt.
#[expect(
    clippy::too_many_arguments,
    reason = "what is known of a request that is under way"
)]
pub async fn read_answer(
    client: &mut Client<'_>,
    worker: &Worker,
    (provider, wait): (usize, Wait<'_, '_>),
    mut stream: Box<Stream>,
    (mut early, sent_whole): (Early, bool),
    method: Method,
    exchange: &mut Exchange,
) -> Result<Box<Upstream>, Failure> {
    let limits = worker.limits();
    let sent = clock::now();
    exchange.sent(sent.as_nanos());
    let mut head = ResponseHead {
        fields: worker.table(),
        ..ResponseHead::new()
    };
    let head_end = {
        let reading = read_head(&mut stream, &mut early, &mut head, method, limits);
        await_head(client, wait, pin!(reading)).await?
    };
    exchange.head_at = clock::now().as_nanos();
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
        sent_whole,
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
pub const fn attempts_end(exchange: &Exchange, limits: &Limits) -> Instant {
    Instant::from_nanos(exchange.request_at).plus_ms(limits.attempts_timeout_ms)
}

/// Longest wait for the head of a provider's answer.
#[must_use]
pub fn wait_ms(worker: &Worker, provider: usize) -> u64 {
    match worker.plan.providers.get(provider) {
        Some(spec) => spec.timeouts.answer_head_ms,
        None => worker.limits().answer_head_timeout_ms,
    }
}

/// Writes the request; an answer that refuses it before all of it is written ends the writing.
/// Interim heads do not, nor does a success, of which no more is read meanwhile. Says whether all
/// went out.
///
/// # Errors
/// The connection failed and no answer came.
pub async fn send(
    stream: &mut Stream,
    out: &Outbound,
    early: &mut Early,
    limits: &Limits,
) -> Result<bool, Failure> {
    let Stream { reader, writer, .. } = stream;
    let mut writing = pin!(async {
        let first = out.first.clone();
        if out.rest.is_empty() {
            return writer.write_shared(first.buffer, first.range).await;
        }
        let pieces = once(first).chain(out.rest.iter().cloned()).collect();
        writer.write_pieces(pieces).await
    });
    let written = poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = writing.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
            if !early.listens() || turn::is_awaited(cx) {
                return Poll::Pending;
            }
            match ready!(reader.poll_read(cx, &mut early.buf)) {
                Ok(0) => return Poll::Ready(Some(Err(closed()))),
                Ok(_) if early.is_refused(out.method, limits) => return Poll::Ready(None),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    })
    .await;
    match written {
        Some(Ok(())) => Ok(true),
        None => Ok(false),
        // The provider may have answered and closed before it read everything; what it said can
        // be read all the same.
        Some(Err(_)) if !early.buf.is_empty() => Ok(false),
        Some(Err(error)) => {
            let reading = poll_fn(|cx| reader.poll_read(cx, &mut early.buf));
            match timer::within(LAST_WORDS_MS, reading).await {
                Some(Ok(count)) if count > 0 => Ok(false),
                Some(_) | None => Err(lost(error)),
            }
        }
    }
}

/// Reads the head of the answer, past interim ones; returns where the body starts.
async fn read_head(
    stream: &mut Stream,
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
            Ok(0) if fresh => return Err(lost(closed())),
            Ok(0) => return Err(Failure::with_detail(Kind::Reset, "closed inside the head")),
            Ok(_) => {}
            Err(error) if fresh => return Err(lost(error)),
            Err(error) => return Err(Failure::with_detail(Kind::Reset, error.to_string())),
        }
    }
}

const fn closed() -> NetError {
    NetError::new(Act::Read, NetKind::Closed)
}

/// The connection failed before a byte of an answer.
fn lost(error: NetError) -> Failure {
    Failure::with_detail(Kind::Stale, error.to_string())
}

/// How long an answer is waited for behind a write that failed. A provider that is gone has said
/// before what it had to say; one that is not waits for the rest of the request.
const LAST_WORDS_MS: u64 = 100;
/// How long the end of an answer's framing is waited for once its meaning has ended.
const READ_OUT_MS: u64 = 1_000;
/// How much may come meanwhile.
const READ_OUT_BYTES_MAX: usize = 16 * 1024;
