//! Answers that need no provider: the model list, one model, health, token estimates.

use crate::chat::error::{ErrorKind, Refusal};
use crate::http1::target::decode_id;
use crate::json::write::Writer;
use crate::proxy::client::Client;
use crate::proxy::ids::{Page, bounded, unknown_model};
use crate::proxy::inbound::Inbound;
use crate::proxy::relay::Next;
use crate::proxy::reply::{self, Refused, Voice};
use crate::proxy::worker::Worker;
use crate::route::target::Resolution;
use crate::telemetry::exchange::Exchange;
use crate::translate::count;
use crate::wire::kind::Wire;

/// `GET /v1/models`: what the key may use, in the client's wire.
pub async fn models(
    client: &mut Client<'_>,
    worker: &Worker,
    inbound: &Inbound,
    voice: &Voice<'_>,
    exchange: &mut Exchange,
) -> Next {
    let mut body = Vec::with_capacity(1024);
    let mut w = Writer::new(&mut body);
    let listed = worker.plan.listed(inbound.key.as_deref());
    match inbound.wire {
        Wire::OpenAiChat => {
            w.open_object()
                .name("object")
                .string("list")
                .name("data")
                .open_array();
            for (id, owner) in listed {
                openai_model(&mut w, id, owner);
            }
            w.close_array().close_object();
        }
        Wire::AnthropicMessages => {
            let query = inbound.head.query(&inbound.bytes).unwrap_or_default();
            let page = Page::read(query).and_then(|page| page.of(&listed));
            let (page, has_more) = match page {
                Ok(page) => page,
                Err(param) => {
                    let refusal = Refusal::invalid(param, format!("{param}: {NO_SUCH_PAGE}"));
                    return refuse(client, exchange, voice, &refusal).await;
                }
            };
            w.open_object().name("data").open_array();
            for (id, _) in page {
                anthropic_model(&mut w, id);
            }
            w.close_array().name("has_more").boolean(has_more);
            for (name, end) in [("first_id", page.first()), ("last_id", page.last())] {
                w.name(name);
                match end {
                    Some((id, _)) => w.string(id),
                    None => w.null(),
                };
            }
            w.close_object();
        }
    }
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
            let refused = Refused::new(ErrorKind::NotFound, &message, "unknown_model")
                .param("model")
                .code("model_not_found");
            return reply::refuse(client, exchange, voice, &refused).await;
        }
        Resolution::UnknownProvider => {
            return reply::refuse(client, exchange, voice, &reply::UNKNOWN_PROVIDER).await;
        }
    };
    let mut body = Vec::with_capacity(256);
    let mut w = Writer::new(&mut body);
    match inbound.wire {
        Wire::OpenAiChat => openai_model(&mut w, &asked, worker.plan.owner(&targets)),
        Wire::AnthropicMessages => anthropic_model(&mut w, &asked),
    }
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
    let mut refused = Refused::new(refusal.kind, &refusal.message, "bad_body");
    refused.error.param = refusal.param.as_deref();
    refused.error.code = refusal.code;
    reply::refuse(client, exchange, voice, &refused).await
}

fn openai_model(w: &mut Writer<'_>, id: &str, owner: &str) {
    w.open_object()
        .name("id")
        .string(id)
        .name("object")
        .string("model");
    w.name("created")
        .number(MODEL_CREATED)
        .name("owned_by")
        .string(owner)
        .close_object();
}

fn anthropic_model(w: &mut Writer<'_>, id: &str) {
    w.open_object()
        .name("type")
        .string("model")
        .name("id")
        .string(id);
    w.name("display_name")
        .string(id)
        .name("created_at")
        .string(MODEL_CREATED_AT)
        .close_object();
}

/// The configuration knows no date of a model; both lists want one, so it is always the same.
const MODEL_CREATED: u64 = 1_735_689_600;
const MODEL_CREATED_AT: &str = "2025-01-01T00:00:00Z";

const NO_SUCH_PAGE: &str = "expected a limit from 1 to 1000, and ids of this list";
