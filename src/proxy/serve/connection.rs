//! The keep-alive loop of one client connection.
//!
//! A panic inside an exchange ends that exchange and its connection, nothing else: the record is
//! settled, and the client gets a 500 if nothing had been sent.

use core::future::poll_fn;
use core::panic::AssertUnwindSafe;
use core::pin::pin;
use core::task::Poll;
use std::panic::catch_unwind;
use std::rc::Rc;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::http1::fault::HeadFault;
use crate::http1::head::RequestHead;
use crate::limits::{CUT_PAUSE_MS, LINGER_TIMEOUT, Limits, MIDDLE_READ_BYTES};
use crate::net::connection::stream::NetStream;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::{buffers, random};
use crate::proxy::answer::relay::Step;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::exchange::{Exchange, ReplySettings};
use crate::proxy::client::ingress::{self, HeadEnd, HeadRead};
use crate::proxy::client::next::Next;
use crate::proxy::client::unserved::Unserved;
use crate::proxy::serve::dispatch;
use crate::proxy::shared::charge;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::endpoint::Endpoint;
use crate::proxy::shared::worker::{Place, Worker, WorkerInForce};
use crate::telemetry::exchange::Outcome;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// Serves one connection to its end; `place` is held so long. All but the wait for a request is boxed:
/// an idle connection holds none of it. What the future holds from its start lies in it once: the client
/// is made before, since a future keeps room for an argument beside what it is moved to.
pub fn serve(
    stream: NetStream,
    workers: Rc<WorkerInForce>,
    place: Place,
) -> impl Future<Output = ()> + 'static {
    let drain = Rc::clone(&workers.now().thread.drain);
    let mut client = Client::new(stream, Rc::clone(&drain));
    async move {
        let _held = &place;
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let _seat = drain.sit(waker);
        let mut head = RequestHead::new();
        for number in 1u32.. {
            let worker = workers.now();
            let limits = worker.limits();
            let read = ingress::read_head(&mut client, &mut head, limits, number == 1).await;
            // It may have been waited for through a change of plan.
            let worker = workers.now();
            let limits = worker.limits();
            let next = match read {
                Ok(read) => {
                    client.stream.reader.may_doze();
                    let last = number >= limits.requests_per_connection_max;
                    boxed(|| run_guarded(&mut client, &worker, &mut head, read, last)).await
                }
                Err(HeadEnd::Closed | HeadEnd::Broken) => Next::Close,
                Err(HeadEnd::TooSlow) => boxed(|| refuse_head(&mut client, &worker, None)).await,
                Err(HeadEnd::Fault(fault)) => {
                    boxed(|| refuse_head(&mut client, &worker, Some(fault))).await
                }
            };
            match next {
                Next::KeepAlive if number >= limits.requests_per_connection_max => return,
                Next::KeepAlive => recycle(&mut client),
                // Bytes that wait would turn our close into a reset, which can overtake the answer.
                Next::Close if client.ahead.is_empty() => {
                    if client.stream.tls().is_some() {
                        boxed(|| say_goodbye(&mut client, limits)).await;
                    }
                    return;
                }
                Next::Close | Next::Linger => return boxed(|| linger(&mut client, limits)).await,
                Next::Abort => return client.stream.abort(),
                Next::Cut => return boxed(|| cut(&mut client, limits)).await,
                Next::Reset => return client.stream.reset(),
            }
        }
    }
}

/// Runs one exchange; whatever happens in it, its record is settled.
async fn run_guarded(
    client: &mut Client,
    worker: &Worker,
    head: &mut RequestHead,
    read: HeadRead,
    is_last: bool,
) -> Next {
    let mut exchange = Exchange::new(client, worker, Wire::OpenAiChat);
    let next = {
        let running = async {
            // On the heap, and gone again before the answer is relayed: a stream that runs for
            // minutes holds nothing of its request.
            let step = boxed(|| dispatch::run(head, read, is_last, &mut exchange)).await;
            buffers::give(core::mem::take(&mut exchange.reply.fields));
            match step {
                Step::Over(next) => next,
                Step::Relay(mut relay) => {
                    buffers::give(core::mem::take(&mut exchange.client.input));
                    exchange.client.input_charge = None;
                    if relay.is_stream() {
                        // It may run for minutes, and looks nothing up any more.
                        *head = RequestHead::new();
                        relay.forget_head();
                    }
                    relay.run(&mut exchange).await
                }
            }
        };
        let mut running = pin!(running);
        poll_fn(
            |cx| match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(cx))) {
                Ok(poll) => poll.map(Some),
                Err(_) => Poll::Ready(None),
            },
        )
        .await
    };
    let next = match next {
        Some(next) => next,
        None => boxed(|| after_panic(&mut exchange)).await,
    };
    settle(exchange);
    next
}

/// Charges what the exchange used, and hands its record on.
fn settle(exchange: Exchange<'_, '_>) {
    let Exchange {
        client,
        worker,
        mut record,
        ..
    } = exchange;
    let ended = clock::now();
    record.ended_at = ended.as_nanos();
    let price = record.price.and_then(|it| worker.plan.prices.get(it));
    charge::reject_usage(&mut record);
    charge::set_cost(&mut record, price);
    if let Some(admission) = client.admission.take() {
        let now = charge::at(ended, &worker.thread.dates);
        admission.settle(&mut record, price, now);
    }
    worker.settle(&record);
}

async fn after_panic(exchange: &mut Exchange<'_, '_>) -> Next {
    let Exchange { worker, record, .. } = exchange;
    worker.thread.meter.borrow_mut().counters.panics += 1;
    record.fault = Some("bug");
    if record.bytes_out > 0 || exchange.client.has_begun() {
        record.outcome = Outcome::Truncated;
        return Next::Abort;
    }
    let wire = record.client_wire.unwrap_or_default();
    exchange.reply = ReplySettings::unread(wire);
    exchange.tell_unserved(Unserved::bug()).await
}

/// Refuses a head that is malformed, too large or too slow. Its wire is not known.
async fn refuse_head(client: &mut Client, worker: &Worker, fault: Option<HeadFault>) -> Next {
    let has_path = |own: &str| memchr::memmem::find(&client.input, own.as_bytes()).is_some();
    let wire = codec::wire_with(|it| has_path(it.chat_path)).unwrap_or_default();
    let mut exchange = Exchange::new(client, worker, wire);
    let now = clock::now();
    exchange.record.id = random::id(now);
    exchange.record.started_at = now.as_nanos();
    let rejection = match fault {
        None => Rejection::new(
            ErrorKind::RequestTimeout,
            "the request head came too slowly; send it again",
            "slow_head",
        ),
        Some(fault @ HeadFault::Connect) => {
            let allow = format!("allow: {}\r\n", Endpoint::Relay.allow());
            Rejection::new(ErrorKind::MethodNotAllowed, fault.text(), "bad_head")
                .with_fields(allow.into_bytes())
        }
        Some(fault) => Rejection::new(ErrorKind::InvalidRequest, fault.text(), "bad_head")
            .with_status(fault.status()),
    };
    let next = exchange.reject(&rejection).await;
    settle(exchange);
    next
}

/// Makes ready for the next request: what came ahead is its beginning.
fn recycle(client: &mut Client) {
    buffers::give(core::mem::take(&mut client.input));
    core::mem::swap(&mut client.input, &mut client.ahead);
    client.input_charge = client.ahead_charge.take();
    client.stream.reader.expect_little(false);
}

/// Ends our direction of a TLS connection with its close message, so that what went before is known to
/// be whole (RFC 9112 section 9.8). Waits no longer than for any write: a client that does not read has
/// the plain end.
async fn say_goodbye(client: &mut Client, limits: &Limits) {
    client.deadline.set_in(limits.write_stall_timeout_ms);
    let Client {
        stream,
        deadline,
        drain,
        ..
    } = client;
    let mut closing = pin!(stream.half_close());
    poll_fn(|cx| {
        if closing.as_mut().poll(cx).is_ready() || drain.phase() == Phase::Cut {
            return Poll::Ready(());
        }
        deadline.poll_expired(cx)
    })
    .await;
}

/// Closes our direction, then reads and drops what still comes, so that the client reads the
/// refusal and not a reset: until its end, a second without progress, or five in all.
async fn linger(client: &mut Client, limits: &Limits) {
    if client.stream.half_close().await.is_ok() {
        let until = clock::now().plus(LINGER_TIMEOUT);
        drop_input(client, limits, until, LINGER_STALL_MS).await;
    }
}

/// Cuts the connection below an answer that broke, once the client has closed or had the time to
/// read how.
async fn cut(client: &mut Client, limits: &Limits) {
    let until = clock::now().plus_ms(CUT_PAUSE_MS);
    drop_input(client, limits, until, CUT_PAUSE_MS).await;
    client.stream.abort();
}

/// Reads and drops what still comes, until its end, so long without progress, or that time.
async fn drop_input(client: &mut Client, limits: &Limits, until: Instant, stall_ms: u64) {
    let mut dropped = 0usize;
    while dropped <= limits.body_bytes_max && clock::now() < until {
        client.input.clear();
        client.input.shrink_to(MIDDLE_READ_BYTES);
        client.deadline.set_in(stall_ms);
        let Client {
            stream,
            input,
            deadline,
            ..
        } = &mut *client;
        let read = poll_fn(|cx| {
            if let Poll::Ready(result) = stream.reader.poll_read(cx, input) {
                return Poll::Ready(result.ok());
            }
            deadline.poll_expired(cx).map(|()| None)
        })
        .await;
        match read {
            None | Some(0) => return,
            Some(count) => dropped += count,
        }
    }
}

/// Longest pause of a client whose request is being dropped.
const LINGER_STALL_MS: u64 = 1_000;
