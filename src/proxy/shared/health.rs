//! Who is well: circuits of providers, credentials and targets, and how fast targets answer.
//!
//! A circuit opens with a failure and closes with a good answer: a whole one, the first content of a
//! stream. While it is open its target stands behind the others; nothing is ever withheld, the last
//! one left is still asked. How long it stays open starts short and doubles with each failure in a
//! row, or is what the provider said in `retry-after`, where that is longer. What fails while it is
//! open belongs to the same failure and adds nothing. When the time is over it is half open: one
//! request is let through to see, the others keep away until that has its answer, or a moment is
//! over. A good answer makes the next failure the first again, unless half of the last minute's
//! answers, ten at least, were failures: then the row goes on.
//!
//! What opens is what failed. What a model does (5xx, silence) falls on that target alone; no
//! connection on the provider; a refused key (401, 402) on the credential, for every model; a refused
//! or limited use of it (403, 429) on the credential for that model.
//!
//! All threads share one view. They write on a failure and on the answer behind it; to a circuit
//! that is closed they do no more than look. Copies for each thread, merged every so often, would
//! need a second state and a message, and each thread would ask a dead target for itself.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::schema::file::TargetOrder;
use crate::limits::{Limits, RETRY_AFTER_MAX_MS};
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::Target;

/// What a failure fell on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One model at one provider.
    Target,
    /// The way to a provider: every model there.
    Provider,
    /// One credential: every model there that is asked with it.
    Credential,
    /// One credential at one model.
    Lane,
}

/// A target and a credential as circuits know them.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// The provider, by its place in the plan.
    pub provider: usize,
    /// The target's number; none where a client's id made it.
    pub number: Option<usize>,
    /// The credential, by its place at the provider.
    pub credential: usize,
}

impl Slot {
    /// Where `target` is kept, asked with that credential.
    #[must_use]
    pub const fn of(target: &Target, credential: usize) -> Self {
        Self {
            provider: target.provider,
            number: target.number,
            credential,
        }
    }
}

/// How a circuit, or a target by all of its circuits, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Well.
    Closed,
    /// It failed, and may be asked again by one.
    HalfOpen,
    /// It failed, and steps back.
    Open,
}

impl State {
    /// The state of what may be asked again at `until_ns`; nought: it is closed.
    const fn by(until_ns: u64, now_ns: u64) -> Self {
        match until_ns {
            0 => Self::Closed,
            until if until > now_ns => Self::Open,
            _ => Self::HalfOpen,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// A circuit to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// How it stands.
    pub state: State,
    /// Milliseconds until one may ask again.
    pub left_ms: u64,
    /// Failures in a row.
    pub failures: u32,
    /// The last of them refused a credential whatever it was used for.
    pub is_refusal: bool,
}

/// Everything that is remembered of who is well.
#[derive(Debug, Default)]
pub struct Health {
    providers: Circuits,
    credentials: Box<[Circuits]>,
    targets: Box<[Known]>,
}

/// Circuits by their places in a plan; those of a later plan may be the same.
type Circuits = Box<[Arc<Circuit>]>;

/// What is remembered of one target of the configuration.
#[derive(Debug, Default)]
struct Known {
    circuit: Arc<Circuit>,
    /// One for each credential, where there are several.
    lanes: Circuits,
    /// Time to the first token.
    first: Arc<Figure>,
    /// Time for each token after it.
    pace: Arc<Figure>,
    /// Somewhere it stands beside others: its figures are wanted.
    is_choice: bool,
}

impl Health {
    /// Everyone is well.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let counts: Vec<usize> = plan.providers.iter().map(|it| it.key_count()).collect();
        let lists = plan.models.iter().map(|model| &*model.targets);
        Self::of(&counts, plan.target_count, lists)
    }

    /// The same for so many credentials of each provider, and lists of numbered targets.
    fn of<'t>(
        counts: &[usize],
        target_count: usize,
        lists: impl Iterator<Item = &'t [Target]>,
    ) -> Self {
        let circuits = |count: usize| -> Circuits { (0..count).map(|_| Arc::default()).collect() };
        let mut targets: Box<[Known]> = (0..target_count).map(|_| Known::default()).collect();
        for list in lists {
            for target in list {
                let Some(known) = target.number.and_then(|number| targets.get_mut(number)) else {
                    continue;
                };
                let keys = counts.get(target.provider).copied().unwrap_or(0);
                known.lanes = circuits(if keys > 1 { keys } else { 0 });
                known.is_choice |= list.len() > 1;
            }
        }
        Self {
            providers: circuits(counts.len()),
            credentials: counts.iter().map(|&keys| circuits(keys.max(1))).collect(),
            targets,
        }
    }

    /// How a target stands, asked with that credential.
    #[must_use]
    pub fn state(&self, slot: Slot, now_ns: u64) -> State {
        let keys = self.credentials.get(slot.provider);
        let known = self.known(slot);
        // The latest says it for all of them: open ones lie ahead, closed ones are nought.
        let until_ns = |circuit: Option<&Arc<Circuit>>| circuit.map_or(0, |it| it.until_ns());
        let ways = until_ns(self.providers.get(slot.provider))
            .max(until_ns(keys.and_then(|keys| keys.get(slot.credential))));
        let target = until_ns(known.map(|known| &known.circuit)).max(until_ns(
            known.and_then(|known| known.lanes.get(slot.credential)),
        ));
        State::by(ways.max(target), now_ns)
    }

    /// Whether a target that is half open may be asked now: for one request in a while. One that is
    /// closed may always.
    #[must_use]
    pub fn try_probe(&self, slot: Slot, now_ns: u64) -> bool {
        self.circuits(slot).all(|circuit| circuit.try_probe(now_ns))
    }

    /// Gives back what [`Health::try_probe`] took: the target was not asked after all.
    pub fn put_back(&self, slot: Slot, now_ns: u64) {
        for circuit in self.circuits(slot) {
            circuit.put_back(now_ns);
        }
    }

    /// The target gave a good answer.
    pub fn succeeded(&self, slot: Slot, now_ns: u64) {
        for circuit in self.circuits(slot) {
            circuit.succeed(now_ns);
        }
    }

    /// The target failed; its provider asks to be left alone for so long, if it does. Whether that
    /// opened a circuit.
    pub fn failed(
        &self,
        (slot, scope): (Slot, Scope),
        retry_after_ms: Option<u64>,
        now_ns: u64,
        limits: &Limits,
    ) -> bool {
        let circuit = self.circuit(slot, scope);
        let is_refusal = scope == Scope::Credential;
        circuit.is_some_and(|circuit| circuit.fail(now_ns, (is_refusal, retry_after_ms), limits))
    }

    /// The first token of a stream came after so long.
    pub fn first_token(&self, slot: Slot, nanos: u64, now_ns: u64) {
        if let Some(known) = self.known(slot).filter(|known| known.is_choice) {
            known.first.note(nanos, now_ns);
        }
    }

    /// A stream's tokens came in this time each.
    pub fn each_token(&self, slot: Slot, nanos: u64, now_ns: u64) {
        if let Some(known) = self.known(slot).filter(|known| known.is_choice) {
            known.pace.note(nanos, now_ns);
        }
    }

    /// The time that an order goes by, if it was measured lately.
    #[must_use]
    pub fn figure(&self, order: TargetOrder, number: Option<usize>, now_ns: u64) -> Option<u64> {
        let known = self.targets.get(number?)?;
        match order {
            TargetOrder::Priority | TargetOrder::Weighted | TargetOrder::Cost => None,
            TargetOrder::Latency => known.first.read(now_ns),
            TargetOrder::Throughput => known.pace.read(now_ns),
        }
    }

    /// A circuit to be shown, where there is one.
    #[must_use]
    pub fn view(&self, slot: Slot, scope: Scope, now_ns: u64) -> Option<View> {
        let circuit = self.circuit(slot, scope)?;
        let until_ns = circuit.until_ns();
        let (failures, is_refusal) = circuit.behind();
        Some(View {
            state: circuit.state(now_ns),
            left_ms: until_ns.saturating_sub(now_ns).div_ceil(1_000_000),
            failures,
            is_refusal,
        })
    }

    fn known(&self, slot: Slot) -> Option<&Known> {
        self.targets.get(slot.number?)
    }

    /// Every circuit that a request through `slot` goes through.
    fn circuits(&self, slot: Slot) -> impl Iterator<Item = &Circuit> {
        let keys = self.credentials.get(slot.provider);
        let known = self.known(slot);
        let each = [
            self.providers.get(slot.provider),
            keys.and_then(|keys| keys.get(slot.credential)),
            known.map(|known| &known.circuit),
            known.and_then(|known| known.lanes.get(slot.credential)),
        ];
        each.into_iter().flatten().map(Arc::as_ref)
    }

    /// The circuit that a failure opens. Of a provider with one credential a target's use of it is
    /// the target; of an id that a client named nothing is kept but of its provider and its
    /// credentials, where there are several.
    fn circuit(&self, slot: Slot, scope: Scope) -> Option<&Circuit> {
        let keys = self.credentials.get(slot.provider)?;
        match (scope, self.known(slot)) {
            (Scope::Provider, _) => self.providers.get(slot.provider).map(Arc::as_ref),
            (Scope::Credential, _) => keys.get(slot.credential).map(Arc::as_ref),
            (Scope::Target, known) => Some(&*known?.circuit),
            (Scope::Lane, Some(known)) => {
                Some(known.lanes.get(slot.credential).unwrap_or(&known.circuit))
            }
            (Scope::Lane, None) => {
                let key = keys.get(slot.credential).filter(|_| keys.len() > 1);
                key.map(Arc::as_ref)
            }
        }
    }
}

/// One circuit.
#[derive(Debug, Default)]
struct Circuit {
    /// When it may be asked again; nought while it is closed.
    until_ns: AtomicU64,
    /// Until when answers count towards its rate; the first failure begins it.
    counts_until_ns: AtomicU64,
    /// Good answers since then.
    good: AtomicU32,
    row: Mutex<Row>,
}

/// What is behind an open circuit.
#[derive(Debug, Default)]
struct Row {
    /// Failures in a row.
    failures: u32,
    /// A good answer has come since the last of them.
    was_good: bool,
    /// One request is out to see.
    is_probed: bool,
    /// How long it was opened for.
    wait_ms: u64,
    /// Failures that count towards its rate.
    bad: u32,
    /// The last failure refused a credential whatever it was used for.
    is_refusal: bool,
}

impl Circuit {
    fn until_ns(&self) -> u64 {
        self.until_ns.load(Ordering::Relaxed)
    }

    fn state(&self, now_ns: u64) -> State {
        State::by(self.until_ns(), now_ns)
    }

    fn try_probe(&self, now_ns: u64) -> bool {
        if self.state(now_ns) == State::Closed {
            return true;
        }
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = self.state(now_ns) == State::HalfOpen;
        if is_due {
            row.is_probed = true;
            self.open_until(now_ns, row.wait_ms.min(PROBE_MS));
        }
        is_due
    }

    fn put_back(&self, now_ns: u64) {
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        if core::mem::take(&mut row.is_probed) {
            self.until_ns.store(now_ns.max(1), Ordering::Relaxed);
        }
    }

    fn succeed(&self, now_ns: u64) {
        if self.counts_until_ns.load(Ordering::Relaxed) > now_ns {
            self.good.fetch_add(1, Ordering::Relaxed);
        }
        if self.until_ns.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        row.was_good = true;
        row.is_probed = false;
        self.until_ns.store(0, Ordering::Relaxed);
    }

    fn fail(
        &self,
        now_ns: u64,
        (is_refusal, retry_after_ms): (bool, Option<u64>),
        limits: &Limits,
    ) -> bool {
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        row.is_refusal = is_refusal;
        let asked_ms = retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MAX_MS);
        let is_bad = self.count_failure(&mut row, now_ns);
        if self.state(now_ns) == State::Open && !row.is_probed {
            let until_ns = now_ns.saturating_add(asked_ms.saturating_mul(NANOS_PER_MS));
            self.until_ns.fetch_max(until_ns, Ordering::Relaxed);
            return false;
        }
        if row.was_good && !is_bad {
            row.failures = 0;
        }
        let factor = 1u64 << row.failures.min(20);
        let own_ms = limits.cooldown_ms.saturating_mul(factor);
        let wait_ms = own_ms.min(limits.cooldown_max_ms).max(asked_ms);
        row.failures = row.failures.saturating_add(1);
        row.was_good = false;
        row.is_probed = false;
        row.wait_ms = wait_ms;
        self.open_until(now_ns, wait_ms);
        wait_ms > 0
    }

    /// Counts a failure; whether half of a minute's answers were failures.
    fn count_failure(&self, row: &mut Row, now_ns: u64) -> bool {
        if self.counts_until_ns.load(Ordering::Relaxed) <= now_ns {
            let end_ns = now_ns.saturating_add(RATE_WINDOW_MS * NANOS_PER_MS);
            self.counts_until_ns.store(end_ns, Ordering::Relaxed);
            self.good.store(0, Ordering::Relaxed);
            row.bad = 0;
        }
        row.bad = row.bad.saturating_add(1);
        let is_many = row.bad.saturating_add(self.good.load(Ordering::Relaxed)) >= RATE_ANSWERS_MIN;
        is_many && row.bad >= self.good.load(Ordering::Relaxed)
    }

    /// Opens for so long; for no time at all it stays closed.
    fn open_until(&self, now_ns: u64, wait_ms: u64) {
        let until_ns = match wait_ms {
            0 => 0,
            _ => now_ns.saturating_add(wait_ms.saturating_mul(NANOS_PER_MS)),
        };
        self.until_ns.store(until_ns, Ordering::Relaxed);
    }

    /// Failures in a row behind a circuit that is not closed, and whether the last was a refusal.
    fn behind(&self) -> (u32, bool) {
        if self.until_ns() == 0 {
            return (0, false);
        }
        let row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        (row.failures, row.is_refusal)
    }
}

/// A time that is measured again and again: each new one counts for a quarter. Without news it
/// halves every half minute, so that a target that was slow once is tried again.
#[derive(Debug, Default)]
struct Figure {
    /// Nought: never measured.
    nanos: AtomicU64,
    at_ns: AtomicU64,
}

impl Figure {
    /// Two threads at once may lose one of their values: the next makes up for it.
    fn note(&self, nanos: u64, now_ns: u64) {
        let old = match self.nanos.load(Ordering::Relaxed) {
            0 => nanos,
            old => old,
        };
        let new = (old - old / 4).saturating_add(nanos / 4);
        self.nanos.store(new.max(1), Ordering::Relaxed);
        self.at_ns.store(now_ns, Ordering::Relaxed);
    }

    fn read(&self, now_ns: u64) -> Option<u64> {
        let nanos = self.nanos.load(Ordering::Relaxed);
        let age_ns = now_ns.saturating_sub(self.at_ns.load(Ordering::Relaxed));
        let halvings = u32::try_from(age_ns / (HALF_LIFE_MS * NANOS_PER_MS)).unwrap_or(u32::MAX);
        (nanos > 0).then(|| nanos.checked_shr(halvings).unwrap_or(0))
    }
}

const NANOS_PER_MS: u64 = 1_000_000;
/// Longest time that a half-open circuit waits for the one request that is out.
const PROBE_MS: u64 = 10_000;
/// Over which answers are counted, from a failure on.
const RATE_WINDOW_MS: u64 = 60_000;
/// Fewer answers make no rate.
const RATE_ANSWERS_MIN: u32 = 10;
/// After so long without news a figure counts for half.
const HALF_LIFE_MS: u64 = 30_000;

mod carry;
#[cfg(test)]
mod tests;
