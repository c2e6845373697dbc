//! Where accounts say that they need the counters that several replicas share, and what is known of
//! these: whether they answer, and what holds while they do not.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What becomes of requests while the shared counters are away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenDown {
    /// Each replica holds them against the whole limit by itself.
    #[default]
    Local,
    /// They are refused.
    Closed,
}

/// What is counted here, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseCounts {
    /// Times that the shared counters went away.
    pub failures: u64,
    /// Accounts that were brought up to date, each time.
    pub orders: u64,
    /// Requests that had to wait for a lease.
    pub waits: u64,
}

/// Between the data threads, which spend leases, and whoever fetches them; `A`: an account.
#[derive(Debug)]
pub struct LeaseQueue<A> {
    is_up: AtomicBool,
    when_down: WhenDown,
    queue: Mutex<QueuedAccounts<A>>,
    /// Every account that is open, by its name.
    known: Mutex<HashMap<Box<str>, Weak<A>>>,
    failures: AtomicU64,
    orders: AtomicU64,
    waits: AtomicU64,
}

#[derive(Debug)]
struct QueuedAccounts<A> {
    called: Vec<Arc<A>>,
    /// Who waits for them.
    waker: Option<Waker>,
}

impl<A> LeaseQueue<A> {
    /// A pool whose shared counters have not answered yet.
    #[must_use]
    pub fn new(when_down: WhenDown) -> Self {
        Self {
            is_up: AtomicBool::new(false),
            when_down,
            queue: Mutex::new(QueuedAccounts {
                called: Vec::new(),
                waker: None,
            }),
            known: Mutex::default(),
            failures: AtomicU64::new(0),
            orders: AtomicU64::new(0),
            waits: AtomicU64::new(0),
        }
    }

    /// What holds while the shared counters are away.
    #[must_use]
    pub const fn when_down(&self) -> WhenDown {
        self.when_down
    }

    /// Whether the shared counters answer.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// Says whether they do.
    pub fn set_up(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::Release);
    }

    /// Asks for an account to be brought up to date now.
    pub fn call(&self, account: Arc<A>) {
        let mut queue = self.queue();
        queue.called.push(account);
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Those that were called, once there are any.
    pub fn poll_called(&self, cx: &Context<'_>) -> Poll<Vec<Arc<A>>> {
        let mut queue = self.queue();
        if queue.called.is_empty() {
            queue.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(core::mem::take(&mut queue.called))
    }

    /// Those that were called so far.
    pub fn take_called(&self) -> Vec<Arc<A>> {
        core::mem::take(&mut self.queue().called)
    }

    /// Notes an account that was opened under this name.
    pub fn register(&self, name: &str, account: &Arc<A>) {
        let mut known = self.known();
        if known.len() == known.capacity() {
            known.retain(|_, account| account.strong_count() > 0);
        }
        known.insert(name.into(), Arc::downgrade(account));
    }

    /// The account of this name, if it is open.
    pub fn find(&self, name: &str) -> Option<Arc<A>> {
        self.known().get(name)?.upgrade()
    }

    /// All accounts that are open.
    pub fn all(&self) -> Vec<Arc<A>> {
        self.known().values().filter_map(Weak::upgrade).collect()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Box<str>, Weak<A>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a failure of the shared counters.
    pub fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts accounts that were brought up to date.
    pub fn count_orders(&self, orders: usize) {
        self.orders.fetch_add(orders as u64, Ordering::Relaxed);
    }

    /// Counts a request that waits.
    pub fn count_wait(&self) {
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> LeaseCounts {
        LeaseCounts {
            failures: self.failures.load(Ordering::Relaxed),
            orders: self.orders.load(Ordering::Relaxed),
            waits: self.waits.load(Ordering::Relaxed),
        }
    }

    fn queue(&self) -> MutexGuard<'_, QueuedAccounts<A>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
