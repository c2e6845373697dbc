//! The targets of one chat in the order in which they are tried, made ready one ahead at most.
//!
//! A target that cannot take the request is passed over, at the cost of no attempt: its wire
//! cannot say what is asked, no credential may go there, there is no room to translate it. So an
//! answer is only ever thrown away for a target that is sure to be asked.

use crate::chat::error::{ErrorKind, Refusal};
use crate::config::material::Credential;
use crate::net::clock::{self, Instant};
use crate::proxy::inbound::Inbound;
use crate::proxy::prepare::{self, Prepared, Purpose};
use crate::proxy::worker::Worker;
use crate::route::target::Target;
use crate::route::upstream::Provider;
use crate::telemetry::attempts::Attempt;
use crate::wire::kind::Wire;
use crate::wire::peeked::Peek;

/// What the targets are asked.
#[derive(Clone, Copy)]
pub struct Asked<'r, 'w> {
    /// This worker.
    pub worker: &'w Worker,
    /// The client's request.
    pub inbound: &'r Inbound,
    /// What was seen in its body.
    pub peek: &'r Peek,
    /// A chat or a count.
    pub purpose: Purpose,
}

/// The targets that are left.
pub struct Candidates<'r, 'w> {
    asked: Asked<'r, 'w>,
    targets: &'r [Target],
    /// The place in `targets` that is looked at next.
    left_first: Option<usize>,
    /// Places that are looked at behind it, the next one last.
    left: Vec<usize>,
    /// Targets that may still be asked.
    attempts_left: u32,
    /// Targets that have been asked.
    asked_count: u32,
    /// Past this no further one is.
    until: Instant,
    next: Option<Candidate<'r, 'w>>,
    /// The first that was passed over, and why.
    refused: Option<(&'r Target, Refusal)>,
    /// What is logged of those that were passed over since the last look.
    passed_over: Vec<Attempt>,
}

/// A target that can take the request.
pub struct Candidate<'r, 'w> {
    /// The target.
    pub target: &'r Target,
    /// Its provider.
    pub provider: &'w Provider,
    /// Targets that were asked before.
    pub rank: u32,
    /// What it is asked.
    pub request: Request,
}

impl Candidate<'_, '_> {
    /// Whether another target was asked before.
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
    /// The targets in order, those that are cooling down last; but for the first, they are asked
    /// before `until`.
    #[must_use]
    pub fn new(asked: Asked<'r, 'w>, targets: &'r [Target], until: Instant) -> Self {
        let worker = asked.worker;
        let is_pinned = !asked.peek.allows_fallbacks();
        let (mut left_first, mut left) = (Some(0), Vec::new());
        if !is_pinned && targets.len() > 1 {
            let now = clock::now().as_nanos();
            left = worker.cooldowns.borrow().order(targets, now);
            left.reverse();
            left_first = left.pop();
        }
        Self {
            asked,
            targets,
            left_first,
            left,
            attempts_left: worker.limits().attempts_max,
            asked_count: 0,
            until,
            next: None,
            refused: None,
            passed_over: Vec::new(),
        }
    }

    /// Makes the next target ready that can take the request; whether there is one, and it may be
    /// asked.
    pub fn make_ready(&mut self) -> bool {
        if self.next.is_some() {
            return true;
        }
        if self.attempts_left == 0 || (self.asked_count > 0 && self.is_too_late()) {
            return false;
        }
        while let Some(place) = self.left_first.take().or_else(|| self.left.pop()) {
            let Some(target) = self.targets.get(place) else {
                continue;
            };
            match self.prepare(target) {
                Ok(candidate) => {
                    let shared = &self.asked.worker.shared;
                    let percent = self.asked.worker.limits().retry_budget_percent;
                    if candidate.is_fallback() && !shared.retries.take(percent) {
                        self.left.clear();
                        return false;
                    }
                    self.next = Some(candidate);
                    return true;
                }
                Err(refusal) => self.pass_over(target, refusal),
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
        Some(next)
    }

    /// Whether another target could take over. Not all that stands in its way is looked at: the
    /// start of a stream may be held back for a target that turns out not to take the request. With
    /// no retry left it is not, so that what this target says is shown.
    #[must_use]
    pub fn may_follow(&self) -> bool {
        let worker = self.asked.worker;
        let providers = &worker.plan.providers;
        let has_key = |place: &usize| {
            let target = self.targets.get(*place);
            let provider = target.and_then(|target| providers.get(target.provider));
            provider.is_some_and(|provider| !matches!(provider.credential, Credential::Caller))
        };
        let may_retry = || {
            let percent = worker.limits().retry_budget_percent;
            worker.shared.retries.has_one(percent) && !self.is_too_late()
        };
        let is_one_left = || self.left_first.iter().chain(&self.left).any(has_key) && may_retry();
        self.attempts_left > 0 && (self.next.is_some() || is_one_left())
    }

    /// When the last of the targets must have answered, the first one apart.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }

    fn is_too_late(&self) -> bool {
        clock::now() >= self.until
    }

    /// What is to be logged of targets that were passed over since the last call.
    pub fn passed_over(&mut self) -> &mut Vec<Attempt> {
        &mut self.passed_over
    }

    /// Why the first target that was passed over cannot take the request.
    #[must_use]
    pub fn into_refused(self) -> Option<(&'r Target, Refusal)> {
        self.refused
    }

    fn prepare(&self, target: &'r Target) -> Result<Candidate<'r, 'w>, Refusal> {
        let Asked {
            worker,
            inbound,
            peek,
            purpose,
        } = self.asked;
        let provider = worker
            .plan
            .provider_of(target)
            .ok_or_else(|| prepare::refusal(ErrorKind::Api, "internal error"))?;
        let counts_here = purpose == Purpose::Count && provider.wire == Wire::OpenAiChat;
        let request = if counts_here {
            Request::Estimate
        } else {
            let at = (target, provider);
            let is_fallback = self.asked_count > 0;
            let prepared = prepare::prepare(worker, inbound, peek, at, purpose, is_fallback)?;
            Request::Send(Box::new(prepared))
        };
        Ok(Candidate {
            target,
            provider,
            rank: self.asked_count,
            request,
        })
    }

    fn pass_over(&mut self, target: &'r Target, refusal: Refusal) {
        self.passed_over.push(Attempt {
            provider: target.provider,
            fault: Some(word_of(&refusal)),
            ..Attempt::default()
        });
        self.refused.get_or_insert((target, refusal));
    }
}

/// The log's word for why a target cannot take a request.
#[must_use]
pub fn word_of(refusal: &Refusal) -> &'static str {
    match refusal.kind {
        ErrorKind::Authentication => "no_credential",
        ErrorKind::Overloaded => "no_room",
        _ => "refused_by_translation",
    }
}
