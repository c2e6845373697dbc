//! Starting everything, and ending it.
//!
//! [`start`] takes the addresses and starts the threads; [`RunningGateway`] is the handle to them. What
//! can be refused (an address in use, a certificate that does not fit) is refused before the first
//! thread runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use futures_channel::mpsc;

use crate::config::schema::file::{Driver, ListenAddress, LogSink, TrustedRoots};
use crate::govern::account::usage::Account;
use crate::govern::lease::lease_queue::LeaseQueue;
use crate::limits::{KIB, MIB, TENANTS_MAX};
use crate::net::connection::tls::{ClientTls, Roots, ServerTls};
use crate::net::endpoint::connect::ProviderEndpoint;
use crate::net::endpoint::inherited::InheritedSockets;
use crate::net::endpoint::listen::{Address, BoundAddress};
use crate::net::endpoint::resolve::Resolver;
use crate::net::runtime::clock;
use crate::net::runtime::driver::{self, DriverChoice, DriverReport};
use crate::proxy::shared::memory_budget::Budget;
use crate::proxy::shared::served_plan::ServedPlan;
use crate::proxy::shared::worker::{Shared, Ways};
use crate::route::plan::client_key::ClientKey;
use crate::route::plan::compiled::Plan;
use crate::route::plan::provider::{Provider, Scheme};
use crate::server::admin::connections::ConnectionTimeouts;
use crate::server::admin::listener::{self, Admin};
use crate::server::control::{Control, ControlTasks, Ended};
use crate::server::key::clock_watch::ClockWatch;
use crate::server::key::key_sync::{KeySync, StoreHandle};
use crate::server::key::lease_client::LeaseClient;
use crate::server::thread::data::{self, WorkerRequest, WorkerSetup};
use crate::server::thread::host;
use crate::server::thread::output::{self, Notices, OutputThread};
use crate::server::thread::progress::DrainProgress;
use crate::server::usage::journal_writer;
use crate::server::usage::pipeline::{self, UsagePipeline};
use crate::server::usage::prior_spend::PriorSpendTask;
use crate::store::prior_spend::PriorSpendQuery;
use crate::telemetry::ring::RingReceiver;
use crate::telemetry::scrape::ProcessFacts;

/// How to start.
#[derive(Clone, Debug, Default)]
pub struct StartOptions {
    /// Take TERM, INT and HUP.
    pub signals: bool,
    /// Say on standard error what was started.
    pub announce: bool,
    /// Takes over the listening sockets that a service manager hands to this process.
    pub inherits_sockets: bool,
    /// A model id whose exchanges panic; for tests.
    pub panic_model: Option<String>,
    /// Called on each worker when it has taken what it needs before any client.
    pub started: Option<fn()>,
    /// Gives memory that a thread has freed back to the system; called on each of them now and then.
    pub give_back: Option<fn(bool)>,
}

/// A started gateway.
pub struct RunningGateway {
    /// The client addresses, with the ports that the system chose.
    pub addresses: Vec<Address>,
    /// The admin address.
    pub admin: Option<String>,
    /// Driver of the workers.
    pub drivers: Vec<&'static str>,
    progress: Arc<DrainProgress>,
    control: JoinHandle<io::Result<Ended>>,
    output: OutputThread,
    journal_thread: Option<journal_writer::JournalThread>,
    /// Removes the files of Unix sockets at the end.
    bound: Vec<BoundAddress>,
}

impl RunningGateway {
    /// The first client address that is TCP.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(|address| match address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        })
    }

    /// Asks for the end: the gateway drains.
    pub fn stop(&self) {
        self.progress.stop.notify_one();
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The control thread failed.
    pub fn wait(self) -> io::Result<Ended> {
        let ended = self
            .control
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the control thread panicked")));
        if let Some(thread) = self.journal_thread {
            thread.finish();
        }
        self.output.finish();
        drop(self.bound);
        ended
    }
}

/// Starts a gateway on `plan`.
///
/// # Errors
/// What cannot be had: an address, a certificate, a driver, a thread.
pub fn start(mut plan: Plan, options: &StartOptions) -> io::Result<RunningGateway> {
    let runtime = control_runtime()?;
    let mut usage = plan.usage.as_ref().map(UsagePipeline::open).transpose()?;
    let (notices, receiver) = Notices::new();
    let workers = worker_count(&plan);
    let (senders, asks): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::unbounded()).unzip();
    let memory = recollect(&mut plan, usage.as_ref())?;
    let governance = runtime.block_on(govern(&mut plan, memory, &senders, &notices))?;
    let plan = Arc::new(plan);
    let served = ServedPlan::first(Arc::clone(&plan), endpoint)?;
    let (mut bound, admin_bound, listener) = bind_all(&plan, workers, options)?;
    let shared = shared(&plan);
    let progress = Arc::new(DrainProgress::new(notices.dropped()));
    let parts = Parts {
        served: &served,
        tls: server_tls(&plan)?,
        shared: &shared,
    };
    let (mut setups, rings) = setups(asks, &parts, &notices, options);
    equip(&mut setups, &mut bound, usage.as_mut());
    let heard = (&notices, receiver);
    let output = output::start(&plan.server.log, rings, heard, options.give_back)?;
    let kept = pipeline::keep(usage, governance.store.as_ref(), &notices)?;
    let drivers = spawn_workers(setups, &plan, &progress, &notices, options)?;
    let addresses: Vec<_> = bound.iter().map(|b| b.address().clone()).collect();
    let control = Control {
        workers: senders.clone(),
        shared,
        progress: Arc::clone(&progress),
        notices: notices.clone(),
        limits: plan.limits.clone(),
        signals: options.signals,
    };
    let admin = Admin {
        served: served.clone(),
        workers: senders,
        progress: Arc::clone(&progress),
        facts: Arc::new(facts(&plan, &drivers)),
        usage: kept.figures,
        questions: kept.questions,
        started: Instant::now(),
        governed: governance.store.clone(),
        pool: governance.leases,
        waits: ConnectionTimeouts::of(&plan.limits),
        give_back: options.give_back,
    };
    let tasks = ControlTasks {
        resolver: Resolver::new(served.endpoints.to_vec()),
        clock_watch: ClockWatch::new(governance.store.as_ref(), &notices),
        key_sync: governance.key_sync,
        prior_spend: governance.prior_spend,
        lease_client: governance.lease_client,
        drainer: kept.drainer,
        queries: kept.queries,
        retention: kept.retention,
        admin: listener.zip(Some(admin)),
    };
    let control = spawn_control(runtime, control, tasks)?;
    let admin = admin_bound.as_ref().map(|it| it.address().to_string());
    bound.extend(admin_bound);
    announce(options, &notices, &plan, (&addresses, admin.as_deref()));
    Ok(RunningGateway {
        addresses,
        admin,
        drivers,
        progress,
        control,
        output,
        journal_thread: kept.journal_thread,
        bound,
    })
}

/// The runtime of the control thread.
fn control_runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Charges budgets what the journal says was spent before; gives what the store is to be asked.
fn recollect(
    plan: &mut Plan,
    usage: Option<&UsagePipeline>,
) -> io::Result<Option<PriorSpendQuery>> {
    let has_budgets = plan.store.is_some() || plan.keys.all().any(ClientKey::has_budget);
    let Some(usage) = usage.filter(|_| has_budgets) else {
        return Ok(None);
    };
    let (past, memory) = PriorSpendQuery::read(&usage.journal, clock::unix_millis())?;
    plan.accounts.recall(past);
    Ok(Some(memory))
}

/// What keeps keys and limits as others have them, where any do.
struct Governance {
    key_sync: Option<KeySync>,
    prior_spend: Option<PriorSpendTask>,
    store: Option<StoreHandle>,
    lease_client: Option<LeaseClient>,
    leases: Option<Arc<LeaseQueue<Account>>>,
}

/// Opens the store of keys and the counters of limits that replicas share; the plan has the first keys then.
async fn govern(
    plan: &mut Plan,
    memory: Option<PriorSpendQuery>,
    workers: &[mpsc::UnboundedSender<WorkerRequest>],
    notices: &Notices,
) -> io::Result<Governance> {
    let keys = KeySync::start(plan, memory, workers, notices).await?;
    let store = keys.as_ref().map(|it| it.governed.clone());
    let (key_sync, unasked) = keys.map(|it| (it.key_sync, it.unasked)).unzip();
    let unasked = unasked.flatten().zip(store.clone());
    let prior_spend = unasked.map(|((memory, pasts), governed)| PriorSpendTask {
        memory,
        governed,
        pasts,
    });
    let shared = plan.shared.take();
    let leases = shared.as_ref().map(|it| Arc::clone(&it.pool));
    let lease_client = match shared {
        Some(shared) => Some(LeaseClient::new(shared, notices.clone()).await),
        None => None,
    };
    Ok(Governance {
        key_sync,
        prior_spend,
        store,
        lease_client,
        leases,
    })
}

fn facts(plan: &Plan, drivers: &[&'static str]) -> ProcessFacts {
    ProcessFacts {
        providers: plan.ids.provider_names(),
        drivers: drivers.to_vec(),
        version: env!("CARGO_PKG_VERSION"),
        ..ProcessFacts::default()
    }
}

struct Parts<'p> {
    served: &'p ServedPlan,
    tls: Option<ServerTls>,
    shared: &'p Arc<Shared>,
}

/// What each worker is started with, and the ends of their rings for access lines.
fn setups(
    asks: Vec<mpsc::UnboundedReceiver<WorkerRequest>>,
    parts: &Parts<'_>,
    notices: &Notices,
    options: &StartOptions,
) -> (Vec<WorkerSetup>, Vec<RingReceiver>) {
    let logs = parts.served.plan.server.log != LogSink::Off;
    let mut rings = Vec::with_capacity(asks.len());
    let setups = asks.into_iter().map(|asks| {
        let log = logs.then(|| {
            let (log, ring) = notices.log_ring(LOG_RING_BYTES, LOG_BURST_BYTES);
            rings.push(ring);
            log
        });
        WorkerSetup {
            served: parts.served.clone(),
            seats: Vec::new(),
            tls: parts.tls.clone(),
            shared: Arc::clone(parts.shared),
            ways: Ways {
                log,
                ..Ways::default()
            },
            asks,
            panic_model: options.panic_model.clone(),
            started: options.started,
            give_back: options.give_back,
        }
    });
    let setups = setups.collect();
    (setups, rings)
}

/// Gives each worker its parts of the addresses, and its way to the ledger.
fn equip(
    setups: &mut [WorkerSetup],
    bound: &mut [BoundAddress],
    mut usage: Option<&mut UsagePipeline>,
) {
    for address in bound {
        for (setup, seat) in setups.iter_mut().zip(address.take_seats()) {
            setup.seats.push(seat);
        }
    }
    for setup in setups {
        setup.ways.usage = usage.as_mut().map(|usage| usage.way());
    }
}

/// One data thread for each usable core, as affinity and quota leave them.
fn worker_count(plan: &Plan) -> usize {
    plan.server
        .workers
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

fn shared(plan: &Plan) -> Arc<Shared> {
    let tenants = match plan.keys.is_stored() {
        true => TENANTS_MAX,
        false => plan.accounts.count(),
    };
    let budget = Budget::new(host::budget_bytes(&plan.limits), tenants);
    Arc::new(Shared::new(
        Arc::new(budget),
        host::connections_max(&plan.limits, plan.server.tls.is_some()),
    ))
}

fn endpoint(provider: &Provider) -> io::Result<ProviderEndpoint> {
    let place = &provider.endpoint;
    let tls = match place.scheme {
        Scheme::Http => None,
        Scheme::Https => {
            let roots = match provider.roots {
                TrustedRoots::Bundled => Roots::Bundled,
                TrustedRoots::Platform => Roots::Platform,
            };
            let tls = ClientTls::new(&place.host, roots, provider.ca_pem.as_deref());
            Some(tls.map_err(|error| {
                io::Error::other(format!("provider {}: {error}", provider.name))
            })?)
        }
    };
    Ok(ProviderEndpoint::new(&place.host, place.port, tls))
}

fn server_tls(plan: &Plan) -> io::Result<Option<ServerTls>> {
    let Some(material) = &plan.server.tls else {
        return Ok(None);
    };
    ServerTls::new(&material.cert_pem, material.key_pem.expose())
        .map(Some)
        .map_err(|error| io::Error::other(format!("server.tls_cert: {error}")))
}

/// The clients' addresses, and the admin address with its listener.
type AllBound = (
    Vec<BoundAddress>,
    Option<BoundAddress>,
    Option<listener::AdminListener>,
);

fn bind_all(plan: &Plan, workers: usize, options: &StartOptions) -> io::Result<AllBound> {
    let mut inherited = match options.inherits_sockets {
        true => InheritedSockets::take(|name| std::env::var(name).ok())?,
        false => InheritedSockets::default(),
    };
    let clients = plan.server.listen.iter().map(|address| {
        let address = address_of(address);
        let bound = inherited.bind(&address, workers);
        bound.map_err(|error| io::Error::other(format!("cannot listen on {address}: {error}")))
    });
    let clients = clients.collect::<io::Result<_>>()?;
    let address = plan.server.admin.as_ref().map(address_of);
    let admin = address.map(|address| listener::bind(&address, &mut inherited));
    let (admin, listener) = admin.transpose()?.unzip();
    inherited.finish()?;
    Ok((clients, admin, listener))
}

fn address_of(address: &ListenAddress) -> Address {
    match address {
        ListenAddress::Tcp(address) => Address::Tcp(*address),
        ListenAddress::Unix(path) => Address::Unix(path.clone()),
    }
}

const fn choice(driver: Driver) -> DriverChoice {
    match driver {
        Driver::Auto => DriverChoice::Auto,
        Driver::Uring => DriverChoice::Uring,
        Driver::Epoll => DriverChoice::Epoll,
    }
}

/// Starts the workers and waits until each has its driver.
fn spawn_workers(
    setups: Vec<WorkerSetup>,
    plan: &Plan,
    progress: &Arc<DrainProgress>,
    notices: &Notices,
    options: &StartOptions,
) -> io::Result<Vec<&'static str>> {
    let choice = choice(plan.server.driver);
    let count = setups.len();
    let (started, reports) = channel();
    for (number, setup) in setups.into_iter().enumerate() {
        let started = started.clone();
        let progress = Arc::clone(progress);
        let heard = notices.clone();
        thread::Builder::new()
            .name(format!("ringway-{number}"))
            .spawn(move || {
                let told = started.clone();
                let on_start = move |report: &DriverReport| {
                    let _ = told.send(Ok(*report));
                };
                let main = || data::run(setup, heard);
                if let Err(error) = driver::run_worker(choice, on_start, main) {
                    let _ = started.send(Err(error.to_string()));
                }
                progress.worker_lost.notify_one();
            })?;
    }
    drop(started);
    collect_reports(&reports, count, notices, options)
}

fn collect_reports(
    reports: &Receiver<Result<DriverReport, String>>,
    count: usize,
    notices: &Notices,
    options: &StartOptions,
) -> io::Result<Vec<&'static str>> {
    let mut drivers = Vec::with_capacity(count);
    for _ in 0..count {
        let report = reports
            .recv()
            .map_err(|_| io::Error::other("a worker did not start"))?;
        let report = report.map_err(io::Error::other)?;
        if options.announce && drivers.is_empty() {
            let workers = if count == 1 { "worker" } else { "workers" };
            notices.say(format!("{count} {workers}, driver {report}"));
        }
        drivers.push(report.kind.as_str());
    }
    Ok(drivers)
}

/// Starts the control thread.
fn spawn_control(
    runtime: tokio::runtime::Runtime,
    control: Control,
    tasks: ControlTasks,
) -> io::Result<JoinHandle<io::Result<Ended>>> {
    thread::Builder::new()
        .name("ringway-control".to_owned())
        .spawn(move || runtime.block_on(control.run(tasks)))
}

fn announce(
    options: &StartOptions,
    notices: &Notices,
    plan: &Plan,
    (addresses, admin): (&[Address], Option<&str>),
) {
    if !options.announce {
        return;
    }
    for address in addresses {
        notices.say(format!("listening on {address}"));
    }
    if let Some(admin) = admin {
        notices.say(format!("admin on {admin}"));
    }
    if plan.is_open() {
        notices.say("no client keys are configured: whoever can connect may use every model");
    }
}

/// Room for access lines of one worker: some hundred and fifty, and two thousand more in a burst.
const LOG_RING_BYTES: usize = 64 * KIB;
const LOG_BURST_BYTES: usize = MIB;
