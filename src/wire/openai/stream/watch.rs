//! Reads along a stream of the OpenAI wire, as little as it can.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::chat::usage::{StopReason, Usage};
use crate::json::scan::{DEPTH_MAX, trimmed};
use crate::json::tape::{JsonKind, Tape, Value};
use crate::limits::EVENT_VALUES_MAX;
use crate::wire::common::error_text;
use crate::wire::common::stream_observation::{
    AnsweringModel, EventKind, LastDelta, MemberFinder, is_closed, is_filled,
};
use crate::wire::openai::answer::failure;
use crate::wire::openai::reasoning::non_empty;
use crate::wire::openai::stream::choices::Choices;
use crate::wire::openai::{error, finish, usage};

/// What was seen of one stream.
#[derive(Debug, Default)]
pub struct Watch {
    choices: Choices,
    usage: Usage,
    stop: Option<StopReason>,
    before: LastDelta,
    named: AnsweringModel,
}

impl Watch {
    /// Looks at the data of one event.
    pub fn see(&mut self, data: &[u8], tape: &mut Tape) -> EventKind {
        let data = trimmed(data);
        if data.is_empty() {
            return EventKind::Nothing;
        }
        if data.starts_with(b"[DONE]") {
            return EventKind::End;
        }
        self.named.look(data);
        if self.before.is_like(data) {
            return EventKind::Delta;
        }
        // A chunk that does not end like one, or whose text does not end, was cut: it is read.
        let plain = data.ends_with(b"}") && is_plain(data) && is_closed(data);
        if plain && let Some(index) = index(data) {
            let seen = match growth(data) {
                Growth::Delta(text) if self.before.learn(data, text, padding(data)) => {
                    Some(EventKind::Delta)
                }
                Growth::Delta(_) => None,
                Growth::Other(seen) => Some(seen),
            };
            if let Some(seen) = seen {
                self.choices.note(index, false);
                return seen;
            }
        }
        match tape.read(data, DEPTH_MAX, EVENT_VALUES_MAX) {
            Ok(root) if root.kind() == JsonKind::Object => {
                let seen = self.read(root, data);
                if plain && let (EventKind::Delta, Growth::Delta(text)) = (&seen, growth(data)) {
                    self.before.learn(data, text, padding(data));
                }
                seen
            }
            Ok(_) => EventKind::Nothing,
            Err(error) if error.kind.is_limit() => EventKind::Nothing,
            Err(_) => EventKind::Malformed,
        }
    }

    /// Token counts so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// The model that the provider says is answering.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.named.model()
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

    fn read(&mut self, root: Value<'_>, data: &[u8]) -> EventKind {
        // Counts may stand beside an error (OpenRouter): they are paid for.
        let groq = root.get_set("x_groq").and_then(|own| own.get_set("usage"));
        if let Some(counts) = root.get_set("usage").or(groq).and_then(usage::read) {
            self.usage = counts;
        }
        if root.get_set("error").is_some_and(error_text::is_truthy) {
            return EventKind::Error(Box::new(error::read_object(root)));
        }
        if root.get("choices").is_none()
            && let Some(facts) = error::find(root)
        {
            return EventKind::Error(Box::new(facts));
        }
        let mut seen = match growth(data) {
            Growth::Delta(_) => EventKind::Delta,
            Growth::Other(seen) => seen,
        };
        for choice in root.get("choices").into_iter().flat_map(Value::elements) {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
            let reason = choice.get("finish_reason").and_then(non_empty);
            if failure::is_failed(choice) {
                return EventKind::Error(Box::new(failure::of_choice(choice)));
            }
            self.choices.note(index, reason.is_some());
            if index == 0 && self.stop.is_none() {
                self.stop = reason.and_then(finish::read);
            }
            if reason.is_some() && matches!(seen, EventKind::Nothing) {
                seen = EventKind::Content;
            }
        }
        seen
    }
}

/// Whether the bytes show a chunk with one choice that neither finishes nor carries usage or an
/// error. A name may be spelled by escapes of its letters, which bytes do not show.
fn is_plain(data: &[u8]) -> bool {
    // Of members that stand twice the last one counts.
    let idle = |name: &MemberFinder, data| match name.value_in(data) {
        None => true,
        Some(value) => value.starts_with(b"null") && name.value_in(value).is_none(),
    };
    CHOICES.value_in(data).is_some_and(|choices| {
        choices.starts_with(b"[{")
            && ESCAPED_LETTER.find(data).is_none()
            && idle(&FINISH, choices)
            && idle(&USAGE, data)
            && idle(&ERROR, data)
    })
}

/// The index of the first choice, where the bytes show it: ahead of every object in the choice.
/// Behind one it may be a tool call's.
fn index(data: &[u8]) -> Option<u64> {
    let choices = CHOICES.value_in(data)?;
    let value = INDEX.value_in(choices)?;
    let ahead = choices.get(1..choices.len() - value.len())?;
    if memchr::memrchr(b'{', ahead) != Some(0) {
        return None;
    }
    let len = value.iter().take_while(|b| b.is_ascii_digit()).count();
    let ends = matches!(value.get(len), Some(b',' | b'}'));
    let digits = value.get(..len).filter(|_| ends && matches!(len, 1..=3))?;
    let number = digits
        .iter()
        .fold(0, |number, byte| number * 10 + u64::from(byte - b'0'));
    Some(number)
}

/// The value of such a string.
fn padding(data: &[u8]) -> Option<&[u8]> {
    PADDINGS.iter().find_map(|name| name.value_in(data))
}

enum Growth<'d> {
    /// A delta, and where its text starts.
    Delta(&'d [u8]),
    Other(EventKind),
}

/// Whether a chunk's delta carries a piece of something.
fn growth(data: &[u8]) -> Growth<'_> {
    let Some(delta) = DELTA.value_in(data) else {
        return Growth::Other(EventKind::Nothing);
    };
    let filled = |name: &MemberFinder| name.value_in(delta).filter(|value| is_filled(value));
    if let Some(text) = TEXTS.iter().find_map(filled) {
        return Growth::Delta(text);
    }
    let opens = |value: &[u8]| value.starts_with(b"[{") || value.starts_with(b"{");
    let some = OTHERS
        .iter()
        .any(|name| name.value_in(delta).is_some_and(opens));
    Growth::Other(if some {
        EventKind::Content
    } else {
        EventKind::Nothing
    })
}

static ESCAPED_LETTER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u00"));
static CHOICES: MemberFinder = MemberFinder::new(b"\"choices\"");
static FINISH: MemberFinder = MemberFinder::new(b"\"finish_reason\"");
static USAGE: MemberFinder = MemberFinder::new(b"\"usage\"");
static ERROR: MemberFinder = MemberFinder::new(b"\"error\"");
static INDEX: MemberFinder = MemberFinder::new(b"\"index\"");
static DELTA: MemberFinder = MemberFinder::new(b"\"delta\"");
/// Strings that vary from chunk to chunk and mean nothing.
static PADDINGS: [MemberFinder; 2] = [
    MemberFinder::new(b"\"obfuscation\""),
    MemberFinder::new(b"\"p\""),
];
/// Members of a delta that hold a piece of text.
static TEXTS: [MemberFinder; 6] = [
    MemberFinder::new(b"\"content\""),
    MemberFinder::new(b"\"arguments\""),
    MemberFinder::new(b"\"reasoning_content\""),
    MemberFinder::new(b"\"reasoning\""),
    MemberFinder::new(b"\"refusal\""),
    MemberFinder::new(b"\"text\""),
];
/// Members of a delta that hold something else that a client shows.
static OTHERS: [MemberFinder; 4] = [
    MemberFinder::new(b"\"tool_calls\""),
    MemberFinder::new(b"\"function_call\""),
    MemberFinder::new(b"\"audio\""),
    MemberFinder::new(b"\"annotations\""),
];
