//! Leases of the limits that several replicas share, on their way to the accounts, on the control
//! thread.
//!
//! Accounts call when somebody waits, and are looked after fifty times a second while they hold
//! something: before they run dry, if they are busy. All that need it go in one round, one round
//! after the other. While the counters are away `shared_down` decides, and they are tried again twice
//! a second.

use core::future::poll_fn;
use core::time::Duration;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::config::load::material::SharedMaterial;
use crate::govern::account::usage::Account;
use crate::govern::lease::lease_queue::{LeaseQueue, WhenDown};
use crate::net::runtime::{clock, random};
use crate::route::plan::compiled::SharedCounters;
use crate::server::thread::output::Notices;
use crate::store::error::StoreError;
use crate::store::shared_counters::RedisCounters;

/// Fetches leases, and gives them back.
pub struct LeaseClient {
    material: Arc<SharedMaterial>,
    pool: Arc<LeaseQueue<Account>>,
    replica: String,
    notices: Notices,
    /// Accounts that hold something.
    followed: Vec<Arc<Account>>,
    /// A connection that has served no account yet.
    first: Option<RedisCounters>,
    /// The epoch of the counters that was heard of last.
    epoch: Box<str>,
    /// It was said that the counters have forgotten that epoch.
    is_told: bool,
    /// The last failure that was said.
    said: Option<String>,
}

impl LeaseClient {
    /// A lease client, connected if the counters answer at once.
    pub async fn new(said: SharedCounters, notices: Notices) -> Self {
        let mut lease_client = Self {
            material: Arc::new(said.material),
            pool: said.pool,
            replica: format!("{:016x}{:016x}", random::word(), random::word()),
            notices,
            followed: Vec::new(),
            first: None,
            epoch: Box::default(),
            is_told: false,
            said: None,
        };
        match RedisCounters::open(&lease_client.material, &lease_client.replica).await {
            Ok(shared) => {
                lease_client.first = Some(shared);
                lease_client.pool.set_up(true);
            }
            Err(error) => lease_client.lost(&error),
        }
        lease_client
    }

    /// Runs until `end`, and gives back then what no request holds.
    pub async fn run(&mut self, end: &Notify) {
        loop {
            let begun = Instant::now();
            let opened = match self.first.take() {
                Some(shared) => Ok(shared),
                None => RedisCounters::open(&self.material, &self.replica).await,
            };
            let failed = match opened {
                Ok(shared) => self.found(shared, end).await,
                Err(error) => Err(error),
            };
            let Err(error) = failed else {
                return;
            };
            self.lost(&error);
            // A connection that was good for a while is made anew at once.
            if begun.elapsed() >= RETRY {
                continue;
            }
            tokio::select! {
                () = end.notified() => return,
                () = self.waits() => {}
            }
        }
    }

    async fn found(&mut self, mut shared: RedisCounters, end: &Notify) -> Result<(), StoreError> {
        self.pool.set_up(true);
        if self.said.take().is_some() {
            let place = &self.material.place;
            self.notices.say(format!("shared limits {place}: answer"));
        }
        // What other replicas want back comes on a connection of its own.
        let (names, mut recalls) = mpsc::channel(RECALLS_MAX);
        let listener = RedisCounters::open(&self.material, &self.replica).await?;
        let listens = listen(
            listener,
            Arc::clone(&self.material),
            self.replica.clone(),
            names,
        );
        let _listening = Ends(tokio::spawn(listens));
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut probe = interval(PROBE);
        probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut later: Vec<Arc<Account>> = Vec::new();
        loop {
            let mut due = tokio::select! {
                called = called(&self.pool) => called,
                _ = tick.tick() => self.due(),
                _ = look.tick(), if !later.is_empty() => core::mem::take(&mut later),
                said = recalls.recv() => self.recalled(said.unwrap_or_else(|| Err(gone()))?),
                _ = probe.tick() => self.heard(&shared.probe().await?),
                () = end.notified() => return self.give_back(&mut shared).await,
            };
            // Replicas that were asked for something have a moment to answer.
            let now = now();
            later.extend(due.extract_if(.., |account| account.is_patient(now)));
            due.sort_unstable_by_key(Arc::as_ptr);
            due.dedup_by_key(|account| Arc::as_ptr(account));
            self.round(&mut shared, due).await?;
        }
    }

    /// Accounts that other replicas wait for.
    fn recalled(&self, said: Vec<(u64, String)>) -> Vec<Arc<Account>> {
        let now = now();
        let found = said.into_iter().filter_map(|(number, name)| {
            let account = self.pool.find(&name)?;
            account.recall(number, now);
            Some(account)
        });
        found.collect()
    }

    /// Notes the epoch of the counters. Those of another have forgotten everything: accounts of which
    /// something is known tell it.
    fn heard(&mut self, epoch: &str) -> Vec<Arc<Account>> {
        if self.epoch.is_empty() || *self.epoch == *epoch {
            return Vec::new();
        }
        if !self.is_told {
            let place = &self.material.place;
            self.notices.say(format!(
                "shared limits {place}: have forgotten everything; they go on from what is known here"
            ));
            self.is_told = true;
        }
        let mut all = self.pool.all();
        all.retain(|account| account.is_known());
        all
    }

    /// Those that are to be brought up to date by now.
    fn due(&self) -> Vec<Arc<Account>> {
        let now = now();
        let due = self.followed.iter().filter(|it| it.is_due(now));
        due.cloned().collect()
    }

    /// Brings accounts up to date.
    async fn round(
        &mut self,
        shared: &mut RedisCounters,
        due: Vec<Arc<Account>>,
    ) -> Result<(), StoreError> {
        let new = due.iter().filter(|account| account.follow());
        self.followed.extend(new.cloned());
        let mut failed = Ok(());
        let mut epoch = None;
        for some in due.chunks(ROUND_MAX) {
            if failed.is_err() {
                some.iter().for_each(|account| account.dismiss());
                continue;
            }
            let at = now();
            let orders: Vec<_> = some.iter().map(|account| account.order(at)).collect();
            self.pool.count_orders(orders.len());
            match shared.carry_out(&orders, &self.epoch).await {
                Ok(grants) => {
                    epoch = grants.last().map(|grant| grant.epoch.clone()).or(epoch);
                    for (account, grant) in some.iter().zip(&grants) {
                        account.apply(grant, at);
                    }
                }
                Err(error) => {
                    self.pool.set_up(false);
                    some.iter().for_each(|account| account.fail());
                    failed = Err(error);
                }
            }
        }
        self.followed.retain(|account| !account.rests());
        if let Some(epoch) = epoch.filter(|epoch| *epoch != self.epoch) {
            for account in self.heard(&epoch) {
                self.pool.call(account);
            }
            (self.epoch, self.is_told) = (epoch, false);
        }
        failed
    }

    async fn give_back(&mut self, shared: &mut RedisCounters) -> Result<(), StoreError> {
        let called = self.pool.take_called().into_iter();
        self.followed
            .extend(called.filter(|account| account.follow()));
        for account in &self.followed {
            account.close();
        }
        let all = self.followed.clone();
        self.round(shared, all).await?;
        // Those whose last order had not been answered have said by now only what that said.
        let rest: Vec<_> = self.followed.clone();
        rest.iter().for_each(|account| account.close());
        self.round(shared, rest).await
    }

    /// Waits before the next try; whoever calls meanwhile is not kept waiting.
    async fn waits(&mut self) {
        let pool = Arc::clone(&self.pool);
        let dismiss = async {
            loop {
                for account in called(&pool).await {
                    account.dismiss();
                    if account.follow() {
                        self.followed.push(account);
                    }
                }
            }
        };
        let _ = timeout(RETRY, dismiss).await;
    }

    fn lost(&mut self, error: &StoreError) {
        self.pool.set_up(false);
        self.followed.iter().for_each(|account| account.dismiss());
        let text = error.to_string();
        // The same failure comes again with every try: once is enough.
        if self.said.as_ref() != Some(&text) {
            self.notices.say(self.line(&text));
            self.said = Some(text);
            self.pool.count_failure();
        }
    }

    fn line(&self, text: &str) -> String {
        let place = &self.material.place;
        let then = match self.pool.when_down() {
            WhenDown::Local => "each replica holds the limits by itself",
            WhenDown::Closed => "requests that have limits are refused",
        };
        format!("shared limits {place}: {text}; {then}")
    }
}

async fn called(pool: &LeaseQueue<Account>) -> Vec<Arc<Account>> {
    poll_fn(|cx| pool.poll_called(cx)).await
}

/// Hears what other replicas want back, until no connection can be made any more. One that says nothing is
/// replaced: a server whose clock is set back lets nobody who waits there go on.
async fn listen(
    mut shared: RedisCounters,
    material: Arc<SharedMaterial>,
    replica: String,
    names: mpsc::Sender<RecalledAccounts>,
) {
    loop {
        let heard = match shared.recalled().await {
            Ok(heard) if heard.is_empty() => continue,
            Ok(heard) => Ok(heard),
            Err(_) => match RedisCounters::open(&material, &replica).await {
                Ok(again) => {
                    shared = again;
                    sleep(RETRY).await;
                    continue;
                }
                Err(error) => Err(error),
            },
        };
        let is_over = heard.is_err();
        if names.send(heard).await.is_err() || is_over {
            return;
        }
    }
}

type RecalledAccounts = Result<Vec<(u64, String)>, StoreError>;

fn gone() -> StoreError {
    StoreError::down("nobody hears what other replicas want")
}

/// A task that ends with this.
struct Ends(JoinHandle<()>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn now() -> u64 {
    clock::now().as_nanos()
}

/// Between two looks at accounts that hold something.
const TICK: Duration = Duration::from_millis(20);
/// Between two looks at accounts that wait for other replicas.
const LOOK: Duration = Duration::from_millis(2);
/// Between two looks at whether the counters are those that they were.
const PROBE: Duration = Duration::from_secs(1);
/// Messages of other replicas that wait to be read.
const RECALLS_MAX: usize = 64;
/// Accounts of one round.
const ROUND_MAX: usize = 256;
/// Between two tries to reach counters that are away.
const RETRY: Duration = Duration::from_millis(500);
