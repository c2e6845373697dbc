//! What a whole answer says of itself: one walk over its outermost object.

use crate::chat::error::ErrorFacts;
use crate::chat::usage::StopReason;
use crate::json::tape::{JsonKind, Value};
use crate::wire::anthropic::{error, stop, usage};
use crate::wire::common::answer_summary::Facts;

/// Usage, stop reason and model of an answer, without a look at what it says.
///
/// # Errors
/// The error that stands where an answer should be.
pub fn read(root: Value<'_>) -> Result<Facts<'_>, Box<ErrorFacts>> {
    let (mut kind, mut fault, mut content) = (None, None, None);
    let (mut counts, mut reason, mut model) = (None, None, None);
    root.each_member(|name, value| match name {
        b"type" => kind = Some(value),
        b"error" => fault = Some(value),
        b"content" => content = Some(value.kind()),
        b"usage" => counts = Some(value),
        b"stop_reason" => reason = value.as_raw(),
        b"model" => model = value.as_raw(),
        _ => {}
    });
    let is_message = kind.is_some_and(|kind| kind.is_str("message"));
    if !(is_message && fault.is_none())
        && let Some(error) = error::find(root)
    {
        return Err(Box::new(error));
    }
    let mut facts = Facts {
        model,
        ..Facts::default()
    };
    let is_untyped = kind.is_none_or(Value::is_null);
    if content == Some(JsonKind::Array) && (is_message || is_untyped) {
        if let Some(counts) = counts {
            usage::merge(counts, &mut facts.usage);
        }
        facts.stop = Some(reason.map_or(StopReason::Other, stop::read));
    }
    Ok(facts)
}
