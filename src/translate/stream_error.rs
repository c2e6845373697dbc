//! An error that a provider sent within a stream, said in the client's wire.
//!
//! Such an error has no status of its own: its words decide. Two wordings are what clients look
//! for, and they differ between the wires.

use std::borrow::Cow;

use crate::chat::error::{ApiError, ErrorFacts, ErrorKind};
use crate::translate::error::{ClientError, own_code};
use crate::wire::codec;
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
    codec::write_error_event(client, &error, "", out);
}

/// The same error as an answer of its own, for a stream of which nothing else came. Its class gives
/// the status, as its provider would have: what is not worth another try stays so.
#[must_use]
pub fn told((from, client): (Wire, Wire), facts: &ErrorFacts) -> ClientError {
    let (message, code) = words(client, facts);
    let code = own_code((from, client), facts).or(code);
    ClientError {
        status: status(from, facts.kind),
        kind: facts.kind,
        message: message.into_owned(),
        param: facts.param.clone(),
        code: code.map(str::to_owned),
        should_retry: (facts.kind == ErrorKind::Billing).then_some(false),
    }
}

fn status(from: Wire, kind: ErrorKind) -> u16 {
    if kind == ErrorKind::Overloaded {
        return codec::conventions(from).overloaded_status;
    }
    if kind == ErrorKind::Api {
        502
    } else {
        kind.status()
    }
}

/// Message and code in the client's words.
fn words(client: Wire, facts: &ErrorFacts) -> (Cow<'_, str>, Option<&'static str>) {
    let message = facts.message.as_deref().unwrap_or("upstream error");
    let (message, code) = codec::error_words(client, facts, Cow::Borrowed(message));
    (
        message,
        code.filter(|_| facts.kind == ErrorKind::InvalidRequest),
    )
}
