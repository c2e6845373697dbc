//! How providers, credentials and targets stand, over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::net::runtime::clock;
use crate::proxy::shared::health_report;
use crate::server::admin::api::answer::json;
use crate::server::admin::api::gate::Api;

/// `GET /api/routing`
pub async fn show(State(api): State<Api>) -> Response {
    let mut body = Vec::new();
    let now_ns = clock::now().as_nanos();
    health_report::json(&api.plan, &api.shared.health, now_ns, &mut body);
    json(StatusCode::OK, body)
}
