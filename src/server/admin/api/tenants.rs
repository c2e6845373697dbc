//! Tenants over HTTP: what holds for all keys of one. A change is answered once every worker of this
//! process has it.
//!
//! A `[[tenant]]` of the configuration outranks a row of the same name: it is shown in its place, and
//! cannot be changed here.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::govern::key::client_key::{
    ShownTenant, Tenant, TenantSource, check_new_tenant, check_tenant, configured_elsewhere,
    configured_tenant, outranked,
};
use crate::net::runtime::clock;
use crate::server::admin::api::answer::{Error, Refusal, Stored, TenantList, answer};
use crate::server::admin::api::asked::{Body, Named};
use crate::server::admin::api::gate::Api;
use crate::server::admin::api::page::Page;
use crate::server::admin::api::requests::{PageRows, TenantName, TenantRules};
use crate::server::key::key_sync::StoreHandle;

/// Tenants by name, a page at a time.
#[utoipa::path(
    get,
    path = "/api/tenants",
    operation_id = "listTenants",
    params(
        ("after" = Option<TenantName>, Query, description = "What `next` of the page before given."),
        ("limit" = Option<PageRows>, Query, description = "Rows of a page."),
    ),
    responses(
        (status = 200, description = "A page.", body = TenantList<'_>),
        (status = 400, description = "A parameter is wrong.", body = Error),
        (status = 404, description = "There is no store.", body = Error),
        Stored,
    )
)]
pub async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let page = Page::of_tenants(query.as_deref().unwrap_or_default())?;
    let governed = api.governed()?;
    let after = page.after.as_deref().unwrap_or_default();
    // One more than is shown: whether there is another page.
    let stored = governed
        .store()?
        .tenants_page(after, page.limit + 1)
        .await?;
    let tenants = outranked(governed.configured_tenants(), &stored);
    let mut found = tenants.iter().filter(|(tenant, _)| &*tenant.name > after);
    let shown = found.by_ref().take(page.limit);
    let shown: Vec<_> = shown
        .map(|(tenant, source)| tenant.shown(*source))
        .collect();
    let last = shown.last().filter(|_| found.next().is_some());
    let list = TenantList {
        next: last.map(|tenant| tenant.name.to_owned()),
        tenants: shown,
        rows_left_out: governed.standing().skipped,
    };
    Ok(answer(StatusCode::OK, &list))
}

/// One tenant.
#[utoipa::path(
    get,
    path = "/api/tenants/{name}",
    operation_id = "showTenant",
    params(("name" = TenantName, Path)),
    responses(
        (status = 200, description = "The tenant.", body = ShownTenant<'_>),
        (status = 400, description = "The name is none.", body = Error),
        (status = 404, description = "There is none.", body = Error),
        Stored,
    )
)]
pub async fn show(State(api): State<Api>, Named(name): Named) -> Result<Response, Refusal> {
    check_tenant(&name)?;
    let governed = api.governed()?;
    if let Some(tenant) = configured_tenant(governed.configured_tenants(), &name) {
        let stored = governed.store()?.tenant_id(&name).await?;
        let tenant = tenant.known_as(stored.as_deref());
        return Ok(answer(
            StatusCode::OK,
            &tenant.shown(TenantSource::Configuration),
        ));
    }
    let tenant = governed.store()?.find_tenant(&name).await?;
    Ok(answer(StatusCode::OK, &tenant.shown(TenantSource::Store)))
}

/// These rules instead of those before; a new tenant where there is none.
#[utoipa::path(
    put,
    path = "/api/tenants/{name}",
    operation_id = "setTenant",
    params(("name" = TenantName, Path)),
    request_body(content = TenantRules),
    responses(
        (status = 200, description = "The tenant.", body = ShownTenant<'_>),
        (status = 400, description = "A member is wrong.", body = Error),
        (status = 404, description = "There is no store.", body = Error),
        (status = 409, description = "The tenant stands in the configuration.", body = Error),
        (status = 413, description = "The body is longer than 512 KiB.", body = Error),
        Stored,
    )
)]
pub async fn set(
    State(api): State<Api>,
    Named(name): Named,
    Body(body): Body,
) -> Result<Response, Refusal> {
    check_new_tenant(&name)?;
    let tenant = Tenant::parse(&name, &body)?;
    let governed = api.governed()?;
    refuse_said(governed, &name)?;
    let (store, now_ms) = (governed.store()?, clock::checked_now_ms());
    governed.add_configured_tenant(&name, now_ms).await?;
    let tenant = store.set_tenant(&tenant, now_ms).await?;
    governed.applied().await;
    Ok(answer(StatusCode::OK, &tenant.shown(TenantSource::Store)))
}

/// The tenant is gone, with its revoked keys; one that has others stays.
#[utoipa::path(
    delete,
    path = "/api/tenants/{name}",
    operation_id = "removeTenant",
    params(("name" = TenantName, Path)),
    responses(
        (status = 200, description = "The tenant as it was.", body = ShownTenant<'_>),
        (status = 400, description = "The name makes no sense.", body = Error),
        (status = 404, description = "There is none.", body = Error),
        (status = 409, description = "It has keys that are not revoked, or stands in the configuration.", body = Error),
        Stored,
    )
)]
pub async fn remove(State(api): State<Api>, Named(name): Named) -> Result<Response, Refusal> {
    check_tenant(&name)?;
    let governed = api.governed()?;
    refuse_said(governed, &name)?;
    let store = governed.store()?;
    let tenant = store.find_tenant(&name).await?;
    store.remove_tenant(&name).await?;
    governed.applied().await;
    Ok(answer(StatusCode::OK, &tenant.shown(TenantSource::Store)))
}

fn refuse_said(governed: &StoreHandle, name: &str) -> Result<(), Refusal> {
    match configured_tenant(governed.configured_tenants(), name) {
        None => Ok(()),
        Some(_) => Err(Refusal::new(
            StatusCode::CONFLICT,
            configured_elsewhere(name),
        )),
    }
}
