//! An error that a provider sent within a stream, said in the client's wire.
//!
//! Such an error has no status of its own: its words decide. Two wordings are what clients look
//! for, and they differ between the wires.

use std::borrow::Cow;

use crate::chat::error::{ApiError, ErrorFacts, ErrorKind};
use crate::translate::error::{Told, code_of, is_context, own_code};
use crate::wire::error;
use crate::wire::kind::Wire;

/// Appends the error event of `client`'s wire.
pub fn write(client: Wire, facts: &ErrorFacts, out: &mut Vec<u8>) {
    let (message, code) = words(client, facts);
    let error = ApiError {
        kind: facts.kind,
        message: &message,
        param: facts.param.as_deref(),
        code,
    };
    error::write_event(client, &error, "", out);
}

/// The same error as an answer of its own, for a stream of which nothing else came. Its class gives
/// the status, as its provider would have: what is not worth another try stays so.
#[must_use]
pub fn told((from, client): (Wire, Wire), facts: &ErrorFacts) -> Told {
    let (message, code) = words(client, facts);
    let code = own_code((from, client), facts).or(code);
    Told {
        status: status(from, facts.kind),
        kind: facts.kind,
        message: message.into_owned(),
        param: facts.param.clone(),
        code: code.map(str::to_owned),
        should_retry: (facts.kind == ErrorKind::Billing).then_some(false),
    }
}

const fn status(from: Wire, kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::InvalidRequest => 400,
        ErrorKind::Authentication => 401,
        ErrorKind::Billing => 402,
        ErrorKind::Permission => 403,
        ErrorKind::NotFound => 404,
        ErrorKind::MethodNotAllowed => 405,
        ErrorKind::RequestTimeout => 408,
        ErrorKind::Conflict => 409,
        ErrorKind::TooLarge => 413,
        ErrorKind::RateLimit => 429,
        ErrorKind::Api => 502,
        ErrorKind::Overloaded => match from {
            Wire::OpenAiChat => 503,
            Wire::AnthropicMessages => 529,
        },
        ErrorKind::Timeout => 504,
    }
}

/// Message and code in the client's words.
fn words(client: Wire, facts: &ErrorFacts) -> (Cow<'_, str>, Option<&'static str>) {
    let message = facts.message.as_deref().unwrap_or("upstream error");
    let too_long = message.starts_with(TOO_LONG);
    if client == Wire::AnthropicMessages && !too_long && is_context(facts) {
        return (Cow::Owned([TOO_LONG, ": ", message].concat()), None);
    }
    let code = code_of(client, message).filter(|_| facts.kind == ErrorKind::InvalidRequest);
    (Cow::Borrowed(message), code)
}

const TOO_LONG: &str = "prompt is too long";
