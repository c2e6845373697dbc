//! Who may use the API (those with its credential, as a Bearer token), and what it works with.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::govern::key::client_key::KeyDigest;
use crate::proxy::shared::served_plan::ServedPlan;
use crate::proxy::shared::usage_channel::QuestionSender;
use crate::route::plan::client_key::{digest_of, is_same};
use crate::server::admin::api::answer::Refusal;
use crate::server::key::key_sync::StoreHandle;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    /// What the program runs on, and who is well.
    pub served: ServedPlan,
    /// Where usage records are looked up, where they are kept.
    pub questions: Option<QuestionSender>,
    /// The store that keys are kept in.
    pub governed: Option<StoreHandle>,
}

impl Api {
    /// The store.
    ///
    /// # Errors
    /// None is configured.
    pub fn governed(&self) -> Result<&StoreHandle, Refusal> {
        self.governed.as_ref().ok_or_else(|| {
            let text = "no [store] is configured; keys are those of the configuration alone";
            Refusal::new(StatusCode::NOT_FOUND, text)
        })
    }
}

/// Lets a request through that has the credential. Without one configured the API is off.
pub async fn admit(
    State(digest): State<Option<KeyDigest>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(digest) = digest else {
        let text = "the API is off; configure server.admin_key_file or server.admin_key_env";
        return Refusal::new(StatusCode::NOT_FOUND, text).into_response();
    };
    let given = request.headers().get(header::AUTHORIZATION);
    let token = given.map_or(&b""[..], |value| bearer(value.as_bytes()));
    // Compared in any case, so that no credential costs what a wrong one does.
    if is_same(&digest_of(token), &digest) {
        return next.run(request).await;
    }
    let text = "missing or wrong credential; send the admin key as `Authorization: Bearer`";
    Refusal::new(StatusCode::UNAUTHORIZED, text).into_response()
}

fn bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token.trim_ascii(),
        _ => b"",
    }
}
