//! Reads along a stream of the OpenAI wire, as little as it can.

use crate::chat::usage::{StopReason, Usage};
use crate::json::scan::DEPTH_MAX;
use crate::json::tape::{Kind, Tape, Value};
use crate::limits::EVENT_VALUES_MAX;
use crate::wire::error_text;
use crate::wire::openai::choices::Choices;
use crate::wire::openai::reasoning::non_empty;
use crate::wire::openai::{error, failure, finish, usage};
use crate::wire::seen::{Before, Seen, is_filled, value_of};

/// What was seen of one stream.
#[derive(Debug, Default)]
pub struct Watch {
    choices: Choices,
    usage: Usage,
    stop: Option<StopReason>,
    before: Before,
}

impl Watch {
    /// Looks at the data of one event.
    pub fn see(&mut self, data: &[u8], tape: &mut Tape) -> Seen {
        let data = data.trim_ascii();
        if data.is_empty() {
            return Seen::Nothing;
        }
        if data.starts_with(b"[DONE]") {
            return Seen::End;
        }
        if self.before.is_like(data) {
            return Seen::Delta;
        }
        if is_plain(data) {
            self.choices.note(index(data), false);
            return match growth(data) {
                Growth::Delta(text) => {
                    self.before.learn(data, text, padding(data));
                    Seen::Delta
                }
                Growth::Other(seen) => seen,
            };
        }
        match tape.read(data, DEPTH_MAX, EVENT_VALUES_MAX) {
            Ok(root) if root.kind() == Kind::Object => self.read(root, data),
            _ => Seen::Malformed,
        }
    }

    /// Token counts so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// Why the model stopped, once it said so.
    #[must_use]
    pub const fn stop(&self) -> Option<StopReason> {
        self.stop
    }

    /// Whether the answer is whole even if nothing more comes.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.choices.all_finished()
    }

    fn read(&mut self, root: Value<'_>, data: &[u8]) -> Seen {
        if root.get_set("error").is_some_and(error_text::is_truthy) {
            return Seen::Error(Box::new(error::read_object(root)));
        }
        if root.get("choices").is_none()
            && let Some(facts) = error::find(root)
        {
            return Seen::Error(Box::new(facts));
        }
        let groq = root.get_set("x_groq").and_then(|own| own.get_set("usage"));
        if let Some(counts) = root.get_set("usage").or(groq).and_then(usage::read) {
            self.usage = counts;
        }
        let mut seen = match growth(data) {
            Growth::Delta(_) => Seen::Delta,
            Growth::Other(seen) => seen,
        };
        for choice in root.get("choices").into_iter().flat_map(Value::elements) {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
            let reason = choice.get("finish_reason").and_then(non_empty);
            if failure::is_failed(choice) {
                return Seen::Error(Box::new(failure::of_choice(choice)));
            }
            self.choices.note(index, reason.is_some());
            if index == 0 && self.stop.is_none() {
                self.stop = reason.and_then(finish::read);
            }
            if reason.is_some() && matches!(seen, Seen::Nothing) {
                seen = Seen::Content;
            }
        }
        seen
    }
}

/// Whether the bytes show a chunk with one choice that neither finishes nor carries usage or an
/// error.
fn is_plain(data: &[u8]) -> bool {
    let idle = |name: &[u8]| value_of(data, name).is_none_or(|value| value.starts_with(b"null"));
    let Some(choices) = value_of(data, b"\"choices\"") else {
        return false;
    };
    let unfinished = match value_of(choices, FINISH) {
        None => true,
        Some(value) => value.starts_with(b"null") && value_of(value, FINISH).is_none(),
    };
    choices.starts_with(b"[{")
        && unfinished
        && idle(b"\"usage\"")
        && idle(b"\"error\"")
        && memchr::memmem::find(data, b"\"index\"").is_some()
}

const FINISH: &[u8] = b"\"finish_reason\"";

/// The index of the first choice.
fn index(data: &[u8]) -> u64 {
    let choices = value_of(data, b"\"choices\"").unwrap_or_default();
    let digits = value_of(choices, b"\"index\"").unwrap_or_default();
    digits
        .iter()
        .take(3)
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, byte| number * 10 + u64::from(byte - b'0'))
}

/// Strings that vary from chunk to chunk and mean nothing.
fn padding(data: &[u8]) -> Option<&[u8]> {
    value_of(data, b"\"obfuscation\"").or_else(|| value_of(data, b"\"p\""))
}

enum Growth<'d> {
    /// A delta, and where its text starts.
    Delta(&'d [u8]),
    Other(Seen),
}

/// Whether a chunk's delta carries a piece of something.
fn growth(data: &[u8]) -> Growth<'_> {
    let Some(delta) = value_of(data, b"\"delta\"") else {
        return Growth::Other(Seen::Nothing);
    };
    let filled = |name: &[u8]| value_of(delta, name).filter(|value| is_filled(value));
    let texts: [&[u8]; 6] = [
        b"\"content\"",
        b"\"arguments\"",
        b"\"reasoning_content\"",
        b"\"reasoning\"",
        b"\"refusal\"",
        b"\"text\"",
    ];
    if let Some(text) = texts.iter().find_map(|name| filled(name)) {
        return Growth::Delta(text);
    }
    let others: [&[u8]; 4] = [
        b"\"tool_calls\"",
        b"\"function_call\"",
        b"\"audio\"",
        b"\"annotations\"",
    ];
    let opens = |value: &[u8]| value.starts_with(b"[{") || value.starts_with(b"{");
    let some = others
        .iter()
        .any(|name| value_of(delta, name).is_some_and(opens));
    Growth::Other(if some { Seen::Content } else { Seen::Nothing })
}
