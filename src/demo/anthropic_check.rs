//! A stream of the Anthropic wire, held against its grammar.
//!
//! ```text
//! stream := message_start block* message_delta message_stop      ping anywhere
//! block  := content_block_start content_block_delta* content_block_stop
//! ```
//!
//! Every record names its event, as its data does; blocks are numbered from 0 and one is open at a
//! time; deltas are of their block's kind, a signature is the last of its block.

use crate::demo::meaning::{Call, Delta, Meaning};
use crate::demo::reader::Record;
use crate::demo::stub::script::{Counts, Stop};
use crate::json::tape::{JsonKind, Tape, Value};
use crate::limits::{EVENT_VALUES_MAX, Limits};

/// Checks one stream.
#[derive(Debug, Default)]
pub struct Checker {
    state: State,
    /// Blocks so far, the open one included.
    block_count: u64,
    meaning: Meaning,
    tape: Tape,
}

/// What may come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    /// Between blocks.
    Between,
    /// Within one.
    Block(BlockKind),
    /// The stop reason was told.
    Told,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    Text,
    Thinking,
    /// Its signature has come.
    Signed,
    Tool,
}

impl Checker {
    /// Takes the next record.
    ///
    /// # Errors
    /// What the wire does not allow here.
    pub fn record(&mut self, record: &Record) -> Result<Delta, String> {
        let mut tape = core::mem::take(&mut self.tape);
        let depth = Limits::default().json_depth_max;
        let data = tape.read(record.data.as_bytes(), depth, EVENT_VALUES_MAX);
        let delta = data
            .map_err(|error| format!("an event that is no JSON: {error}"))
            .and_then(|data| self.event(record.event.as_deref(), data));
        self.tape = tape;
        let delta = delta?;
        self.meaning.add(&delta)?;
        Ok(delta)
    }

    /// Ends the stream: what it said.
    ///
    /// # Errors
    /// It had not come to its end.
    pub fn finish(mut self) -> Result<Meaning, String> {
        if self.state != State::Over {
            return Err(format!("the stream ended early (in {:?})", self.state));
        }
        // A tool without arguments may come without a fragment.
        for call in &mut self.meaning.calls {
            if call.arguments.is_empty() {
                call.arguments.push_str("{}");
            }
        }
        Ok(self.meaning)
    }

    fn event(&mut self, name: Option<&str>, data: Value<'_>) -> Result<Delta, String> {
        let name = name.ok_or("a record without an event name")?;
        if !data.get("type").is_some_and(|kind| kind.is_str(name)) {
            return Err(format!("event {name:?} whose data has another type"));
        }
        match (name, self.state) {
            ("ping", state) if state != State::Over => {}
            ("message_start", State::Start) => {
                check_message(data.get("message").ok_or("no message")?)?;
                self.state = State::Between;
            }
            ("content_block_start", State::Between) => return self.block_start(data),
            ("content_block_delta", State::Block(kind)) => return self.block_delta(kind, data),
            ("content_block_stop", State::Block(_)) => {
                self.check_index(data)?;
                self.state = State::Between;
            }
            ("message_delta", State::Between) => {
                self.message_delta(data)?;
                self.state = State::Told;
            }
            ("message_stop", State::Told) => self.state = State::Over,
            ("error", _) => {
                let text = String::from_utf8_lossy(data.source()).into_owned();
                return Err(format!("an error within the stream: {text}"));
            }
            (name, state) => return Err(format!("out of order: {name} in {state:?}")),
        }
        Ok(Delta::Silent)
    }

    fn block_start(&mut self, data: Value<'_>) -> Result<Delta, String> {
        self.block_count += 1;
        self.check_index(data)?;
        let block = data.get("content_block").ok_or("no content_block")?;
        let is_empty = |name: &str| block.get(name).is_some_and(|text| text.is_str(""));
        let kind = text(block.get("type"), "type")?;
        let (kind, delta) = match kind.as_str() {
            "text" if is_empty("text") => (BlockKind::Text, Delta::Silent),
            "thinking" if is_empty("thinking") && is_empty("signature") => {
                (BlockKind::Thinking, Delta::Silent)
            }
            "tool_use" => {
                let input = block
                    .get("input")
                    .filter(|it| it.kind() == JsonKind::Object);
                if input.is_none_or(|input| input.members().next().is_some()) {
                    return Err("a tool call that does not start with an empty input".to_owned());
                }
                let name = text(block.get("name"), "name")?;
                self.meaning.calls.push(Call {
                    id: text(block.get("id"), "id")?,
                    name: name.clone(),
                    arguments: String::new(),
                });
                (BlockKind::Tool, Delta::Call(name))
            }
            other => return Err(format!("a {other} block that is not empty, or unknown")),
        };
        self.state = State::Block(kind);
        Ok(delta)
    }

    fn block_delta(&mut self, block: BlockKind, data: Value<'_>) -> Result<Delta, String> {
        self.check_index(data)?;
        let delta = data.get("delta").ok_or("no delta")?;
        let kind = text(delta.get("type"), "type")?;
        let piece = |name: &str| text(delta.get(name), name);
        match (kind.as_str(), block) {
            ("text_delta", BlockKind::Text) => Ok(growth(piece("text")?, Delta::Text)),
            ("thinking_delta", BlockKind::Thinking) => {
                Ok(growth(piece("thinking")?, Delta::Thinking))
            }
            ("signature_delta", BlockKind::Thinking) => {
                self.meaning.signature = piece("signature")?;
                self.state = State::Block(BlockKind::Signed);
                Ok(Delta::Silent)
            }
            ("input_json_delta", BlockKind::Tool) => {
                Ok(growth(piece("partial_json")?, Delta::Arguments))
            }
            (kind, block) => Err(format!("{kind} in a block of kind {block:?}")),
        }
    }

    fn check_index(&self, data: Value<'_>) -> Result<(), String> {
        let index = data.get("index").and_then(Value::as_u64);
        if index.and_then(|index| index.checked_add(1)) == Some(self.block_count) {
            Ok(())
        } else {
            Err(format!("index {index:?} in block {}", self.block_count))
        }
    }

    fn message_delta(&mut self, data: Value<'_>) -> Result<(), String> {
        let reason = data.get("delta").and_then(|delta| delta.get("stop_reason"));
        let reason = text(reason, "stop_reason")?;
        self.meaning.stop = Some(match reason.as_str() {
            "end_turn" => Stop::Done,
            "max_tokens" => Stop::Length,
            "tool_use" => Stop::Tools,
            "refusal" => Stop::Refusal,
            other => return Err(format!("stop reason {other:?}")),
        });
        let usage = data.get("usage").ok_or("message_delta without usage")?;
        self.meaning.counts = Some(counts(usage)?);
        Ok(())
    }
}

fn check_message(message: Value<'_>) -> Result<(), String> {
    for (name, expected) in [("type", "message"), ("role", "assistant")] {
        if !message
            .get(name)
            .is_some_and(|value| value.is_str(expected))
        {
            return Err(format!("message_start whose {name} is not {expected}"));
        }
    }
    for name in ["id", "model"] {
        if text(message.get(name), name)?.is_empty() {
            return Err(format!("message_start with an empty {name}"));
        }
    }
    let content = message
        .get("content")
        .filter(|it| it.kind() == JsonKind::Array);
    if content.is_none_or(|content| content.elements().next().is_some()) {
        return Err("message_start whose content is not empty".to_owned());
    }
    if !message.get("stop_reason").is_some_and(Value::is_null) {
        return Err("message_start with a stop reason".to_owned());
    }
    let usage = message.get("usage").ok_or("message_start without usage")?;
    number(usage, "input_tokens")?;
    number(usage, "output_tokens")?;
    Ok(())
}

fn growth(piece: String, make: fn(String) -> Delta) -> Delta {
    if piece.is_empty() {
        Delta::Silent
    } else {
        make(piece)
    }
}

fn text(value: Option<Value<'_>>, name: &str) -> Result<String, String> {
    let raw = value.and_then(Value::as_raw);
    let raw = raw.ok_or_else(|| format!("{name} is no string"))?;
    Ok(raw.decode())
}

fn number(usage: Value<'_>, name: &str) -> Result<u64, String> {
    let number = usage.get(name).and_then(Value::as_u64);
    number.ok_or_else(|| format!("usage without {name}"))
}

fn counts(usage: Value<'_>) -> Result<Counts, String> {
    let fresh = number(usage, "input_tokens")?;
    let cached = number(usage, "cache_read_input_tokens")?;
    let written = number(usage, "cache_creation_input_tokens")?;
    let details = usage.get("output_tokens_details");
    let details = details.ok_or("usage without output_tokens_details")?;
    Ok(Counts {
        input: fresh.saturating_add(cached).saturating_add(written),
        cached,
        output: number(usage, "output_tokens")?,
        thinking: number(details, "thinking_tokens")?,
    })
}

#[cfg(test)]
mod tests;
