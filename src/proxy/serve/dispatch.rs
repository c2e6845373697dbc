//! One request from its head to its settling: what it is, whose it is, where it goes.

use std::sync::Arc;

use crate::chat::error::ErrorKind;
use crate::chat::text::Text;
use crate::http1::head::RequestHead;
use crate::http1::method::Method;
use crate::http1::target::{self, ApiPath};
use crate::net::runtime::clock::{self, Instant};
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::{buffers, random};
use crate::proxy::admit::admission::Cost;
use crate::proxy::admit::asked::Purpose;
use crate::proxy::admit::authentication::{self, KeyFault, Presented};
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::relay_metering::Metering;
use crate::proxy::admit::unserved::unread_refusal;
use crate::proxy::admit::{admission, relay_permissions, request_options};
use crate::proxy::answer::relay::Step;
use crate::proxy::chat::attempts;
use crate::proxy::client::answer_head::{BodyForm, Frame};
use crate::proxy::client::cors;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::ingress::{self, BodyRead, BodyRefusal, HeadRead};
use crate::proxy::client::next::Next;
use crate::proxy::client::rate_limit_headers::OwnLimits;
use crate::proxy::client::reply::{self, Refused, Voice};
use crate::proxy::own::{catalogue, local, usage_api};
use crate::proxy::passthrough::request;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::endpoint::{self, Endpoint};
use crate::proxy::shared::failure::Kind;
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::worker::Worker;
use crate::route::plan::client_key::KeyHandle;
use crate::telemetry::exchange::{Exchange, Outcome};
use crate::wire::codec;
use crate::wire::kind::Wire;

/// Runs the exchange whose head has been read into `client.input`. The record is filled on the
/// way; settling it is the caller's, so that it happens after a panic too.
pub async fn run<'w>(
    client: &mut Client<'_>,
    worker: &'w Worker,
    head: &mut RequestHead,
    read: HeadRead,
    last: bool,
    exchange: &mut Exchange,
) -> Step<'w> {
    exchange.id = random::id(read.ended);
    exchange.started_at = read.started.as_nanos();
    exchange.request_at = read.ended.as_nanos();
    // What lies behind a head without a body is the next request, however this one is answered.
    let is_kept = !head.framing.is_empty() || {
        let budget = Arc::clone(&worker.shared.budget);
        let charge = Charge::new(budget, usize::MAX);
        ingress::split_ahead(client, read.body_at, &charge).is_ok()
    };
    // A head's target is ASCII.
    let path = core::str::from_utf8(head.path(&client.input)).unwrap_or_default();
    let path = Text::from(path);
    let path = path.as_bytes();
    let api = target::api_path(path);
    let ApiPath { rest, versioned } = api.unwrap_or(ApiPath {
        rest: path,
        versioned: false,
    });
    let has_field = |name: &str| head.field(&client.input, name).is_some();
    let by_version = codec::wire_with(|it| it.version_field.is_some_and(has_field));
    let endpoint = endpoint_of(worker, head, &client.input, (rest, versioned), by_version);
    exchange.operation = endpoint.operation();
    let wire = endpoint.wire(rest, by_version);
    exchange.client_wire = Some(wire);
    let origin = head.field(&client.input, "origin");
    let exposed = &worker.plan.custody.exposed;
    let extra = cors::lines(origin, &worker.plan.server.cors_origins, exposed);
    exchange.trace = request_options::trace_id(head, &client.input).map(Text::from);
    let frame = Frame {
        id: exchange.id,
        version: head.version,
        keep_alive: head.keep_alive && !last,
        body: BodyForm::None,
        extra: &extra,
        custody: &worker.plan.custody,
        dates: &worker.dates,
        drain: &worker.drain,
        own_limits: OwnLimits::default(),
    };
    let voice = Voice {
        wire,
        frame,
        head_only: head.method == Method::Head,
        unread: !head.framing.is_empty() || !is_kept,
        stall_ms: worker.limits().write_stall_timeout_ms,
        timing: worker.plan.server.server_timing,
    };
    if let Err(fault) = api {
        let refused = Refused::new(ErrorKind::InvalidRequest, fault.text(), "bad_path");
        return Step::Over(reply::refuse(client, exchange, &voice, &refused).await);
    }
    if is_doubled(path) {
        worker.meter.borrow_mut().counters.doubled_prefix += 1;
    }
    let request = Request {
        worker,
        endpoint,
        path: rest,
        versioned,
        body_at: read.body_at,
        voice,
    };
    if !is_kept {
        return Step::Over(
            request
                .refuse_unread(client, exchange, BodyRefusal::NoRoom)
                .await,
        );
    }
    request.admitted(client, head, exchange).await
}

struct Request<'r, 'w> {
    worker: &'w Worker,
    endpoint: Endpoint<'r>,
    path: &'r [u8],
    /// `/v1` stood before it.
    versioned: bool,
    body_at: usize,
    voice: Voice<'r>,
}

impl<'w> Request<'_, 'w> {
    /// Health, unknown paths, methods and keys; then the endpoint itself.
    async fn admitted(
        mut self,
        client: &mut Client<'_>,
        head: &mut RequestHead,
        exchange: &mut Exchange,
    ) -> Step<'w> {
        if head.method == Method::Options {
            return Step::Over(self.options(client, head, exchange).await);
        }
        match self.endpoint {
            Endpoint::Healthz if self.takes(head.method) => {
                return Step::Over(local::health(client, true, &self.voice, exchange).await);
            }
            Endpoint::Readyz if self.takes(head.method) => {
                let is_unread = self.worker.keys.borrow().is_unread();
                let ready = self.worker.drain.phase() == Phase::Open && !is_unread;
                return Step::Over(local::health(client, ready, &self.voice, exchange).await);
            }
            Endpoint::Catalogue if self.takes(head.method) => {
                let step = catalogue::public(client, self.worker, &self.voice, exchange);
                return Step::Over(boxed(|| step).await);
            }
            Endpoint::Misspelt(own) => {
                let message = format!("no such endpoint; expected `/v1{own}`, spelt like that");
                return Step::Over(self.refuse_path(client, exchange, &message).await);
            }
            Endpoint::Unknown => {
                let message = "no such endpoint; see docs/ENDPOINTS.md for the list of paths";
                return Step::Over(self.refuse_path(client, exchange, message).await);
            }
            _ => {}
        }
        if !self.takes(head.method) {
            return Step::Over(self.refuse_method(client, exchange).await);
        }
        let plan = &self.worker.plan;
        let found =
            authentication::presented(head, &client.input, plan.gateway_key_header.as_deref());
        let judged = found.and_then(|mut presented| {
            let keys = self.worker.keys.borrow();
            let key = authentication::authorise(
                &keys,
                &mut presented,
                &client.input,
                clock::unix_millis,
            )?;
            Ok((presented, key))
        });
        let (presented, key) = match judged {
            Ok(judged) => judged,
            Err(fault) => return Step::Over(self.refuse_key(client, exchange, fault).await),
        };
        note_sender(exchange, key.as_ref());
        if is_compressed(head, &client.input) {
            let message = "compressed request bodies are not taken; send the body as it is";
            let refused =
                Refused::new(ErrorKind::InvalidRequest, message, "compressed").status(415);
            return Step::Over(reply::refuse(client, exchange, &self.voice, &refused).await);
        }
        if key.as_ref().is_some_and(|key| key.models.is_some()) {
            // A list of the provider's would show more than this key may use.
            self.endpoint = endpoint::classify(self.path, self.versioned);
            exchange.operation = self.endpoint.operation();
            if !self.takes(head.method) {
                return Step::Over(self.refuse_method(client, exchange).await);
            }
        }
        if self.endpoint == Endpoint::Relay {
            return self.relayed(client, head, (presented, key), exchange).await;
        }
        self.held(client, head, (presented, key), exchange).await
    }

    /// Every other path of a provider's.
    async fn relayed(
        self,
        client: &mut Client<'_>,
        head: &mut RequestHead,
        (presented, key): (Presented, Option<KeyHandle>),
        exchange: &mut Exchange,
    ) -> Step<'w> {
        if let Err(denied) = relay_permissions::judge(key.as_deref(), head.method, self.path) {
            let told = reply::refuse_denied(client, exchange, &self.voice, &denied);
            return Step::Over(told.await);
        }
        let metering = Metering::of(head.method, self.path);
        let prices = &self.worker.plan.request_prices;
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
        let mut lines = Vec::new();
        let at = Instant::from_nanos(exchange.request_at);
        let (voice, admitted) = match cost {
            Some(cost) => {
                let asked = (key.as_deref(), cost);
                admission::request(client, (self.worker, at), asked, &self.voice, &mut lines).await
            }
            None => (self.voice, Ok(())),
        };
        if let Err(denied) = admitted {
            let refused = denied.refused();
            return Step::Over(reply::refuse(client, exchange, &voice, &refused).await);
        }
        if matches!(metering, Metering::Unknown { .. }) {
            exchange.request_cost = of_path;
        }
        let relay = request::Request {
            metering,
            cost: Cost::of_path(of_path),
            worker: self.worker,
            path: self.path,
            body_at: self.body_at,
            voice,
            key,
            presented,
        };
        boxed(|| relay.run(client, head, exchange)).await
    }

    /// Endpoints whose body is read whole before anything else happens.
    async fn held(
        &self,
        client: &mut Client<'_>,
        head: &mut RequestHead,
        (presented, key): (Presented, Option<KeyHandle>),
        exchange: &mut Exchange,
    ) -> Step<'w> {
        let worker = self.worker;
        let tenant = key.as_ref().map_or(usize::MAX, |key| key.tenant.number);
        let mut charge = Charge::new(Arc::clone(&worker.shared.budget), tenant);
        let read = ingress::read_body(
            client,
            self.body_at,
            head,
            worker.limits(),
            &mut charge,
            &worker.shared.budget,
        )
        .await;
        let BodyRead { body, at } = match read {
            Ok(read) => read,
            Err(refusal) => return Step::Over(self.refuse_unread(client, exchange, refusal).await),
        };
        exchange.bytes_in = body.len() as u64;
        exchange.request_at = at.map_or(exchange.request_at, Instant::as_nanos);
        let voice = Voice {
            unread: false,
            ..self.voice
        };
        if let Some(refused) = request_options::fault(head, &client.input) {
            return Step::Over(reply::refuse(client, exchange, &voice, &refused).await);
        }
        let inbound = Inbound {
            bytes: buffers::share(core::mem::take(&mut client.input)),
            head: core::mem::take(head),
            body,
            wire: self.voice.wire,
            key,
            presented,
        };
        let step = match self.endpoint {
            Endpoint::Models => {
                Step::Over(local::models(client, worker, &inbound, &voice, exchange).await)
            }
            Endpoint::Model(id) => {
                Step::Over(local::model(client, worker, &inbound, id, &voice, exchange).await)
            }
            Endpoint::Usage => {
                Step::Over(usage_api::list(client, worker, &inbound, &voice, exchange).await)
            }
            Endpoint::Custody(id) => {
                Step::Over(usage_api::custody(client, worker, &inbound, id, &voice, exchange).await)
            }
            Endpoint::CountTokens => {
                let purpose = Purpose::Count;
                boxed(|| attempts::run(client, worker, &inbound, &voice, purpose, exchange)).await
            }
            _ => {
                let purpose = Purpose::Chat;
                boxed(|| attempts::run(client, worker, &inbound, &voice, purpose, exchange)).await
            }
        };
        let Inbound {
            bytes, head: table, ..
        } = inbound;
        *head = table;
        client.input = buffers::unshare(bytes).unwrap_or_default();
        step
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

    async fn options(
        &self,
        client: &mut Client<'_>,
        head: &RequestHead,
        exchange: &mut Exchange,
    ) -> Next {
        let allow = self.endpoint.allow();
        let mut fields = format!("allow: {allow}\r\n").into_bytes();
        let origins = &self.worker.plan.server.cors_origins;
        let origin = head.field(&client.input, "origin");
        if origin.is_some_and(|origin| cors::admits(origin, origins)) {
            cors::preflight(
                &mut fields,
                head.field(&client.input, "access-control-request-headers"),
                allow,
            );
        }
        reply::send(client, exchange, &self.voice, (204, "", &fields), b"").await
    }

    async fn refuse_path(
        &self,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
        message: &str,
    ) -> Next {
        let refused = Refused::new(ErrorKind::NotFound, message, "unknown_path");
        let refused = refused.code("unknown_url");
        reply::refuse(client, exchange, &self.voice, &refused).await
    }

    async fn refuse_method(&self, client: &mut Client<'_>, exchange: &mut Exchange) -> Next {
        let allow = format!("allow: {}\r\n", self.endpoint.allow());
        let message = "wrong method for this path; see the `allow` header";
        let refused = Refused::new(ErrorKind::MethodNotAllowed, message, "wrong_method")
            .fields(allow.as_bytes());
        reply::refuse(client, exchange, &self.voice, &refused).await
    }

    async fn refuse_key(
        &self,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
        fault: KeyFault,
    ) -> Next {
        let (kind, fields): (_, &[u8]) = match fault {
            KeyFault::Unread => (ErrorKind::Overloaded, b"retry-after: 1\r\n"),
            KeyFault::Two | KeyFault::Missing | KeyFault::Unknown | KeyFault::Expired => {
                (ErrorKind::Authentication, b"www-authenticate: Bearer\r\n")
            }
        };
        let refused = Refused::new(kind, fault.text(), fault.word()).fields(fields);
        reply::refuse(client, exchange, &self.voice, &refused).await
    }

    async fn refuse_unread(
        &self,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
        refusal: BodyRefusal,
    ) -> Next {
        let Some(refused) = unread_refusal(refusal) else {
            exchange.outcome = Outcome::Cancelled;
            exchange.fault = Some(Kind::ClientGone.verdict().word);
            return Next::Abort;
        };
        reply::refuse(client, exchange, &self.voice, &refused).await
    }
}

/// The sender is let in, with this key where keys are asked for.
fn note_sender(exchange: &mut Exchange, key: Option<&KeyHandle>) {
    exchange.is_admitted = true;
    exchange.tenant = key.map(|key| Text::from(&*key.tenant.name));
    exchange.tenant_id = key.map(|key| Text::from(&*key.tenant.id));
    exchange.key_id = key.map(|key| Text::from(&*key.id));
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
        Endpoint::Custody(_) if !worker.keeps_records() => Endpoint::Unknown,
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
