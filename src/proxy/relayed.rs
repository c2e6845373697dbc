//! Every other path under `/v1`: bytes both ways, streamed, all methods.
//!
//! A JSON body is held so that its `model` can choose the provider (and an alias be renamed by
//! span) and the gateway's own members be taken out; any other body goes through as it comes (see
//! `upload`), under a limit of its own. There is one attempt and no look into the answer.

use core::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use crate::chat::error::{ErrorKind, Refusal};
use crate::http1::body::BodyFault;
use crate::http1::encode;
use crate::http1::framing::Framing;
use crate::http1::head::RequestHead;
use crate::http1::target as url;
use crate::json::rewrite::Edits;
use crate::net::boxed::boxed;
use crate::net::clock::{self, Instant};
use crate::proxy::admission::{self, Cost, Relayed};
use crate::proxy::answer::Delivery;
use crate::proxy::auth::Presented;
use crate::proxy::body_label::{self, Label};
use crate::proxy::budget::Charge;
use crate::proxy::client::Client;
use crate::proxy::failure::{Failure, Kind};
use crate::proxy::inbound::Inbound;
use crate::proxy::ingress::{self, Begun, BodyRefusal};
use crate::proxy::limited::{self, Limited};
use crate::proxy::metered::Metering;
use crate::proxy::missed::{Missed, unread};
use crate::proxy::policy;
use crate::proxy::prepare::{self, no_credential};
use crate::proxy::relay::{Next, Step};
use crate::proxy::relay_target::{self, By, Others, Routed};
use crate::proxy::reply::{self, Refused, Voice};
use crate::proxy::upload::Upload;
use crate::proxy::upstream::{self, At, Outbound, Upstream};
use crate::proxy::upstream_head::{self, Facts};
use crate::proxy::wishes;
use crate::proxy::worker::Worker;
use crate::route::client_key::KeyHandle;
use crate::route::target::TargetFacts;
use crate::route::upstream::Provider;
use crate::telemetry::attempts::Attempt;
use crate::telemetry::exchange::{Exchange, Outcome, TargetAsked};
use crate::translate::notes::Notes;
use crate::wire::known::{self, Known};
use crate::wire::peek;
use crate::wire::peek_edits::{Overrides, edits_for};
use crate::wire::peek_fault::PeekFault;

/// A relayed request of which the head has been judged.
pub struct Request<'r, 'w> {
    /// This worker.
    pub worker: &'w Worker,
    /// The path behind `/v1`.
    pub path: &'r [u8],
    /// Where the body starts in the client's buffer.
    pub body_at: usize,
    /// How answers of ours are written.
    pub voice: Voice<'r>,
    /// The client's key.
    pub key: Option<KeyHandle>,
    /// What the head presented.
    pub presented: Presented,
    /// What is known of what it takes.
    pub metering: Metering,
    /// What it costs, where its tokens have no price.
    pub cost: Cost,
}

/// A request that is ready to be sent.
struct Ready<'r> {
    inbound: &'r Inbound,
    routed: Routed,
    /// What the client is told with all answers.
    voice: Voice<'r>,
}

/// What was done with a body before it is known where it goes.
enum Way {
    /// It was read whole, and lies here.
    Held(Range<usize>),
    /// It is longer than what is held: as much was read.
    Begun(Begun),
    /// It is said to be longer than what is held.
    TooLong,
    /// It is left alone: it is no JSON.
    Unread,
}

/// How a body is taken in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Whole, before it goes on.
    Whole,
    /// Not at all, for its length.
    TooLong,
    /// Not at all, for what it is.
    Apart,
}

impl<'w> Request<'_, 'w> {
    /// Runs the request.
    pub async fn run(
        mut self,
        client: &mut Client<'_>,
        head: &mut RequestHead,
        exchange: &mut Exchange,
    ) -> Step<'w> {
        match self.take_in(client, head, exchange).await {
            Ok(step) => step,
            Err(missed) => Step::Over(tell(client, exchange, &self.voice, missed).await),
        }
    }

    /// The tenant's number; past all of them without a key.
    fn tenant(&self) -> usize {
        self.key
            .as_ref()
            .map_or(usize::MAX, |key| key.tenant.number)
    }

    /// Takes the body in, as far as it is held, and relays it.
    async fn take_in(
        &mut self,
        client: &mut Client<'_>,
        head: &mut RequestHead,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        if let Some(query) = head.query(&client.input) {
            url::check_query(query).map_err(|fault| {
                let text = fault.text();
                Missed::Refused(Refused::new(ErrorKind::InvalidRequest, text, "bad_query"))
            })?;
            self.limited()
                .map_or(Ok(()), |rule| rule.judge_query(query))?;
        }
        self.limited().map_or(Ok(()), |rule| rule.judge_path())?;
        let label = Label::of(head, &client.input)
            .ok_or_else(|| Missed::Refused(body_label::two_labels()))?;
        let mut charge = Charge::new(Arc::clone(&self.worker.shared.budget), self.tenant());
        let way = self.take_body(client, head, &label, &mut charge).await?;
        let mut body = self.body_at..self.body_at;
        if let Way::Held(held) = &way {
            body = held.clone();
            self.voice.unread = false;
            exchange.bytes_in = body.len() as u64;
        }
        if let Some(refused) = wishes::fault(head, &client.input) {
            return Err(Missed::Refused(refused));
        }
        let mut rest = core::mem::take(&mut client.input);
        let first_part = match way {
            Way::Held(_) => rest.len(),
            Way::Begun(_) | Way::TooLong | Way::Unread => self.body_at,
        };
        let others = match way {
            Way::Begun(_) | Way::TooLong => Others::Any,
            Way::Held(_) | Way::Unread => Others::None,
        };
        let inbound = Inbound {
            bytes: Rc::new(ingress::split_front(&mut rest, first_part)),
            head: core::mem::take(head),
            body,
            wire: self.voice.wire,
            key: self.key.clone(),
            presented: core::mem::take(&mut self.presented),
        };
        let upload = match way {
            Way::Begun(begun) => Upload::begun(&inbound.head, begun, rest, charge),
            Way::Held(_) => {
                let done = self.relay_held(client, &inbound, &label, exchange).await;
                *head = inbound.head;
                return done;
            }
            Way::TooLong | Way::Unread => {
                client.input = rest;
                match self.new_upload(&inbound.head, label) {
                    Ok(upload) => upload,
                    Err(missed) => {
                        *head = inbound.head;
                        return Err(missed);
                    }
                }
            }
        };
        let upload = (upload, others);
        let done = self.relay_upload(client, &inbound, upload, exchange).await;
        *head = inbound.head;
        done
    }

    /// Takes the body in, as far as it is held.
    async fn take_body(
        &self,
        client: &mut Client<'_>,
        head: &mut RequestHead,
        label: &Label,
        charge: &mut Charge,
    ) -> Result<Way, Missed> {
        match self.look(client, head, label).await? {
            Look::Whole => {}
            Look::TooLong => return Ok(Way::TooLong),
            Look::Apart => return Ok(Way::Unread),
        }
        let budget = &self.worker.shared.budget;
        let limits = self.worker.limits();
        if self.may_be_longer(head, &client.input) {
            let read =
                ingress::read_start(client, self.body_at, head, limits, charge, budget).await;
            return Ok(match read.map_err(unread)? {
                Ok(read) => Way::Held(read.body),
                Err(begun) => Way::Begun(begun),
            });
        }
        let read = ingress::read_body(client, self.body_at, head, limits, charge, budget).await;
        let read = read.map_err(|refusal| self.too_long(refusal))?;
        Ok(Way::Held(read.body))
    }

    /// How the body is taken in. Whole before it goes on: JSON, and of a key that may use some models
    /// alone everything in which a provider could find one, but for forms that are read on their
    /// way. JSON too long to be held goes on unread where its model makes no difference.
    async fn look(
        &self,
        client: &mut Client<'_>,
        head: &mut RequestHead,
        label: &Label,
    ) -> Result<Look, Missed> {
        let is_limited = self.limited().is_some();
        if is_limited && matches!(label, Label::BrokenForm) {
            return Err(Missed::Refused(body_label::unreadable_form()));
        }
        if head.framing.is_empty() {
            return Ok(Look::Whole);
        }
        let limits = self.worker.limits();
        if !matches!(label, Label::Json | Label::Encoded) {
            let is_like_json = label.is_doubtful(is_limited)
                && body_label::begins_like_json(client, self.body_at, head, limits)
                    .await
                    .map_err(unread)?;
            if !is_like_json {
                return Ok(Look::Apart);
            }
        }
        match head.framing {
            Framing::Length(length) if length > limits.body_bytes_max as u64 && !is_limited => {
                match self.leads_one_way(head, &client.input) {
                    true => Ok(Look::TooLong),
                    false => Err(Missed::Refused(body_label::too_long_to_read())),
                }
            }
            _ => Ok(Look::Whole),
        }
    }

    /// Whether a body whose length nobody knows may go on when it turns out too long to be held.
    fn may_be_longer(&self, head: &RequestHead, buf: &[u8]) -> bool {
        head.framing == Framing::Chunked
            && self.limited().is_none()
            && self.leads_one_way(head, buf)
    }

    /// What a client is told whose body was not read; one too long to be looked into has a cure.
    fn too_long(&self, refusal: BodyRefusal) -> Missed {
        match refusal {
            BodyRefusal::Fault(BodyFault::TooLarge) if self.limited().is_none() => {
                Missed::Refused(body_label::too_long_to_read())
            }
            other => unread(other),
        }
    }

    /// Whether a body that cannot be looked into has one place to go, whichever model it names.
    fn leads_one_way(&self, head: &RequestHead, buf: &[u8]) -> bool {
        wishes::names_provider(head, buf)
            || self.path == limited::BATCHES
            || self.worker.plan.leads_one_way()
    }

    /// The rule for the key, if it may use some models alone.
    fn limited(&self) -> Option<Limited<'_>> {
        Limited::of(self.key.as_deref(), &self.worker.plan, self.path)
    }

    /// A body that was read whole: its `model` decides where it goes.
    async fn relay_held(
        &self,
        client: &mut Client<'_>,
        inbound: &Inbound,
        label: &Label,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        let body = inbound.body();
        let is_encoded = matches!(label, Label::Encoded) && !body_label::is_like_json(body);
        let limited = self.limited().filter(|_| !body.is_empty());
        if is_encoded && limited.is_some() {
            return Err(Missed::Refused(body_label::encoded_form()));
        }
        let limits = self.worker.limits();
        let read = match body.is_empty() || is_encoded {
            true => None,
            false => match peek::peek_relayed(body, limits) {
                Ok(peek) => Some(peek),
                Err(fault) if fault.is_limit() && limited.is_none() => {
                    match self.leads_one_way(&inbound.head, &inbound.bytes) {
                        true => None,
                        false => return Err(Missed::Refusal(body_label::too_deep_to_read(&fault))),
                    }
                }
                Err(fault) => return Err(bad_body(fault)),
            },
        };
        let is_read = read.is_some() || body.is_empty();
        let is_json = read.is_some() && label.misleads(&inbound.head, &inbound.bytes);
        let peek = read.unwrap_or_default();
        let named = peek.kind(Known::Model) == Some(known::Kind::String);
        if let Some(limited) = limited {
            limited.judge(body, named, limits)?;
        }
        let asked = named.then(|| peek.model(body).decode());
        let tier = policy::tier(&self.worker.plan, inbound, Some(&peek)).map_err(Missed::Denied)?;
        let by = (asked.as_deref(), tier.as_deref());
        let beside = policy::beside(self.worker, inbound, by, false);
        let others = match is_read {
            true => Others::Named(&beside),
            false => Others::Any,
        };
        let by = By {
            model: asked.as_deref(),
            tier: tier.as_deref(),
            others,
        };
        let routed = relay_target::route(&self.worker.plan, inbound, by, exchange)?;
        let overrides = Overrides {
            model: routed.renamed.as_ref().map(|target| &*target.model),
            inject_usage: false,
        };
        let edits = edits_for(&peek, &overrides);
        let mut lines = Vec::new();
        let asked = (&routed, body, body.len() as u64);
        let voice = match self.admit(client, asked, &mut lines, exchange).await {
            Ok(voice) => voice,
            Err(next) => return Ok(Step::Over(next)),
        };
        let ready = Ready {
            inbound,
            routed,
            voice,
        };
        let sent = self.send_held(client, &ready, (&edits, is_json), exchange);
        match sent.await {
            Ok(step) => Ok(step),
            Err(missed) => Ok(Step::Over(
                tell(client, exchange, &ready.voice, missed).await,
            )),
        }
    }

    /// Sends a body that was read whole.
    async fn send_held(
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
        };
        let upstream = upstream::attempt(client, self.worker, at, &out, exchange).await;
        self.deliver(client, ready, (started, upstream), exchange)
            .await
    }

    /// Asks for leave to send a request whose tokens are counted; any other has it. What the client
    /// is told of its rates is in the voice that comes back.
    async fn admit<'l>(
        &self,
        client: &mut Client<'_>,
        (routed, body, length): (&Routed, &[u8], u64),
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
            length,
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

    /// A body of which nothing has come yet.
    fn new_upload(&self, head: &RequestHead, label: Label) -> Result<Upload, Missed> {
        let form = match label {
            Label::Form(finder) => Some(finder),
            _ => None,
        };
        let must_name = self.limited().is_some_and(|rule| rule.must_name());
        if must_name && form.is_none() {
            return Err(limited::unnamed());
        }
        let mut upload = Upload::new(head, self.worker.limits(), form)?;
        upload.must_name = must_name;
        Ok(upload)
    }

    /// A body that goes through as it comes; of a form, the start is held until its `model` is
    /// found.
    async fn relay_upload(
        &self,
        client: &mut Client<'_>,
        inbound: &Inbound,
        (mut upload, others): (Upload, Others<'_>),
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        upload.read_ahead(client, self.worker.limits()).await?;
        let tier = policy::tier(&self.worker.plan, inbound, None).map_err(Missed::Denied)?;
        let asked = upload.model().map(str::to_owned);
        let by = By {
            model: asked.as_deref(),
            tier: tier.as_deref(),
            others,
        };
        let routed = relay_target::route(&self.worker.plan, inbound, by, exchange)?;
        if let Some(target) = &routed.renamed {
            upload.rename(&target.model);
        }
        let length = match inbound.head.framing {
            Framing::Length(length) => length,
            _ => 0,
        };
        let mut lines = Vec::new();
        let asked = (&routed, &[][..], length);
        let voice = match self.admit(client, asked, &mut lines, exchange).await {
            Ok(voice) => voice,
            Err(next) => return Ok(Step::Over(next)),
        };
        let chosen = routed.asked;
        let late = |model: &str| {
            let by = By {
                model: Some(model),
                ..by
            };
            relay_target::judge_late(&self.worker.plan, inbound, by, chosen)
        };
        let ready = Ready {
            inbound,
            routed,
            voice,
        };
        let sent = self.send_upload(client, &ready, (upload, &late), exchange);
        match sent.await {
            Ok(step) => Ok(step),
            Err(missed) => Ok(Step::Over(
                tell(client, exchange, &ready.voice, missed).await,
            )),
        }
    }

    /// Sends a body as it comes.
    async fn send_upload(
        &self,
        client: &mut Client<'_>,
        ready: &Ready<'_>,
        (upload, late): (Upload, &dyn Fn(&str) -> Result<(), Missed>),
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
        let delivery = Delivery {
            worker: self.worker,
            provider,
            voice,
            method: inbound.head.method,
            answer: None,
            notes: Notes::new(),
            stream: false,
            strip_usage: false,
            hold: None,
            patience: None,
            pace: None,
            wire: None,
            reads_usage: self.metering.is_read(),
            scrubber,
            tenant: self.tenant(),
        };
        let stays: &mut dyn FnMut() -> bool = &mut || false;
        let delivered = boxed(|| delivery.run(client, upstream, stays, exchange)).await;
        delivered.map_err(Missed::Failure)
    }
}

/// Tells the client why its request was not relayed.
async fn tell(
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
        Missed::Failure(failure) => reply::refuse_failure(client, exchange, voice, &failure).await,
        Missed::Denied(denied) => reply::refuse_denied(client, exchange, voice, &denied).await,
        Missed::Refused(refused) => reply::refuse(client, exchange, voice, &refused).await,
        Missed::Refusal(refusal) => {
            let refused = Refused::of(&refusal, "refused");
            reply::refuse(client, exchange, voice, &refused).await
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
    upstream_head::fields(&mut head, inbound, &facts)
        .map_err(|_| Missed::Refusal(no_credential(&provider.name)))?;
    upstream_head::content_fields(&mut head, inbound, provider);
    Ok(head)
}

fn bad_body(fault: PeekFault) -> Missed {
    Missed::Refusal(Refusal {
        kind: ErrorKind::InvalidRequest,
        message: fault.to_string(),
        param: fault.param.map(|param| param.to_string()),
        code: None,
    })
}

/// Of several credentials the first: what one has left at the provider (a file, a batch) the others
/// may not find there.
const FIRST_KEY: usize = 0;
