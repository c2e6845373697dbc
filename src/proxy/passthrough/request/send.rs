//! A relayed request that has its target on its way there, and the answer's beginning.

use crate::http1::encode;
use crate::json::rewrite::Edits;
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::proxy::admit::admission::{self, Body, Cost, Relayed};
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::relay_metering::Metering;
use crate::proxy::admit::unserved::Missed;
use crate::proxy::answer::relay::Step;
use crate::proxy::answer::stages::{Answer, Arrived, Takeover, Terms};
use crate::proxy::chat::prepare::{self, no_credential};
use crate::proxy::client::downstream::Client;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply::{self, Refused, Voice};
use crate::proxy::passthrough::request::{Ready, Request};
use crate::proxy::passthrough::target::Routed;
use crate::proxy::passthrough::upload::{JudgeLate, Upload};
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::upstream::attempt::{self, At, Resend, Upstream};
use crate::proxy::upstream::outbound::Outbound;
use crate::proxy::upstream::request_head::{self, Facts};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::TargetFacts;
use crate::telemetry::attempts::Attempt;
use crate::telemetry::exchange::{Exchange, Outcome, TargetAsked};

impl<'w> Request<'_, 'w> {
    /// Sends a body that was read whole.
    pub(super) async fn send_held(
        &self,
        client: &mut Client<'_>,
        ready: &Ready<'_>,
        body: (&Edits, bool),
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        let index = ready.routed.asked.provider;
        let provider = self.provider(index)?;
        let started = clock::now();
        let out = held_request(ready.inbound, provider, self.path, body)?;
        exchange.target = Some(ready.routed.asked);
        let at = At {
            provider: index,
            facts: self.facts_of(&ready.routed)?,
            started,
            until: None,
            patience: None,
            resend: Resend::of(ready.inbound.head.method),
        };
        let upstream = attempt::attempt(client, self.worker, at, &out, exchange).await;
        self.deliver(client, ready, (started, upstream), exchange)
            .await
    }

    /// Asks for leave to send a request whose tokens are counted; any other has it. What the client
    /// is told of its rates is in the voice that comes back.
    pub(super) async fn admit<'l>(
        &self,
        client: &mut Client<'_>,
        (routed, body): (&Routed, Body<'_>),
        lines: &'l mut Vec<u8>,
        exchange: &mut Exchange,
    ) -> Result<Voice<'l>, Next>
    where
        Self: 'l,
    {
        exchange.price = routed.price;
        let Metering::Tokens { has_output } = self.metering else {
            return Ok(self.voice);
        };
        if let (None, Cost::Known(nanos)) = (routed.price, self.cost) {
            exchange.request_cost = Some(nanos);
        }
        let asked = Relayed {
            body,
            has_output,
            price: routed.price,
            output_max: routed.output_max,
            cost: self.cost,
        };
        let asked = (self.key.as_deref(), asked);
        let now = (self.worker, clock::now());
        let (voice, admitted) = admission::relayed(client, now, asked, &self.voice, lines).await;
        match admitted {
            Ok(()) => Ok(voice),
            Err(denied) => Err(reply::refuse(client, exchange, &voice, &denied.refused()).await),
        }
    }

    /// Sends a body as it comes.
    pub(super) async fn send_upload(
        &self,
        client: &mut Client<'_>,
        ready: &Ready<'_>,
        (upload, late): (Upload, &JudgeLate<'_>),
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        let index = ready.routed.asked.provider;
        let provider = self.provider(index)?;
        let started = clock::now();
        let out = start_head(ready.inbound, provider, self.path, false)?;
        exchange.target = Some(ready.routed.asked);
        let facts = self.facts_of(&ready.routed)?;
        let upstream = upload
            .run(client, (self.worker, index, facts), out, late, exchange)
            .await?;
        self.deliver(client, ready, (started, upstream), exchange)
            .await
    }

    fn provider(&self, index: usize) -> Result<&'w Provider, Missed> {
        let provider = self.worker.plan.providers.get(index);
        provider.ok_or_else(Missed::bug)
    }

    /// What is stated of the target.
    fn facts_of(&self, routed: &Routed) -> Result<&'w TargetFacts, Missed> {
        let TargetAsked {
            provider, number, ..
        } = routed.asked;
        let facts = self.worker.plan.stated_at(provider, number);
        facts.ok_or_else(Missed::bug)
    }

    /// Records the attempt and delivers its answer.
    async fn deliver(
        &self,
        client: &mut Client<'_>,
        ready: &Ready<'_>,
        (started, upstream): (Instant, Result<Box<Upstream>, Failure>),
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        let inbound = ready.inbound;
        let index = ready.routed.asked.provider;
        let provider = self.provider(index)?;
        // An upload comes at the client's pace: what the provider took begins behind it.
        let started = started.max(Instant::from_nanos(exchange.request_at));
        let mut record = Attempt {
            provider: index,
            number: exchange.target.and_then(|target| target.number),
            started_at: started.as_nanos(),
            peer: exchange.peer.take(),
            ..Attempt::default()
        };
        record.nanos = u64::try_from(clock::now().since(started).as_nanos()).unwrap_or(u64::MAX);
        let upstream = match upstream {
            Ok(upstream) => upstream,
            Err(failure) => {
                record.fault = Some(failure.verdict().word);
                record.detail.clone_from(&failure.detail);
                exchange.attempts.push(record);
                return Err(Missed::Failure(failure));
            }
        };
        record.status = upstream.head.status;
        exchange.attempts.push(record);
        if self.worker.count_refused(provider, upstream.head.status) {
            exchange.fault = Some(Kind::Credential.verdict().word);
        }
        let unread = ready.voice.unread && !upstream.sent_whole;
        let mut voice = Voice {
            unread,
            ..ready.voice
        };
        voice.frame.keep_alive &= !unread;
        let scrubber = self.worker.scrubber(index, inbound.callers_key());
        let answer = Answer {
            worker: self.worker,
            provider,
            tenant: self.tenant(),
            takeover: Takeover::default(),
            stage: Arrived {
                upstream,
                voice,
                method: inbound.head.method,
                terms: Terms::default(),
                stream: false,
                wire: None,
                reads_usage: self.metering.is_read(),
                scrubber,
            },
        };
        let stays: &mut dyn FnMut() -> bool = &mut || false;
        let delivered = boxed(|| answer.deliver(client, stays, exchange)).await;
        delivered.map_err(Missed::Failure)
    }

    /// Tells the client why its request was not relayed.
    pub(super) async fn tell(
        &self,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
        voice: &Voice<'_>,
        missed: Missed,
    ) -> Next {
        match missed {
            Missed::Gone => {
                exchange.outcome = Outcome::Cancelled;
                exchange.fault = Some(Kind::ClientGone.verdict().word);
                Next::Abort
            }
            Missed::Failure(failure) => {
                reply::refuse_failure(client, exchange, voice, &failure).await
            }
            Missed::Denied(denied) => reply::refuse_denied(client, exchange, voice, &denied).await,
            Missed::Refused(refused) => reply::refuse(client, exchange, voice, &refused).await,
            Missed::Refusal(refusal) => {
                let refused = Refused::of(&refusal, "refused");
                reply::refuse(client, exchange, voice, &refused).await
            }
        }
    }
}

fn held_request(
    inbound: &Inbound,
    provider: &Provider,
    path: &[u8],
    (edits, is_json): (&Edits, bool),
) -> Result<Outbound, Missed> {
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
) -> Result<Vec<u8>, Missed> {
    let mut head = Vec::with_capacity(1024);
    let root = provider.endpoint.root.as_bytes();
    let (mark, query): (&[u8], &[u8]) = match inbound.head.query(&inbound.bytes) {
        Some(query) => (b"?", query),
        None => (b"", b""),
    };
    let method = inbound.head.method_name(&inbound.bytes);
    if !encode::request_line(&mut head, method, &[root, path, mark, query]) {
        return Err(Missed::bug());
    }
    let facts = Facts {
        provider,
        translated: false,
        is_json,
        body_beta: None,
        credential: FIRST_KEY,
        fallback: false,
    };
    request_head::fields(&mut head, inbound, &facts)
        .map_err(|_| Missed::Refusal(no_credential(&provider.name)))?;
    request_head::content_fields(&mut head, inbound, provider);
    Ok(head)
}

/// Of several credentials the first: what one has left at the provider (a file, a batch) the others
/// may not find there.
const FIRST_KEY: usize = 0;
