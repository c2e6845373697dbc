//! The world: its time, its timers, its tasks, and who of them runs next.
//!
//! One world at a time stands on a thread ([`SimWorld::enter`]). [`SimWorld::step`] runs one task that was
//! woken, drawn by lot, or lets time pass to the next timer where nobody was. Time also passes a
//! little with every step, and jumps now and then where the world is made so.
//!
//! Everything that happens goes into a trace: one number that two runs of a seed must share.

use core::cell::{Cell, RefCell};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use crate::net::sim::seeded_random::SeededRandom;

thread_local! {
    static WORLD: RefCell<Option<Rc<SimWorld>>> = const { RefCell::new(None) };
    static BORN: Cell<u64> = const { Cell::new(0) };
}

/// How often a world fails: each number says that something happens once in so many times, nought
/// that it never does.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultRates {
    /// An operation of the gateway's fails.
    pub failing: u32,
    /// A connect fails or hangs.
    pub unreachable: u32,
    /// Time jumps when a timer is due.
    pub jumping: u32,
    /// A reset throws away what the peer has not read.
    pub losing: u32,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimStep {
    /// A task ran.
    Ran,
    /// Time passed to a timer.
    Waited,
    /// Nobody was woken and no timer runs: nothing will happen any more.
    Still,
}

/// Whose a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimTaskOwner {
    /// The gateway's, made by `net::task::spawn`.
    Gateway,
    /// A client's or a provider's.
    Actor,
}

/// A simulated world.
pub struct SimWorld {
    id: u64,
    now: Cell<u64>,
    /// Time that jumps took.
    jumped: Cell<u64>,
    fault_rates: Cell<FaultRates>,
    random: RefCell<SeededRandom>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    tasks: RefCell<BTreeMap<u64, SimTask>>,
    woken: RefCell<BTreeSet<u64>>,
    serial: Cell<u64>,
    trace: Cell<u64>,
    faults: RefCell<Vec<String>>,
    /// Ends of connections that the gateway holds.
    pub(super) held: Cell<usize>,
}

struct SimTask {
    owner: SimTaskOwner,
    /// Nothing while it runs.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// Keeps this thread in a world until it is dropped.
pub struct WorldGuard(Rc<SimWorld>);

impl core::ops::Deref for WorldGuard {
    type Target = SimWorld;

    fn deref(&self) -> &SimWorld {
        &self.0
    }
}

impl Drop for WorldGuard {
    fn drop(&mut self) {
        // Tasks hold sockets and timers, whose drops look for the world.
        while let Some((_, task)) = self.0.pop_task() {
            drop(task);
        }
        WORLD.set(None);
    }
}

/// The world that this thread stands in.
#[must_use]
pub fn current() -> Option<Rc<SimWorld>> {
    WORLD.try_with(|world| world.borrow().clone()).ok()?
}

/// A waker's other side.
struct WakeFlag {
    world: u64,
    task: u64,
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        if let Some(world) = current().filter(|world| world.id == self.world) {
            world.woken.borrow_mut().insert(self.task);
        }
    }
}

impl SimWorld {
    /// Makes a world that draws from `random`, and enters it.
    #[must_use]
    pub fn enter(random: SeededRandom, fault_rates: FaultRates) -> WorldGuard {
        let id = BORN.get() + 1;
        BORN.set(id);
        let world = Rc::new(Self {
            id,
            now: Cell::new(1_000_000_000),
            jumped: Cell::new(0),
            fault_rates: Cell::new(fault_rates),
            random: RefCell::new(random),
            timers: RefCell::default(),
            tasks: RefCell::default(),
            woken: RefCell::default(),
            serial: Cell::new(0),
            trace: Cell::new(0xcbf2_9ce4_8422_2325),
            faults: RefCell::default(),
            held: Cell::new(0),
        });
        WORLD.set(Some(Rc::clone(&world)));
        WorldGuard(world)
    }

    /// Nanoseconds since the beginning, jumps included.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// Nanoseconds in which somebody could act: the time without its jumps.
    #[must_use]
    pub fn lived(&self) -> u64 {
        self.now.get() - self.jumped.get()
    }

    /// How often operations fail.
    #[must_use]
    pub fn fault_rates(&self) -> FaultRates {
        self.fault_rates.get()
    }

    /// From now on operations fail so often.
    pub fn set_fault_rates(&self, fault_rates: FaultRates) {
        self.fault_rates.set(fault_rates);
    }

    /// Draws from the world's random numbers.
    pub fn draw<T>(&self, with: impl FnOnce(&mut SeededRandom) -> T) -> T {
        with(&mut self.random.borrow_mut())
    }

    /// Random bytes that no fuzzer chooses.
    pub(crate) fn random_bytes<const N: usize>(&self) -> [u8; N] {
        self.draw(SeededRandom::bytes)
    }

    /// Notes what happened: it must happen again when the seed is run again.
    pub fn note(&self, what: u64) {
        let trace = self.trace.get() ^ what;
        self.trace.set(trace.wrapping_mul(0x0100_0000_01b3));
    }

    /// All that happened, as one number.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace.get()
    }

    /// Reports that something was done that must not be.
    pub fn blame(&self, what: impl Into<String>) {
        self.faults.borrow_mut().push(what.into());
    }

    /// What was reported.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.faults.borrow().clone()
    }

    /// Ends of connections that the gateway holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.get()
    }

    /// Timers that run.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.timers.borrow().len()
    }

    /// Tasks of `owner` that have not ended.
    #[must_use]
    pub fn tasks(&self, owner: SimTaskOwner) -> Vec<u64> {
        let tasks = self.tasks.borrow();
        let own = tasks.iter().filter(|(_, task)| task.owner == owner);
        own.map(|(&id, _)| id).collect()
    }

    /// Whether a task has not ended.
    #[must_use]
    pub fn is_alive(&self, task: u64) -> bool {
        self.tasks.borrow().contains_key(&task)
    }

    /// Begins a task.
    pub fn spawn(&self, owner: SimTaskOwner, future: impl Future<Output = ()> + 'static) -> u64 {
        let id = self.next_serial();
        let future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
        let task = SimTask {
            owner,
            future: Some(future),
        };
        self.tasks.borrow_mut().insert(id, task);
        self.woken.borrow_mut().insert(id);
        id
    }

    /// Drops a task where it waits.
    pub fn cancel(&self, task: u64) {
        let dropped = self.tasks.borrow_mut().remove(&task);
        self.note(task);
        drop(dropped);
    }

    /// Runs one task, or lets time pass.
    pub fn step(&self) -> SimStep {
        if let Some(id) = self.next_woken() {
            self.run(id);
            return SimStep::Ran;
        }
        let Some(at) = self.timers.borrow().keys().next().map(|&(at, _)| at) else {
            return SimStep::Still;
        };
        let mut now = self.now.get().max(at);
        if self.draw(|random| random.one_in(self.fault_rates.get().jumping)) {
            let ms = self.draw(|random| random.pick(&[3, 40, 700, 20_000, 400_000]));
            now += ms * NANOS_PER_MS;
            self.jumped.set(self.jumped.get() + ms * NANOS_PER_MS);
        }
        self.now.set(now);
        loop {
            let due = self.timers.borrow().keys().next().copied();
            let Some(due) = due.filter(|&(at, _)| at <= now) else {
                return SimStep::Waited;
            };
            let waker = self.timers.borrow_mut().remove(&due);
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Sets a timer; the number takes it back.
    pub(super) fn set_timer(&self, at: u64, waker: Waker) -> u64 {
        let serial = self.next_serial();
        self.timers.borrow_mut().insert((at, serial), waker);
        serial
    }

    /// Takes a timer back; nothing happens where it has fired.
    pub(super) fn unset_timer(&self, at: u64, serial: u64) {
        let waker = self.timers.borrow_mut().remove(&(at, serial));
        drop(waker);
    }

    pub(super) fn next_serial(&self) -> u64 {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        serial
    }

    fn next_woken(&self) -> Option<u64> {
        let mut woken = self.woken.borrow_mut();
        let at = self.draw(|random| random.below(woken.len()));
        let id = woken.iter().nth(at).copied()?;
        woken.remove(&id);
        Some(id)
    }

    fn run(&self, id: u64) {
        let Some(mut future) = self.take_future(id) else {
            return;
        };
        self.now.set(self.now.get() + STEP_NANOS);
        self.note(id);
        self.note(self.now.get());
        let waker = Waker::from(Arc::new(WakeFlag {
            world: self.id,
            task: id,
        }));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        match polled {
            Poll::Ready(()) => drop(self.tasks.borrow_mut().remove(&id)),
            Poll::Pending => {
                if let Some(task) = self.tasks.borrow_mut().get_mut(&id) {
                    task.future = Some(future);
                }
            }
        }
    }

    fn take_future(&self, id: u64) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        self.tasks.borrow_mut().get_mut(&id)?.future.take()
    }

    fn pop_task(&self) -> Option<(u64, SimTask)> {
        self.tasks.borrow_mut().pop_first()
    }
}

/// What a step takes.
const STEP_NANOS: u64 = 700;
const NANOS_PER_MS: u64 = 1_000_000;
