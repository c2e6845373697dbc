//! What clients ask about their own usage: one record by its id, or a page of them.
//!
//! Foreign and absent records look alike, in time too: see `server::ledger`.

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::govern::usage::listing::{Listing, ListingFault};
use crate::govern::usage::record::id_of;
use crate::http1::target::query_pairs;
use crate::limits::USAGE_ANSWER_TIMEOUT;
use crate::net::runtime::{clock, timer};
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::shared::query_slots::Owner;
use crate::proxy::shared::usage_channel::{QuestionRejected, RecordAnswer};

/// `GET /api/usage/custody/{request_id}`: the whole record of one exchange.
///
/// # Errors
/// There is none that the client may see, or none can be looked up.
pub async fn custody(
    inbound: &Inbound,
    id: &[u8],
    exchange: &mut Exchange<'_, '_>,
) -> Result<Next, Rejection> {
    let owner = Owner::Tenant(inbound.key.as_ref().map(|key| key.tenant.id.clone()));
    let id = id_of(id).ok_or_else(absent)?;
    let answer = exchange
        .worker
        .thread
        .ask_record(id, owner)
        .ok_or_else(busy)?;
    match in_time(answer).await {
        Some(Ok(RecordAnswer::Record(record))) => Ok(exchange.send_json(&record).await),
        Some(Ok(RecordAnswer::Absent)) => Err(absent()),
        Some(Ok(RecordAnswer::Pending)) => Err(pending()),
        Some(Err(_)) | None => Err(busy()),
    }
}

/// `GET /api/usage`: records of the key's tenant, the newest first, a page at a time.
///
/// # Errors
/// The query asks for no page, or none can be looked up.
pub async fn list(inbound: &Inbound, exchange: &mut Exchange<'_, '_>) -> Result<Next, Rejection> {
    // With a store nobody is let in without a key.
    let tenant = inbound.key.as_ref().map(|key| key.tenant.id.clone());
    let tenant = tenant.unwrap_or_default();
    let query = inbound.head.query(&inbound.bytes).unwrap_or_default();
    let query = core::str::from_utf8(query).unwrap_or_default();
    let listing = Listing::read(query_pairs(query), Some(&tenant), clock::checked_now_ms());
    let listing = listing.map_err(|ListingFault { param, text }| {
        let message = format!("{param}: {text}");
        Rejection::new(ErrorKind::InvalidRequest, message, "bad_query").with_param(param)
    })?;
    let owner = Owner::Tenant(Some(tenant));
    let answer = exchange.worker.thread.ask_page(listing, owner);
    let answer = answer.map_err(|rejected| match rejected {
        QuestionRejected::TooMany => too_many(),
        QuestionRejected::Busy => busy(),
    })?;
    match in_time(answer).await {
        Some(Ok(page)) => {
            let mut body = Vec::new();
            page.write(&mut body);
            Ok(exchange.send_json(&body).await)
        }
        Some(Err(_)) | None => Err(busy()),
    }
}

fn absent() -> Rejection {
    let message = "no record with this id; it is the request id that the head of an answer tells";
    Rejection::new(ErrorKind::NotFound, message, "no_record").with_code("not_found")
}

fn pending() -> Rejection {
    let message =
        "the disk takes no usage records now, and this one may wait for it; ask again later";
    Rejection::new(ErrorKind::Overloaded, message, "record_pending").try_again()
}

fn too_many() -> Rejection {
    let message = "too many questions for usage records of this tenant; ask one after the other";
    Rejection::new(ErrorKind::RateLimit, message, "usage_questions").try_again()
}

fn busy() -> Rejection {
    let message = "usage records cannot be looked up now; ask again";
    Rejection::new(ErrorKind::Overloaded, message, "ledger_busy").try_again()
}

/// What comes of an answer in the time that it is waited for.
async fn in_time<T>(answer: impl Future<Output = T>) -> Option<T> {
    let wait_ms = u64::try_from(USAGE_ANSWER_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
    timer::within(wait_ms, answer).await
}
