//! Answers that need no provider: the model list, one model, health, token estimates.

use crate::chat::error::Refusal;
use crate::http1::target::decode_id;
use crate::json::write::Writer;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::policy;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply::{self, Refused, Voice};
use crate::proxy::own::catalogue;
use crate::proxy::shared::model_ids::{bounded, unknown_model};
use crate::proxy::shared::worker::Worker;
use crate::route::plan::target::Resolution;
use crate::telemetry::exchange::Exchange;
use crate::translate::count;

/// `GET /v1/models`: what the key may use, in the client's wire.
pub async fn models(
    client: &mut Client<'_>,
    worker: &Worker,
    inbound: &Inbound,
    voice: &Voice<'_>,
    exchange: &mut Exchange,
) -> Next {
    let body = match catalogue::list(worker, inbound) {
        Ok(body) => body,
        Err(param) => {
            let refusal = Refusal::invalid(param, format!("{param}: {NO_SUCH_PAGE}"));
            return refuse(client, exchange, voice, &refusal).await;
        }
    };
    reply::send(client, exchange, voice, (200, reply::JSON, b""), &body).await
}

/// `GET /v1/models/{id}`: an id with which the key could chat, found as for a chat.
pub async fn model(
    client: &mut Client<'_>,
    worker: &Worker,
    inbound: &Inbound,
    id: &[u8],
    voice: &Voice<'_>,
    exchange: &mut Exchange,
) -> Next {
    let mut decoded = Vec::new();
    decode_id(id, &mut decoded);
    let asked = String::from_utf8_lossy(&decoded).into_owned();
    exchange.model_asked = Some(bounded(&asked).into());
    let header = inbound.provider_header();
    let targets = match worker.plan.resolve(&asked, header, inbound.key.as_deref()) {
        Resolution::Found(targets) => targets,
        Resolution::Unknown { near } => {
            let message = unknown_model(&asked, &near);
            let refused = Refused::unknown_model(&message);
            return reply::refuse(client, exchange, voice, &refused).await;
        }
        Resolution::UnknownProvider => {
            return reply::refuse(client, exchange, voice, &reply::UNKNOWN_PROVIDER).await;
        }
    };
    let by = (Some(&*asked), None);
    let targets = match policy::admitted(&worker.plan, inbound, targets, by, exchange) {
        Ok(targets) => targets,
        Err(denied) => return reply::refuse_denied(client, exchange, voice, &denied).await,
    };
    let body = catalogue::one(worker, inbound, &asked, &targets);
    reply::send(client, exchange, voice, (200, reply::JSON, b""), &body).await
}

/// `GET /healthz` and `/readyz`: one word.
pub async fn health(
    client: &mut Client<'_>,
    ready: bool,
    voice: &Voice<'_>,
    exchange: &mut Exchange,
) -> Next {
    let (status, body): (u16, &[u8]) = if ready {
        (200, b"ok\n")
    } else {
        (503, b"draining\n")
    };
    reply::send(client, exchange, voice, (status, "text/plain", b""), body).await
}

/// `count_tokens` where the provider has no such endpoint: an estimate, marked as one.
pub async fn estimate(
    client: &mut Client<'_>,
    worker: &Worker,
    inbound: &Inbound,
    voice: &Voice<'_>,
    exchange: &mut Exchange,
) -> Next {
    let counted = {
        let mut tape = worker.tape.borrow_mut();
        count::estimate(inbound.body(), &mut tape, worker.limits())
    };
    let tokens = match counted {
        Ok(tokens) => tokens,
        Err(refusal) => return refuse(client, exchange, voice, &refusal).await,
    };
    let mut body = Vec::with_capacity(32);
    Writer::new(&mut body)
        .open_object()
        .name("input_tokens")
        .number(tokens)
        .close_object();
    let fields = b"x-ringway-estimate: 1\r\n";
    reply::send(client, exchange, voice, (200, reply::JSON, fields), &body).await
}

async fn refuse(
    client: &mut Client<'_>,
    exchange: &mut Exchange,
    voice: &Voice<'_>,
    refusal: &Refusal,
) -> Next {
    let refused = Refused::of(refusal, "bad_body");
    reply::refuse(client, exchange, voice, &refused).await
}

const NO_SUCH_PAGE: &str = "expected a limit from 1 to 1000, and ids of this list";
