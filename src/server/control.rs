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
use tokio::task::JoinHandle;

use crate::limits::Limits;
use crate::net::endpoint::resolve::Resolver;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::worker::Shared;
use crate::server::admin::listener::{self, Admin, AdminListener};
use crate::server::key::clock_watch::ClockWatch;
use crate::server::key::key_sync::KeySync;
use crate::server::key::lease_client::LeaseClient;
use crate::server::thread::data::{self, WorkerRequest};
use crate::server::thread::output::Notices;
use crate::server::thread::progress::DrainProgress;
use crate::server::thread::supervise::{SupervisedTask, supervise};
use crate::server::usage::journal_uploader::JournalUploader;
use crate::server::usage::prior_spend::PriorSpendTask;
use crate::server::usage::queries::UsageQueries;
use crate::server::usage::retention::Retention;

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
    pub workers: Vec<mpsc::UnboundedSender<WorkerRequest>>,
    /// Counters of all workers.
    pub shared: Arc<Shared>,
    /// How far the end has come.
    pub progress: Arc<DrainProgress>,
    /// Says things.
    pub notices: Notices,
    /// Drain times.
    pub limits: Limits,
    /// Take TERM, INT, HUP and USR1: the process is ours.
    pub signals: bool,
}

/// What the control thread does beside; what nothing is configured for is not there.
pub struct ControlTasks {
    /// Resolves the names of providers.
    pub resolver: Resolver,
    /// Keeps the workers' keys as a store has them.
    pub key_sync: Option<KeySync>,
    /// Asks the store what was spent before the start.
    pub prior_spend: Option<PriorSpendTask>,
    /// Fetches leases of what several replicas share.
    pub lease_client: Option<LeaseClient>,
    /// Checks the clock.
    pub clock_watch: ClockWatch,
    /// Brings usage records to a store.
    pub drainer: Option<JournalUploader>,
    /// Answers questions for them.
    pub queries: Option<UsageQueries>,
    /// Removes old ones.
    pub retention: Option<Retention>,
    /// The admin listener, and what it serves.
    pub admin: Option<(AdminListener, Admin)>,
}

impl Control {
    /// Runs until the process is to end.
    ///
    /// # Errors
    /// Signals cannot be taken.
    pub async fn run(self, tasks: ControlTasks) -> io::Result<Ended> {
        let signals = Signals::take(self.signals)?;
        let over = Arc::new(Notify::new());
        let leasing = self.begin_all(tasks, &over);
        let ended = loop {
            tokio::select! {
                () = signals.end.notified() => break Ended::Stopped,
                () = signals.hup.notified() => {
                    self.notices.say("reloading the configuration is not supported yet: HUP ignored");
                }
                () = signals.usr1.notified() => self.notices.reopen(),
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
        if let Some(leasing) = leasing {
            let _ = tokio::time::timeout(LEASES_GRACE, leasing).await;
        }
        Ok(ended)
    }

    /// Starts the tasks; gives the one that leases, which ends when it is `over`.
    fn begin_all(&self, tasks: ControlTasks, over: &Arc<Notify>) -> Option<JoinHandle<()>> {
        self.begin(Some(tasks.resolver));
        self.begin(tasks.prior_spend);
        self.begin(Some(tasks.clock_watch));
        self.begin(tasks.key_sync);
        self.begin(tasks.queries);
        self.begin(tasks.retention);
        self.begin(tasks.drainer);
        self.begin(tasks.admin.map(|(listener, admin)| Administration {
            listener,
            admin,
            notices: self.notices.clone(),
        }));
        self.begin(tasks.lease_client.map(|lease_client| Lending {
            lease_client,
            over: Arc::clone(over),
        }))
    }

    /// Starts a task that is kept running.
    fn begin<T: SupervisedTask>(&self, task: Option<T>) -> Option<JoinHandle<()>> {
        let (notices, progress) = (self.notices.clone(), Arc::clone(&self.progress));
        task.map(|task| tokio::spawn(supervise(task, notices, progress)))
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
            quiet = if data::is_empty(&self.shared) {
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
            let _ = worker.unbounded_send(WorkerRequest::Phase(phase));
        }
    }
}

impl SupervisedTask for Resolver {
    const NAME: &'static str = "resolving providers' names";

    async fn run(&mut self) {
        Self::run(self).await;
    }
}

impl SupervisedTask for KeySync {
    const NAME: &'static str = "following the store's keys";

    async fn run(&mut self) {
        Self::run(self).await;
    }
}

impl SupervisedTask for ClockWatch {
    const NAME: &'static str = "checking the clock";

    async fn run(&mut self) {
        Self::run(self).await;
    }
}

impl SupervisedTask for UsageQueries {
    const NAME: &'static str = "answering questions for usage records";

    async fn run(&mut self) {
        Self::run(self).await;
    }
}

impl SupervisedTask for Retention {
    const NAME: &'static str = "removing old usage records";

    async fn run(&mut self) {
        Self::run(self).await;
    }
}

impl SupervisedTask for PriorSpendTask {
    const NAME: &'static str = "asking the store what was spent before";

    async fn run(&mut self) {
        Self::run(self).await;
    }
}

impl SupervisedTask for JournalUploader {
    const NAME: &'static str = "bringing usage records to the store";

    async fn run(&mut self) {
        Self::run(self).await;
    }
}

/// Leases until the process ends.
struct Lending {
    lease_client: LeaseClient,
    over: Arc<Notify>,
}

impl SupervisedTask for Lending {
    const NAME: &'static str = "leasing shared limits";

    async fn run(&mut self) {
        self.lease_client.run(&self.over).await;
    }
}

/// The admin listener, and what it serves.
struct Administration {
    listener: AdminListener,
    admin: Admin,
    notices: Notices,
}

impl SupervisedTask for Administration {
    const NAME: &'static str = "the admin listener";

    async fn run(&mut self) {
        loop {
            let listener = self.listener.try_clone();
            let served = match listener {
                Ok(listener) => listener::serve(listener, self.admin.clone()).await,
                Err(error) => Err(error),
            };
            let cause = served.map_or_else(|error| error.to_string(), |()| "no cause".to_owned());
            self.notices
                .say(format!("admin listener ended: {cause}; it begins again"));
            tokio::time::sleep(ADMIN_RETRY).await;
        }
    }
}

/// TERM and INT end the process, USR1 opens the access log again, HUP does nothing.
struct Signals {
    end: Notify,
    hup: Notify,
    usr1: Notify,
}

impl Signals {
    /// Takes the signals, where the process is ours.
    fn take(wanted: bool) -> io::Result<Arc<Self>> {
        let signals = Arc::new(Self {
            end: Notify::new(),
            hup: Notify::new(),
            usr1: Notify::new(),
        });
        if wanted {
            let mut term = signal(SignalKind::terminate())?;
            let mut int = signal(SignalKind::interrupt())?;
            let mut hup = signal(SignalKind::hangup())?;
            let mut usr1 = signal(SignalKind::user_defined1())?;
            let heard = Arc::clone(&signals);
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        Some(()) = term.recv() => heard.end.notify_one(),
                        Some(()) = int.recv() => heard.end.notify_one(),
                        Some(()) = hup.recv() => heard.hup.notify_one(),
                        Some(()) = usr1.recv() => heard.usr1.notify_one(),
                        else => return,
                    }
                }
            });
        }
        Ok(signals)
    }
}

/// Between an end of the admin listener and its next beginning.
const ADMIN_RETRY: Duration = Duration::from_secs(1);
/// What giving leases back may take at the end.
const LEASES_GRACE: Duration = Duration::from_secs(1);
/// Between two looks at how many clients are left.
const LOOK: Duration = Duration::from_millis(10);
/// What clients get to read their last words when they are cut.
const CUT_GRACE: Duration = Duration::from_secs(1);
