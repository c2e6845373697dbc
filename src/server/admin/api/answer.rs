//! Answers of the API: JSON, errors with the member at fault, nothing of what is inside.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::govern::key::client_key::{Key, ShownTenant};
use crate::govern::key::document::DocumentFault;
use crate::store::error::{StoreError, StoreFault};

/// Why a request to the API is refused.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    reason: Reason,
}

/// The body of an answer to what is refused.
#[derive(Serialize, ToSchema)]
pub struct Error {
    error: Reason,
}

/// What is wrong with a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reason {
    message: String,
    /// The member or parameter at fault.
    #[schema(required)]
    param: Option<String>,
}

/// What any request may get.
#[derive(IntoResponses)]
pub enum Credential {
    /// The credential is missing or wrong.
    #[response(status = 401)]
    Wrong(Error),
}

/// What any request to the store may get.
#[derive(IntoResponses)]
pub enum Stored {
    /// The credential is missing or wrong.
    #[response(status = 401)]
    Wrong(Error),
    /// The store is away.
    #[response(status = 503)]
    Away(Error),
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
pub struct KeyList {
    /// The keys.
    pub keys: Vec<Key>,
    /// What `after` is for the next page; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
    /// Rows of the store that make no sense.
    pub rows_left_out: usize,
}

/// A page of tenants.
#[derive(Serialize, ToSchema)]
pub struct TenantList<'t> {
    /// The tenants.
    pub tenants: Vec<ShownTenant<'t>>,
    /// What `after` is for the next page; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
    /// Rows of the store that make no sense.
    pub rows_left_out: usize,
}

/// A page of usage records. It is written from the texts of the records: see `govern::usage::listing`.
#[derive(ToSchema)]
pub struct UsagePage {
    /// The records.
    pub records: Vec<UsageRecord>,
    /// What `after` is for the next page; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}

/// One exchange; what is not known is null. docs/USAGE.md lists its members.
#[derive(ToSchema)]
pub struct UsageRecord {
    /// Its id.
    pub id: String,
    /// Unix milliseconds.
    pub time: u64,
}

impl Refusal {
    /// A refusal with this status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: Reason {
                message: message.into(),
                param: None,
            },
        }
    }

    /// A member or parameter that is wrong.
    #[must_use]
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: Reason {
                message: message.into(),
                param: Some(param.to_owned()),
            },
        }
    }
}

impl From<DocumentFault> for Refusal {
    fn from(fault: DocumentFault) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason: Reason {
                message: fault.to_string(),
                param: (!fault.member.is_empty()).then_some(fault.member),
            },
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match error.fault {
            StoreFault::Absent => StatusCode::NOT_FOUND,
            StoreFault::Taken => StatusCode::CONFLICT,
            StoreFault::Down | StoreFault::Unfit => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.text)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = Error { error: self.reason };
        let mut response = answer(self.status, &error);
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = header::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            let second = header::HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, second);
        }
        response
    }
}

/// A document as JSON.
pub fn answer(status: StatusCode, document: &impl Serialize) -> Response {
    let body = serde_json::to_vec(document);
    json(status, body.expect("texts and numbers under names"))
}

/// A JSON answer. It may show a key, and is soon old, so nobody on the way keeps it.
pub fn json(status: StatusCode, mut body: Vec<u8>) -> Response {
    body.push(b'\n');
    let fields = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, fields, body).into_response()
}
