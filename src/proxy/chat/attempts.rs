//! A chat on either wire, and `count_tokens`: routing, attempts, delivery.
//!
//! All the branches of such an exchange are here. Targets are tried in order, cooling ones last,
//! until one answers in a way that may be shown; once bytes have reached the client there is no
//! further attempt.

use std::borrow::Cow;

use crate::chat::rejection::Rejection;
use crate::http1::method::Method;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::proxy::admit::asked::Asked;
use crate::proxy::admit::asked::Purpose;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::{admission, model_allowlist, policy, request_options};
use crate::proxy::answer::content_type::retry_after_ms;
use crate::proxy::answer::early_error;
use crate::proxy::answer::relay::Step;
use crate::proxy::answer::stages::{Answer, Arrived, Takeover, Terms};
use crate::proxy::chat::candidates::{Candidate, Candidates, Request};
use crate::proxy::chat::target_order::{self, Lane};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::unserved::Unserved;
use crate::proxy::own::local;
use crate::proxy::shared::failure::{Blame, Failure, Kind};
use crate::proxy::shared::health::{Scope, Slot};
use crate::proxy::shared::model_ids::bounded;
use crate::proxy::shared::worker::Worker;
use crate::proxy::upstream::attempt::{self, At, Resend, Upstream};
use crate::proxy::upstream::stream_timeouts::{Pace, Patience};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::{Resolution, Target};
use crate::telemetry::attempts::Attempt;
use crate::telemetry::exchange::{ExchangeRecord, TargetAsked};
use crate::wire::peek::body;
use crate::wire::peek::found::Peek;

/// Runs a chat, or a count, whose body has been read.
///
/// # Errors
/// Why no provider answers it.
pub async fn run<'w>(
    inbound: &Inbound,
    purpose: Purpose,
    exchange: &mut Exchange<'_, 'w>,
) -> Result<Step<'w>, Unserved> {
    let worker = exchange.worker;
    let mut peek = Peek::default();
    let (body, wire) = (inbound.body(), inbound.wire);
    body::peek_into(body, wire, worker.limits(), &mut peek).map_err(Rejection::from)?;
    let peek = &peek;
    let tier = policy::tier(&worker.plan, inbound, Some(peek))?;
    let asked = peek.model(inbound.body()).text();
    exchange.record.model_asked = Some(bounded(&asked).into());
    exchange.record.stream = peek.stream();
    exchange.client.stream.reader.expect_little(peek.stream());
    panic_if_told(worker, &asked);
    let order = target_order::wish(inbound, peek)?;
    let plan = &worker.plan;
    let targets = resolve(worker, inbound, &asked)?;
    let streams = purpose == Purpose::Chat && peek.stream();
    let early_ms = streams.then(|| plan.early_head_ms(&asked)).flatten();
    let by = (Some(&*asked), tier.as_deref());
    let targets = policy::admitted(plan, inbound, targets, by, &mut exchange.record);
    let beside = policy::beside(worker, inbound, by, true);
    let by = (beside.iter().map(|name| &**name), tier.as_deref());
    let targets = policy::admitted_for(plan, inbound, targets?, by, &mut exchange.record)?;
    let asked = Asked {
        worker,
        inbound,
        peek,
        purpose,
        model: plan.model(&asked).filter(|_| targets.len() > 1),
        order,
        at: exchange.read_at(),
    };
    admission::chat(asked, &targets, exchange).await?;
    let run = Run { asked };
    run.to_end(&targets, early_ms, exchange).await
}

struct Run<'r, 'w> {
    asked: Asked<'r, 'w>,
}

impl<'r, 'w> Run<'r, 'w> {
    /// All attempts, under a head that goes out early where one is asked for.
    async fn to_end(
        &self,
        targets: &'r [Target],
        early_ms: Option<u64>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        if let Some(ms) = early_ms {
            exchange.arm_early_head(ms);
        }
        let step = self.attempts(targets, exchange).await;
        if let Some(early) = exchange
            .client
            .early
            .take()
            .filter(|early| early.has_begun())
        {
            let worker = self.asked.worker;
            worker.thread.meter.borrow_mut().counters.early_heads += 1;
            exchange.record.early_head = true;
            exchange.record.status = 200;
            exchange.record.stream = true;
            exchange.record.bytes_out += early.bytes_out;
        }
        step
    }

    async fn attempts(
        &self,
        targets: &'r [Target],
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let until = attempt::attempts_end(&exchange.record, self.asked.worker.limits());
        let mut candidates =
            Candidates::new(self.asked, targets, until, &mut exchange.record.route);
        let mut failed = None;
        while let Some(candidate) = candidates.take() {
            let lane = candidate.lane;
            exchange.record.attempts.append(candidates.passed_over());
            let done = self.attempt(candidate, &mut candidates, exchange).await;
            candidates.note_success(&exchange.record.attempts);
            exchange.record.attempts.append(candidates.passed_over());
            match done {
                Ok(step) => return Ok(step),
                Err(failure) => {
                    let is_last = !failure.verdict().next_target || exchange.client.has_begun();
                    if matches!(failure.scope, Scope::Target | Scope::Provider) {
                        candidates.leave(lane);
                    }
                    failed = Some(failure);
                    if is_last {
                        break;
                    }
                }
            }
        }
        exchange.record.attempts.append(candidates.passed_over());
        // What a target said, or that it said nothing, outranks why the others were not asked.
        let failure = match (failed, candidates.into_refused()) {
            (Some(failure), _) => failure,
            (None, Some((target, rejection))) => {
                self.name(target, &mut exchange.record);
                return Err(rejection.into());
            }
            (None, None) => Failure::new(Kind::Bug),
        };
        let Some(form) = exchange.client.begun_form() else {
            return Err(failure.into());
        };
        let told = early_error::fail(form, &failure, exchange);
        Ok(Step::Over(boxed(|| told).await))
    }

    /// Tells the record which target the exchange is at.
    fn name(&self, target: &Target, record: &mut ExchangeRecord) {
        let provider = self.asked.worker.plan.provider_of(target);
        record.provider = Some(target.provider);
        record.upstream_wire = provider.map(|provider| provider.wire);
        record.model_sent = Some(bounded(&target.model).into());
        record.price = self.asked.worker.plan.price_number(target);
    }

    /// Tells record and meters which target is tried now.
    fn begin(&self, candidate: &Candidate<'_, '_>, record: &mut ExchangeRecord) {
        let target = candidate.target;
        self.name(target, record);
        let is_sent = matches!(candidate.request, Request::Send(_));
        record.target = is_sent.then_some(TargetAsked {
            provider: target.provider,
            number: target.number,
            option: target.option,
            rank: candidate.rank,
        });
        let counters = &mut self.asked.worker.thread.meter.borrow_mut().counters;
        if candidate.lane.probes {
            counters.probes += 1;
            record.route.push("probe");
        }
        if candidate.rotates {
            counters.rotations += 1;
            record.route.push("rotated");
        } else if candidate.is_fallback() {
            counters.fallbacks += 1;
        }
    }

    /// One attempt at one target, delivered if it may be shown.
    async fn attempt(
        &self,
        candidate: Candidate<'r, 'w>,
        others: &mut Candidates<'r, 'w>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        let is_fallback = candidate.is_fallback();
        self.begin(&candidate, &mut exchange.record);
        let Candidate {
            target,
            provider,
            lane,
            request,
            ..
        } = candidate;
        let worker = self.asked.worker;
        let prepared = match request {
            Request::Send(prepared) => prepared,
            Request::Estimate => {
                let next = match local::estimate(self.asked.inbound, exchange).await {
                    Ok(next) => next,
                    Err(rejection) => exchange.reject(&rejection).await,
                };
                return Ok(Step::Over(next));
            }
        };
        let notes = &prepared.terms.notes;
        let losses = notes.count();
        exchange.record.losses = (losses > 0).then(|| notes.header());
        worker.thread.meter.borrow_mut().counters.losses += losses as u64;
        let started = if is_fallback {
            clock::now()
        } else {
            exchange.read_at()
        };
        let until = is_fallback.then_some(others.until());
        let mut may_move = || {
            others.leave(lane);
            others.make_ready()
        };
        let at = At {
            provider: target.provider,
            facts: target.facts.as_deref().unwrap_or(&provider.facts),
            started,
            until,
            patience: self.first_token(provider, started).map(|until| Patience {
                until,
                may_move: &mut may_move,
            }),
            // A chat leaves nothing to find at its provider, and would go to the next target anyway.
            resend: Resend::Always,
        };
        let outcome = attempt::attempt(at, &prepared.out, exchange).await;
        let mut tried = Attempt {
            provider: target.provider,
            number: target.number,
            started_at: started.as_nanos(),
            peer: exchange.record.peer.take(),
            ..Attempt::default()
        };
        prepared.out.recycle();
        let result = match outcome {
            Ok(upstream) => {
                tried.status = upstream.head.status;
                let answer = (upstream, prepared.terms);
                let at = (target, provider, lane);
                self.try_show(at, answer, others, exchange).await
            }
            Err(failure) => Err(failure),
        };
        let slot = Slot::of(target, lane.credential);
        self.note_attempt(slot, tried, &result, &mut exchange.record);
        result
    }

    /// Until when a stream's first content is waited for, where another target could take over.
    fn first_token(&self, provider: &Provider, started: Instant) -> Option<Instant> {
        let Asked {
            peek,
            purpose,
            model,
            ..
        } = self.asked;
        let own = model.and_then(|model| model.first_token_ms);
        let wait_ms = own.unwrap_or(provider.timeouts.first_token_ms);
        let is_stream = peek.stream() && purpose == Purpose::Chat;
        (wait_ms > 0 && is_stream).then(|| started.plus_ms(wait_ms))
    }

    /// How fast a stream must be before its commit, where another target could take over.
    fn pace(&self, provider: &Provider) -> Option<Pace> {
        let own = self.asked.model.and_then(|model| model.stream_rate_min);
        let rate_min = own.unwrap_or(provider.stream_rate_min);
        Pace::new(rate_min, self.asked.worker.limits().stream_rate_window_ms)
    }

    /// Adds an attempt that is over to the record.
    fn note_attempt(
        &self,
        slot: Slot,
        mut tried: Attempt,
        result: &Result<Step<'w>, Failure>,
        record: &mut ExchangeRecord,
    ) {
        let ended = match result {
            Ok(_) => record.head_at,
            Err(_) => clock::now().as_nanos(),
        };
        tried.nanos = ended.saturating_sub(tried.started_at);
        if let Err(failure) = result {
            record.waited(ended);
            tried.fault = Some(failure.verdict().word);
            tried.detail.clone_from(&failure.detail);
            record.forget_answer();
            self.note_failure(slot, failure);
        }
        record.attempts.push(tried);
    }

    /// Delivers an answer, unless it is thrown away for another one. An early head that has not begun
    /// waits for that one then; when it is due, a stream that is held back is let go.
    async fn try_show(
        &self,
        at: (&Target, &'w Provider, Lane),
        answer: (Box<Upstream>, Terms),
        others: &mut Candidates<'r, 'w>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        let waits = exchange.client.early.take_if(|early| !early.has_begun());
        let let_go_at = waits.as_ref().and_then(|early| early.due_at());
        let answer = (answer, let_go_at);
        let shown = self.show(at, answer, others, exchange).await;
        if let (Err(_), Some(early)) = (&shown, waits) {
            exchange.client.early = Some(early);
        }
        shown
    }

    /// Delivers an answer, unless its status lets the next target have a try and there is one that
    /// can take the request.
    async fn show(
        &self,
        (target, provider, lane): (&Target, &'w Provider, Lane),
        ((upstream, terms), let_go_at): ((Box<Upstream>, Terms), Option<Instant>),
        others: &mut Candidates<'r, 'w>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        let Asked {
            worker,
            inbound,
            peek,
            purpose,
            ..
        } = self.asked;
        let slot = Slot::of(target, lane.credential);
        let status = upstream.head.status;
        let failed = self.failed(provider, &upstream);
        let rotates = match failed.as_ref().is_some_and(Failure::is_of_key) {
            true => others.rotate(lane, status == 429),
            false => {
                others.leave(lane);
                false
            }
        };
        if let Some(failure) = &failed {
            let lets_next = rotates || provider.retry_on.contains(status);
            if lets_next && !exchange.client.has_begun() && others.make_ready() {
                return Err(failure.clone());
            }
            self.note_failure(slot, failure);
        }
        let answered = Instant::from_nanos(exchange.record.head_at);
        let until = others.until();
        let hold_end = let_go_at.map_or(until, |at| at.min(until));
        let answer = Answer {
            worker,
            provider,
            tenant: inbound.tenant(),
            takeover: Takeover {
                hold: (!exchange.client.has_begun() && others.may_follow(answered))
                    .then_some(hold_end),
                patience: self.first_token(provider, Instant::from_nanos(exchange.record.sent_at)),
                pace: self.pace(provider),
            },
            stage: Arrived {
                upstream,
                client_wire: inbound.wire,
                method: Method::Post,
                terms,
                stream: peek.stream() && purpose == Purpose::Chat,
                wire: Some(provider.wire),
                reads_usage: false,
                scrubber: worker.scrubber(target.provider, inbound.callers_key()),
            },
        };
        let mut may_move = || others.make_ready();
        let may_move: &mut dyn FnMut() -> bool = &mut may_move;
        let mut step = boxed(|| answer.deliver(may_move, exchange)).await?;
        match (&mut step, &failed) {
            (_, Some(failure)) if failure.kind == Kind::Credential => {
                exchange.record.fault = Some(failure.verdict().word);
            }
            (_, Some(_)) => {}
            (Step::Over(_), None) => {
                let now = clock::now().as_nanos();
                worker.health.succeeded(slot, now);
            }
            // A head is no answer yet.
            (Step::Relay(relay), None) => relay.judges(slot),
        }
        Ok(step)
    }

    /// What the status of an answer says against the target, or against our credential.
    fn failed(&self, provider: &Provider, upstream: &Upstream) -> Option<Failure> {
        let status = upstream.head.status;
        let keys = provider.secrets().len();
        let is_refused = self.asked.worker.thread.count_refused(provider, status);
        let (kind, scope) = match status {
            _ if is_refused => (Kind::Credential, Scope::Credential),
            402 if keys > 1 => (Kind::Status, Scope::Credential),
            403 if keys > 1 => (Kind::Status, Scope::Lane),
            429 if keys > 0 => (Kind::Status, Scope::Lane),
            _ => (Kind::Status, Scope::Target),
        };
        let of_key = keys > 1 && matches!(scope, Scope::Credential | Scope::Lane);
        let counts = provider.retry_on.contains(status) || of_key || kind == Kind::Credential;
        counts.then(|| Failure {
            scope,
            retry_after_ms: retry_after_ms(upstream),
            ..Failure::with_detail(kind, format!("status {status}"))
        })
    }

    fn note_failure(&self, slot: Slot, failure: &Failure) {
        if failure.verdict().blame == Blame::Upstream {
            self.asked.worker.note_failure(slot, failure);
        }
    }
}

/// The targets of the model that is asked for.
fn resolve<'w>(
    worker: &'w Worker,
    inbound: &Inbound,
    asked: &str,
) -> Result<Cow<'w, [Target]>, Rejection> {
    let (plan, key) = (&worker.plan, inbound.key.as_deref());
    if let Some(model) = model_allowlist::in_chat(key, inbound.body(), worker.limits()) {
        return Err(model_allowlist::unknown(&model, &plan.near(&model, key)));
    }
    match plan.resolve(asked, inbound.provider_header(), key) {
        Resolution::Found(targets) => Ok(targets),
        Resolution::Unknown { near } => Err(model_allowlist::unknown(asked, &near)),
        Resolution::UnknownProvider => Err(request_options::unknown_provider()),
    }
}

#[expect(
    clippy::panic,
    reason = "tests ask for it, to see that one exchange ends and no more"
)]
fn panic_if_told(worker: &Worker, asked: &str) {
    if worker.thread.panic_model.as_deref() == Some(asked) {
        panic!("asked for by a test");
    }
}
