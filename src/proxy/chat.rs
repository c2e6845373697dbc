//! A chat on either wire, and `count_tokens`: routing, attempts, delivery.
//!
//! All the branches of such an exchange are here. Targets are tried in order, cooling ones last,
//! until one answers in a way that may be shown; once bytes have reached the client there is no
//! further attempt.

use crate::chat::error::{ApiError, ErrorKind, Refusal};
use crate::net::clock::{self, Instant};
use crate::proxy::answer::Delivery;
use crate::proxy::answer_head::Frame;
use crate::proxy::client::Client;
use crate::proxy::failure::{Blame, Failure, Kind};
use crate::proxy::ids::{bounded, unknown_model};
use crate::proxy::inbound::Inbound;
use crate::proxy::local;
use crate::proxy::prepare::{self, Prepared, Purpose};
use crate::proxy::relay::{Next, Step};
use crate::proxy::reply::{self, Refused, Voice};
use crate::proxy::upstream::{self, Upstream};
use crate::proxy::worker::Worker;
use crate::route::target::{Resolution, Target};
use crate::route::upstream::Provider;
use crate::telemetry::exchange::{Attempt, Exchange};
use crate::wire::kind::Wire;
use crate::wire::peek;
use crate::wire::peek_fault::PeekFault;
use crate::wire::peeked::Peek;

/// Runs a chat, or a count, whose body has been read.
pub async fn run<'w>(
    client: &mut Client<'_>,
    worker: &'w Worker,
    inbound: &Inbound<'_>,
    voice: &Voice<'_>,
    purpose: Purpose,
    exchange: &mut Exchange,
) -> Step<'w> {
    let peek = match peek::peek(inbound.body(), inbound.wire, worker.limits()) {
        Ok(peek) => peek,
        Err(fault) => return Step::Over(refuse_body(client, exchange, voice, &fault).await),
    };
    let asked = peek.model(inbound.body()).decode();
    exchange.model_asked = Some(bounded(&asked));
    exchange.stream = peek.stream();
    panic_if_told(worker, &asked);
    let resolution = worker
        .plan
        .resolve(&asked, inbound.provider_header(), inbound.key);
    let targets = match &resolution {
        Resolution::Found(targets) => targets,
        Resolution::Unknown { near } => {
            let message = unknown_model(&asked, near);
            let refused = Refused::new(ErrorKind::NotFound, &message, "unknown_model")
                .param("model")
                .code("model_not_found");
            return Step::Over(reply::refuse(client, exchange, voice, &refused).await);
        }
        Resolution::UnknownProvider => {
            let message = "the provider header names no configured provider";
            let refused = Refused::new(ErrorKind::InvalidRequest, message, "unknown_provider");
            return Step::Over(reply::refuse(client, exchange, voice, &refused).await);
        }
    };
    let run = Run {
        worker,
        inbound,
        voice,
        peek: &peek,
        purpose,
    };
    run.attempts(client, targets, exchange).await
}

struct Run<'r, 'w> {
    worker: &'w Worker,
    inbound: &'r Inbound<'r>,
    voice: &'r Voice<'r>,
    peek: &'r Peek,
    purpose: Purpose,
}

/// Why an attempt gave no answer to show.
enum Missed {
    Refusal(Refusal),
    Failure(Failure),
}

impl<'w> Run<'_, 'w> {
    async fn attempts(
        &self,
        client: &mut Client<'_>,
        targets: &[Target],
        exchange: &mut Exchange,
    ) -> Step<'w> {
        let order = self.order(targets);
        let mut missed = Missed::Failure(Failure::new(Kind::Bug));
        for (number, &index) in order.iter().enumerate() {
            let Some(target) = targets.get(index) else {
                continue;
            };
            if number > 0 {
                if !self
                    .worker
                    .shared
                    .may_retry(self.worker.limits().retry_budget_percent)
                {
                    break;
                }
                self.worker.meter.borrow_mut().counters.fallbacks += 1;
            }
            let has_next = number + 1 < order.len();
            match self
                .attempt(client, target, (number > 0, has_next), exchange)
                .await
            {
                Ok(step) => return step,
                Err(Missed::Failure(failure)) if !has_next || !failure.verdict().next_target => {
                    return Step::Over(self.refuse_failure(client, &failure, exchange).await);
                }
                Err(other) => missed = other,
            }
        }
        match missed {
            Missed::Refusal(refusal) => Step::Over(self.refuse(client, &refusal, exchange).await),
            Missed::Failure(failure) => {
                Step::Over(self.refuse_failure(client, &failure, exchange).await)
            }
        }
    }

    /// The places of the targets in the order in which they are tried.
    fn order(&self, targets: &[Target]) -> Vec<usize> {
        let most = if self.peek.allows_fallbacks() {
            self.worker.limits().attempts_max as usize
        } else {
            1
        };
        if targets.len() == 1 || most == 1 {
            return vec![0];
        }
        let now = clock::now().as_nanos();
        let providers = targets.iter().map(|target| target.provider);
        let mut order = self.worker.cooldowns.borrow().order(providers, now);
        order.truncate(most);
        order
    }

    /// One attempt at one target, delivered if it may be shown.
    async fn attempt(
        &self,
        client: &mut Client<'_>,
        target: &Target,
        (fallback, has_next): (bool, bool),
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        let Some(provider) = self.worker.plan.providers.get(target.provider) else {
            return Err(Missed::Failure(Failure::new(Kind::Bug)));
        };
        exchange.provider = Some(target.provider);
        exchange.upstream_wire = Some(provider.wire);
        exchange.model_sent = Some(bounded(&target.model));
        if self.purpose == Purpose::Count && provider.wire == Wire::OpenAiChat {
            let next =
                local::estimate(client, self.worker, self.inbound, self.voice, exchange).await;
            return Ok(Step::Over(next));
        }
        let prepared = prepare::prepare(
            self.worker,
            self.inbound,
            self.peek,
            target,
            self.purpose,
            fallback,
        )
        .map_err(|refusal| {
            exchange.attempts.push(Attempt {
                provider: target.provider,
                fault: Some(REFUSED),
                ..Attempt::default()
            });
            Missed::Refusal(refusal)
        })?;
        exchange.losses.clone_from(&prepared.notes);
        self.worker.meter.borrow_mut().counters.losses += prepared.loss_count;
        let started = match fallback {
            false => Instant::from_nanos(exchange.request_at),
            true => clock::now(),
        };
        let outcome = upstream::attempt(
            client,
            self.worker,
            (target.provider, started),
            &prepared.out,
            exchange,
        )
        .await;
        let mut record = Attempt {
            provider: target.provider,
            ..Attempt::default()
        };
        let result = match outcome {
            Ok(upstream) => {
                record.status = upstream.head.status;
                self.show(client, provider, (upstream, prepared), has_next, exchange)
                    .await
            }
            Err(failure) => Err(failure),
        };
        let ended = match &result {
            Ok(_) => exchange.head_at,
            Err(_) => clock::now().as_nanos(),
        };
        record.nanos = ended.saturating_sub(started.as_nanos());
        if let Err(failure) = &result {
            exchange.waited(ended);
            record.fault = Some(failure.verdict().word);
            record.detail.clone_from(&failure.detail);
            self.note_failure(target.provider, failure);
        }
        exchange.attempts.push(record);
        result.map_err(Missed::Failure)
    }

    /// Delivers an answer, unless its status lets the next target have a try.
    async fn show(
        &self,
        client: &mut Client<'_>,
        provider: &'w Provider,
        (upstream, prepared): (Upstream, Prepared),
        has_next: bool,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        let status = upstream.head.status;
        let index = upstream.provider;
        let ours = provider.head.credential_line.is_some();
        let credential_refused = ours && matches!(status, 401 | 403);
        if credential_refused {
            self.worker.meter.borrow_mut().counters.credential_refused += 1;
        }
        if provider.retry_on.contains(status) || credential_refused {
            let failure = Failure::with_detail(Kind::Status, format!("status {status}"));
            if has_next {
                return Err(failure);
            }
            self.note_failure(index, &failure);
        } else {
            self.worker.cooldowns.borrow_mut().succeeded(index);
        }
        let mut extra = self.voice.frame.extra.to_vec();
        if let Some(notes) = &prepared.notes {
            extra.extend_from_slice(b"x-ringway-translation: ");
            extra.extend_from_slice(notes.as_bytes());
            extra.extend_from_slice(b"\r\n");
        }
        let frame = Frame {
            extra: &extra,
            ..self.voice.frame
        };
        let scrubber = self.worker.scrubber(index, self.inbound.callers_key());
        let delivery = Delivery {
            worker: self.worker,
            provider,
            voice: Voice {
                frame,
                ..*self.voice
            },
            method: prepared.out.method,
            answer: prepared.answer,
            stream: self.peek.stream() && self.purpose == Purpose::Chat,
            strip_usage: prepared.strip_usage,
            has_next,
            wire: Some(provider.wire),
            scrubber,
            tenant: self.inbound.key.map_or(usize::MAX, |key| key.tenant_index),
        };
        delivery.run(client, upstream, exchange).await
    }

    fn note_failure(&self, provider: usize, failure: &Failure) {
        if failure.verdict().blame == Blame::Upstream {
            let limits = self.worker.limits();
            self.worker.cooldowns.borrow_mut().failed(
                provider,
                clock::now().as_nanos(),
                limits.cooldown_ms,
                limits.cooldown_max_ms,
            );
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
            word: REFUSED,
        };
        reply::refuse(client, exchange, self.voice, &refused).await
    }

    async fn refuse_failure(
        &self,
        client: &mut Client<'_>,
        failure: &Failure,
        exchange: &mut Exchange,
    ) -> Next {
        reply::refuse_failure(client, exchange, self.voice, failure).await
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

/// The log's word for a target that cannot be told what the client asks.
const REFUSED: &str = "refused_by_translation";

#[expect(
    clippy::panic,
    reason = "tests ask for it, to see that one exchange ends and no more"
)]
fn panic_if_told(worker: &Worker, asked: &str) {
    if worker.panic_model.as_deref() == Some(asked) {
        panic!("asked for by a test");
    }
}
