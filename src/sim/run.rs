//! One run from beginning to end.

use core::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::net::runtime::{buffers, task};
use crate::net::sim::listeners;
use crate::net::sim::seeded_random::SeededRandom;
use crate::net::sim::world::{FaultRates, SimStep, SimTaskOwner, SimWorld, current};
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::served_plan::ServedPlan;
use crate::proxy::shared::worker::{ThreadState, WorkerInForce};
use crate::route::plan::compiled::Plan;
use crate::sim::client::{self, GatewayEntry};
use crate::sim::observations::Observations;
use crate::sim::plan::{self, addresses};
use crate::sim::provider;
use crate::sim::script::{PROVIDERS, SimScript};
use crate::sim::{audit, judge};
use crate::telemetry::ring::RingReceiver;

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimReport {
    /// All that happened, as one number.
    pub trace: u64,
    /// Steps that were taken.
    pub steps: u64,
    /// Exchanges that were asked for.
    pub exchanges: u64,
    /// Of these, answered whole with 200.
    pub answered: u64,
    /// Simulated milliseconds, jumps apart.
    pub ms: u64,
}

/// Runs `seed`.
///
/// # Errors
/// What must hold and did not, line by line.
pub fn run(seed: u64) -> Result<SimReport, String> {
    let script = SimScript::new(&mut SeededRandom::new(seed ^ 0x5eed_0f5c_4197));
    play(script, SeededRandom::new(seed)).map_err(|wrong| format!("seed {seed}:\n  {wrong}"))
}

/// Runs what `input` steers: its first half what is asked for, the other what happens then.
///
/// # Errors
/// What must hold and did not, line by line.
pub fn steered(input: &[u8]) -> Result<SimReport, String> {
    let (asked, happens) = input.split_at(input.len() / 2);
    let script = SimScript::new(&mut SeededRandom::steered(asked, 0));
    play(script, SeededRandom::steered(happens, 0))
}

fn play(mut script: SimScript, random: SeededRandom) -> Result<SimReport, String> {
    let panics = task::panic_count();
    let world_guard = SimWorld::enter(random, script.fault_rates);
    let world = current().ok_or("no world")?;
    let (served, workers, lines) = plan::worker(script.plan)?;
    let first = Arc::clone(&served.plan);
    let thread = Rc::clone(&workers.now().thread);
    let asks = core::mem::take(&mut script.asks);
    let clients = core::mem::take(&mut script.clients);
    let observations = Observations::new(asks, clients.len());
    for (index, wire) in PROVIDERS.into_iter().enumerate() {
        let [first, second] = addresses(index);
        // The second provider does not answer at its first address.
        let address = if index == 0 { first } else { second };
        let listener = listeners::listen(address);
        let actor = provider::listen(listener, wire, Rc::clone(&observations), Rc::clone(&world));
        world.spawn(SimTaskOwner::Actor, actor);
    }
    let gate = Rc::new(GatewayEntry {
        world: Rc::clone(&world),
        workers: Rc::clone(&workers),
        seats: RefCell::default(),
    });
    for client in clients {
        world.spawn(
            SimTaskOwner::Actor,
            client::run(client, Rc::clone(&gate), Rc::clone(&observations)),
        );
    }
    let mut run = SimRun {
        script,
        world,
        first,
        served,
        workers,
        thread,
        observations,
        gate,
        lines,
        steps: 0,
        wrong: Vec::new(),
    };
    run.play();
    run.settle();
    run.judge(panics);
    let report = run.report();
    let wrong = core::mem::take(&mut run.wrong);
    drop(run);
    drop(world_guard);
    buffers::trim();
    if wrong.is_empty() {
        return Ok(report);
    }
    Err(wrong.join("\n  "))
}

struct SimRun {
    script: SimScript,
    world: Rc<SimWorld>,
    /// The plan that it began on.
    first: Arc<Plan>,
    /// The plan in force.
    served: ServedPlan,
    workers: Rc<WorkerInForce>,
    thread: Rc<ThreadState>,
    observations: Rc<Observations>,
    gate: Rc<GatewayEntry>,
    lines: RingReceiver,
    steps: u64,
    wrong: Vec<String>,
}

impl SimRun {
    /// Lets everything happen until the clients have finished.
    fn play(&mut self) {
        let began = self.world.now();
        while self.observations.clients.get() > 0 {
            let ms = (self.world.now() - began) / 1_000_000;
            self.drain(ms);
            self.kill();
            self.change_plan();
            let step = self.world.step();
            self.steps += 1;
            let is_endless = self.steps > STEPS_MAX || self.world.lived() > LIVED_NANOS_MAX;
            if step == SimStep::Still || is_endless {
                let clients = self.observations.clients.get();
                self.wrong.push(format!(
                    "{step:?} after {} steps and {} ms with {clients} clients",
                    self.steps,
                    self.world.lived() / 1_000_000
                ));
                return;
            }
        }
    }

    fn drain(&self, ms: u64) {
        let Some((begin, cut)) = self.script.drain_ms else {
            return;
        };
        if ms >= begin && self.thread.drain.phase() < Phase::Draining {
            self.observations.is_draining.set(true);
            self.thread.pool.borrow_mut().clear();
            self.thread.drain.advance(Phase::Draining);
        }
        if ms >= cut {
            self.thread.drain.advance(Phase::Cut);
        }
    }

    /// Now and then drops a connection's task where it waits.
    fn kill(&self) {
        if !self.world.draw(|random| random.one_in(self.script.kills)) {
            return;
        }
        let seats = self.gate.seats.borrow();
        if seats.is_empty() {
            return;
        }
        let at = self.world.draw(|random| random.below(seats.len()));
        let chosen = seats.get(at).filter(|(task, _)| self.world.is_alive(*task));
        if let Some(&(task, connection)) = chosen {
            self.observations.killed.borrow_mut().insert(connection);
            self.world.cancel(task);
        }
    }

    /// Now and then lets requests begin on the next plan, in which the providers stand elsewhere.
    fn change_plan(&mut self) {
        if !self
            .world
            .draw(|random| random.one_in(self.script.plan_changes))
        {
            return;
        }
        match plan::turned(&self.served, self.script.plan) {
            Ok(next) => {
                self.workers.replace(&next);
                self.served = next;
            }
            Err(fault) => self.wrong.push(fault),
        }
    }

    /// Lets what the clients left behind come to its end, and sees that nothing stays.
    fn settle(&mut self) {
        self.world.set_fault_rates(FaultRates::default());
        let until = self.world.lived() + SETTLE_NANOS;
        while !self.world.tasks(SimTaskOwner::Gateway).is_empty() && self.world.lived() < until {
            self.steps += 1;
            if self.world.step() == SimStep::Still {
                break;
            }
        }
        let tasks = self.world.tasks(SimTaskOwner::Gateway).len();
        self.expect("tasks", tasks, 0);
        self.expect("seats", self.thread.drain.seated(), 0);
        let shared = &self.thread.shared;
        let open = shared
            .connections
            .load(core::sync::atomic::Ordering::Relaxed);
        let held = shared.budget.held();
        self.expect("connections", open, 0);
        self.expect("bytes of the budget", held, 0);
        let thread = Rc::clone(&self.thread);
        let pool = &thread.pool;
        let idle: usize = (0..PROVIDERS.len()).map(|at| pool.borrow().idle(at)).sum();
        self.expect("sockets beside the pool's", self.world.held(), idle);
        self.expect(
            "connections in the pool's count",
            count(pool.borrow().counts().idle),
            idle,
        );
        pool.borrow_mut().clear();
        self.expect("sockets", self.world.held(), 0);
        let mut more = 0;
        while self.world.step() != SimStep::Still && more < STEPS_MAX {
            more += 1;
        }
        self.expect("timers", self.world.timers(), 0);
    }

    fn judge(&mut self, panics: u64) {
        self.wrong.extend(self.world.faults());
        let mut log = Vec::new();
        self.lines.drain(&mut log);
        let records = judge::records(&log);
        self.wrong
            .extend(judge::judge(&self.script, &self.observations, &records));
        let lived = self.world.lived();
        self.wrong.extend(audit::audit(
            &self.script,
            &self.observations,
            &records,
            &self.first,
            lived,
        ));
        let panicked = task::panic_count() - panics + self.thread.meter.borrow().counters.panics;
        self.expect("panics", count(panicked), 0);
    }

    fn expect(&mut self, what: &str, found: usize, wanted: usize) {
        if found != wanted {
            self.wrong
                .push(format!("{found} {what}, expected {wanted}"));
        }
    }

    fn report(&self) -> SimReport {
        let seen = self.observations.seen.borrow();
        let whole = |sight: &&crate::sim::observations::ClientObservation| {
            sight.end == crate::sim::observations::ObservedEnd::Whole && sight.status == 200
        };
        SimReport {
            trace: self.world.trace(),
            steps: self.steps,
            exchanges: self.observations.asks.len() as u64,
            answered: seen.values().filter(whole).count() as u64,
            ms: self.world.lived() / 1_000_000,
        }
    }
}

fn count(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Steps after which a run is taken not to end.
const STEPS_MAX: u64 = 300_000;
/// Simulated time after which a run is taken not to end: jumps apart.
const LIVED_NANOS_MAX: u64 = 200_000_000_000;
/// How long what the clients left behind may take: the longest wait of a gateway that lingers.
const SETTLE_NANOS: u64 = 10_000_000_000;
