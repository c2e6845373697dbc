//! Keys on their way from the store to the data threads, on the control thread.
//!
//! What the store says is compiled together with the configuration's keys and sent to every worker;
//! the same state goes into the snapshot. While the store is away the last state stays in force, at
//! start the one of the snapshot, and the store is tried again twice a second. An opening that takes long,
//! such as one that brings the database up to date, goes on while the gateway serves.
//!
//! What the store knows of money that was spent comes behind the keys: keys never wait for it.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::{mpsc as worker_queue, oneshot as worker_answer};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::config::load::material::StoreMaterial;
use crate::govern::account::prior_spend::PriorSpend;
use crate::govern::key::client_key::{Key, Tenant, configured_tenant, configured_tenant_id, id_of};
use crate::route::plan::client_key::{AuthMode, ClientKeys};
use crate::route::plan::compiled::Plan;
use crate::route::plan::tenant::AccountRegistry;
use crate::server::key::snapshot_keeper::SnapshotKeeper;
use crate::server::thread::data::WorkerRequest;
use crate::server::thread::output::Notices;
use crate::store::database::changes::{Changed, Changes};
use crate::store::database::handle::Store;
use crate::store::database::migrations::Access;
use crate::store::database::row::{Skipped, StoredState};
use crate::store::error::{StoreError, StoreFault};
use crate::store::prior_spend::PriorSpendQuery;
use crate::store::snapshot;

/// Where the keys in force come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeysSource {
    /// The configuration alone: the store has not been read, and there is no snapshot.
    #[default]
    Configuration,
    /// The snapshot: the store has not been read since the start.
    Snapshot,
    /// The store.
    Store,
}

impl KeysSource {
    /// Name in answers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Snapshot => "snapshot",
            Self::Store => "store",
        }
    }
}

/// What is known of the store now, for those who ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreStatus {
    /// Where the keys in force come from.
    pub source: KeysSource,
    /// Whether the store answers.
    pub is_up: bool,
    /// Keys in force.
    pub keys: usize,
    /// Rows that make no sense.
    pub skipped: usize,
    /// How often the store went away, or could not be read.
    pub failures: u64,
    /// Rows of keys and tenants that were read.
    pub rows_read: u64,
    /// Bytes that were written to the snapshot.
    pub snapshot_bytes: u64,
}

/// What the admin side has of the store.
#[derive(Clone)]
pub struct StoreHandle {
    shared: Arc<SyncShared>,
    reloads: mpsc::Sender<oneshot::Sender<()>>,
}

struct SyncShared {
    /// Those of the configuration, which outrank the store's.
    configured_keys: Vec<Key>,
    /// Its tenants, likewise.
    configured_tenants: Vec<Tenant>,
    standing: Mutex<StoreStatus>,
    /// The open store, while there is one.
    store: Mutex<Option<Arc<Store>>>,
    /// What was spent before the start is known.
    is_recalled: AtomicBool,
}

/// Keeps the workers' keys as the store has them.
pub struct KeySync {
    material: Arc<StoreMaterial>,
    /// A store that is being opened.
    opening: Option<JoinHandle<Result<(Store, StoredState), StoreError>>>,
    accounts: AccountRegistry,
    workers: Vec<worker_queue::UnboundedSender<WorkerRequest>>,
    notices: Notices,
    shared: Arc<SyncShared>,
    reloads: mpsc::Receiver<oneshot::Sender<()>>,
    /// What was spent before the start, where the store did not say so in time.
    pasts: mpsc::Receiver<PriorSpend>,
    /// What is in force.
    state: StoredState,
    /// The table of it that the workers have, or are about to have.
    keys: ClientKeys,
    snapshot: SnapshotKeeper,
    /// The last failure that was said.
    said: Option<String>,
}

/// What follows the keys of a store, and what belongs to it.
pub struct StartedKeySync {
    /// Follows the keys.
    pub key_sync: KeySync,
    /// What others have of the store.
    pub governed: StoreHandle,
    /// What the store did not say in time of money that was spent before, and where the answer goes.
    pub unasked: Option<(PriorSpendQuery, mpsc::Sender<PriorSpend>)>,
}

impl StoreHandle {
    /// What is known of the store now.
    #[must_use]
    pub fn standing(&self) -> StoreStatus {
        *lock(&self.shared.standing)
    }

    /// The tenants of the configuration: a row of the same name has no effect.
    #[must_use]
    pub fn configured_tenants(&self) -> &[Tenant] {
        &self.shared.configured_tenants
    }

    /// The keys of the configuration: one of the same id has no effect.
    #[must_use]
    pub fn configured_keys(&self) -> &[Key] {
        &self.shared.configured_keys
    }

    /// Adds the row of a tenant that the configuration knows, with the id that it has there.
    ///
    /// # Errors
    /// Another tenant has the id, or the store cannot be used.
    pub async fn add_configured_tenant(&self, name: &str, now_ms: u64) -> Result<(), StoreError> {
        let names = self.shared.configured_keys.iter().map(|key| &*key.tenant);
        match configured_tenant_id(&self.shared.configured_tenants, names, name) {
            Some(id) => self.store()?.add_tenant(id, name, now_ms).await,
            None => Ok(()),
        }
    }

    /// The id of the tenant that has this name now. A name that none has may be the id of one that is
    /// gone.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn tenant_id(&self, name: &str) -> Result<Box<str>, StoreError> {
        let stored = self.store()?.tenant_id(name).await?;
        let said = configured_tenant(&self.shared.configured_tenants, name);
        Ok(id_of(said, stored.as_deref(), name).into())
    }

    /// The open store.
    ///
    /// # Errors
    /// There is none now.
    pub fn store(&self) -> Result<Arc<Store>, StoreError> {
        let store = lock(&self.shared.store).clone();
        store.ok_or_else(|| StoreError::down("the store is away"))
    }

    /// The same for whoever delivers or removes usage records: not before it is known what was spent
    /// before the start.
    ///
    /// # Errors
    /// There is none now.
    pub fn store_of_records(&self) -> Result<Arc<Store>, StoreError> {
        match self.shared.is_recalled.load(Ordering::Acquire) {
            true => self.store(),
            false => Err(StoreError::down("the store was not asked for sums yet")),
        }
    }

    /// Returns once every worker has what the store says now, or after a while.
    pub async fn applied(&self) {
        let (done, is_done) = oneshot::channel();
        if self.reloads.send(done).await.is_ok() {
            let _ = timeout(APPLY_TIMEOUT, is_done).await;
        }
    }
}

impl KeySync {
    /// The synchronization of keys for this plan, if keys are kept in a store; the plan has the keys to
    /// start with then. `memory` asks the store what was spent before.
    ///
    /// # Errors
    /// The store that is configured can never be used as it stands.
    pub async fn start(
        plan: &mut Plan,
        memory: Option<PriorSpendQuery>,
        workers: &[worker_queue::UnboundedSender<WorkerRequest>],
        notices: &Notices,
    ) -> io::Result<Option<StartedKeySync>> {
        let Some(material) = plan.store.take() else {
            return Ok(None);
        };
        let (asks, reloads) = mpsc::channel(RELOADS_MAX);
        let shared = Arc::new(SyncShared {
            configured_keys: plan.configured_keys.clone(),
            configured_tenants: plan.configured_tenants.clone(),
            standing: Mutex::default(),
            store: Mutex::default(),
            is_recalled: AtomicBool::new(memory.is_none()),
        });
        let governed = StoreHandle {
            shared: Arc::clone(&shared),
            reloads: asks,
        };
        let snapshot = SnapshotKeeper::new(material.snapshot.clone());
        let (past, pasts) = mpsc::channel(1);
        let mut key_sync = Self {
            material: Arc::new(material),
            opening: None,
            accounts: plan.accounts.clone(),
            workers: workers.to_vec(),
            notices: notices.clone(),
            shared,
            reloads,
            pasts,
            state: StoredState::default(),
            keys: ClientKeys::default(),
            snapshot,
            said: None,
        };
        plan.keys = key_sync.first().await?;
        let unasked = key_sync.ask_first(memory).await;
        Ok(Some(StartedKeySync {
            key_sync,
            governed,
            unasked: unasked.map(|memory| (memory, past)),
        }))
    }

    /// The keys to start with: the store's, or the snapshot's, or the configuration's alone.
    async fn first(&mut self) -> io::Result<ClientKeys> {
        let source = match self.open(FIRST_TIMEOUT).await {
            Ok(mut state) => {
                state.note_outranked(&self.shared.configured_keys);
                let before = core::mem::replace(&mut self.state, state);
                self.report_skipped(&before.skipped);
                self.keep(None).await;
                KeysSource::Store
            }
            Err(error) if error.fault == StoreFault::Unfit => {
                let place = &self.material.place;
                return Err(io::Error::other(format!("store {place}: {error}")));
            }
            Err(error) => {
                let error = error.to_string();
                self.count_failure();
                let source = self.take_snapshot(&error);
                self.said = Some(error);
                source
            }
        };
        Ok(self.compiled(source))
    }

    /// Asks the store what was spent before the start. What it does not say in time is given back, to be
    /// asked further while the gateway serves.
    async fn ask_first(&mut self, memory: Option<PriorSpendQuery>) -> Option<PriorSpendQuery> {
        let mut memory = memory?;
        let Some(store) = lock(&self.shared.store).clone() else {
            return Some(memory);
        };
        let asked = timeout(SUMS_TIMEOUT, memory.ask(&store)).await;
        let slow = |_| StoreError::down("no answer in time");
        match asked.map_err(slow).flatten() {
            Ok(past) => {
                self.recall(past);
                None
            }
            Err(error) => {
                let place = &self.material.place;
                self.notices.say(format!(
                    "store {place}: {error}; budgets know what was spent before once it says so"
                ));
                Some(memory)
            }
        }
    }

    /// Takes over what was spent before the start.
    fn recall(&mut self, past: PriorSpend) {
        self.accounts.recall(past);
        self.shared.is_recalled.store(true, Ordering::Release);
    }

    fn take_snapshot(&mut self, error: &str) -> KeysSource {
        let place = &self.material.place;
        let path = self.material.snapshot.display();
        match snapshot::read(&self.material.snapshot) {
            Ok(mut state) => {
                state.note_outranked(&self.shared.configured_keys);
                self.state = state;
                self.notices.say(format!(
                    "store {place}: {error}; serving by the snapshot {path}"
                ));
                KeysSource::Snapshot
            }
            Err(unread) => {
                self.notices.say(format!(
                    "store {place}: {error}; the snapshot {path}: {unread}; only keys of the \
                     configuration are known"
                ));
                KeysSource::Configuration
            }
        }
    }

    /// Runs for ever.
    pub async fn run(&mut self) {
        loop {
            let store = lock(&self.shared.store).clone();
            let failed = match store {
                Some(store) => self.follow(&store).await,
                None => self.reopen().await,
            };
            if let Err(error) = failed {
                let was_open = lock(&self.shared.store).is_some();
                self.lost(&error);
                // A connection that was lost is replaced at once.
                if !was_open {
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Takes over every change, until the store goes away.
    async fn follow(&mut self, store: &Store) -> Result<(), StoreError> {
        loop {
            let mut asked = Vec::new();
            tokio::select! {
                changed = store.changed() => changed?,
                Some(past) = self.pasts.recv() => {
                    self.recall(past);
                    continue;
                }
                Some(done) = self.reloads.recv() => asked.push(done),
            }
            // Whoever has asked by now is served by the same load.
            while let Ok(done) = self.reloads.try_recv() {
                asked.push(done);
            }
            let is_taken = match store.changes().await? {
                Some(changes) => self.take_changes(changes).await,
                None => false,
            };
            if !is_taken {
                let state = self.load(store).await?;
                self.take(state).await;
            }
            for done in asked {
                let _ = done.send(());
            }
        }
    }

    async fn reopen(&mut self) -> Result<(), StoreError> {
        let state = self.open(FIRST_TIMEOUT).await?;
        let is_first = lock(&self.shared.standing).source != KeysSource::Store;
        if is_first || self.said.is_some() {
            let place = &self.material.place;
            self.notices.say(format!("store {place}: answers"));
        }
        self.said = None;
        self.take(state).await;
        Ok(())
    }

    /// Opens the store and reads its keys. What is not done in time goes on, and is taken up by the next
    /// call.
    async fn open(&mut self, within: Duration) -> Result<StoredState, StoreError> {
        let opening = self.opening.get_or_insert_with(|| {
            // An empty file must not take the place of one that is gone for a moment.
            let access = match self.material.snapshot.exists() {
                true => Access::Write,
                false => Access::Create,
            };
            let material = Arc::clone(&self.material);
            tokio::spawn(async move {
                let store = Store::open(&material, access).await?;
                let state = store.load().await?;
                Ok((store, state))
            })
        });
        let slow = |_| StoreError::down("no answer in time");
        let opened = timeout(within, opening).await.map_err(slow)?;
        self.opening = None;
        let panicked = |_| StoreError::down("opening it ended by a panic");
        let (store, state) = opened.map_err(panicked)??;
        self.count_all(&state);
        *lock(&self.shared.store) = Some(Arc::new(store));
        Ok(state)
    }

    /// Reads all rows.
    async fn load(&self, store: &Store) -> Result<StoredState, StoreError> {
        let state = store.load().await?;
        self.count_all(&state);
        Ok(state)
    }

    fn count_all(&self, state: &StoredState) {
        self.count_rows(state.keys.len() + state.tenants.len() + state.skipped.len());
    }

    /// Puts changes into force, and into the snapshot; whether that could be done.
    async fn take_changes(&mut self, changes: Changes) -> bool {
        self.count_rows(changes.count());
        let skipped = self.state.skipped.clone();
        let Some(changed) = self.state.apply(changes, &self.shared.configured_keys) else {
            return false;
        };
        if !changed.is_none() {
            self.report_skipped(&skipped);
            let keys = match self.changed(&changed) {
                Some(keys) => self.in_force(keys, KeysSource::Store),
                None => self.compiled(KeysSource::Store),
            };
            self.send(keys).await;
            self.keep(Some(&changed)).await;
        }
        lock(&self.shared.standing).is_up = true;
        true
    }

    /// The keys in force but for those that have changed, where nothing depends on the other ones.
    fn changed(&mut self, changed: &Changed) -> Option<ClientKeys> {
        if !changed.tenants.is_empty() || self.keys.auth_mode() != self.auth_mode(KeysSource::Store)
        {
            return None;
        }
        let changes = changed.keys.iter();
        let changes = changes.map(|change| (change.before.as_ref(), change.after.as_ref()));
        let said = &self.shared.configured_keys;
        let outranked = |id: &str| said.iter().any(|key| *key.id == *id);
        self.keys.changed(changes, outranked, &mut self.accounts)
    }

    /// Puts a state into force, and into the snapshot.
    async fn take(&mut self, mut state: StoredState) {
        state.note_outranked(&self.shared.configured_keys);
        let is_same =
            lock(&self.shared.standing).source == KeysSource::Store && state == self.state;
        if !is_same {
            let before = core::mem::replace(&mut self.state, state);
            self.report_skipped(&before.skipped);
            let keys = self.compiled(KeysSource::Store);
            self.send(keys).await;
            self.keep(None).await;
        }
        let mut standing = lock(&self.shared.standing);
        standing.is_up = true;
        standing.source = KeysSource::Store;
    }

    /// Reports rows that make no sense, but for those that were reported `before`.
    fn report_skipped(&self, before: &[Skipped]) {
        let place = &self.material.place;
        let rows = self.state.skipped.iter();
        let new = rows.filter(|row| !before.contains(row));
        for row in new.take(SKIPPED_SAID_MAX) {
            self.notices
                .say(format!("store {place}: {}; left out", row.text));
        }
    }

    /// The keys of the configuration and of the state.
    fn compiled(&mut self, source: KeysSource) -> ClientKeys {
        let keys = self.shared.configured_keys.iter().chain(&self.state.keys);
        let tenants = self
            .shared
            .configured_tenants
            .iter()
            .chain(&self.state.tenants);
        let compiled = ClientKeys::new(keys, tenants, self.auth_mode(source), &mut self.accounts);
        self.in_force(compiled, source)
    }

    /// Who is let in beside those with a key.
    fn auth_mode(&self, source: KeysSource) -> AuthMode {
        match source {
            KeysSource::Configuration => AuthMode::Unread,
            KeysSource::Snapshot | KeysSource::Store if self.state.skipped.is_empty() => {
                AuthMode::Stored
            }
            KeysSource::Snapshot | KeysSource::Store => AuthMode::Damaged,
        }
    }

    /// Notes what is about to be in force.
    fn in_force(&mut self, keys: ClientKeys, source: KeysSource) -> ClientKeys {
        let mut standing = lock(&self.shared.standing);
        standing.source = source;
        standing.is_up = source == KeysSource::Store;
        standing.keys = keys.count();
        standing.skipped = self.state.skipped.len();
        self.keys = keys.clone();
        keys
    }

    /// Sends the keys to every worker, and waits until each has them.
    async fn send(&self, keys: ClientKeys) {
        let mut answers = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            let (done, is_done) = worker_answer::channel();
            if worker
                .unbounded_send(WorkerRequest::Keys(keys.clone(), done))
                .is_ok()
            {
                answers.push(is_done);
            }
        }
        for answer in answers {
            let _ = timeout(APPLY_TIMEOUT, answer).await;
        }
    }

    /// Writes the snapshot, whole or what has changed.
    async fn keep(&mut self, changed: Option<&Changed>) {
        let written = match changed {
            Some(changed) => self.snapshot.append(changed, &self.state).await,
            None => self.snapshot.write(&self.state).await,
        };
        lock(&self.shared.standing).snapshot_bytes = self.snapshot.written();
        if let Err(error) = written {
            let path = self.material.snapshot.display();
            self.notices
                .say(format!("the snapshot {path} cannot be written: {error}"));
        }
    }

    fn lost(&mut self, error: &StoreError) {
        *lock(&self.shared.store) = None;
        lock(&self.shared.standing).is_up = false;
        let text = error.to_string();
        // The same failure comes again with every try: once is enough.
        if self.said.as_ref() != Some(&text) {
            let place = &self.material.place;
            self.notices.say(format!(
                "store {place}: {text}; serving goes on with the last keys"
            ));
            self.said = Some(text);
            self.count_failure();
        }
        // Nobody waits for a store that is away.
        while let Ok(done) = self.reloads.try_recv() {
            drop(done);
        }
    }

    fn count_rows(&self, rows: usize) {
        lock(&self.shared.standing).rows_read += rows as u64;
    }

    fn count_failure(&self) {
        lock(&self.shared.standing).failures += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longest wait for the store before a snapshot is looked for.
const FIRST_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait at the start for what the store knows of money that was spent, once it has given its keys.
const SUMS_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two tries to reach a store that is away.
const RETRY: Duration = Duration::from_millis(500);
/// Longest wait for workers to take their keys.
const APPLY_TIMEOUT: Duration = Duration::from_secs(2);
/// Changes that wait to be taken over.
const RELOADS_MAX: usize = 64;
/// Rows that make no sense and are said in one go.
const SKIPPED_SAID_MAX: usize = 16;
