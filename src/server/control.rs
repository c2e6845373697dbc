//! The control thread: names, the admin listener, and the end of the process.
//!
//! One tokio runtime on a thread of its own. It tells the workers how far the end has come, in
//! this order: readiness says no, `drain_delay` passes, accepting stops and idle connections
//! close, running streams finish or are cut at the limit.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use futures_channel::mpsc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::limits::Limits;
use crate::net::resolve::Resolver;
use crate::proxy::drain::Phase;
use crate::proxy::worker::Shared;
use crate::server::admin::{self, Admin, Listener};
use crate::server::clerk::Clerk;
use crate::server::drain::Drainer;
use crate::server::governor::Governor;
use crate::server::lender::Lender;
use crate::server::output::Notices;
use crate::server::progress::Progress;
use crate::server::retention::Retention;
use crate::server::worker::{self, Ask};

/// Why the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It drained, or a second signal came.
    Stopped,
    /// A worker was lost.
    WorkerLost,
}

/// What the control thread works with.
pub struct Control {
    /// Where the workers take questions.
    pub workers: Vec<mpsc::UnboundedSender<Ask>>,
    /// Keeps the workers' keys as a store has them.
    pub governor: Option<Governor>,
    /// Fetches leases of what several replicas share.
    pub lender: Option<Lender>,
    /// Brings usage records to a store.
    pub drainer: Option<Drainer>,
    /// Answers questions for them.
    pub clerk: Option<Clerk>,
    /// Removes old ones.
    pub retention: Option<Retention>,
    /// Counters of all workers.
    pub shared: Arc<Shared>,
    /// How far the end has come.
    pub progress: Arc<Progress>,
    /// Says things.
    pub notices: Notices,
    /// Drain times.
    pub limits: Limits,
    /// Take TERM, INT and HUP: the process is ours.
    pub signals: bool,
}

impl Control {
    /// Runs until the process is to end.
    ///
    /// # Errors
    /// Signals cannot be taken.
    pub async fn run(
        mut self,
        resolver: Resolver,
        listener: Option<(Listener, Admin)>,
    ) -> io::Result<Ended> {
        let signals = Signals::take(self.signals)?;
        tokio::spawn(resolver.run());
        if let Some(governor) = self.governor.take() {
            tokio::spawn(governor.run());
        }
        if let Some(clerk) = self.clerk.take() {
            tokio::spawn(clerk.run());
        }
        if let Some(retention) = self.retention.take() {
            tokio::spawn(retention.run());
        }
        let over = Arc::new(Notify::new());
        let lender = self.lender.take();
        let lender = lender.map(|lender| tokio::spawn(lender.run(Arc::clone(&over))));
        if let Some(drainer) = self.drainer.take() {
            tokio::spawn(drainer.run());
        }
        if let Some((listener, admin)) = listener {
            let notices = self.notices.clone();
            tokio::spawn(async move {
                if let Err(error) = admin::serve(listener, admin).await {
                    notices.say(format!("admin listener ended: {error}"));
                }
            });
        }
        let ended = loop {
            tokio::select! {
                () = signals.end.notified() => break Ended::Stopped,
                () = signals.hup.notified() => {
                    self.notices.say("reloading the configuration is not supported yet: HUP ignored");
                }
                () = self.progress.stop.notified() => break Ended::Stopped,
                () = self.progress.worker_lost.notified() => break Ended::WorkerLost,
            }
        };
        if ended == Ended::WorkerLost {
            self.notices
                .say("a worker ended unexpectedly; draining the others");
        }
        tokio::select! {
            () = self.drain() => {}
            () = signals.end.notified() => self.notices.say("second signal: ending now"),
        }
        over.notify_one();
        if let Some(lender) = lender {
            let _ = tokio::time::timeout(LEASES_GRACE, lender).await;
        }
        Ok(ended)
    }

    async fn drain(&self) {
        self.advance(Phase::Closing);
        tokio::time::sleep(Duration::from_millis(self.limits.drain_delay_ms)).await;
        self.advance(Phase::Draining);
        let limit = Duration::from_millis(self.limits.drain_timeout_ms);
        if tokio::time::timeout(limit, self.emptied()).await.is_err() {
            self.notices
                .say("drain limit passed; cutting what still runs");
            self.advance(Phase::Cut);
            let _ = tokio::time::timeout(CUT_GRACE, self.emptied()).await;
        }
    }

    /// Waits until all clients have left, and a moment longer for what was just being accepted.
    async fn emptied(&self) {
        let mut quiet = 0;
        while quiet < 2 {
            tokio::time::sleep(LOOK).await;
            quiet = if worker::is_empty(&self.shared) {
                quiet + 1
            } else {
                0
            };
        }
    }

    fn advance(&self, phase: Phase) {
        self.progress.advance(phase);
        for worker in &self.workers {
            // A worker that is gone needs no telling.
            let _ = worker.unbounded_send(Ask::Phase(phase));
        }
    }
}

/// TERM and INT end the process, HUP does not.
struct Signals {
    end: Notify,
    hup: Notify,
}

impl Signals {
    /// Takes the signals, where the process is ours.
    fn take(wanted: bool) -> io::Result<Arc<Self>> {
        let signals = Arc::new(Self {
            end: Notify::new(),
            hup: Notify::new(),
        });
        if wanted {
            let mut term = signal(SignalKind::terminate())?;
            let mut int = signal(SignalKind::interrupt())?;
            let mut hup = signal(SignalKind::hangup())?;
            let heard = Arc::clone(&signals);
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        Some(()) = term.recv() => heard.end.notify_one(),
                        Some(()) = int.recv() => heard.end.notify_one(),
                        Some(()) = hup.recv() => heard.hup.notify_one(),
                        else => return,
                    }
                }
            });
        }
        Ok(signals)
    }
}

/// What giving leases back may take at the end.
const LEASES_GRACE: Duration = Duration::from_secs(1);
/// Between two looks at how many clients are left.
const LOOK: Duration = Duration::from_millis(10);
/// What clients get to read their last words when they are cut.
const CUT_GRACE: Duration = Duration::from_secs(1);
