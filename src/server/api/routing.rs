//! How providers, credentials and targets stand, over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::net::clock;
use crate::proxy::standing;
use crate::server::api::answer::json;
use crate::server::api::gate::Api;

/// `GET /api/routing`
pub async fn show(State(api): State<Api>) -> Response {
    let mut body = Vec::new();
    let now_ns = clock::now().as_nanos();
    standing::json(&api.plan, &api.shared.health, now_ns, &mut body);
    json(StatusCode::OK, body)
}
