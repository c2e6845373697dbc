//! Answers of the API: JSON, errors with the member at fault, nothing of what is inside.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::govern::key::document::DocumentFault;
use crate::json::write::Writer;
use crate::store::error::{StoreError, StoreFault};

/// Why a request to the API is refused.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    message: String,
    param: Option<String>,
}

impl Refusal {
    /// A refusal with this status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            param: None,
        }
    }

    /// A member or parameter that is wrong.
    #[must_use]
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
            param: Some(param.to_owned()),
        }
    }
}

impl From<DocumentFault> for Refusal {
    fn from(fault: DocumentFault) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: fault.to_string(),
            param: (!fault.member.is_empty()).then_some(fault.member),
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
        let mut body = Vec::new();
        let mut w = Writer::new(&mut body);
        w.open_object().name("error").open_object();
        w.name("message").string(&self.message).name("param");
        match &self.param {
            Some(param) => w.string(param),
            None => w.null(),
        };
        w.close_object().close_object();
        let mut response = json(self.status, body);
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

/// A JSON answer. It may show a key, and is soon old, so nobody on the way keeps it.
pub fn json(status: StatusCode, mut body: Vec<u8>) -> Response {
    body.push(b'\n');
    let fields = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, fields, body).into_response()
}
