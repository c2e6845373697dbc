//! Tenants over HTTP: what holds for all keys of one. A change is answered once every worker of this
//! process has it.
//!
//! A `[[tenant]]` of the configuration outranks a row of the same name: it is shown in its place, and
//! cannot be changed here.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::govern::key::client_key::{
    Tenant, TenantSource, check_new_tenant, check_tenant, outranked, said_elsewhere, said_tenant,
};
use crate::json::write::Writer;
use crate::net::runtime::clock;
use crate::server::admin::api::answer::{Refusal, json};
use crate::server::admin::api::asked::{Body, Named};
use crate::server::admin::api::gate::Api;
use crate::server::admin::api::page::{Page, write_next};
use crate::server::key::key_sync::StoreHandle;

/// `GET /api/tenants`: tenants by name, a page at a time.
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
    let mut body = Vec::with_capacity(1024);
    let mut w = Writer::new(&mut body);
    w.open_object().name("tenants").open_array();
    let mut last = None;
    for (tenant, source) in found.by_ref().take(page.limit) {
        tenant.write(*source, &mut w);
        last = Some(&*tenant.name);
    }
    w.close_array();
    write_next(last.filter(|_| found.next().is_some()), &mut w);
    w.name("rows_left_out")
        .number(governed.standing().skipped as u64);
    w.close_object();
    Ok(json(StatusCode::OK, body))
}

/// `GET /api/tenants/{name}`
pub async fn show(State(api): State<Api>, Named(name): Named) -> Result<Response, Refusal> {
    check_tenant(&name)?;
    let governed = api.governed()?;
    if let Some(tenant) = said_tenant(governed.configured_tenants(), &name) {
        let stored = governed.store()?.tenant_id(&name).await?;
        let tenant = tenant.known_as(stored.as_deref());
        return Ok(shown(&tenant, TenantSource::Configuration));
    }
    let tenant = governed.store()?.find_tenant(&name).await?;
    Ok(shown(&tenant, TenantSource::Store))
}

/// `PUT /api/tenants/{name}`: these rules instead of those before; a new tenant where there is none.
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
    governed.add_said_tenant(&name, now_ms).await?;
    let tenant = store.set_tenant(&tenant, now_ms).await?;
    governed.applied().await;
    Ok(shown(&tenant, TenantSource::Store))
}

/// `DELETE /api/tenants/{name}`: gone, with its revoked keys; one that has others stays.
pub async fn remove(State(api): State<Api>, Named(name): Named) -> Result<Response, Refusal> {
    check_tenant(&name)?;
    let governed = api.governed()?;
    refuse_said(governed, &name)?;
    let store = governed.store()?;
    let tenant = store.find_tenant(&name).await?;
    store.remove_tenant(&name).await?;
    governed.applied().await;
    Ok(shown(&tenant, TenantSource::Store))
}

fn refuse_said(governed: &StoreHandle, name: &str) -> Result<(), Refusal> {
    match said_tenant(governed.configured_tenants(), name) {
        None => Ok(()),
        Some(_) => Err(Refusal::new(StatusCode::CONFLICT, said_elsewhere(name))),
    }
}

fn shown(tenant: &Tenant, source: TenantSource) -> Response {
    let mut body = Vec::new();
    tenant.write(source, &mut Writer::new(&mut body));
    json(StatusCode::OK, body)
}
