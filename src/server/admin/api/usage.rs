//! Usage records over HTTP, of all tenants.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_channel::oneshot;
use tokio::time::timeout;

use crate::govern::usage::listing::{Listing, ListingFault};
use crate::govern::usage::record::id_of;
use crate::http1::target::query_pairs;
use crate::limits::USAGE_ANSWER_TIMEOUT;
use crate::net::runtime::clock;
use crate::proxy::shared::query_slots::Owner;
use crate::proxy::shared::usage_channel::{QuestionRejected, RecordAnswer};
use crate::server::admin::api::answer::{Refusal, json};
use crate::server::admin::api::asked::Named;
use crate::server::admin::api::gate::Api;

/// `GET /api/usage`: records of the store, the newest first, a page at a time.
pub async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let listing = Listing::read(query_pairs(&query), None, clock::checked_now_ms());
    let mut listing =
        listing.map_err(|ListingFault { param, text }| Refusal::invalid(&param, text))?;
    let governed = api.governed.as_ref().ok_or_else(|| {
        let text =
            "no [store] is configured; records are in the journal alone, see `ringway usage`";
        Refusal::new(StatusCode::NOT_FOUND, text)
    })?;
    let store = governed.store()?;
    if let Some(name) = listing.tenant_name.take() {
        listing.filter.tenant = Some(governed.tenant_id(&name).await?.into());
    }
    let page = match &api.questions {
        Some(questions) => {
            let asked = questions.page(listing, Owner::Anyone).map_err(unasked)?;
            answered(asked).await?
        }
        None => store.usage_page(&listing).await?,
    };
    let mut body = Vec::new();
    page.write(&mut body);
    Ok(json(StatusCode::OK, body))
}

/// `GET /api/usage/custody/{id}`: one record.
pub async fn custody(State(api): State<Api>, Named(id): Named) -> Result<Response, Refusal> {
    let absent = || {
        let text = "no record with this id; it is the request id that the head of an answer tells";
        Refusal::new(StatusCode::NOT_FOUND, text)
    };
    let id = id_of(id.as_bytes()).ok_or_else(absent)?;
    let record = match &api.questions {
        Some(questions) => {
            let asked = questions.record(id, Owner::Anyone).ok_or_else(busy)?;
            match answered(asked).await? {
                RecordAnswer::Record(record) => Some(record),
                RecordAnswer::Absent => None,
                RecordAnswer::Pending => return Err(pending()),
            }
        }
        None => {
            let store = api.governed.as_ref().ok_or_else(absent)?.store()?;
            let found = store.usage_record(id.to_be_bytes(), None).await?;
            found.map(String::into_bytes)
        }
    };
    Ok(json(StatusCode::OK, record.ok_or_else(absent)?))
}

/// What the ledger or the store answers.
async fn answered<A>(asked: oneshot::Receiver<A>) -> Result<A, Refusal> {
    let answer = timeout(USAGE_ANSWER_TIMEOUT, asked).await;
    answer.ok().and_then(Result::ok).ok_or_else(busy)
}

fn unasked(why: QuestionRejected) -> Refusal {
    match why {
        QuestionRejected::Busy => busy(),
        QuestionRejected::TooMany => {
            let text = "too many questions for usage records; ask one after the other";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, text)
        }
    }
}

fn pending() -> Refusal {
    let text = "the disk takes no usage records now, and this one may wait for it; ask again later";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
}

fn busy() -> Refusal {
    let text = "usage records cannot be looked up now; ask again";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
}
