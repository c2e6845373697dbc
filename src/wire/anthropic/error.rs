//! Errors of the Anthropic wire: `{"type":"error","error":{"type","message"},"request_id"}`.
//!
//! The stream form is the same object under `event: error`.

use std::borrow::Cow;

use crate::chat::error::{ApiError, ErrorFacts, ErrorKind};
use crate::json::tape::Value;
use crate::json::write::Writer;
use crate::wire::common::error_text::{self, TOO_LONG, is_context};

/// Appends the body of an error answer. An empty `request_id` is left out.
pub fn write_body(error: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.open_object().name("type").string("error");
    w.name("error").open_object();
    w.name("type").string(type_of(error.kind));
    w.name("message").string(error.message);
    if let Some(code) = error.code.filter(|code| *code == THREAD_UNSUPPORTED) {
        // The SDKs' tool runners go on without a thread where they find this code.
        w.name("details").open_object();
        w.name("error_code").string(code).close_object();
    }
    w.close_object();
    if !request_id.is_empty() {
        w.name("request_id").string(request_id);
    }
    w.close_object();
}

/// Appends the stream event of an error.
pub fn write_event(error: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    write_body(error, request_id, out);
    out.extend_from_slice(b"\n\n");
}

/// Reads a provider's error, as a body or as a stream event's data.
#[must_use]
pub fn read_object(root: Value<'_>) -> ErrorFacts {
    error_text::read(root, |kind, _code| kind_of(kind))
}

/// Reads a document that is no answer, if it is an error.
#[must_use]
pub fn find(root: Value<'_>) -> Option<ErrorFacts> {
    error_text::find(root, |kind, _code| kind_of(kind))
}

/// Reads the error that stands where an answer should be.
#[must_use]
pub fn in_answer(root: Value<'_>) -> Option<ErrorFacts> {
    let is_message = root.get("type").is_some_and(|kind| kind.is_str("message"));
    if is_message && root.get("error").is_none() {
        return None;
    }
    find(root)
}

/// A message in the words of this wire: agents compact their context where they find its phrase.
#[must_use]
pub fn reworded<'t>(facts: &ErrorFacts, message: Cow<'t, str>) -> Cow<'t, str> {
    if is_context(facts) && !message.starts_with(TOO_LONG) {
        return Cow::Owned(format!("{TOO_LONG}: {message}"));
    }
    message
}

/// Reads an event that this wire does not have, if it is an error: what stands before a provider
/// has errors of its own. A type that is merely unknown is none.
#[must_use]
pub fn in_stranger(root: Value<'_>) -> Option<ErrorFacts> {
    let untyped = root.get_set("type").is_none();
    let named = root.get("object").is_some_and(|it| it.is_str("error"));
    (untyped || named).then(|| find(root))?
}

/// `error.type` of a class.
#[must_use]
pub const fn type_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::MethodNotAllowed => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Billing => "billing_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::RequestTimeout | ErrorKind::Timeout => "timeout_error",
        ErrorKind::Conflict => "conflict_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimit => "rate_limit_error",
        ErrorKind::Api => "api_error",
        ErrorKind::Overloaded => "overloaded_error",
    }
}

/// The class of an error by its `type`, where no status says more (within a stream).
fn kind_of(kind: Option<&str>) -> ErrorKind {
    match kind.unwrap_or_default() {
        "invalid_request_error" => ErrorKind::InvalidRequest,
        "authentication_error" => ErrorKind::Authentication,
        "billing_error" => ErrorKind::Billing,
        "permission_error" => ErrorKind::Permission,
        "not_found_error" => ErrorKind::NotFound,
        "conflict_error" => ErrorKind::Conflict,
        "request_too_large" => ErrorKind::TooLarge,
        "rate_limit_error" => ErrorKind::RateLimit,
        "overloaded_error" => ErrorKind::Overloaded,
        "timeout_error" => ErrorKind::Timeout,
        _ => ErrorKind::Api,
    }
}

/// The code of a refused `thread`: this wire tells it in `error.details`.
pub const THREAD_UNSUPPORTED: &str = "thread_unsupported_request";
