//! What one worker's exchanges share: the plan, pools, meters, the way out for log lines.
//!
//! One thread owns it all; what is shared between workers is [`Shared`], a handful of counters.

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use futures_channel::oneshot::Receiver;

use crate::chat::small_str::SmallStr;
use crate::govern::usage::frames::first_length;
use crate::govern::usage::listing::{Listing, RecordPage};
use crate::govern::usage::refusals::Refusals;
use crate::govern::usage::segment_index;
use crate::http1::fields::FieldTable;
use crate::json::rewrite::Edits;
use crate::json::tape::Tape;
use crate::limits::{FREE_TABLES_MAX, KIB, Limits};
use crate::net::connection::stream::NetStream;
use crate::net::endpoint::connect::ProviderEndpoint;
use crate::net::endpoint::pool::ConnectionPool;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::{driver, task, timer};
use crate::proxy::shared::dates::Dates;
use crate::proxy::shared::drain::Drain;
use crate::proxy::shared::failure::Failure;
use crate::proxy::shared::health::{Health, Slot};
use crate::proxy::shared::memory_budget::Budget;
use crate::proxy::shared::query_slots::Owner;
use crate::proxy::shared::retry_budget::Retries;
use crate::proxy::shared::served_plan::ServedPlan;
use crate::proxy::shared::usage_channel::{QuestionRejected, RecordAnswer, UsageSender};
use crate::proxy::shared::usage_record;
use crate::route::plan::client_key::ClientKeys;
use crate::route::plan::compiled::Plan;
use crate::route::plan::ids::ProviderId;
use crate::route::plan::provider::Provider;
use crate::telemetry::exchange::ExchangeRecord;
use crate::telemetry::log;
use crate::telemetry::meter::{LabelSets, Meter};
use crate::telemetry::ring::RingSender;
use crate::translate::transforms::scrub::{Needle, Scrubber};

/// Counters that all workers share.
#[derive(Debug)]
pub struct Shared {
    /// Large buffers.
    pub budget: Arc<Budget>,
    /// Which metrics are kept apart.
    pub label_sets: Arc<LabelSets>,
    /// Client connections open now.
    pub connections: AtomicUsize,
    /// Most client connections.
    pub connections_max: usize,
    /// How often a request may be sent again.
    pub retries: Retries,
}

/// One worker on one plan. Each plan has its own; an exchange ends on the one that it began on.
pub struct Worker {
    /// What it runs on.
    pub plan: Arc<Plan>,
    /// Where each provider stands, in the plan's order.
    pub endpoints: Arc<[Arc<ProviderEndpoint>]>,
    /// Who is well.
    pub health: Arc<Health>,
    /// Each provider's credentials, to be taken out of answers, in the plan's order.
    needles: Vec<Vec<Needle>>,
    /// What goes on from plan to plan.
    pub thread: Rc<ThreadState>,
}

/// What one data thread keeps, whichever plan it runs on.
pub struct ThreadState {
    /// Client keys as they are now.
    pub keys: RefCell<Rc<ClientKeys>>,
    /// Idle upstream connections.
    pub pool: RefCell<ConnectionPool>,
    /// What was counted.
    pub meter: RefCell<Meter>,
    /// The end of the process.
    pub drain: Rc<Drain>,
    /// The `date` of answers of ours.
    pub dates: Dates,
    /// Scratch for reading documents.
    pub tape: RefCell<Tape>,
    /// Scratch for what a route changes in them.
    pub edits: RefCell<Edits>,
    tables: RefCell<Vec<FieldTable>>,
    /// Counters of all workers.
    pub shared: Arc<Shared>,
    /// Itself, for tasks that outlive an exchange.
    pub me: Weak<Self>,
    /// A model id whose exchanges panic; set by tests alone.
    pub panic_model: Option<String>,
    log: RefCell<Option<RingSender>>,
    usage: RefCell<Option<UsageSender>>,
    /// Refusals that have no records of their own.
    refusals: RefCell<Refusals>,
    line: RefCell<Vec<u8>>,
}

/// The worker of one thread that is in force: what takes requests asks for it anew with each.
pub struct WorkerInForce(RefCell<Rc<Worker>>);

impl WorkerInForce {
    /// The first one.
    #[must_use]
    pub fn new(worker: Worker) -> Rc<Self> {
        Rc::new(Self(RefCell::new(Rc::new(worker))))
    }

    /// The one on which a request begins now.
    #[must_use]
    pub fn now(&self) -> Rc<Worker> {
        Rc::clone(&self.0.borrow())
    }

    /// Lets requests begin on another plan. What runs goes on as it began.
    pub fn replace(&self, next: &ServedPlan) {
        let thread = Rc::clone(&self.0.borrow().thread);
        let limits = &next.plan.limits;
        let mut pool = thread.pool.borrow_mut();
        pool.set_bounds(limits.pool_idle_max, limits.pool_idle_timeout_ms);
        drop(pool);
        drop(self.0.replace(Rc::new(Worker::new(next, thread))));
    }
}

/// Where a worker's lines and records go.
#[derive(Default)]
pub struct Ways {
    /// Access lines.
    pub log: Option<RingSender>,
    /// Usage records, and questions about them.
    pub usage: Option<UsageSender>,
}

impl Shared {
    /// Counters for a process with so much room.
    #[must_use]
    pub fn new(budget: Arc<Budget>, connections_max: usize) -> Self {
        Self {
            budget,
            label_sets: Arc::default(),
            connections: AtomicUsize::new(0),
            connections_max,
            retries: Retries::default(),
        }
    }

    /// Takes a place for a client's connection, if there is one.
    #[must_use]
    pub fn admit(self: &Arc<Self>) -> Option<Place> {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        (before < self.connections_max).then_some(place)
    }
}

/// A connection's place among all; given back when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ThreadState {
    /// The state of a thread that begins with `plan`.
    #[must_use]
    pub fn new(
        plan: &Plan,
        shared: Arc<Shared>,
        Ways { log, usage }: Ways,
        panic_model: Option<String>,
    ) -> Rc<Self> {
        let limits = &plan.limits;
        let pool = ConnectionPool::new(limits.pool_idle_max, limits.pool_idle_timeout_ms);
        Rc::new_cyclic(|me| Self {
            keys: RefCell::new(Rc::new(plan.keys.clone())),
            pool: RefCell::new(pool),
            meter: RefCell::new(Meter::new(Arc::clone(&shared.label_sets))),
            drain: Rc::default(),
            dates: Dates::default(),
            tape: RefCell::default(),
            edits: RefCell::default(),
            tables: RefCell::default(),
            shared,
            me: Weak::clone(me),
            panic_model,
            log: RefCell::new(log),
            usage: RefCell::new(usage),
            refusals: RefCell::default(),
            line: RefCell::default(),
        })
    }

    /// Counts an answer that refuses a credential of ours; whether it is no good at all.
    pub fn count_refused(&self, provider: &Provider, status: u16) -> bool {
        let is_refused = !provider.secrets().is_empty() && matches!(status, 401 | 403);
        self.meter.borrow_mut().counters.credential_refused += u64::from(is_refused);
        is_refused && status == 401
    }

    /// Hands over the counts of refusals within a second.
    fn tell_refusals_later(&self) {
        if let Some(thread) = self.me.upgrade() {
            drop(task::spawn(async move {
                timer::sleep(REFUSALS_MS).await;
                thread.tell_refusals();
            }));
        }
    }

    /// Hands over the counts of refusals that have grown.
    pub fn tell_refusals(&self) {
        if let Some(way) = self.usage.borrow_mut().as_mut() {
            let mut frames = Vec::new();
            let unix_ms = self.dates.unix_ms(clock::now());
            self.refusals.borrow_mut().write(unix_ms, &mut frames);
            let mut left = &*frames;
            // A ring takes whole pieces.
            while let Some((frame, behind)) = left.split_at_checked(first_length(left)) {
                if frame.is_empty() {
                    return;
                }
                way.send(frame, segment_index::tenant(frame).unwrap_or_default());
                left = behind;
            }
        }
    }

    /// Whether usage records are kept.
    #[must_use]
    pub fn keeps_records(&self) -> bool {
        self.usage.borrow().is_some()
    }

    /// Asks for a usage record; nothing when too many ask.
    #[must_use]
    pub fn ask_record(&self, id: u128, owner: Owner) -> Option<Receiver<RecordAnswer>> {
        self.usage.borrow().as_ref()?.questions.record(id, owner)
    }

    /// Asks for a page of a tenant's usage records.
    ///
    /// # Errors
    /// Too many ask, or this tenant asks too much.
    pub fn ask_page(
        &self,
        listing: Listing,
        asker: Owner,
    ) -> Result<Receiver<RecordPage>, QuestionRejected> {
        match &*self.usage.borrow() {
            Some(way) => way.questions.page(listing, asker),
            None => Err(QuestionRejected::Busy),
        }
    }

    /// An empty field table, for the head of an answer.
    #[must_use]
    pub fn table(&self) -> FieldTable {
        self.tables.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a field table back that nobody looks into any more.
    pub fn give_table(&self, mut table: FieldTable) {
        let mut tables = self.tables.borrow_mut();
        if tables.len() < FREE_TABLES_MAX && table.capacity() <= TABLE_FIELDS_KEPT {
            table.clear();
            tables.push(table);
        }
    }

    /// Frees memory that this thread has grown to and no longer uses: its runtime's, and while it has no
    /// client what exchanges share. The one owner of all that; to be called now and then.
    pub fn release_memory(&self) {
        driver::release_memory();
        if self.drain.seated() > 0 {
            return;
        }
        self.drain.trim();
        self.tables.take();
        self.tape.take();
        self.edits.take();
        self.line.take();
    }

    /// Gives memory back that one large request made this worker's scratch grow to.
    pub fn shrink(&self) {
        self.tape.borrow_mut().shrink_to(TAPE_NODES_KEPT);
    }
}

impl Worker {
    /// The worker of a thread on a plan.
    #[must_use]
    pub fn new(served: &ServedPlan, thread: Rc<ThreadState>) -> Self {
        let ServedPlan {
            plan,
            endpoints,
            health,
        } = served.clone();
        let needles = plan.providers.iter().map(|provider| {
            let secrets = provider.secrets().iter();
            secrets.filter_map(|it| Needle::new(it.expose())).collect()
        });
        Self {
            needles: needles.collect(),
            plan,
            endpoints,
            health,
            thread,
        }
    }

    /// The id of a provider of the plan.
    #[must_use]
    pub fn id_of(&self, provider: usize) -> Option<ProviderId> {
        self.plan.providers.get(provider).map(|it| it.id)
    }

    /// An idle connection to a provider of the plan.
    pub fn kept(&self, provider: usize, now: Instant) -> Option<Box<NetStream>> {
        let id = self.id_of(provider)?;
        self.thread.pool.borrow_mut().take(id.index(), now)
    }

    /// Keeps a connection to a provider of the plan.
    pub fn keep(&self, provider: usize, stream: Box<NetStream>, now: Instant) {
        if let Some(id) = self.id_of(provider) {
            self.thread.pool.borrow_mut().put(id.index(), stream, now);
        }
    }

    /// The bounds of the plan.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.plan.limits
    }

    /// What keeps a provider's answer free of the credentials that it was sent: ours, or else the
    /// caller's.
    #[must_use]
    pub fn scrubber(&self, provider: usize, callers: Option<&[u8]>) -> Option<Scrubber<'_>> {
        let ours = self.needles.get(provider).and_then(|it| Scrubber::new(it));
        ours.or_else(|| callers.and_then(Scrubber::owned))
    }

    /// Remembers what a provider is to blame for.
    pub fn note_failure(&self, slot: Slot, failure: &Failure) {
        let now_ns = clock::now().as_nanos();
        let what = (slot, failure.scope);
        let health = &self.health;
        let opened = health.failed(what, failure.retry_after_ms, now_ns, self.limits());
        self.thread.meter.borrow_mut().counters.opened += u64::from(opened);
    }

    /// Records a finished exchange: meters, its usage record, one log line.
    pub fn settle(&self, exchange: &ExchangeRecord) {
        let unix_ms = self
            .thread
            .dates
            .unix_ms(Instant::from_nanos(exchange.ended_at));
        let number_of = |place| self.id_of(place).map(ProviderId::index);
        let mut meter = self.thread.meter.borrow_mut();
        meter.settle(exchange, number_of);
        drop(meter);
        if let Some(way) = self.thread.usage.borrow_mut().as_mut()
            && usage_record::is_kept(exchange)
        {
            let mut frame = self.thread.line.borrow_mut();
            frame.clear();
            let refused = usage_record::refused(exchange, unix_ms);
            let mut refusals = self.thread.refusals.borrow_mut();
            let was_changed = refusals.is_changed();
            let is_kept = refused.is_none_or(|it| refusals.lets_through(&it));
            if !was_changed && refusals.is_changed() {
                self.thread.tell_refusals_later();
            }
            if is_kept && usage_record::write(&self.plan, exchange, unix_ms, &mut frame) {
                let tenant = exchange.tenant.as_ref().map(SmallStr::as_bytes);
                way.send(&frame, tenant.unwrap_or_default());
            }
        }
        if let Some(log) = self.thread.log.borrow_mut().as_mut() {
            let providers = &self.plan.providers;
            let name = |index: usize| providers.get(index).map(|provider| &*provider.name);
            let mut line = self.thread.line.borrow_mut();
            line.clear();
            log::line(exchange, unix_ms, name, &mut line);
            log.send(&line);
        }
    }

    /// Whether they go on to a store, which lists them.
    #[must_use]
    pub fn lists_records(&self) -> bool {
        self.thread.keeps_records() && self.plan.keys.is_stored()
    }
}

/// How long counts of refusals gather.
const REFUSALS_MS: u64 = 1_000;
/// Fields of a table that is kept: 1 KiB.
const TABLE_FIELDS_KEPT: usize = 64;
/// New bytes of edits that a worker keeps between requests.
pub const EDIT_BYTES_KEPT: usize = 4 * KIB;
/// Nodes of document index that a worker keeps between requests: 64 KiB.
const TAPE_NODES_KEPT: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p29_connections_are_admitted_up_to_the_limit() {
        let shared = Arc::new(Shared::new(Arc::new(Budget::new(1, 0)), 2));
        let places = [shared.admit(), shared.admit()];
        assert!(places.iter().all(Option::is_some));
        assert!(shared.admit().is_none() && shared.admit().is_none());
        drop(places);
        assert!(shared.admit().is_some());
    }
}
