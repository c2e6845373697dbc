//! Keys over HTTP. A change is answered once every worker of this process has it.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::govern::key::client_key::{Key, KeyWithSecret, check_id, configured_id};
use crate::govern::key::document::{fault, object};
use crate::govern::key::generation::{Randomness, key_id, key_text};
use crate::govern::value::date;
use crate::json::tape::Tape;
use crate::net::runtime::clock;
use crate::route::plan::client_key::digest_of;
use crate::server::admin::api::answer::{Error, KeyList, Refusal, Stored, answer};
use crate::server::admin::api::asked::{Body, Named};
use crate::server::admin::api::gate::Api;
use crate::server::admin::api::page::Page;
use crate::server::admin::api::requests::{KeyId, NewKey, PageRows, Rotation, TenantName};

/// Keys by id, revoked ones too, a page at a time.
#[utoipa::path(
    get,
    path = "/api/keys",
    operation_id = "listKeys",
    params(
        ("tenant" = Option<TenantName>, Query),
        ("after" = Option<KeyId>, Query, description = "What `next` of the page before given."),
        ("limit" = Option<PageRows>, Query, description = "Rows of a page."),
    ),
    responses(
        (status = 200, description = "A page.", body = KeyList),
        (status = 400, description = "A parameter is wrong.", body = Error),
        (status = 404, description = "There is no store.", body = Error),
        Stored,
    )
)]
pub async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let page = Page::of_keys(query.as_deref().unwrap_or_default())?;
    let governed = api.governed()?;
    let after = page.after.as_deref().unwrap_or_default();
    let store = governed.store()?;
    let (keys, has_more) = store
        .keys_page(page.tenant.as_deref(), after, page.limit)
        .await?;
    let last = keys.last().filter(|_| has_more);
    let list = KeyList {
        next: last.map(|key| key.id.to_string()),
        keys,
        rows_left_out: governed.standing().skipped,
    };
    Ok(answer(StatusCode::OK, &list))
}

/// A new key; its secret is shown this once.
#[utoipa::path(
    post,
    path = "/api/keys",
    operation_id = "createKey",
    request_body(content = NewKey),
    responses(
        (status = 201, description = "The key.", body = KeyWithSecret<'_>),
        (status = 400, description = "A member is wrong.", body = Error),
        (status = 404, description = "There is no store.", body = Error),
        (status = 409, description = "The id is taken.", body = Error),
        (status = 413, description = "The body is longer than 512 KiB.", body = Error),
        Stored,
    )
)]
pub async fn create(State(api): State<Api>, Body(body): Body) -> Result<Response, Refusal> {
    let mut key = Key::wanted(&body)?;
    key.check_expiry(clock::checked_now_ms())?;
    let governed = api.governed()?;
    if governed
        .configured_keys()
        .iter()
        .any(|given| given.id == key.id)
    {
        return Err(Refusal::new(StatusCode::CONFLICT, configured_id(&key.id)));
    }
    let random = random()?;
    let secret = key_text(&random.key);
    if key.id.is_empty() {
        key.id = key_id(&random.id).into();
    }
    key.digest = digest_of(secret.as_bytes());
    key.created_ms = clock::checked_now_ms();
    governed
        .add_configured_tenant(&key.tenant, key.created_ms)
        .await?;
    governed.store()?.create(&key).await?;
    governed.applied().await;
    Ok(with_secret(StatusCode::CREATED, &key, &secret))
}

/// One key.
#[utoipa::path(
    get,
    path = "/api/keys/{id}",
    operation_id = "showKey",
    params(("id" = KeyId, Path)),
    responses(
        (status = 200, description = "The key.", body = Key),
        (status = 400, description = "The id is none.", body = Error),
        (status = 404, description = "There is none.", body = Error),
        Stored,
    )
)]
pub async fn show(State(api): State<Api>, Named(id): Named) -> Result<Response, Refusal> {
    check_id(&id)?;
    let key = api.governed()?.store()?.find(&id).await?;
    Ok(answer(StatusCode::OK, &key))
}

/// Another secret, shown this once; the one before stays good for the overlap.
#[utoipa::path(
    post,
    path = "/api/keys/{id}/rotate",
    operation_id = "rotateKey",
    params(("id" = KeyId, Path)),
    request_body(content = Option<Rotation>),
    responses(
        (status = 200, description = "The key.", body = KeyWithSecret<'_>),
        (status = 400, description = "A member is wrong.", body = Error),
        (status = 404, description = "There is none that is not revoked.", body = Error),
        (status = 413, description = "The body is longer than 512 KiB.", body = Error),
        Stored,
    )
)]
pub async fn rotate(
    State(api): State<Api>,
    Named(id): Named,
    Body(body): Body,
) -> Result<Response, Refusal> {
    check_id(&id)?;
    let overlap_ms = overlap(&body)?;
    let governed = api.governed()?;
    let secret = key_text(&random()?.key);
    let until = (overlap_ms > 0).then(|| clock::checked_now_ms().saturating_add(overlap_ms));
    let digest = digest_of(secret.as_bytes());
    let key = governed.store()?.rotate(&id, &digest, until).await?;
    governed.applied().await;
    Ok(with_secret(StatusCode::OK, &key, &secret))
}

/// The key is unknown from now on; what runs is not cut.
#[utoipa::path(
    delete,
    path = "/api/keys/{id}",
    operation_id = "revokeKey",
    params(("id" = KeyId, Path)),
    responses(
        (status = 200, description = "The key.", body = Key),
        (status = 400, description = "The id is none.", body = Error),
        (status = 404, description = "There is none that is not revoked.", body = Error),
        Stored,
    )
)]
pub async fn revoke(State(api): State<Api>, Named(id): Named) -> Result<Response, Refusal> {
    check_id(&id)?;
    let governed = api.governed()?;
    let key = governed
        .store()?
        .revoke(&id, clock::checked_now_ms())
        .await?;
    governed.applied().await;
    Ok(answer(StatusCode::OK, &key))
}

fn overlap(body: &[u8]) -> Result<u64, Refusal> {
    if body.is_empty() {
        return Ok(0);
    }
    let mut tape = Tape::new();
    let mut object = object(&mut tape, body)?;
    let given = object.text("overlap", SPAN_BYTES_MAX)?;
    object.finish()?;
    let Some(given) = given else { return Ok(0) };
    let expected = "expected a number of seconds, minutes, hours or days: 90s, 15m, 24h, 7d";
    Ok(date::span(&given).ok_or_else(|| fault("overlap", expected))?)
}

fn random() -> Result<Randomness, Refusal> {
    let mut random = Randomness::default();
    let none = |_| {
        Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the system gives no randomness",
        )
    };
    getrandom::fill(&mut random.key).map_err(none)?;
    getrandom::fill(&mut random.id).map_err(none)?;
    Ok(random)
}

fn with_secret(status: StatusCode, shown: &Key, key: &str) -> Response {
    answer(status, &KeyWithSecret { shown, key })
}

/// Longest span.
const SPAN_BYTES_MAX: usize = 24;
