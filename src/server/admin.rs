//! The admin listener: health, readiness, metrics. On the control thread, never on a data thread.

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

use crate::config::schema::ListenAddress;
use crate::proxy::drain::Phase;
use crate::server::progress::Progress;
use crate::server::worker::Ask;
use crate::telemetry::meter::Meter;
use crate::telemetry::scrape::{self, Facts};

/// What the admin side knows.
#[derive(Clone)]
pub struct Admin {
    /// Where the workers take questions.
    pub workers: Vec<mpsc::UnboundedSender<Ask>>,
    /// How far the end has come.
    pub progress: Arc<Progress>,
    /// Facts that do not change.
    pub facts: Arc<Facts>,
    /// When the process started.
    pub started: Instant,
}

/// A listener whose address has been taken.
pub enum Bound {
    /// TCP.
    Tcp(TcpListener),
    /// Unix socket, readable by its owner alone.
    Unix(UnixListener),
}

impl Bound {
    /// Takes the address.
    ///
    /// # Errors
    /// It is in use or not ours.
    pub async fn bind(address: &ListenAddress) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            ListenAddress::Unix(path) => {
                if std::os::unix::net::UnixStream::connect(path).is_err() {
                    // Nobody answers: a leftover of an earlier process, if there is one.
                    let _ = std::fs::remove_file(path);
                }
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
                Ok(Self::Unix(listener))
            }
        }
    }

    /// The address as it came out.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| "?".to_owned(), |a| a.to_string()),
            Self::Unix(listener) => listener
                .local_addr()
                .ok()
                .and_then(|address| Some(format!("unix:{}", address.as_pathname()?.display())))
                .unwrap_or_else(|| "unix:?".to_owned()),
        }
    }
}

/// Serves for ever.
///
/// # Errors
/// The listener failed.
pub async fn serve(bound: Bound, admin: Admin) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin);
    match bound {
        Bound::Tcp(listener) => axum::serve(listener, router).await,
        Bound::Unix(listener) => axum::serve(listener, router).await,
    }
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let phase = admin.progress.phase();
    let status = if phase == Phase::Open {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = if phase == Phase::Open {
        "ready"
    } else {
        "draining"
    };
    let drivers = admin.facts.drivers.join(",");
    let body = format!("{{\"status\":\"{word}\",\"drivers\":\"{drivers}\"}}\n");
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let mut merged = Meter::default();
    let mut replies = Vec::with_capacity(admin.workers.len());
    for worker in &admin.workers {
        let (sender, receiver) = oneshot::channel();
        if worker.unbounded_send(Ask::Meter(sender)).is_ok() {
            replies.push(receiver);
        }
    }
    for reply in replies {
        let answer = tokio::time::timeout(SCRAPE_TIMEOUT, reply).await;
        if let Ok(Ok(meter)) = answer {
            merged.merge(&meter);
        }
    }
    let facts = Facts {
        log_dropped: admin.progress.log_dropped(),
        uptime_seconds: admin.started.elapsed().as_secs(),
        draining: admin.progress.phase() > Phase::Open,
        ..(*admin.facts).clone()
    };
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(header::CONTENT_TYPE, kind)],
        scrape::text(&merged, &facts),
    )
}

/// A worker that does not answer in this time is left out of a scrape.
const SCRAPE_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(2);
