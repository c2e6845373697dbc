//! An error that a provider sent within a stream, said in the client's wire.
//!
//! Such an error has no status of its own: its words decide. Two wordings are what clients look
//! for, and they differ between the wires.

use crate::chat::error::{ApiError, ErrorFacts, ErrorKind};
use crate::wire::error;
use crate::wire::kind::Wire;

/// Appends the error event of `client`'s wire.
pub fn write(client: Wire, facts: &ErrorFacts, out: &mut Vec<u8>) {
    let message = facts.message.as_deref().unwrap_or("upstream error");
    let too_long = message.starts_with(TOO_LONG);
    let own_words;
    let (message, code) = match client {
        Wire::AnthropicMessages if !too_long && is_context_code(facts) => {
            own_words = [TOO_LONG, ": ", message].concat();
            (own_words.as_str(), None)
        }
        Wire::OpenAiChat if too_long && facts.kind == ErrorKind::InvalidRequest => {
            (message, Some(CONTEXT_CODE))
        }
        Wire::OpenAiChat | Wire::AnthropicMessages => (message, None),
    };
    let error = ApiError {
        kind: facts.kind,
        message,
        param: facts.param.as_deref(),
        code,
    };
    error::write_event(client, &error, "", out);
}

fn is_context_code(facts: &ErrorFacts) -> bool {
    facts.code.as_deref() == Some(CONTEXT_CODE)
}

const TOO_LONG: &str = "prompt is too long";
const CONTEXT_CODE: &str = "context_length_exceeded";
