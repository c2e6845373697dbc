//! What the API answers to; its document says the same, which a test holds.

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};

use crate::govern::key::client_key::KeyDigest;
use crate::server::admin::api::answer::Refusal;
use crate::server::admin::api::asked::BODY_BYTES_MAX;
use crate::server::admin::api::gate::{self, Api};
use crate::server::admin::api::{document, keys, routing, tenants, usage};

/// The API, for those with the credential of this digest; without one it is off.
pub fn router(api: Api, digest: Option<KeyDigest>) -> Router {
    let routes = routes().into_iter();
    let router = routes.fold(Router::new(), |router, (path, methods)| {
        router.route(path, methods)
    });
    router
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown_path)
        .route_layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route_layer(middleware::from_fn_with_state(digest, gate::admit))
        .with_state(api)
}

/// Paths and their methods.
pub fn routes() -> [(&'static str, MethodRouter<Api>); 9] {
    [
        ("/api/openapi.json", get(document::show)),
        ("/api/keys", get(keys::list).post(keys::create)),
        ("/api/keys/{id}", get(keys::show).delete(keys::revoke)),
        ("/api/keys/{id}/rotate", post(keys::rotate)),
        ("/api/tenants", get(tenants::list)),
        (
            "/api/tenants/{name}",
            get(tenants::show).put(tenants::set).delete(tenants::remove),
        ),
        ("/api/routing", get(routing::show)),
        ("/api/usage", get(usage::list)),
        ("/api/usage/custody/{id}", get(usage::custody)),
    ]
}

async fn wrong_method() -> Refusal {
    let text = "no such method here; GET /api/openapi.json has those that there are";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text)
}

async fn unknown_path() -> Refusal {
    let text = "unknown path; GET /api/openapi.json has those of the API";
    Refusal::new(StatusCode::NOT_FOUND, text)
}
