//! Errors where an answer or a chunk of one should be.

use crate::chat::error::{ErrorFacts, ErrorKind};
use crate::json::tape::Value;
use crate::wire::error_text::is_truthy;
use crate::wire::openai::error;

/// The error that a success reports in place of an answer: as a document, or in its first choice.
#[must_use]
pub fn of_answer(root: Value<'_>) -> Option<ErrorFacts> {
    let choices = root.get_set("choices");
    match choices.and_then(|choices| choices.elements().next()) {
        Some(choice) if !root.get("error").is_some_and(is_truthy) => {
            is_failed(choice).then(|| of_choice(choice))
        }
        _ => error::find(root),
    }
}

/// Whether a choice carries an error, or finished with one.
#[must_use]
pub fn is_failed(choice: Value<'_>) -> bool {
    choice
        .get("finish_reason")
        .is_some_and(|reason| reason.is_str("error"))
        || choice.get("error").is_some_and(is_truthy)
}

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
