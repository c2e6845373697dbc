//! Errors of the OpenAI wire: `{"error":{"message","type","param","code"}}`.
//!
//! The stream form is the same object as `data`; the SDKs raise on a top-level `error` member.
//! No request id stands in the body: the SDKs read it from the head.

use crate::chat::error::{ApiError, ErrorFacts, ErrorKind};
use crate::json::tape::Value;
use crate::json::write::Writer;
use crate::wire::common::error_text::{self, CONTEXT_CODE, FILTERED, TOO_LONG};

/// Appends the body of an error answer.
pub fn write_body(error: &ApiError<'_>, _request_id: &str, out: &mut Vec<u8>) {
    let (kind, code) = type_and_code(error.kind);
    let mut w = Writer::new(out);
    w.open_object().name("error").open_object();
    w.name("message").string(error.message);
    w.name("type").string(kind);
    optional(&mut w, "param", error.param);
    optional(&mut w, "code", error.code.or(code));
    w.close_object().close_object();
}

/// Appends the stream event of an error.
pub fn write_event(error: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    write_body(error, request_id, out);
    out.extend_from_slice(b"\n\n");
}

/// Reads a provider's error, as a body or as a stream event's data.
#[must_use]
pub fn read_object(root: Value<'_>) -> ErrorFacts {
    error_text::read(root, kind_of)
}

/// Reads a document that is no answer, if it is an error.
#[must_use]
pub fn find(root: Value<'_>) -> Option<ErrorFacts> {
    error_text::find(root, kind_of)
}

/// The code by which clients tell what a request was refused for, where another wire says it in the
/// message alone.
#[must_use]
pub fn code_of(message: &str) -> Option<&'static str> {
    if message.starts_with(TOO_LONG) {
        return Some(CONTEXT_CODE);
    }
    message.contains(FILTERED).then_some("content_filter")
}

/// `type` and default `code` of a class.
#[must_use]
pub const fn type_and_code(kind: ErrorKind) -> (&'static str, Option<&'static str>) {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::Conflict => (INVALID, None),
        ErrorKind::Authentication => (INVALID, Some("invalid_api_key")),
        ErrorKind::Billing => ("insufficient_quota", Some("insufficient_quota")),
        ErrorKind::Permission => ("permission_error", None),
        ErrorKind::NotFound => (INVALID, Some("model_not_found")),
        ErrorKind::MethodNotAllowed => (INVALID, Some("method_not_supported")),
        ErrorKind::RequestTimeout => (INVALID, Some("request_timeout")),
        ErrorKind::TooLarge => (INVALID, Some("request_too_large")),
        ErrorKind::RateLimit => ("rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::Api => (SERVER, None),
        ErrorKind::Overloaded => (SERVER, Some("overloaded")),
        ErrorKind::Timeout => (SERVER, Some("timeout")),
    }
}

/// The class of an error by its `type` and `code`, where no status says more (within a stream).
fn kind_of(kind: Option<&str>, code: Option<&str>) -> ErrorKind {
    match code.unwrap_or_default() {
        "insufficient_quota" | "402" => return ErrorKind::Billing,
        "invalid_api_key" | "401" => return ErrorKind::Authentication,
        "rate_limit_exceeded" | "429" => return ErrorKind::RateLimit,
        "model_not_found" | "404" => return ErrorKind::NotFound,
        "overloaded" | "503" | "529" => return ErrorKind::Overloaded,
        "timeout" | "504" | "408" => return ErrorKind::Timeout,
        "request_too_large" | "413" => return ErrorKind::TooLarge,
        "403" => return ErrorKind::Permission,
        "content_filter" | "content_policy_violation" => return ErrorKind::InvalidRequest,
        CONTEXT_CODE | "400" | "422" => return ErrorKind::InvalidRequest,
        _ => {}
    }
    match kind.unwrap_or_default() {
        INVALID => ErrorKind::InvalidRequest,
        "authentication_error" => ErrorKind::Authentication,
        "insufficient_quota" => ErrorKind::Billing,
        "permission_error" => ErrorKind::Permission,
        "not_found_error" => ErrorKind::NotFound,
        "rate_limit_error" | "requests" | "tokens" => ErrorKind::RateLimit,
        "service_unavailable_error" | "overloaded_error" => ErrorKind::Overloaded,
        "timeout_error" => ErrorKind::Timeout,
        _ => ErrorKind::Api,
    }
}

fn optional(w: &mut Writer<'_>, name: &str, text: Option<&str>) {
    w.name(name);
    match text {
        Some(text) => w.string(text),
        None => w.null(),
    };
}

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";
