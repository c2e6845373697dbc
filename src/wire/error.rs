//! Errors in the client's wire, whichever it is, and provider errors of either.
//!
//! Not here: which status goes with an error (`proxy` for our own, `translate::error` for a
//! provider's).

use crate::chat::error::{ApiError, ErrorFacts};
use crate::json::tape::Value;
use crate::wire::anthropic::error as anthropic;
use crate::wire::kind::Wire;
use crate::wire::openai::answer::failure;
use crate::wire::openai::error as openai;

/// Appends the body of an error answer in `wire`.
pub fn write_body(wire: Wire, error: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
    match wire {
        Wire::OpenAiChat => openai::write_body(error, request_id, out),
        Wire::AnthropicMessages => anthropic::write_body(error, request_id, out),
    }
}

/// Appends the stream event of an error in `wire`: the last thing that a broken stream says.
pub fn write_event(wire: Wire, error: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
    match wire {
        Wire::OpenAiChat => openai::write_event(error, request_id, out),
        Wire::AnthropicMessages => anthropic::write_event(error, request_id, out),
    }
}

/// Reads an error that a provider of `wire` sent, as a body or as a stream event's data.
#[must_use]
pub fn read_object(wire: Wire, root: Value<'_>) -> ErrorFacts {
    match wire {
        Wire::OpenAiChat => openai::read_object(root),
        Wire::AnthropicMessages => anthropic::read_object(root),
    }
}

/// Reads the error that stands in a success of `wire` where an answer should be, if it is one.
#[must_use]
pub fn in_answer(wire: Wire, root: Value<'_>) -> Option<ErrorFacts> {
    match wire {
        Wire::OpenAiChat => failure::of_answer(root),
        Wire::AnthropicMessages if is_message(root) => None,
        Wire::AnthropicMessages => anthropic::find(root),
    }
}

fn is_message(root: Value<'_>) -> bool {
    root.get("type").is_some_and(|kind| kind.is_str("message")) && root.get("error").is_none()
}
