//! A relayed request that has its target on its way there, and the answer's beginning.

use crate::chat::rejection::Rejection;
use crate::http1::encode;
use crate::json::rewrite::Edits;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::proxy::admit::admission::{self, Body, Cost, Relayed};
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::relay_metering::Metering;
use crate::proxy::answer::relay::Step;
use crate::proxy::answer::stages::{Answer, Arrived, Takeover, Terms};
use crate::proxy::chat::prepare::{self, no_credential};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::unserved::Unserved;
use crate::proxy::passthrough::request::{Ready, Request};
use crate::proxy::passthrough::target::Routed;
use crate::proxy::passthrough::upload::{JudgeLate, Upload};
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::worker::Worker;
use crate::proxy::upstream::attempt::{self, At, Resend, Upstream};
use crate::proxy::upstream::outbound::Outbound;
use crate::proxy::upstream::request_head::{self, Facts};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::TargetFacts;
use crate::telemetry::attempts::Attempt;
use crate::telemetry::exchange::TargetAsked;

impl<'w> Request<'_, 'w> {
    /// Sends a body that was read whole.
    pub(super) async fn send_held(
        &self,
        ready: &Ready<'_>,
        edits: &Edits,
        is_json: bool,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let worker = self.worker;
        let index = ready.routed.asked.provider;
        let provider = provider_at(worker, index)?;
        let started = clock::now();
        let out = held_request(ready.inbound, provider, self.path, edits, is_json)?;
        exchange.record.target = Some(ready.routed.asked);
        let at = At {
            provider: index,
            facts: facts_of(worker, &ready.routed)?,
            started,
            until: None,
            patience: None,
            resend: Resend::of(ready.inbound.head.method),
        };
        let upstream = attempt::attempt(at, &out, exchange).await;
        self.deliver(ready, started, upstream, exchange).await
    }

    /// Asks for leave to send a request whose tokens are counted; any other has it.
    pub(super) async fn admit(
        &self,
        routed: &Routed,
        body: Body<'_>,
        exchange: &mut Exchange<'_, '_>,
    ) -> Result<(), Rejection> {
        exchange.record.price = routed.price;
        let Metering::Tokens { has_output } = self.metering else {
            return Ok(());
        };
        if let (None, Cost::Known(nanos)) = (routed.price, self.cost) {
            exchange.record.request_cost = Some(nanos);
        }
        let asked = Relayed {
            body,
            has_output,
            price: routed.price,
            output_max: routed.output_max,
            cost: self.cost,
        };
        admission::relayed(self.key.as_deref(), asked, exchange).await
    }

    /// Sends a body as it comes.
    pub(super) async fn send_upload(
        &self,
        ready: &Ready<'_>,
        upload: Upload,
        late: &JudgeLate<'_>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let worker = self.worker;
        let index = ready.routed.asked.provider;
        let provider = provider_at(worker, index)?;
        let started = clock::now();
        let out = start_head(ready.inbound, provider, self.path, false)?;
        exchange.record.target = Some(ready.routed.asked);
        let facts = facts_of(worker, &ready.routed)?;
        let upstream = upload.run(index, facts, out, late, exchange).await?;
        self.deliver(ready, started, upstream, exchange).await
    }

    /// Records the attempt and delivers its answer.
    async fn deliver(
        &self,
        ready: &Ready<'_>,
        started: Instant,
        upstream: Result<Box<Upstream>, Failure>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let worker = self.worker;
        let inbound = ready.inbound;
        let index = ready.routed.asked.provider;
        let provider = provider_at(worker, index)?;
        // An upload comes at the client's pace: what the provider took begins behind it.
        let started = started.max(exchange.read_at());
        let mut tried = Attempt {
            provider: index,
            number: exchange.record.target.and_then(|target| target.number),
            started_at: started.as_nanos(),
            peer: exchange.record.peer.take(),
            ..Attempt::default()
        };
        tried.nanos = u64::try_from(clock::now().since(started).as_nanos()).unwrap_or(u64::MAX);
        let upstream = match upstream {
            Ok(upstream) => upstream,
            Err(failure) => {
                tried.fault = Some(failure.verdict().word);
                tried.detail.clone_from(&failure.detail);
                exchange.record.attempts.push(tried);
                return Err(failure.into());
            }
        };
        tried.status = upstream.head.status;
        exchange.record.attempts.push(tried);
        if worker.thread.count_refused(provider, upstream.head.status) {
            exchange.record.fault = Some(Kind::Credential.verdict().word);
        }
        exchange.reply.unread &= !upstream.sent_whole;
        exchange.reply.keep_alive &= !exchange.reply.unread;
        let scrubber = worker.scrubber(index, inbound.callers_key());
        let answer = Answer {
            worker,
            provider,
            tenant: self.tenant(),
            takeover: Takeover::default(),
            stage: Arrived {
                upstream,
                client_wire: inbound.wire,
                method: inbound.head.method,
                terms: Terms::default(),
                stream: false,
                wire: None,
                reads_usage: self.metering.is_read(),
                scrubber,
            },
        };
        let stays: &mut dyn FnMut() -> bool = &mut || false;
        let delivered = boxed(|| answer.deliver(stays, exchange)).await;
        Ok(delivered?)
    }
}

fn provider_at(worker: &Worker, index: usize) -> Result<&Provider, Unserved> {
    worker.plan.providers.get(index).ok_or_else(Unserved::bug)
}

/// What is stated of the target.
fn facts_of<'w>(worker: &'w Worker, routed: &Routed) -> Result<&'w TargetFacts, Unserved> {
    let TargetAsked {
        provider, number, ..
    } = routed.asked;
    worker
        .plan
        .stated_at(provider, number)
        .ok_or_else(Unserved::bug)
}

fn held_request(
    inbound: &Inbound,
    provider: &Provider,
    path: &[u8],
    edits: &Edits,
    is_json: bool,
) -> Result<Outbound, Unserved> {
    let mut head = start_head(inbound, provider, path, is_json)?;
    let body = inbound.body();
    if !inbound.head.framing.is_empty() || inbound.head.method.sends_body() {
        encode::field_number(
            &mut head,
            "content-length",
            edits.len_after(body.len()) as u64,
        );
    }
    encode::end_head(&mut head);
    Ok(prepare::gather(inbound.head.method, head, inbound, edits))
}

/// Request line and fields, without framing. `is_json`: that is said of the body, whatever its client
/// says.
fn start_head(
    inbound: &Inbound,
    provider: &Provider,
    path: &[u8],
    is_json: bool,
) -> Result<Vec<u8>, Unserved> {
    let mut head = Vec::with_capacity(1024);
    let root = provider.endpoint.root.as_bytes();
    let (mark, query): (&[u8], &[u8]) = match inbound.head.query(&inbound.bytes) {
        Some(query) => (b"?", query),
        None => (b"", b""),
    };
    let method = inbound.head.method_name(&inbound.bytes);
    if !encode::request_line(&mut head, method, &[root, path, mark, query]) {
        return Err(Unserved::bug());
    }
    let facts = Facts {
        provider,
        translated: false,
        is_json,
        body_beta: None,
        credential: FIRST_KEY,
        fallback: false,
    };
    request_head::fields(&mut head, inbound, &facts).map_err(|_| no_credential(&provider.name))?;
    request_head::content_fields(&mut head, inbound, provider);
    Ok(head)
}

/// Of several credentials the first: what one has left at the provider (a file, a batch) the others
/// may not find there.
const FIRST_KEY: usize = 0;
