//! Reads along a stream of the Anthropic wire, as little as it can.

use crate::chat::usage::{StopReason, Usage};
use crate::json::raw::Raw;
use crate::json::scan::{DEPTH_MAX, trimmed};
use crate::json::tape::{JsonKind, Tape, Value};
use crate::limits::EVENT_VALUES_MAX;
use crate::wire::anthropic::{error, stop, usage};
use crate::wire::common::stream_observation::{
    AnsweringModel, EventKind, LastDelta, MemberFinder, is_closed, is_filled,
};

/// What was seen of one stream.
#[derive(Debug, Default)]
pub struct Watch {
    usage: Usage,
    stop: Option<StopReason>,
    before: LastDelta,
    named: AnsweringModel,
}

impl Watch {
    /// Looks at the data of one event.
    pub fn see(&mut self, data: &[u8], tape: &mut Tape) -> EventKind {
        if self.before.is_like(data) {
            return EventKind::Delta;
        }
        // A delta that does not end like one, or whose text does not end, was cut: it is read.
        if data.ends_with(b"}") && is_closed(data) {
            match glance(data) {
                Some(Glance::Delta(text)) if self.before.learn(data, text, None) => {
                    return EventKind::Delta;
                }
                Some(Glance::Other(seen)) => return seen,
                Some(Glance::Delta(_)) | None => {}
            }
        }
        if trimmed(data).is_empty() {
            return EventKind::Nothing;
        }
        match tape.read(data, DEPTH_MAX, EVENT_VALUES_MAX) {
            Ok(root) if root.kind() == JsonKind::Object => self.read(root),
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
        self.stop.is_some()
    }

    fn read(&mut self, root: Value<'_>) -> EventKind {
        let word = |value: Value<'_>, name: &str| {
            let raw = value.get(name).and_then(Value::as_raw);
            raw.and_then(Raw::plain)
                .map(str::to_owned)
                .unwrap_or_default()
        };
        match word(root, "type").as_str() {
            "message_start" => {
                let message = root.get_set("message");
                let model = message.and_then(|message| message.get_set("model")?.as_raw());
                self.named.keep(model.unwrap_or(Raw::EMPTY));
                if let Some(counts) = message.and_then(|message| message.get_set("usage")) {
                    usage::merge(counts, &mut self.usage);
                }
                EventKind::Nothing
            }
            "message_delta" => {
                if let Some(counts) = root.get_set("usage") {
                    usage::merge(counts, &mut self.usage);
                }
                let delta = root.get_set("delta");
                let reason = delta.and_then(|delta| delta.get_set("stop_reason")?.as_raw());
                self.stop = reason.map(stop::read).or(self.stop);
                EventKind::Content
            }
            "content_block_start" => {
                let block = root.get_set("content_block");
                match block.map(|block| word(block, "type")).as_deref() {
                    Some("text" | "thinking") => EventKind::Nothing,
                    _ => EventKind::Content,
                }
            }
            "content_block_delta" => {
                let delta = root.get_set("delta");
                let names = ["text", "thinking", "partial_json"];
                let filled = |name: &&str| {
                    let piece = delta.and_then(|delta| delta.get_set(name)?.as_raw());
                    piece.is_some_and(|piece| !piece.is_empty())
                };
                if names.iter().any(filled) {
                    EventKind::Delta
                } else {
                    EventKind::Content
                }
            }
            "content_block_stop" => EventKind::Content,
            "message_stop" => EventKind::End,
            "error" => EventKind::Error(Box::new(error::read_object(root))),
            _ => match error::in_stranger(root) {
                Some(facts) => EventKind::Error(Box::new(facts)),
                None => EventKind::Nothing,
            },
        }
    }
}

/// Whether events of this name are the wire's own, and their data JSON. A ping is known by its name
/// alone; what has another name, or none, is between the provider and its clients.
#[must_use]
pub fn is_known(event: &[u8]) -> bool {
    matches!(
        event,
        b"message_start"
            | b"content_block_start"
            | b"content_block_delta"
            | b"content_block_stop"
            | b"message_delta"
            | b"message_stop"
            | b"error"
    )
}

enum Glance<'d> {
    /// A delta, and where its text starts.
    Delta(&'d [u8]),
    Other(EventKind),
}

/// Tells a delta by its bytes; nothing if the event must be read.
fn glance(data: &[u8]) -> Option<Glance<'_>> {
    let kind = TYPE.value_in(data)?;
    if !kind.starts_with(b"\"content_block_delta\"") {
        return None;
    }
    let delta = DELTA.value_in(data)?;
    let kind = TYPE.value_in(delta)?;
    let text = if kind.starts_with(b"\"text_delta\"") {
        &TEXT
    } else if kind.starts_with(b"\"thinking_delta\"") {
        &THINKING
    } else if kind.starts_with(b"\"input_json_delta\"") {
        &PARTIAL_JSON
    } else {
        return Some(Glance::Other(EventKind::Content));
    };
    let text = text.value_in(delta).filter(|text| is_filled(text));
    Some(text.map_or(Glance::Other(EventKind::Nothing), Glance::Delta))
}

static TYPE: MemberFinder = MemberFinder::new(b"\"type\"");
static DELTA: MemberFinder = MemberFinder::new(b"\"delta\"");
static TEXT: MemberFinder = MemberFinder::new(b"\"text\"");
static THINKING: MemberFinder = MemberFinder::new(b"\"thinking\"");
static PARTIAL_JSON: MemberFinder = MemberFinder::new(b"\"partial_json\"");
