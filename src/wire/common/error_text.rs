//! The lenient reading of provider errors: what different services put where.
//!
//! Seen: `{"error":{"message"}}`, `{"error":"text"}`, `{"message"}` and `{"Message"}` (AWS),
//! `{"object":"error","message","code"}` (vLLM),
//! `{"detail":"text"}` and `{"detail":[{"msg"}]}` (FastAPI), the same within `message` (Mistral), an array of one error object
//! (Gemini), numeric codes (OpenRouter, llama.cpp). Everything found is optional.
//!
//! Also here: the phrases and codes by which clients tell two refusals from all others. Services pass
//! on each other's, so that they are looked for whatever the wire is.

use crate::chat::error::{ErrorFacts, ErrorKind};
use crate::json::tape::{JsonKind, Value};

/// The error that `root` is, where it is one: it has an `error` that says something, calls itself
/// an error, or has an error's text. For documents that are nothing else.
#[must_use]
pub fn find(
    root: Value<'_>,
    kind: impl FnOnce(Option<&str>, Option<&str>) -> ErrorKind,
) -> Option<ErrorFacts> {
    let object = unwrap_array(root);
    let named = ["object", "type"].map(|name| object.get(name));
    let is_named = named.into_iter().flatten().any(|name| name.is_str("error"));
    let is_told = object.get("error").is_some_and(is_truthy);
    let facts = read(root, kind);
    (is_told || is_named || facts.message.is_some()).then_some(facts)
}

/// What the SDKs take for an error: anything but null, false, zero and empty.
#[must_use]
pub fn is_truthy(value: Value<'_>) -> bool {
    match value.kind() {
        JsonKind::Object => value.members().next().is_some(),
        JsonKind::Array => value.elements().next().is_some(),
        JsonKind::String => value.as_raw().is_some_and(|raw| !raw.is_empty()),
        JsonKind::Number => value.as_u64() != Some(0),
        JsonKind::Bool => value.as_bool() == Some(true),
        JsonKind::Null => false,
    }
}

/// Message, param, code and type wherever they stand; `kind` judges by type and code.
#[must_use]
pub fn read(
    root: Value<'_>,
    kind: impl FnOnce(Option<&str>, Option<&str>) -> ErrorKind,
) -> ErrorFacts {
    let object = unwrap_array(root);
    let error = object.get_set("error").map(unwrap_array);
    let inner = error.filter(|value| value.kind() == JsonKind::Object);
    let place = inner.unwrap_or(object);
    let kind_text = text_at(place, "type");
    let code = text_at(place, "code");
    ErrorFacts {
        kind: kind(kind_text.as_deref(), code.as_deref()),
        message: message(object, error),
        param: text_at(place, "param"),
        code,
    }
}

fn message(object: Value<'_>, error: Option<Value<'_>>) -> Option<String> {
    if let Some(text) = error.and_then(|value| first_text(value, &["message", "msg", "detail"])) {
        return Some(text);
    }
    if let Some(text) = first_text(object, &["message", "Message", "detail"]) {
        return Some(text);
    }
    error.and_then(as_text).or_else(|| as_text(object))
}

fn first_text(value: Value<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let member = unwrap_array(value.get_set(name)?);
        let inner = |name: &str| as_text(unwrap_array(member.get_set(name)?));
        let listed = || {
            unwrap_array(member.get_set("detail")?)
                .get_set("msg")
                .and_then(as_text)
        };
        as_text(member)
            .or_else(|| inner("msg"))
            .or_else(|| inner("detail"))
            .or_else(listed)
    })
}

/// A string's text, or a number's digits.
fn text_at(value: Value<'_>, name: &str) -> Option<String> {
    let member = value.get_set(name)?;
    as_text(member).or_else(|| member.as_number().map(str::to_owned))
}

fn as_text(value: Value<'_>) -> Option<String> {
    let text = value.as_raw()?.decode();
    (!text.is_empty()).then_some(text)
}

fn unwrap_array(value: Value<'_>) -> Value<'_> {
    value.elements().next().unwrap_or(value)
}

/// Whether an error says that the context is too long: by its code, or in the words of engines that
/// have none (vLLM, llama.cpp, Mistral).
#[must_use]
pub fn is_context(facts: &ErrorFacts) -> bool {
    let text = facts.message.as_deref().unwrap_or_default();
    facts.code.as_deref() == Some(CONTEXT_CODE)
        || CONTEXT_TEXTS.iter().any(|known| text.contains(known))
}

/// What an Anthropic error of a context that is too long begins with.
pub const TOO_LONG: &str = "prompt is too long";
/// OpenAI's code of the same.
pub const CONTEXT_CODE: &str = "context_length_exceeded";
/// Of Anthropic's `Output blocked by content filtering policy`.
pub const FILTERED: &str = "blocked by content filtering";
const CONTEXT_TEXTS: [&str; 4] = [
    "maximum context length",
    "exceeds the available context size",
    "exceed context limit",
    "too large for model with",
];
