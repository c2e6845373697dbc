//! Answers that need no provider: the model list, one model, health, token estimates.

use crate::chat::rejection::Rejection;
use crate::http1::target::decode_id;
use crate::json::write::Writer;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::{model_allowlist, policy, request_options};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply::WholeAnswer;
use crate::proxy::own::catalogue;
use crate::proxy::shared::model_ids::bounded;
use crate::route::plan::target::Resolution;
use crate::translate::count;

/// `GET /v1/models`: what the key may use, in the client's wire.
///
/// # Errors
/// The page is none.
pub async fn models(inbound: &Inbound, exchange: &mut Exchange<'_, '_>) -> Result<Next, Rejection> {
    let body = catalogue::list(exchange.worker, inbound).map_err(|param| {
        Rejection::invalid(param, format!("{param}: {NO_SUCH_PAGE}")).with_word("bad_body")
    })?;
    Ok(exchange.send_json(&body).await)
}

/// `GET /v1/models/{id}`: an id with which the key could chat, found as for a chat.
///
/// # Errors
/// There is none that the key may use.
pub async fn model(
    inbound: &Inbound,
    id: &[u8],
    exchange: &mut Exchange<'_, '_>,
) -> Result<Next, Rejection> {
    let worker = exchange.worker;
    let mut decoded = Vec::new();
    decode_id(id, &mut decoded);
    let asked = String::from_utf8_lossy(&decoded).into_owned();
    exchange.record.model_asked = Some(bounded(&asked).into());
    let header = inbound.provider_header();
    let targets = match worker.plan.resolve(&asked, header, inbound.key.as_deref()) {
        Resolution::Found(targets) => targets,
        Resolution::Unknown { near } => return Err(model_allowlist::unknown(&asked, &near)),
        Resolution::UnknownProvider => return Err(request_options::unknown_provider()),
    };
    let by = (Some(&*asked), None);
    let targets = policy::admitted(&worker.plan, inbound, targets, by, &mut exchange.record)?;
    let body = catalogue::one(worker, inbound, &asked, &targets);
    Ok(exchange.send_json(&body).await)
}

/// `GET /healthz` and `/readyz`: one word.
pub async fn health(ready: bool, exchange: &mut Exchange<'_, '_>) -> Next {
    let (status, body): (u16, &[u8]) = if ready {
        (200, b"ok\n")
    } else {
        (503, b"draining\n")
    };
    let answer = WholeAnswer {
        status,
        content_type: "text/plain",
        fields: b"",
        body,
    };
    exchange.send(&answer).await
}

/// `count_tokens` where the provider has no such endpoint: an estimate, marked as one.
///
/// # Errors
/// The body is no such body.
pub async fn estimate(
    inbound: &Inbound,
    exchange: &mut Exchange<'_, '_>,
) -> Result<Next, Rejection> {
    let worker = exchange.worker;
    let counted = {
        let mut tape = worker.thread.tape.borrow_mut();
        count::estimate(inbound.body(), &mut tape, worker.limits())
    };
    let tokens = counted.map_err(|rejection| rejection.with_word("bad_body"))?;
    let mut body = Vec::with_capacity(32);
    Writer::new(&mut body)
        .open_object()
        .name("input_tokens")
        .number(tokens)
        .close_object();
    let fields = b"x-ringway-estimate: 1\r\n";
    Ok(exchange.send_json_with(fields, &body).await)
}

const NO_SUCH_PAGE: &str = "expected a limit from 1 to 1000, and ids of this list";
