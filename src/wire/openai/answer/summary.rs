//! What a whole answer says of itself: one walk over each of the few objects that say it.

use crate::chat::error::ErrorFacts;
use crate::json::tape::{JsonKind, Value};
use crate::wire::common::answer_summary::Facts;
use crate::wire::common::error_text::is_truthy;
use crate::wire::openai::answer::{failure, response};
use crate::wire::openai::{error, finish, reasoning, usage};

/// Usage, stop reason and model of an answer; one without calls and refusals is not taken apart for
/// it.
///
/// # Errors
/// The error that stands where an answer should be.
pub fn read(root: Value<'_>) -> Result<Facts<'_>, Box<ErrorFacts>> {
    let (mut choices, mut fault, mut counts, mut model) = (None, None, None, None);
    root.each_member(|name, value| match name {
        b"choices" => choices = Some(value),
        b"error" => fault = Some(value),
        b"usage" => counts = Some(value),
        b"model" => model = value.as_raw(),
        _ => {}
    });
    let mut facts = Facts {
        model,
        ..Facts::default()
    };
    let first = choices.and_then(|choices| choices.elements().next());
    let Some(choice) = first.filter(|_| !fault.is_some_and(is_truthy)) else {
        return error::find(root).map_or(Ok(facts), |error| Err(Box::new(error)));
    };
    let (mut reason, mut fault, mut message) = (None, None, None);
    choice.each_member(|name, value| match name {
        b"finish_reason" => reason = Some(value),
        b"error" => fault = Some(value),
        b"message" => message = Some(value),
        _ => {}
    });
    let is_failed = reason
        .and_then(Value::as_raw)
        .is_some_and(finish::is_failure);
    if is_failed || fault.is_some_and(is_truthy) {
        return Err(Box::new(failure::of_choice(choice)));
    }
    if message.is_some_and(is_plain) {
        let reason = reason.and_then(reasoning::non_empty);
        facts.usage = counts.and_then(usage::read).unwrap_or_default();
        facts.stop = Some(finish::settle(reason.and_then(finish::read), false, false));
    } else if let Some(answer) = response::read(root) {
        facts.usage = answer.ending.usage;
        facts.stop = Some(answer.ending.stop);
    }
    Ok(facts)
}

/// Whether a message has neither calls nor a refusal.
fn is_plain(message: Value<'_>) -> bool {
    let mut is_plain = message.kind() == JsonKind::Object;
    message.each_member(|name, value| {
        if matches!(name, b"tool_calls" | b"function_call" | b"refusal") {
            is_plain &= value.is_null();
        }
    });
    is_plain
}
