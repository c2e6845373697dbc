//! What a request to the API brings, where axum's own refusals would say it in plain text.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::server::admin::api::answer::Refusal;

/// The one variable of a path, decoded.
pub struct Named(pub String);

/// The body, up to the bound of the routes.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(rejection) => Err(Refusal::new(rejection.status(), rejection.body_text())),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let text = format!("the body is over the limit of {BODY_BYTES_MAX} bytes");
                Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text))
            }
            Err(rejection) => Err(Refusal::new(rejection.status(), rejection.body_text())),
        }
    }
}

/// Longest body of a request.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
