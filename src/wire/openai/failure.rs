//! Errors inside the chunks of a stream.

use crate::chat::error::{ErrorFacts, ErrorKind};
use crate::json::tape::{Kind, Value};
use crate::wire::openai::error;

/// The error that a choice carries, or the bare fact that it finished with one.
#[must_use]
pub fn of_choice(choice: Value<'_>) -> ErrorFacts {
    if choice.get("error").is_some_and(is_truthy) {
        return error::read_object(choice);
    }
    ErrorFacts {
        kind: ErrorKind::Api,
        message: None,
        param: None,
        code: None,
    }
}

/// What the SDKs take for an error: anything but null, false, zero and empty.
#[must_use]
pub fn is_truthy(value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Object => value.members().next().is_some(),
        Kind::Array => value.elements().next().is_some(),
        Kind::String => value.as_raw().is_some_and(|raw| !raw.is_empty()),
        Kind::Number => value.as_u64() != Some(0),
        Kind::Bool => value.as_bool() == Some(true),
        Kind::Null => false,
    }
}
