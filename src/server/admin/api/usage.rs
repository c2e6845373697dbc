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
use crate::server::admin::api::answer::{
    Credential, Error, Refusal, Stored, UsagePage, UsageRecord, json,
};
use crate::server::admin::api::asked::Named;
use crate::server::admin::api::gate::Api;
use crate::server::admin::api::requests::{Moment, PageRows, TenantName, UsagePlace};

/// Usage records of all tenants, the newest first, a page at a time.
#[utoipa::path(
    get,
    path = "/api/usage",
    operation_id = "listUsage",
    params(
        ("tenant" = Option<TenantName>, Query, description =
            "Records of the tenant that has this name now, or this id. Not beside `tenant_id`."),
        ("tenant_id" = Option<TenantName>, Query, description =
            "Records of the tenant with this id, such as one that is gone."),
        ("key" = Option<String>, Query, description = "Records of one key alone, by its id.", min_length = 1),
        ("model" = Option<String>, Query, description =
            "Records of one model alone, as it was asked for or sent on.", min_length = 1),
        ("since" = Option<Moment>, Query, description =
            "From a day (2027-01-31), a second (2027-01-31T08:30:00Z) or a span ago (24h) on."),
        ("until" = Option<Moment>, Query, description = "Before such a moment."),
        ("limit" = Option<PageRows>, Query, description = "Rows of a page."),
        ("after" = Option<UsagePlace>, Query, description = "What `next` of the page before given."),
    ),
    responses(
        (status = 200, description = "A page.", body = UsagePage),
        (status = 400, description = "A parameter is wrong.", body = Error),
        (status = 404, description = "There is no store.", body = Error),
        (status = 429, body = Error, description =
            "Too many questions for usage records are under way; ask again after `retry-after`."),
        Stored,
    )
)]
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

/// The usage record of one exchange.
#[utoipa::path(
    get,
    path = "/api/usage/custody/{id}",
    operation_id = "showUsage",
    params(("id" = String, Path, description = "The request id that the head of an answer tells.")),
    responses(
        (status = 200, description = "The record.", body = UsageRecord),
        (status = 400, description = "The id is none.", body = Error),
        (status = 404, description = "There is no such record.", body = Error),
        (status = 503, description = "It cannot be looked up now.", body = Error),
        Credential,
    )
)]
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
