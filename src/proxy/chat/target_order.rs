//! Who is asked first, and who next: a model's targets, each with our credentials for it.
//!
//! The targets come in the order of `route::order`, each with its credentials in the order of the
//! configuration. Whatever is cooling down, a target or one of its credentials, stands behind all
//! that is well, a credential that was refused behind one that was limited; nothing is left out.
//!
//! Not here: which of them can take the request (see `candidates`).

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::chat::usage::Usage;
use crate::config::schema::file::TargetOrder;
use crate::json::raw::Raw;
use crate::net::runtime::random;
use crate::proxy::admit::asked::Asked;
use crate::proxy::admit::asked::Purpose;
use crate::proxy::admit::cost_estimate::Expected;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::request_options;
use crate::proxy::shared::health::{Scope, Slot, State};
use crate::proxy::shared::worker::Worker;
use crate::route::plan::order::{self, Draw, RankedTarget};
use crate::route::plan::target::Target;
use crate::telemetry::reasons::Reasons;
use crate::wire::peek::found::Peek;
use crate::wire::peek::routed_members::{Kind, Known};

/// A target asked with one of our credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The target, by its place in the model's list.
    pub place: usize,
    /// The credential, by its place at the provider.
    pub credential: usize,
    /// It is well, or may be asked to see whether it is.
    pub is_ready: bool,
    /// It is asked to see, and others keep away meanwhile.
    pub probes: bool,
    /// What is known of the credential.
    pub key: KeyState,
}

/// What is known of one of several credentials, whatever is known of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// Nothing against it.
    Well,
    /// Its use has been refused or limited lately.
    Limited,
    /// It has been refused lately, whatever it was used for.
    Refused,
}

impl KeyState {
    /// Whether it may do where another one did not: behind a limit, only one that is well.
    #[must_use]
    pub const fn may_follow(self, is_limit: bool) -> bool {
        match self {
            Self::Well => true,
            Self::Limited => !is_limit,
            Self::Refused => false,
        }
    }
}

impl Lane {
    /// The way to the first target with its first credential.
    pub const FIRST: Self = Self {
        place: 0,
        credential: 0,
        is_ready: true,
        probes: false,
        key: KeyState::Well,
    };
}

/// What is said of a value that means nothing.
const BAD_MEMBER: &str = "routing: expected \"priority\", \"weighted\", \"latency\", \"throughput\", \"cost\" or \"price\"";

/// The order that the request itself asks for, in its body or in its head.
///
/// # Errors
/// The refusal: no such order, or two of them.
pub fn wish(inbound: &Inbound, peek: &Peek) -> Result<Option<TargetOrder>, Rejection> {
    let refused = |message| {
        let rejection = Rejection::new(ErrorKind::InvalidRequest, message, "bad_wish");
        Err(rejection.with_param(Known::Routing.name()))
    };
    // One that means nothing was refused with the head.
    let in_head = inbound
        .field(request_options::ROUTING)
        .and_then(request_options::order);
    let in_body = match peek.kind(Known::Routing) {
        None | Some(Kind::Null) => None,
        Some(Kind::String) => match word_in_body(inbound, peek) {
            Some(order) => Some(order),
            None => return refused(BAD_MEMBER),
        },
        Some(Kind::Object | Kind::Array | Kind::Number | Kind::Bool(_)) => {
            return refused(BAD_MEMBER);
        }
    };
    if in_head.is_some() && in_body.is_some() && in_head != in_body {
        return refused("routing: the header x-ringway-routing says another one; send one of them");
    }
    Ok(in_body.or(in_head))
}

fn word_in_body(inbound: &Inbound, peek: &Peek) -> Option<TargetOrder> {
    let quoted = peek.source(inbound.body(), Known::Routing)?;
    let word = quoted.get(1..quoted.len().saturating_sub(1))?;
    request_options::order(Raw::from_checked(word).decode().as_bytes())
}

/// The session that the request belongs to, hashed.
fn session(inbound: &Inbound, peek: &Peek) -> Option<u64> {
    let in_head = request_options::SESSIONS
        .iter()
        .filter_map(|name| inbound.field(name));
    let mut names = in_head.chain(peek.session(inbound.body()));
    names.find(|name| !name.is_empty()).map(order::session)
}

/// Every way to every target that takes the request's content, in the order in which they are asked;
/// `reasons` hears why.
#[must_use]
pub fn lanes(asked: &Asked<'_, '_>, targets: &[Target], reasons: &mut Reasons) -> Vec<Lane> {
    let mut choice = Choice::new(asked, targets);
    if choice.standings.is_empty() {
        return Vec::new();
    }
    if choice.standings.len() > 1 {
        reasons.push(choice.order.name());
        if choice.order != TargetOrder::Priority && matches!(choice.draw, Draw::Session(_)) {
            reasons.push("session");
        }
    }
    let best = choice.best();
    let entry = choice.enter();
    let stepped_back = choice.standings.first().map(|it| it.place) != best;
    match entry {
        None => reasons.push("all:cooling"),
        Some(_) if stepped_back => reasons.push("skipped:cooling"),
        Some(_) => {}
    }
    if entry.is_some_and(|entry| entry.credential > 0) {
        reasons.push("skipped:credential");
    }
    let counters = &mut asked.worker.thread.meter.borrow_mut().counters;
    counters.stepped_back += u64::from(entry.is_some() && stepped_back);
    choice.into_lanes(entry)
}

/// The targets of one request, with what is known of them now.
struct Choice<'r, 'w> {
    worker: &'w Worker,
    targets: &'r [Target],
    standings: Vec<RankedTarget>,
    purpose: Purpose,
    order: TargetOrder,
    draw: Draw,
    /// No target has credentials to choose from.
    has_one_key: bool,
    /// What is asked, where the order goes by what it costs.
    expected: Option<Expected>,
    now_ns: u64,
}

/// How the first target is asked.
#[derive(Clone, Copy)]
struct Entry {
    credential: usize,
    /// To see whether it is well again.
    probes: bool,
}

impl<'r, 'w> Choice<'r, 'w> {
    fn new(asked: &Asked<'_, 'w>, targets: &'r [Target]) -> Self {
        let configured = asked.model.map(|model| model.order);
        let order = asked.order.or(configured).unwrap_or_default();
        let draw = match order {
            TargetOrder::Priority => Draw::Chance(0),
            TargetOrder::Weighted
            | TargetOrder::Latency
            | TargetOrder::Throughput
            | TargetOrder::Cost => session(asked.inbound, asked.peek)
                .map_or_else(|| Draw::Chance(random::word()), Draw::Session),
        };
        let plan = &asked.worker.plan;
        let mut choice = Self {
            worker: asked.worker,
            targets,
            has_one_key: targets.iter().all(|target| plan.key_count_of(target) == 1),
            standings: Vec::with_capacity(targets.len()),
            purpose: asked.purpose,
            order,
            draw,
            expected: (order == TargetOrder::Cost && targets.len() > 1)
                .then(|| Expected::new(plan, asked.inbound.body(), asked.peek)),
            now_ns: asked.at.as_nanos(),
        };
        let all = targets.iter().enumerate();
        for (place, target) in all.filter(|(_, target)| asked.takes(target)) {
            let standing = choice.standing(place, target);
            choice.standings.push(standing);
        }
        choice.arrange();
        choice
    }

    fn standing(&self, place: usize, target: &Target) -> RankedTarget {
        let health = &self.worker.health;
        let mut keys = 0..self.key_count(target);
        RankedTarget {
            place,
            identity: target.identity,
            drawn: 0.0,
            priority: target.priority,
            weight: target.weight,
            is_cooling: keys.all(|key| self.state(target, key) == State::Open),
            figure: match &self.expected {
                Some(expected) => self.cost(target, expected),
                None => health.figure(self.order, target.number, self.now_ns),
            },
        }
    }

    /// What the request would cost at a target, as far as that can be told before.
    fn cost(&self, target: &Target, expected: &Expected) -> Option<u64> {
        let plan = &self.worker.plan;
        let most = plan.facts_of(target).output_tokens_max;
        let usage = Usage {
            input: Some(expected.input),
            output: Some(expected.output(most)),
            ..Usage::default()
        };
        plan.price_of(target)?.cost(&usage)
    }

    fn key_count(&self, target: &Target) -> usize {
        match self.has_one_key {
            true => 1,
            false => self.worker.plan.key_count_of(target),
        }
    }

    fn state(&self, target: &Target, key: usize) -> State {
        let slot = Slot::of(target, key);
        self.worker.health.state(slot, self.now_ns)
    }

    fn key_state(&self, target: &Target, key: usize) -> KeyState {
        let slot = Slot::of(target, key);
        let open = |scope| {
            let view = self.worker.health.view(slot, scope, self.now_ns);
            view.filter(|view| view.state == State::Open)
        };
        match open(Scope::Credential) {
            Some(view) if view.is_refusal => KeyState::Refused,
            Some(_) => KeyState::Limited,
            None if open(Scope::Lane).is_some() => KeyState::Limited,
            None => KeyState::Well,
        }
    }

    fn arrange(&mut self) {
        order::arrange(self.order, self.draw, &mut self.standings);
    }

    /// The target that would be first if all were well.
    fn best(&self) -> Option<usize> {
        if self.standings.iter().all(|it| !it.is_cooling) {
            return self.standings.first().map(|it| it.place);
        }
        let mut all = self.standings.clone();
        all.iter_mut().for_each(|it| it.is_cooling = false);
        order::arrange(self.order, self.draw, &mut all);
        all.first().map(|it| it.place)
    }

    /// Finds the first target that may be asked now, and with which credential; `None` where all
    /// are cooling down. One that is half open, and whose answer another request waits for, steps
    /// back with them.
    fn enter(&mut self) -> Option<Entry> {
        while let Some(first) = self.standings.first().filter(|it| !it.is_cooling) {
            let target = self.targets.get(first.place)?;
            let entry = (0..self.key_count(target)).find_map(|key| self.try_key(target, key));
            if entry.is_some() {
                return entry;
            }
            if let Some(first) = self.standings.first_mut() {
                first.is_cooling = true;
            }
            self.arrange();
        }
        None
    }

    fn try_key(&self, target: &Target, key: usize) -> Option<Entry> {
        let state = self.state(target, key);
        let provider = self.worker.plan.provider_of(target);
        // What is estimated here could not tell whether the target is well again.
        let is_sent = provider.is_none_or(|it| !self.purpose.is_estimated(it.wire));
        let may_enter = match state {
            State::Closed => true,
            State::HalfOpen if !is_sent => true,
            State::Open => false,
            State::HalfOpen => {
                let slot = Slot::of(target, key);
                self.worker.health.try_probe(slot, self.now_ns)
            }
        };
        may_enter.then_some(Entry {
            credential: key,
            probes: state == State::HalfOpen && is_sent,
        })
    }

    /// Those that are ready, the entry first; behind them those that are not.
    fn into_lanes(self, entry: Option<Entry>) -> Vec<Lane> {
        let mut lanes = Vec::with_capacity(self.standings.len());
        for (rank, standing) in self.standings.iter().enumerate() {
            let Some(target) = self.targets.get(standing.place) else {
                continue;
            };
            let entry = entry.filter(|_| rank == 0);
            let key_count = self.key_count(target);
            let own_at = lanes.len();
            for credential in 0..key_count {
                let entry = entry.filter(|entry| entry.credential == credential);
                // One that is alone has been looked at with its target.
                let is_well = || {
                    !standing.is_cooling
                        && (key_count == 1 || self.state(target, credential) != State::Open)
                };
                let key = match entry {
                    None if key_count > 1 => self.key_state(target, credential),
                    None | Some(_) => KeyState::Well,
                };
                lanes.push(Lane {
                    place: standing.place,
                    credential,
                    is_ready: entry.is_some() || is_well(),
                    probes: entry.is_some_and(|entry| entry.probes),
                    key,
                });
            }
            let own = lanes.get_mut(own_at..).unwrap_or_default();
            own.sort_by_key(|lane| lane.key);
        }
        lanes.sort_by_key(|lane| !lane.is_ready);
        lanes
    }
}
