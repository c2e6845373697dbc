//! What clients ask about their own usage: one record by its id, or a page of them.
//!
//! Foreign and absent records look alike, in time too: see `server::ledger`.

use crate::chat::error::ErrorKind;
use crate::govern::usage::listing::{Listing, ListingFault};
use crate::govern::usage::record::id_of;
use crate::http1::target::query_pairs;
use crate::limits::USAGE_ANSWER_TIMEOUT;
use crate::net::runtime::{clock, timer};
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply::Refused;
use crate::proxy::shared::query_slots::Owner;
use crate::proxy::shared::usage_channel::{QuestionRejected, RecordAnswer};

/// `GET /api/usage/custody/{request_id}`: the whole record of one exchange.
pub async fn custody(inbound: &Inbound, id: &[u8], exchange: &mut Exchange<'_, '_>) -> Next {
    let owner = Owner::Tenant(inbound.key.as_ref().map(|key| key.tenant.id.clone()));
    let asked = match id_of(id) {
        Some(id) => exchange.worker.ask_record(id, owner),
        None => return exchange.refuse(&ABSENT).await,
    };
    let Some(answer) = asked else {
        return exchange.refuse(&BUSY).await;
    };
    let waited = u64::try_from(USAGE_ANSWER_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
    match timer::within(waited, answer).await {
        Some(Ok(RecordAnswer::Record(record))) => exchange.send_json(&record).await,
        Some(Ok(RecordAnswer::Absent)) => exchange.refuse(&ABSENT).await,
        Some(Ok(RecordAnswer::Pending)) => exchange.refuse(&PENDING).await,
        Some(Err(_)) | None => exchange.refuse(&BUSY).await,
    }
}

/// `GET /api/usage`: records of the key's tenant, the newest first, a page at a time.
pub async fn list(inbound: &Inbound, exchange: &mut Exchange<'_, '_>) -> Next {
    // With a store nobody is let in without a key.
    let tenant = inbound.key.as_ref().map(|key| key.tenant.id.clone());
    let tenant = tenant.unwrap_or_default();
    let query = inbound.head.query(&inbound.bytes).unwrap_or_default();
    let query = core::str::from_utf8(query).unwrap_or_default();
    let listing = Listing::read(query_pairs(query), Some(&tenant), clock::checked_now_ms());
    let listing = match listing {
        Ok(listing) => listing,
        Err(ListingFault { param, text }) => {
            let message = format!("{param}: {text}");
            let refused = Refused::new(ErrorKind::InvalidRequest, &message, "bad_query");
            return exchange.refuse(&refused.param(&param)).await;
        }
    };
    let answer = match exchange
        .worker
        .ask_page(listing, Owner::Tenant(Some(tenant)))
    {
        Ok(answer) => answer,
        Err(QuestionRejected::TooMany) => {
            return exchange.refuse(&TOO_MANY).await;
        }
        Err(QuestionRejected::Busy) => return exchange.refuse(&BUSY).await,
    };
    let waited = u64::try_from(USAGE_ANSWER_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
    match timer::within(waited, answer).await {
        Some(Ok(page)) => {
            let mut body = Vec::new();
            page.write(&mut body);
            exchange.send_json(&body).await
        }
        Some(Err(_)) | None => exchange.refuse(&BUSY).await,
    }
}

const ABSENT: Refused<'static> = Refused::new(
    ErrorKind::NotFound,
    "no record with this id; it is the request id that the head of an answer tells",
    "no_record",
)
.code("not_found");
const PENDING: Refused<'static> = Refused::new(
    ErrorKind::Overloaded,
    "the disk takes no usage records now, and this one may wait for it; ask again later",
    "record_pending",
)
.fields(b"retry-after: 1\r\n");
const TOO_MANY: Refused<'static> = Refused::new(
    ErrorKind::RateLimit,
    "too many questions for usage records of this tenant; ask one after the other",
    "usage_questions",
)
.fields(b"retry-after: 1\r\n");
const BUSY: Refused<'static> = Refused::new(
    ErrorKind::Overloaded,
    "usage records cannot be looked up now; ask again",
    "ledger_busy",
)
.fields(b"retry-after: 1\r\n");
