//! The admin listener: health, readiness, metrics, and the API. On the control thread, never on a data thread.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_channel::{mpsc, oneshot};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use crate::govern::account::usage::Account;
use crate::govern::lease::lease_queue::LeaseQueue;
use crate::limits::ADMIN_CONNECTIONS_MAX;
use crate::net::endpoint::inherited::InheritedSockets;
use crate::net::endpoint::listen::{Address, BoundAddress};
use crate::net::runtime::clock;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::health_report;
use crate::proxy::shared::served_plan::ServedPlan;
use crate::proxy::shared::usage_channel::QuestionSender;
use crate::server::admin::api::gate::Api;
use crate::server::admin::api::routes;
use crate::server::admin::connections::{ConnectionTimeouts, Timed};
use crate::server::key::key_sync::{KeysSource, StoreHandle};
use crate::server::thread::data::WorkerRequest;
use crate::server::thread::progress::DrainProgress;
use crate::server::usage::journal_writer::JournalFigures;
use crate::telemetry::meter::Meter;
use crate::telemetry::scrape::{self, ProcessFacts};
use crate::telemetry::scrape_store::{SharedFacts, StoreFacts};

/// What the admin side knows.
#[derive(Clone)]
pub struct Admin {
    /// What the program runs on, and who is well.
    pub served: ServedPlan,
    /// Where the workers take questions.
    pub workers: Vec<mpsc::UnboundedSender<WorkerRequest>>,
    /// How far the end has come.
    pub progress: Arc<DrainProgress>,
    /// Facts that do not change.
    pub facts: Arc<ProcessFacts>,
    /// Figures of the usage records, where they are kept.
    pub usage: Option<Arc<JournalFigures>>,
    /// Where these are looked up.
    pub questions: Option<QuestionSender>,
    /// When the process started.
    pub started: Instant,
    /// The store that keys are kept in.
    pub governed: Option<StoreHandle>,
    /// What several replicas share the limits by.
    pub pool: Option<Arc<LeaseQueue<Account>>>,
    /// How long those who ask may take.
    pub waits: ConnectionTimeouts,
    /// Gives memory that this thread has freed back to the system.
    pub give_back: Option<fn(bool)>,
}

/// The listener, taken at start.
pub enum AdminListener {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// Unix socket, readable by its owner alone where it is made here.
    Unix(std::os::unix::net::UnixListener),
}

impl AdminListener {
    /// The same listener under a second handle.
    ///
    /// # Errors
    /// There are no handles left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(listener) => Self::Tcp(listener.try_clone()?),
            Self::Unix(listener) => Self::Unix(listener.try_clone()?),
        })
    }
}

/// Takes the address: as those for clients are taken, but by one listener. The first value keeps
/// the file of a Unix socket, and removes it at the end.
///
/// # Errors
/// It is in use or not ours.
pub fn bind(
    address: &Address,
    inherited: &mut InheritedSockets,
) -> io::Result<(BoundAddress, AdminListener)> {
    let named = |error: &dyn core::fmt::Display| {
        io::Error::other(format!(
            "cannot listen on the admin address {address}: {error}"
        ))
    };
    let mut bound = inherited.bind(address, 1).map_err(|error| named(&error))?;
    let seat = bound.take_seats().pop();
    let socket = seat.ok_or_else(|| named(&"no socket"))?.into_descriptor();
    let listener = match address {
        Address::Tcp(_) => AdminListener::Tcp(socket.into()),
        Address::Unix(path) => {
            if bound.owns_file() {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
                    .map_err(|error| named(&error))?;
            }
            AdminListener::Unix(socket.into())
        }
    };
    Ok((bound, listener))
}

/// Serves for ever.
///
/// # Errors
/// The listener failed.
pub async fn serve(listener: AdminListener, admin: Admin) -> io::Result<()> {
    let waits = admin.waits;
    let api = Api {
        served: admin.served.clone(),
        questions: admin.questions.clone(),
        governed: admin.governed.clone(),
    };
    let api = routes::router(api, admin.served.plan.admin_digest);
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin)
        .merge(api);
    match listener {
        AdminListener::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            axum::serve(Gated::new(listener, waits), router).await
        }
        AdminListener::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let listener = UnixListener::from_std(listener)?;
            axum::serve(Gated::new(listener, waits), router).await
        }
    }
}

/// A listener whose connections are bounded in number and time.
struct Gated<L> {
    listener: L,
    waits: ConnectionTimeouts,
    places: Arc<Semaphore>,
}

impl<L> Gated<L> {
    fn new(listener: L, waits: ConnectionTimeouts) -> Self {
        Self {
            listener,
            waits,
            places: Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)),
        }
    }
}

impl<L: axum::serve::Listener> axum::serve::Listener for Gated<L> {
    type Io = Timed<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // Nobody closes the semaphore.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = self.listener.accept().await;
        (Timed::new(stream, self.waits, place), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let standing = admin.governed.as_ref().map(StoreHandle::standing);
    let is_unread = standing.is_some_and(|store| store.source == KeysSource::Configuration);
    let (status, word) = match (admin.progress.phase(), is_unread) {
        (Phase::Open, false) => (StatusCode::OK, "ready"),
        (Phase::Open, true) => (StatusCode::SERVICE_UNAVAILABLE, "no keys yet"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    let drivers = admin.facts.drivers.join(",");
    let store = standing.map_or_else(String::new, |store| {
        let word = if store.is_up { "up" } else { "down" };
        let keys = store.source.name();
        format!(",\"store\":\"{word}\",\"keys\":\"{keys}\"")
    });
    let shared = admin.pool.as_ref().map_or("", |pool| match pool.is_up() {
        true => ",\"shared\":\"up\"",
        false => ",\"shared\":\"down\"",
    });
    let body = format!("{{\"status\":\"{word}\",\"drivers\":\"{drivers}\"{store}{shared}}}\n");
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let mut merged = Meter::default();
    let mut replies = Vec::with_capacity(admin.workers.len());
    for worker in &admin.workers {
        let (sender, receiver) = oneshot::channel();
        if worker.unbounded_send(WorkerRequest::Meter(sender)).is_ok() {
            replies.push(receiver);
        }
    }
    let until = tokio::time::Instant::now() + SCRAPE_TIMEOUT;
    for reply in replies {
        let answer = tokio::time::timeout_at(until, reply).await;
        if let Ok(Ok(meter)) = answer {
            merged.merge(&meter);
        }
    }
    let facts = ProcessFacts {
        log_dropped: admin.progress.log_dropped(),
        control_restarts: admin.progress.restarts(),
        clock_jumps: clock::jumps(),
        usage: admin.usage.as_ref().map(|figures| figures.facts()),
        usage_lost: admin
            .usage
            .as_ref()
            .map(|it| it.losses.all())
            .unwrap_or_default(),
        uptime_seconds: admin.started.elapsed().as_secs(),
        draining: admin.progress.phase() > Phase::Open,
        circuits: {
            let now_ns = clock::now().as_nanos();
            health_report::counts(&admin.served.plan, &admin.served.health, now_ns)
        },
        store: admin.governed.as_ref().map(|governed| {
            let store = governed.standing();
            StoreFacts {
                is_up: store.is_up,
                is_current: store.source == KeysSource::Store,
                keys: store.keys as u64,
                skipped: store.skipped as u64,
                failures: store.failures,
                rows_read: store.rows_read,
                snapshot_bytes: store.snapshot_bytes,
            }
        }),
        shared: admin.pool.as_ref().map(|pool| {
            let counts = pool.counts();
            SharedFacts {
                is_up: pool.is_up(),
                failures: counts.failures,
                orders: counts.orders,
                waits: counts.waits,
            }
        }),
        ..(*admin.facts).clone()
    };
    if let Some(give_back) = admin.give_back {
        // What was merged and written is free again once the answer has gone.
        tokio::spawn(async move {
            tokio::time::sleep(SCRAPE_TIMEOUT).await;
            give_back(false);
        });
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(header::CONTENT_TYPE, kind)],
        scrape::text(&merged, &facts),
    )
}

/// A worker that does not answer in this time is left out of a scrape.
const SCRAPE_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(2);
