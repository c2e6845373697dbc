//! Errors where an answer or a chunk of one should be.

use crate::chat::error::{ErrorFacts, ErrorKind};
use crate::json::raw::Raw;
use crate::json::tape::Value;
use crate::wire::common::error_text::is_truthy;
use crate::wire::openai::{error, finish};

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

/// Whether a choice carries an error, or finished with a word for one.
#[must_use]
pub fn is_failed(choice: Value<'_>) -> bool {
    reason_of(choice).is_some_and(finish::is_failure) || choice.get("error").is_some_and(is_truthy)
}

fn reason_of(choice: Value<'_>) -> Option<Raw<'_>> {
    choice.get("finish_reason").and_then(Value::as_raw)
}

/// The error that a choice carries, or the bare fact that it finished with one.
#[must_use]
pub fn of_choice(choice: Value<'_>) -> ErrorFacts {
    if choice.get("error").is_some_and(is_truthy) {
        return error::read_object(choice);
    }
    let word = reason_of(choice).and_then(Raw::plain);
    let word = word.filter(|word| !word.eq_ignore_ascii_case("error"));
    ErrorFacts {
        kind: match word {
            Some("insufficient_system_resource") => ErrorKind::Overloaded,
            _ => ErrorKind::Api,
        },
        message: word.map(|word| format!("upstream gave the answer up: {word}")),
        param: None,
        code: None,
    }
}
