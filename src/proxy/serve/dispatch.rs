//! One request from its head to its settling: what it is, whose it is, where it goes.

use std::borrow::Cow;
use std::sync::Arc;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::chat::small_str::SmallStr;
use crate::http1::head::RequestHead;
use crate::http1::method::Method;
use crate::http1::target::{self, ApiPath};
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::{buffers, random};
use crate::proxy::admit::admission::Cost;
use crate::proxy::admit::asked::Purpose;
use crate::proxy::admit::authentication::{self, Presented};
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::relay_metering::Metering;
use crate::proxy::admit::{admission, relay_permissions, request_options};
use crate::proxy::answer::relay::Step;
use crate::proxy::chat::attempts;
use crate::proxy::client::cors;
use crate::proxy::client::exchange::{Exchange, ReplySettings};
use crate::proxy::client::ingress::{self, BodyEnd, BodyRead, HeadRead};
use crate::proxy::client::next::Next;
use crate::proxy::client::rate_limit_headers::OwnLimits;
use crate::proxy::client::reply::WholeAnswer;
use crate::proxy::client::unserved::Unserved;
use crate::proxy::own::{catalogue, local, usage_api};
use crate::proxy::passthrough::request;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::endpoint::{self, Endpoint};
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::worker::Worker;
use crate::route::plan::client_key::KeyHandle;
use crate::telemetry::exchange::ExchangeRecord;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// Runs the exchange whose head has been read into the client's `input`; of a connection's last
/// request the answer says so. The record is filled on the way; settling it is the caller's, so that it
/// happens after a panic too.
pub async fn run<'w>(
    head: &mut RequestHead,
    read: HeadRead,
    is_last: bool,
    exchange: &mut Exchange<'_, 'w>,
) -> Step<'w> {
    let worker = exchange.worker;
    exchange.record.id = random::id(read.ended);
    exchange.record.started_at = read.started.as_nanos();
    exchange.record.request_at = read.ended.as_nanos();
    // What lies behind a head without a body is the next request, however this one is answered.
    let is_kept = !head.framing.is_empty() || {
        let budget = Arc::clone(&worker.thread.shared.budget);
        let charge = Charge::new(budget, usize::MAX);
        ingress::split_ahead(exchange.client, read.body_at, &charge).is_ok()
    };
    let input = &exchange.client.input;
    // A head's target is ASCII.
    let path = core::str::from_utf8(head.path(input)).unwrap_or_default();
    let path = SmallStr::from(path);
    let path = path.as_bytes();
    let api = target::api_path(path);
    let ApiPath { rest, versioned } = api.unwrap_or(ApiPath {
        rest: path,
        versioned: false,
    });
    let has_field = |name: &str| head.field(input, name).is_some();
    let by_version = codec::wire_with(|it| it.version_field.is_some_and(has_field));
    let endpoint = endpoint_of(worker, head, input, (rest, versioned), by_version);
    exchange.record.operation = endpoint.operation();
    let wire = endpoint.wire(rest, by_version);
    exchange.record.client_wire = Some(wire);
    exchange.record.trace = request_options::trace_id(head, input).map(SmallStr::from);
    let origin = head.field(input, "origin");
    let exposed = &worker.plan.custody.exposed;
    exchange.reply = ReplySettings {
        wire,
        version: head.version,
        keep_alive: head.keep_alive && !is_last,
        head_only: head.method == Method::Head,
        unread: !head.framing.is_empty() || !is_kept,
        fields: cors::lines(origin, &worker.plan.server.cors_origins, exposed),
        own_limits: OwnLimits::default(),
    };
    if let Err(fault) = api {
        let rejection = Rejection::new(ErrorKind::InvalidRequest, fault.text(), "bad_path");
        return Step::Over(exchange.reject(&rejection).await);
    }
    if is_doubled(path) {
        worker.thread.meter.borrow_mut().counters.doubled_prefix += 1;
    }
    let request = Request {
        endpoint,
        path: rest,
        versioned,
        body_at: read.body_at,
    };
    let served = match is_kept {
        true => request.admitted(head, exchange).await,
        false => Err(BodyEnd::NoRoom.into()),
    };
    match served {
        Ok(step) => step,
        Err(unserved) => Step::Over(exchange.tell_unserved(unserved).await),
    }
}

struct Request<'r> {
    endpoint: Endpoint<'r>,
    path: &'r [u8],
    /// `/v1` stood before it.
    versioned: bool,
    body_at: usize,
}

impl Request<'_> {
    /// Health, unknown paths, methods and keys; then the endpoint itself.
    async fn admitted<'w>(
        mut self,
        head: &mut RequestHead,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let worker = exchange.worker;
        if head.method == Method::Options {
            return Ok(Step::Over(self.options(head, exchange).await));
        }
        match self.endpoint {
            Endpoint::Healthz if self.takes(head.method) => {
                return Ok(Step::Over(local::health(true, exchange).await));
            }
            Endpoint::Readyz if self.takes(head.method) => {
                let is_unread = worker.thread.keys.borrow().is_unread();
                let ready = worker.thread.drain.phase() == Phase::Open && !is_unread;
                return Ok(Step::Over(local::health(ready, exchange).await));
            }
            Endpoint::Catalogue if self.takes(head.method) => {
                return Ok(Step::Over(boxed(|| catalogue::public(exchange)).await));
            }
            Endpoint::Misspelt(own) => {
                let message = format!("no such endpoint; expected `/v1{own}`, spelt like that");
                return Err(unknown_path(message));
            }
            Endpoint::Unknown => {
                let message = "no such endpoint; see docs/ENDPOINTS.md for the list of paths";
                return Err(unknown_path(message));
            }
            _ => {}
        }
        if !self.takes(head.method) {
            return Err(self.wrong_method().into());
        }
        let plan = &worker.plan;
        let input = &exchange.client.input;
        let mut presented =
            authentication::presented(head, input, plan.gateway_key_header.as_deref())?;
        let key = authentication::authorise(
            &worker.thread.keys.borrow(),
            &mut presented,
            input,
            clock::unix_millis,
        )?;
        note_sender(&mut exchange.record, key.as_ref());
        if is_compressed(head, &exchange.client.input) {
            let message = "compressed request bodies are not taken; send the body as it is";
            let rejection = Rejection::new(ErrorKind::InvalidRequest, message, "compressed");
            return Err(rejection.with_status(415).into());
        }
        if key.as_ref().is_some_and(|key| key.models.is_some()) {
            // A list of the provider's would show more than this key may use.
            self.endpoint = endpoint::classify(self.path, self.versioned);
            exchange.record.operation = self.endpoint.operation();
            if !self.takes(head.method) {
                return Err(self.wrong_method().into());
            }
        }
        if self.endpoint == Endpoint::Relay {
            return self.relayed(head, presented, key, exchange).await;
        }
        self.held(head, presented, key, exchange).await
    }

    /// Every other path of a provider's.
    async fn relayed<'w>(
        self,
        head: &mut RequestHead,
        presented: Presented,
        key: Option<KeyHandle>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        relay_permissions::judge(key.as_deref(), head.method, self.path)?;
        let worker = exchange.worker;
        let metering = Metering::of(head.method, self.path);
        let prices = &worker.plan.request_prices;
        let of_path = match metering {
            Metering::Free => None,
            Metering::Unknown { .. } | Metering::Tokens { .. } if prices.is_empty() => None,
            Metering::Unknown { .. } | Metering::Tokens { .. } => {
                prices.find(&relay_permissions::plain_path(self.path))
            }
        };
        let cost = match metering {
            Metering::Free => Some(Cost::Nothing),
            Metering::Unknown { .. } => Some(Cost::of_path(of_path)),
            // Asked for once the body tells its model.
            Metering::Tokens { .. } => None,
        };
        if let Some(cost) = cost {
            admission::request(key.as_deref(), cost, exchange).await?;
        }
        if matches!(metering, Metering::Unknown { .. }) {
            exchange.record.request_cost = of_path;
        }
        let relay = request::Request {
            metering,
            cost: Cost::of_path(of_path),
            worker,
            path: self.path,
            body_at: self.body_at,
            key,
            presented,
        };
        boxed(|| relay.run(head, exchange)).await
    }

    /// Endpoints whose body is read whole before anything else happens.
    async fn held<'w>(
        &self,
        head: &mut RequestHead,
        presented: Presented,
        key: Option<KeyHandle>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let worker = exchange.worker;
        let tenant = key.as_ref().map_or(usize::MAX, |key| key.tenant.number);
        let mut charge = Charge::new(Arc::clone(&worker.thread.shared.budget), tenant);
        let BodyRead { body, at } = ingress::read_body(
            exchange.client,
            self.body_at,
            head,
            worker.limits(),
            &mut charge,
            &worker.thread.shared.budget,
        )
        .await?;
        exchange.record.bytes_in = body.len() as u64;
        exchange.record.request_at = at.map_or(exchange.record.request_at, Instant::as_nanos);
        exchange.reply.unread = false;
        if let Some(rejection) = request_options::fault(head, &exchange.client.input) {
            return Err(rejection.into());
        }
        let inbound = Inbound {
            bytes: buffers::share(core::mem::take(&mut exchange.client.input)),
            head: core::mem::take(head),
            body,
            wire: exchange.reply.wire,
            key,
            presented,
        };
        let served = match self.endpoint {
            Endpoint::Models => over(local::models(&inbound, exchange).await),
            Endpoint::Model(id) => over(local::model(&inbound, id, exchange).await),
            Endpoint::Usage => over(usage_api::list(&inbound, exchange).await),
            Endpoint::Custody(id) => over(usage_api::custody(&inbound, id, exchange).await),
            Endpoint::CountTokens => {
                let purpose = Purpose::Count;
                boxed(|| attempts::run(&inbound, purpose, exchange)).await
            }
            _ => {
                let purpose = Purpose::Chat;
                boxed(|| attempts::run(&inbound, purpose, exchange)).await
            }
        };
        let Inbound {
            bytes, head: table, ..
        } = inbound;
        *head = table;
        exchange.client.input = buffers::unshare(bytes).unwrap_or_default();
        served
    }

    fn takes(&self, method: Method) -> bool {
        match self.endpoint {
            Endpoint::Chat(_) | Endpoint::CountTokens => method == Method::Post,
            Endpoint::Models
            | Endpoint::Model(_)
            | Endpoint::Catalogue
            | Endpoint::Usage
            | Endpoint::Custody(_)
            | Endpoint::Healthz
            | Endpoint::Readyz => {
                matches!(method, Method::Get | Method::Head)
            }
            Endpoint::Relay => method != Method::Other,
            Endpoint::Misspelt(_) | Endpoint::Unknown => true,
        }
    }

    async fn options(&self, head: &RequestHead, exchange: &mut Exchange<'_, '_>) -> Next {
        let allow = self.endpoint.allow();
        let mut fields = format!("allow: {allow}\r\n").into_bytes();
        let origins = &exchange.worker.plan.server.cors_origins;
        let origin = head.field(&exchange.client.input, "origin");
        if origin.is_some_and(|origin| cors::admits(origin, origins)) {
            cors::preflight(
                &mut fields,
                head.field(&exchange.client.input, "access-control-request-headers"),
                allow,
            );
        }
        let answer = WholeAnswer {
            status: 204,
            content_type: "",
            fields: &fields,
            body: b"",
        };
        exchange.send(&answer).await
    }

    fn wrong_method(&self) -> Rejection {
        let allow = format!("allow: {}\r\n", self.endpoint.allow());
        let message = "wrong method for this path; see the `allow` header";
        Rejection::new(ErrorKind::MethodNotAllowed, message, "wrong_method")
            .with_fields(allow.into_bytes())
    }
}

/// An answer of ours to what was asked.
fn over<'w>(answered: Result<Next, Rejection>) -> Result<Step<'w>, Unserved> {
    Ok(Step::Over(answered?))
}

fn unknown_path(message: impl Into<Cow<'static, str>>) -> Unserved {
    let rejection = Rejection::new(ErrorKind::NotFound, message, "unknown_path");
    rejection.with_code("unknown_url").into()
}

/// The sender is let in, with this key where keys are asked for.
fn note_sender(record: &mut ExchangeRecord, key: Option<&KeyHandle>) {
    record.is_admitted = true;
    record.tenant = key.map(|key| SmallStr::from(&*key.tenant.name));
    record.tenant_id = key.map(|key| SmallStr::from(&*key.tenant.id));
    record.key_id = key.map(|key| SmallStr::from(&*key.id));
}

/// What a path asks for under this configuration.
fn endpoint_of<'p>(
    worker: &Worker,
    head: &RequestHead,
    buf: &[u8],
    (rest, versioned): (&'p [u8], bool),
    by_version: Option<Wire>,
) -> Endpoint<'p> {
    let wire = by_version.unwrap_or_default();
    match endpoint::classify(rest, versioned) {
        // With no model configured the provider's own list is the list.
        Endpoint::Models if worker.plan.models.is_empty() => Endpoint::Relay,
        Endpoint::Model(id)
            if worker.plan.models.is_empty() && !is_ours(worker, head, buf, (id, wire)) =>
        {
            Endpoint::Relay
        }
        Endpoint::Catalogue if !worker.plan.server.public_catalogue => Endpoint::Unknown,
        Endpoint::Custody(_) if !worker.thread.keeps_records() => Endpoint::Unknown,
        Endpoint::Usage if !worker.lists_records() => Endpoint::Unknown,
        other => other,
    }
}

/// Whether any of the head's content codings says anything but that there is none.
fn is_compressed(head: &RequestHead, buf: &[u8]) -> bool {
    let mut codings = head.fields.values(buf, "content-encoding");
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// Whether no provider can say, where all models are the providers': the id leads past the one whose
/// list it is.
fn is_ours(worker: &Worker, head: &RequestHead, buf: &[u8], (id, wire): (&[u8], Wire)) -> bool {
    let mut asked = Vec::new();
    target::decode_id(id, &mut asked);
    matches!(head.method, Method::Get | Method::Head)
        && !request_options::names_provider(head, buf)
        && core::str::from_utf8(&asked).is_ok_and(|asked| worker.plan.leads_elsewhere(asked, wire))
}

fn is_doubled(path: &[u8]) -> bool {
    path.starts_with(b"/v1/v1/") || path == b"/v1/v1"
}
