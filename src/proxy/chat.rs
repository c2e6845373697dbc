//! A chat on either wire, and `count_tokens`: routing, attempts, delivery.
//!
//! All the branches of such an exchange are here. Targets are tried in order, cooling ones last,
//! until one answers in a way that may be shown; once bytes have reached the client there is no
//! further attempt.

use crate::chat::error::{ApiError, ErrorKind, Refusal};
use crate::http1::method::Method;
use crate::net::boxed::boxed;
use crate::net::clock::{self, Instant};
use crate::proxy::answer::Delivery;
use crate::proxy::candidates::{Asked, Candidate, Candidates, Request, word_of};
use crate::proxy::client::Client;
use crate::proxy::cooldown::Slot;
use crate::proxy::failure::{Blame, Failure, Kind};
use crate::proxy::ids::{bounded, unknown_model};
use crate::proxy::inbound::Inbound;
use crate::proxy::limited;
use crate::proxy::local;
use crate::proxy::policy;
use crate::proxy::prepare::Purpose;
use crate::proxy::relay::{Next, Step};
use crate::proxy::reply::{self, Refused, Voice};
use crate::proxy::upstream::{self, At, Upstream};
use crate::proxy::worker::Worker;
use crate::route::target::{Resolution, Target};
use crate::route::upstream::Provider;
use crate::telemetry::attempts::Attempt;
use crate::telemetry::exchange::{Exchange, TargetAsked};
use crate::translate::context::AnswerContext;
use crate::translate::notes::Notes;
use crate::wire::peek;
use crate::wire::peek_fault::PeekFault;

/// Runs a chat, or a count, whose body has been read.
pub async fn run<'w>(
    client: &mut Client<'_>,
    worker: &'w Worker,
    inbound: &Inbound,
    voice: &Voice<'_>,
    purpose: Purpose,
    exchange: &mut Exchange,
) -> Step<'w> {
    let peek = match peek::peek(inbound.body(), inbound.wire, worker.limits()) {
        Ok(peek) => peek,
        Err(fault) => return Step::Over(refuse_body(client, exchange, voice, &fault).await),
    };
    let tier = match policy::tier(&worker.plan, inbound, Some(&peek)) {
        Ok(tier) => tier,
        Err(denied) => {
            return Step::Over(reply::refuse_denied(client, exchange, voice, &denied).await);
        }
    };
    let asked = peek.model(inbound.body()).text();
    exchange.model_asked = Some(bounded(&asked).into());
    exchange.stream = peek.stream();
    client.stream.reader.expect_little(peek.stream());
    panic_if_told(worker, &asked);
    let plan = &worker.plan;
    let forbidden = limited::in_chat(inbound.key.as_deref(), inbound.body(), worker.limits());
    let resolution = match &forbidden {
        Some(model) => Resolution::Unknown {
            near: plan.near(model, inbound.key.as_deref()),
        },
        None => plan.resolve(&asked, inbound.provider_header(), inbound.key.as_deref()),
    };
    let targets = match resolution {
        Resolution::Found(targets) => targets,
        Resolution::Unknown { near } => {
            let message = unknown_model(forbidden.as_deref().unwrap_or(&asked), &near);
            let refused = Refused::new(ErrorKind::NotFound, &message, "unknown_model")
                .param("model")
                .code("model_not_found");
            return Step::Over(reply::refuse(client, exchange, voice, &refused).await);
        }
        Resolution::UnknownProvider => {
            let refused = reply::UNKNOWN_PROVIDER;
            return Step::Over(reply::refuse(client, exchange, voice, &refused).await);
        }
    };
    let by = (Some(&*asked), tier.as_deref());
    let targets = match policy::admitted(plan, inbound, targets, by, exchange) {
        Ok(targets) => targets,
        Err(denied) => {
            return Step::Over(reply::refuse_denied(client, exchange, voice, &denied).await);
        }
    };
    let asked = Asked {
        worker,
        inbound,
        peek: &peek,
        purpose,
    };
    let run = Run { asked, voice };
    run.attempts(client, &targets, exchange).await
}

/// What of a prepared request decides how its answer is delivered.
struct Terms {
    /// Set where the answer has to be translated.
    answer: Option<AnswerContext>,
    /// What the translation of the request lost.
    notes: Notes,
    /// The usage chunk must not reach the client.
    strip_usage: bool,
}

struct Run<'r, 'w> {
    asked: Asked<'r, 'w>,
    voice: &'r Voice<'r>,
}

impl<'r, 'w> Run<'r, 'w> {
    async fn attempts(
        &self,
        client: &mut Client<'_>,
        targets: &'r [Target],
        exchange: &mut Exchange,
    ) -> Step<'w> {
        let until = upstream::attempts_end(exchange, self.asked.worker.limits());
        let mut candidates = Candidates::new(self.asked, targets, until);
        let mut failed = None;
        while let Some(candidate) = candidates.take() {
            exchange.attempts.append(candidates.passed_over());
            let done = self
                .attempt(client, candidate, &mut candidates, exchange)
                .await;
            exchange.attempts.append(candidates.passed_over());
            match done {
                Ok(step) => return step,
                Err(failure) => {
                    let is_last = !failure.verdict().next_target;
                    failed = Some(failure);
                    if is_last {
                        break;
                    }
                }
            }
        }
        exchange.attempts.append(candidates.passed_over());
        // What a target said, or that it said nothing, outranks why the others were not asked.
        let failure = match (failed, candidates.into_refused()) {
            (Some(failure), _) => failure,
            (None, Some((target, refusal))) => {
                self.name(target, exchange);
                return Step::Over(self.refuse(client, &refusal, exchange).await);
            }
            (None, None) => Failure::new(Kind::Bug),
        };
        Step::Over(reply::refuse_failure(client, exchange, self.voice, &failure).await)
    }

    /// Tells the record which target the exchange is at.
    fn name(&self, target: &Target, exchange: &mut Exchange) {
        let provider = self.asked.worker.plan.provider_of(target);
        exchange.provider = Some(target.provider);
        exchange.upstream_wire = provider.map(|provider| provider.wire);
        exchange.model_sent = Some(bounded(&target.model).into());
    }

    /// One attempt at one target, delivered if it may be shown.
    async fn attempt(
        &self,
        client: &mut Client<'_>,
        candidate: Candidate<'r, 'w>,
        others: &mut Candidates<'r, 'w>,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        let is_fallback = candidate.is_fallback();
        let Candidate {
            target,
            provider,
            rank,
            request,
        } = candidate;
        let worker = self.asked.worker;
        self.name(target, exchange);
        exchange.target = None;
        if is_fallback {
            worker.meter.borrow_mut().counters.fallbacks += 1;
        }
        let prepared = match request {
            Request::Send(prepared) => prepared,
            Request::Estimate => {
                let inbound = self.asked.inbound;
                let next = local::estimate(client, worker, inbound, self.voice, exchange).await;
                return Ok(Step::Over(next));
            }
        };
        exchange.target = Some(TargetAsked {
            provider: target.provider,
            number: target.number,
            option: target.option,
            rank,
        });
        let losses = prepared.notes.count();
        exchange.losses = (losses > 0).then(|| prepared.notes.header());
        worker.meter.borrow_mut().counters.losses += losses as u64;
        let started = if is_fallback {
            clock::now()
        } else {
            Instant::from_nanos(exchange.request_at)
        };
        let at = At {
            provider: target.provider,
            started,
            until: is_fallback.then_some(others.until()),
        };
        let outcome = upstream::attempt(client, worker, at, &prepared.out, exchange).await;
        let mut record = Attempt {
            provider: target.provider,
            ..Attempt::default()
        };
        let terms = Terms {
            answer: prepared.answer,
            notes: prepared.notes,
            strip_usage: prepared.strip_usage,
        };
        prepared.out.recycle();
        let result = match outcome {
            Ok(upstream) => {
                record.status = upstream.head.status;
                let answer = (upstream, terms);
                self.show(client, (target, provider), answer, others, exchange)
                    .await
            }
            Err(failure) => Err(failure),
        };
        self.note_attempt(target, (record, started), &result, exchange);
        result
    }

    /// Adds an attempt that is over to the record.
    fn note_attempt(
        &self,
        target: &Target,
        (mut record, started): (Attempt, Instant),
        result: &Result<Step<'w>, Failure>,
        exchange: &mut Exchange,
    ) {
        let ended = match result {
            Ok(_) => exchange.head_at,
            Err(_) => clock::now().as_nanos(),
        };
        record.nanos = ended.saturating_sub(started.as_nanos());
        if let Err(failure) = result {
            exchange.waited(ended);
            record.fault = Some(failure.verdict().word);
            record.detail.clone_from(&failure.detail);
            exchange.forget_answer();
            self.note_failure(target, failure);
        }
        exchange.attempts.push(record);
    }

    /// Delivers an answer, unless its status lets the next target have a try and there is one that
    /// can take the request.
    async fn show(
        &self,
        client: &mut Client<'_>,
        (target, provider): (&Target, &'w Provider),
        (upstream, terms): (Upstream, Terms),
        others: &mut Candidates<'r, 'w>,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        let Asked {
            worker,
            inbound,
            peek,
            purpose,
        } = self.asked;
        let status = upstream.head.status;
        let ours = provider.head.credential_line.is_some();
        if ours && matches!(status, 401 | 403) {
            worker.meter.borrow_mut().counters.credential_refused += 1;
        }
        let kind = if ours && status == 401 {
            Kind::Credential
        } else {
            Kind::Status
        };
        let lets_next = provider.retry_on.contains(status);
        let failed = (lets_next || kind == Kind::Credential)
            .then(|| Failure::with_detail(kind, format!("status {status}")));
        if let Some(failure) = &failed {
            if lets_next && others.make_ready() {
                return Err(failure.clone());
            }
            self.note_failure(target, failure);
            if kind == Kind::Credential {
                exchange.fault = Some(kind.verdict().word);
            }
        }
        let delivery = Delivery {
            worker,
            provider,
            voice: *self.voice,
            method: Method::Post,
            answer: terms.answer,
            notes: terms.notes,
            stream: peek.stream() && purpose == Purpose::Chat,
            strip_usage: terms.strip_usage,
            has_next: others.may_follow(),
            wire: Some(provider.wire),
            scrubber: worker.scrubber(target.provider, inbound.callers_key()),
            tenant: inbound.tenant(),
        };
        let mut step = boxed(|| delivery.run(client, upstream, exchange)).await?;
        match &mut step {
            _ if failed.is_some() => {}
            Step::Over(_) => worker.cooldowns.borrow_mut().succeeded(Slot::of(target)),
            // A head is no answer yet.
            Step::Relay(relay) => relay.judged = Some(Slot::of(target)),
        }
        Ok(step)
    }

    fn note_failure(&self, target: &Target, failure: &Failure) {
        if failure.verdict().blame == Blame::Upstream {
            let worker = self.asked.worker;
            let now = clock::now().as_nanos();
            let mut cooldowns = worker.cooldowns.borrow_mut();
            cooldowns.failed(Slot::of(target), failure.kind.scope(), now, worker.limits());
        }
    }

    async fn refuse(
        &self,
        client: &mut Client<'_>,
        refusal: &Refusal,
        exchange: &mut Exchange,
    ) -> Next {
        let fields: &[u8] = match refusal.kind {
            ErrorKind::Overloaded => b"retry-after: 1\r\n",
            _ => b"",
        };
        let refused = Refused {
            status: reply::status_of(refusal.kind),
            error: ApiError {
                kind: refusal.kind,
                message: &refusal.message,
                param: refusal.param.as_deref(),
                code: refusal.code,
            },
            fields,
            word: word_of(refusal),
        };
        reply::refuse(client, exchange, self.voice, &refused).await
    }
}

async fn refuse_body(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    fault: &PeekFault,
) -> Next {
    let message = fault.to_string();
    let param = fault.param.map(|param| param.to_string());
    let mut refused = Refused::new(ErrorKind::InvalidRequest, &message, "bad_body");
    refused.error.param = param.as_deref();
    reply::refuse(client, exchange, voice, &refused).await
}

#[expect(
    clippy::panic,
    reason = "tests ask for it, to see that one exchange ends and no more"
)]
fn panic_if_told(worker: &Worker, asked: &str) {
    if worker.panic_model.as_deref() == Some(asked) {
        panic!("asked for by a test");
    }
}
