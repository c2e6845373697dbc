//! One data thread: its driver, its listeners, its answers to the control thread.

use core::future::poll_fn;
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::task::Poll;
use std::rc::Rc;
use std::sync::Arc;

use futures_channel::{mpsc, oneshot};

use crate::limits::RESOLVE_POLL;
use crate::net::connection::stream::NetStream;
use crate::net::connection::tls::ServerTls;
use crate::net::endpoint::connect::{self, ConnectTimeouts};
use crate::net::endpoint::handshake;
use crate::net::endpoint::listen::{ListenSocket, Listener, RefusalText, Stopper};
use crate::net::error::NetErrorKind;
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::timer::Deadline;
use crate::net::runtime::{clock, task, timer};
use crate::proxy::serve::connection;
use crate::proxy::shared::dates::Dates;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::served_plan::ServedPlan;
use crate::proxy::shared::worker::{Shared, ThreadState, Ways, Worker, WorkerInForce};
use crate::route::plan::client_key::ClientKeys;
use crate::server::thread::output::Notices;
use crate::telemetry::meter::Meter;

/// What the control thread asks of a worker.
pub enum WorkerRequest {
    /// A copy of its meter.
    Meter(oneshot::Sender<Meter>),
    /// The end has come so far.
    Phase(Phase),
    /// These are the client keys from now on; what runs goes on with those it began with.
    /// Says when they are in force.
    Keys(ClientKeys, oneshot::Sender<()>),
}

/// What a worker is started with; everything in it may cross threads.
pub struct WorkerSetup {
    /// What the program runs on.
    pub served: ServedPlan,
    /// Its parts of the listening addresses.
    pub seats: Vec<ListenSocket>,
    /// TLS of the listeners.
    pub tls: Option<ServerTls>,
    /// Counters of all workers.
    pub shared: Arc<Shared>,
    /// The ways out for access lines and usage records.
    pub ways: Ways,
    /// What the control thread asks.
    pub asks: mpsc::UnboundedReceiver<WorkerRequest>,
    /// A model id whose exchanges panic; for tests.
    pub panic_model: Option<String>,
    /// Called when all that is needed before any client has been taken.
    pub started: Option<fn()>,
    /// Gives memory that this thread has freed back to the system; all of it where it is told so.
    pub give_back: Option<fn(bool)>,
}

/// Serves until the process has drained; `notices` hears of accepts that fail.
pub async fn run(mut setup: WorkerSetup, notices: Notices) {
    let thread = ThreadState::new(
        &setup.served.plan,
        setup.shared,
        setup.ways,
        setup.panic_model,
    );
    let worker = Worker::new(&setup.served, Rc::clone(&thread));
    let workers = WorkerInForce::new(worker);
    let mut stoppers = Vec::new();
    let refusal = match &setup.tls {
        None => plain_refusal,
        Some(_) => tls_refusal,
    };
    for seat in setup.seats {
        match Listener::open(seat, refusal) {
            Ok(listener) => {
                stoppers.push(listener.stopper());
                drop(task::spawn(accept(
                    listener,
                    Rc::clone(&workers),
                    (setup.tls.clone(), refusal),
                    notices.clone(),
                )));
            }
            // Without its listener this worker is of no use; the control thread sees it end.
            Err(_) => return,
        }
    }
    warm_up(&workers.now());
    drop(task::spawn(reap(Rc::clone(&thread), setup.give_back)));
    // The tasks above begin in this thread's next turn.
    task::yield_now().await;
    setup.started.iter().for_each(|started| started());
    answer(&mut setup.asks, &thread, &stoppers).await;
    thread.tell_refusals();
}

/// Answers the control thread until it says no more.
async fn answer(
    asks: &mut mpsc::UnboundedReceiver<WorkerRequest>,
    thread: &ThreadState,
    stoppers: &[Stopper],
) {
    while let Ok(ask) = asks.recv().await {
        match ask {
            WorkerRequest::Meter(reply) => {
                // A scrape that was given up wants no answer.
                let _ = reply.send(meter(thread, stoppers));
            }
            WorkerRequest::Phase(phase) => {
                if phase >= Phase::Draining {
                    stoppers.iter().for_each(Stopper::stop);
                    thread.pool.borrow_mut().clear();
                }
                thread.drain.advance(phase);
            }
            WorkerRequest::Keys(keys, done) => {
                drop(thread.keys.replace(Rc::new(keys)));
                // Nobody may wait for it any more.
                let _ = done.send(());
            }
        }
    }
}

fn meter(thread: &ThreadState, stoppers: &[Stopper]) -> Meter {
    let mut meter = thread.meter.borrow().snapshot();
    let pool = thread.pool.borrow().counts();
    let counters = &mut meter.counters;
    for listener in stoppers.iter().map(Stopper::counts) {
        counters.accepted += listener.accepted;
        counters.refused += listener.refused;
        counters.accept_errors += listener.exhausted + listener.failed;
    }
    counters.open = thread.drain.seated() as u64;
    counters.pooled = pool.idle;
    counters.reused = pool.reused;
    counters.stale = pool.stale;
    counters.panics += task::panic_count();
    counters.held_bytes = thread.shared.budget.held() as u64;
    meter
}

/// Takes connections in until the listener is stopped.
async fn accept(
    mut listener: Listener,
    workers: Rc<WorkerInForce>,
    (tls, refusal): (Option<ServerTls>, RefusalText),
    notices: Notices,
) {
    let mut told = None;
    loop {
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) if error.kind() == NetErrorKind::Stopped => return,
            Err(error) => {
                // It comes again with every try: once is enough.
                if told.replace(error) != Some(error) {
                    notices.say(format!("{error}; trying again"));
                }
                continue;
            }
        };
        told = None;
        let worker = workers.now();
        let Some(place) = worker.thread.shared.admit() else {
            worker.thread.meter.borrow_mut().counters.refused += 1;
            stream.refuse(&refusal());
            continue;
        };
        let workers = Rc::clone(&workers);
        match tls.clone() {
            None => drop(task::spawn(connection::serve(stream, workers, place))),
            Some(tls) => drop(task::spawn(async move {
                let shaken = boxed(|| shake_hands(stream, &tls, &worker)).await;
                drop(worker);
                if let Some(stream) = shaken {
                    connection::serve(stream, workers, place).await;
                }
            })),
        }
    }
}

/// The TLS handshake of a client's connection. One that is not done when the process drains has a moment
/// left, as idle connections have: no client delays the end by its silence.
async fn shake_hands(stream: NetStream, tls: &ServerTls, worker: &Worker) -> Option<NetStream> {
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let _seat = worker.thread.drain.sit(waker);
    let head_ms = worker.limits().head_timeout_ms;
    let mut shaking = pin!(handshake::server(stream, tls, head_ms));
    let mut leaving: Option<Deadline> = None;
    poll_fn(|cx| {
        if let Poll::Ready(shaken) = shaking.as_mut().poll(cx) {
            return Poll::Ready(shaken.ok());
        }
        if worker.thread.drain.phase() < Phase::Draining {
            return Poll::Pending;
        }
        let leaving = leaving.get_or_insert_with(|| {
            let mut deadline = Deadline::new();
            deadline.set_in(HANDSHAKE_LEAVE_MS);
            deadline
        });
        leaving.poll_expired(cx).map(|()| None)
    })
    .await
}

/// Opens the connections that the plan wants ready.
fn warm_up(worker: &Rc<Worker>) {
    for (index, provider) in worker.plan.providers.iter().enumerate() {
        for _ in 0..provider.warm_count {
            let worker = Rc::clone(worker);
            drop(task::spawn(async move {
                let (Some(endpoint), Some(spec)) = (
                    worker.endpoints.get(index),
                    worker.plan.providers.get(index),
                ) else {
                    return;
                };
                let waits = ConnectTimeouts {
                    resolve_ms: worker.limits().resolve_timeout_ms,
                    connect_ms: spec.timeouts.connect_ms,
                    handshake_ms: spec.timeouts.handshake_ms,
                };
                let admits = |ip| spec.facts.admits(ip);
                if let Ok(stream) = connect::connect(endpoint, waits, admits).await {
                    let stream = Box::new(stream);
                    worker.keep(index, stream, clock::now());
                }
            }));
        }
    }
}

/// Closes idle upstream connections that have grown old or that their peers closed, and gives back
/// the memory that a burst has left.
async fn reap(thread: Rc<ThreadState>, give_back: Option<fn(bool)>) {
    let pause = REAP_MS.max(u64::try_from(RESOLVE_POLL.as_millis()).unwrap_or(REAP_MS));
    while thread.drain.phase() < Phase::Draining {
        timer::sleep(pause).await;
        thread.pool.borrow_mut().reap(clock::now());
        thread.release_memory();
        if let Some(give_back) = give_back {
            // Where nobody is served, all of it: that takes a while.
            give_back(thread.drain.seated() == 0);
        }
    }
}

/// Whether all clients of all workers have left.
#[must_use]
pub fn is_empty(shared: &Shared) -> bool {
    shared.connections.load(Ordering::Acquire) == 0
}

/// What a TLS client is told for whom there is no place: a fatal alert, `internal_error` (RFC 8446
/// section 6.2), in the clear as all alerts before the keys are. TLS has none that means "busy".
fn tls_refusal() -> Vec<u8> {
    TLS_ALERT.to_vec()
}

/// What a client without TLS is told for whom there is no place.
fn plain_refusal() -> Vec<u8> {
    let date = Dates::default().line(clock::now());
    [REFUSAL_HEAD, &date, REFUSAL_BODY].concat()
}

const REFUSAL_HEAD: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
content-type: application/json\r\nretry-after: 1\r\ncontent-length: 111\r\nconnection: close\r\n";
const REFUSAL_BODY: &[u8] =
    b"\r\n{\"error\":{\"message\":\"too many connections; retry in a second\",\
\"type\":\"server_error\",\"param\":null,\"code\":null}}\n";

/// Record type alert, version TLS 1.2 as every first record says, two bytes: fatal, internal_error.
const TLS_ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// How long a TLS handshake may still take once the process drains.
const HANDSHAKE_LEAVE_MS: u64 = 50;

/// Between two looks at idle upstream connections.
const REAP_MS: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::plain_refusal;

    #[test]
    fn refusal_declares_its_own_length() {
        let text = String::from_utf8(plain_refusal()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
