//! The targets of one chat in the order in which they are tried, made ready one ahead at most.
//!
//! A target that cannot take the request is passed over, at the cost of no attempt: its wire
//! cannot say what is asked, its model is known not to take what the content needs, no credential
//! may go there, there is no room to translate it. So an answer is only ever thrown away for a target
//! that is sure to be asked.

use crate::chat::rejection::Rejection;
use crate::config::load::material::Credential;
use crate::net::runtime::clock::{self, Instant};
use crate::proxy::admit::asked::Asked;
use crate::proxy::chat::prepare::{self, Prepared, To};
use crate::proxy::chat::target_order::{self, Lane};
use crate::proxy::shared::health::Slot;
use crate::proxy::shared::retry_budget::UnderWay;
use crate::route::plan::provider::Provider;
use crate::route::plan::target::Target;
use crate::telemetry::attempts::{Attempt, Attempts};
use crate::telemetry::reasons::Reasons;
use crate::wire::peek::required_capabilities::{Need, Needs};

/// The targets that are left.
pub struct Candidates<'r, 'w> {
    asked: Asked<'r, 'w>,
    targets: &'r [Target],
    /// What is looked at next.
    left_first: Option<Lane>,
    /// What is looked at behind it, the next one last.
    left: Vec<Lane>,
    /// What was asked last.
    asked_last: Option<Lane>,
    /// Targets that may still be asked.
    attempts_left: u32,
    /// Attempts that have been made.
    asked_count: u32,
    /// Past this no further one is.
    until: Instant,
    next: Option<Candidate<'r, 'w>>,
    /// The first that was passed over, and why.
    refused: Option<(&'r Target, Rejection)>,
    /// What is logged of those that were passed over since the last look.
    passed_over: Vec<Attempt>,
    /// The retries that are left, where there is more than one way.
    retries: Option<UnderWay<'w>>,
}

/// A target that can take the request.
pub struct Candidate<'r, 'w> {
    /// The target.
    pub target: &'r Target,
    /// Its provider.
    pub provider: &'w Provider,
    /// The target's place, and which of our credentials goes out.
    pub lane: Lane,
    /// Attempts that were made before.
    pub rank: u32,
    /// That was at the same target, with another credential.
    pub rotates: bool,
    /// What it is asked.
    pub request: Request,
}

impl Candidate<'_, '_> {
    /// Whether another attempt was made before.
    #[must_use]
    pub const fn is_fallback(&self) -> bool {
        self.rank > 0
    }
}

/// What a target is asked.
pub enum Request {
    /// These bytes.
    Send(Box<Prepared>),
    /// Nothing: its provider counts no tokens, so that they are estimated here.
    Estimate,
}

impl<'r, 'w> Candidates<'r, 'w> {
    /// The targets in the order of `choice`, less those that are known to lack what the content
    /// needs; but for the first, they are asked before `until`. A request that allows no fallback
    /// has the first of the list that is left, whatever its order.
    #[must_use]
    pub fn new(
        asked: Asked<'r, 'w>,
        targets: &'r [Target],
        until: Instant,
        reasons: &mut Reasons,
    ) -> Self {
        let mut candidates = Self {
            asked,
            targets,
            left_first: Some(Lane::FIRST),
            left: Vec::new(),
            asked_last: None,
            attempts_left: asked.worker.limits().attempts_max,
            asked_count: 0,
            until,
            next: None,
            refused: None,
            passed_over: Vec::new(),
            retries: None,
        };
        if targets.len() > 1 && !asked.peek.allows_fallbacks() {
            candidates.pin();
            reasons.push("pinned");
        }
        if !asked.peek.needs().is_empty() {
            candidates.pass_over_incapable();
        }
        candidates.line_up(reasons);
        candidates
    }

    /// Keeps of the list no more than the first that is left, and those that are passed over
    /// before it.
    fn pin(&mut self) {
        let first = self.targets.iter().position(|it| self.asked.takes(it));
        let pinned = first.and_then(|place| self.targets.get(..=place));
        self.targets = pinned.unwrap_or(self.targets);
    }

    fn pass_over_incapable(&mut self) {
        let (plan, needs) = (&self.asked.worker.plan, self.asked.peek.needs());
        for target in self.targets {
            if let Some(need) = plan.lacks(target, needs) {
                self.pass_over(target, lacking(needs, need));
            }
        }
    }

    /// Brings what can take the request into its order. One way alone has none.
    fn line_up(&mut self, reasons: &mut Reasons) {
        let plan = &self.asked.worker.plan;
        let has_one_key = |target| plan.key_count_of(target) == 1;
        if matches!(self.targets, [only] if has_one_key(only) && self.asked.takes(only)) {
            return;
        }
        self.left = target_order::lanes(&self.asked, self.targets, reasons);
        let Asked {
            worker, inbound, ..
        } = self.asked;
        let percent = worker.limits().retry_budget_percent;
        let names = self.targets.iter().filter_map(|it| {
            let id = worker.id_of(it.provider)?;
            Some((id, &*it.model))
        });
        let budget = worker.thread.shared.retries.of(inbound.tenant(), names);
        self.retries = Some(budget.begin(self.asked.at, percent));
        self.left.reverse();
        self.left_first = self.left.pop();
    }

    /// Makes the next target ready that can take the request; whether there is one, and it may be
    /// asked.
    pub fn make_ready(&mut self) -> bool {
        if self.next.is_some() {
            return true;
        }
        let is_too_late = || clock::now() >= self.until;
        if self.attempts_left == 0 || (self.asked_count > 0 && is_too_late()) {
            return false;
        }
        while let Some(lane) = self.left_first.take().or_else(|| self.left.pop()) {
            let Some(target) = self.targets.get(lane.place) else {
                continue;
            };
            match self.prepare(target, lane) {
                Ok(candidate) => {
                    let takes_one = || self.retries.as_ref().is_none_or(UnderWay::take);
                    if candidate.is_fallback() && !takes_one() {
                        self.left.clear();
                        return false;
                    }
                    self.next = Some(candidate);
                    return true;
                }
                Err(rejection) => {
                    if lane.probes {
                        let slot = Slot::of(target, lane.credential);
                        let now_ns = clock::now().as_nanos();
                        self.asked.worker.health.put_back(slot, now_ns);
                    }
                    self.leave(lane);
                    self.pass_over(target, rejection);
                }
            }
        }
        false
    }

    /// The next target, to be asked now.
    pub fn take(&mut self) -> Option<Candidate<'r, 'w>> {
        self.make_ready();
        let next = self.next.take()?;
        self.attempts_left -= 1;
        self.asked_count += 1;
        self.asked_last = Some(next.lane);
        Some(next)
    }

    /// A success among the attempts adds to the retries that are left. To be called behind each attempt:
    /// none follows a success.
    pub fn note_success(&self, attempts: &Attempts) {
        let is_success = |it: &Attempt| it.fault.is_none() && it.status / 100 == 2;
        if attempts.iter().any(is_success) {
            self.retries.iter().for_each(UnderWay::succeeded);
        }
    }

    /// Looks no more at a lane's target, with whichever credential.
    pub fn leave(&mut self, lane: Lane) {
        self.left.retain(|left| left.place != lane.place);
    }

    /// Looks at a lane's target no more but with those credentials that may do where this one did
    /// not. Whether the next look is at one of them.
    pub fn rotate(&mut self, lane: Lane, is_limit: bool) -> bool {
        let may_follow = |left: &Lane| left.key.may_follow(is_limit);
        self.left
            .retain(|left| left.place != lane.place || may_follow(left));
        let next = self.left.last();
        next.is_some_and(|next| next.place == lane.place)
    }

    /// Whether another target could take over. Not all that stands in its way is looked at: the
    /// start of a stream may be held back for a target that turns out not to take the request. With
    /// no retry left it is not, so that what this target says is shown. `now` is when it said so.
    #[must_use]
    pub fn may_follow(&self, now: Instant) -> bool {
        let worker = self.asked.worker;
        let providers = &worker.plan.providers;
        let has_key = |lane: &Lane| {
            let target = self.targets.get(lane.place);
            let provider = target.and_then(|target| providers.get(target.provider));
            provider.is_some_and(|provider| !matches!(provider.credential, Credential::Caller))
        };
        let may_retry = || {
            let has_one = self.retries.as_ref().is_none_or(UnderWay::has_one);
            has_one && now < self.until
        };
        let is_one_left = || self.left_first.iter().chain(&self.left).any(has_key) && may_retry();
        self.attempts_left > 0 && (self.next.is_some() || is_one_left())
    }

    /// When the last of the targets must have answered, the first one apart.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }

    /// What is to be logged of targets that were passed over since the last call.
    pub fn passed_over(&mut self) -> &mut Vec<Attempt> {
        &mut self.passed_over
    }

    /// Why the first target that was passed over cannot take the request.
    #[must_use]
    pub fn into_refused(self) -> Option<(&'r Target, Rejection)> {
        self.refused
    }

    fn prepare(&self, target: &'r Target, lane: Lane) -> Result<Candidate<'r, 'w>, Rejection> {
        let Asked {
            worker,
            inbound,
            peek,
            purpose,
            ..
        } = self.asked;
        let provider = worker
            .plan
            .provider_of(target)
            .ok_or_else(prepare::internal)?;
        let request = if purpose.is_estimated(provider.wire) {
            Request::Estimate
        } else {
            let to = To {
                target,
                provider,
                credential: lane.credential,
                fallback: self.asked_count > 0,
            };
            let prepared = prepare::prepare(worker, inbound, peek, to, purpose)?;
            Request::Send(Box::new(prepared))
        };
        Ok(Candidate {
            target,
            provider,
            lane,
            rank: self.asked_count,
            rotates: self.asked_last.is_some_and(|last| last.place == lane.place),
            request,
        })
    }

    fn pass_over(&mut self, target: &'r Target, rejection: Rejection) {
        self.passed_over.push(Attempt {
            provider: target.provider,
            number: target.number,
            fault: Some(rejection.word()),
            ..Attempt::default()
        });
        self.refused.get_or_insert((target, rejection));
    }
}

/// The 400 for a model that does not take what the content needs.
fn lacking(needs: &Needs, need: Need) -> Rejection {
    let (field, what) = (needs.field(need), need.name());
    let which = match need {
        Need::Audio => "it",
        Need::Vision | Need::Pdf | Need::Tools => "them (GET /v1/models tells)",
    };
    let text = format!(
        "{field}: this model takes no {what}; send it without, or ask for a model that takes {which}"
    );
    Rejection::invalid(field, text).with_word("lacks_capability")
}
