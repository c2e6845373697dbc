//! What the request's translation changed is changed back in the answer.
//!
//! Tools whose names had to change get the client's names again, the tool that stood in for a
//! structured answer becomes the answer's text, and an answer that names no model is of the one that
//! was asked.
//!
//! Invariants: events come out with tools numbered from 0 without gaps again; of a structured answer the
//! first call alone is told, and no text around it; text that waits for such a call is bounded.

use std::collections::BTreeMap;

use crate::chat::event::{Ending, Event, StreamFault};
use crate::chat::small_str::SmallStr;
use crate::chat::usage::StopReason;
use crate::json::raw::Raw;
use crate::translate::answer_context::{JsonAnswer, escaped};

/// Changes the events of one stream.
#[derive(Debug)]
pub struct Restore {
    json_answer: JsonAnswer,
    /// By the name sent upstream: the client's, as escaped JSON body.
    names: BTreeMap<String, Vec<u8>>,
    /// What each of the upstream's calls is here. Kept only where a structured answer may come as one.
    parts: Vec<ClientPart>,
    calls: u32,
    /// Text that waits for the call which is the answer: with it the text goes, without it the text is
    /// the answer. Still escaped.
    held_text: Vec<u8>,
    held_bytes_max: usize,
    /// The call that is the answer has begun.
    unwrapped: bool,
    /// Text around the answer, or a further answer, was left out.
    has_dropped: bool,
    /// The model that was asked.
    model: Option<SmallStr>,
}

/// What a call of the upstream is to the client.
#[derive(Clone, Copy, Debug)]
enum ClientPart {
    /// The call of this number.
    Call(u32),
    /// The answer's text.
    Answer,
    /// A further answer: the first alone counts.
    Nothing,
}

impl Restore {
    /// For one stream; at most `held_bytes_max` bytes of text wait for a call.
    #[must_use]
    pub const fn new(
        json_answer: JsonAnswer,
        names: BTreeMap<String, Vec<u8>>,
        model: Option<SmallStr>,
        held_bytes_max: usize,
    ) -> Self {
        Self {
            json_answer,
            names,
            parts: Vec::new(),
            calls: 0,
            held_text: Vec::new(),
            held_bytes_max,
            unwrapped: false,
            has_dropped: false,
            model,
        }
    }

    /// Bytes of text that wait.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_text.len()
    }

    /// Whether something that was said is not told: text around a structured answer, or a second one.
    #[must_use]
    pub const fn has_dropped(&self) -> bool {
        self.has_dropped
    }

    /// Hands `event` on, as the client would have it.
    ///
    /// # Errors
    /// The sink's own, or too much is held back.
    #[inline]
    pub fn event(
        &mut self,
        event: &Event<'_>,
        mut sink: impl FnMut(&Event<'_>) -> Result<(), StreamFault>,
    ) -> Result<(), StreamFault> {
        // Deltas of most streams need no change: the sink is called here alone for them, where it is
        // inlined.
        if event.is_delta() && self.json_answer == JsonAnswer::Native {
            return sink(event);
        }
        self.change(event, &mut sink)
    }

    /// Hands on an event that may not be the client's as it is.
    #[inline(never)]
    fn change(
        &mut self,
        event: &Event<'_>,
        sink: &mut dyn FnMut(&Event<'_>) -> Result<(), StreamFault>,
    ) -> Result<(), StreamFault> {
        match *event {
            Event::ToolStart {
                id,
                name,
                signature,
                ..
            } => {
                if self.json_answer == JsonAnswer::Tool && name.is(JSON_TOOL) {
                    self.answer_start();
                    return Ok(());
                }
                let tool = self.calls;
                self.calls = tool.saturating_add(1);
                if self.json_answer == JsonAnswer::Tool {
                    self.parts.push(ClientPart::Call(tool));
                }
                let name = client_name(&self.names, name);
                sink(&Event::ToolStart {
                    tool,
                    id,
                    name,
                    signature,
                })
            }
            Event::ToolArguments { tool, json, whole } => match self.client_part(tool) {
                ClientPart::Call(tool) => sink(&Event::ToolArguments { tool, json, whole }),
                ClientPart::Answer => sink(&Event::Text {
                    block: 0,
                    text: json,
                }),
                ClientPart::Nothing => Ok(()),
            },
            Event::ToolStop { tool } => match self.client_part(tool) {
                ClientPart::Call(tool) => sink(&Event::ToolStop { tool }),
                ClientPart::Answer | ClientPart::Nothing => Ok(()),
            },
            Event::Text { text, .. } if self.json_answer == JsonAnswer::Tool => {
                self.hold_text(text)
            }
            Event::End(ending) => {
                self.release_text(sink)?;
                sink(&Event::End(Ending {
                    stop: self.stop(ending.stop),
                    ..ending
                }))
            }
            Event::Start { id, model, tier } if model.is_empty() => {
                let own = escaped(self.model.as_ref());
                let model = Raw::from_checked(&own);
                sink(&Event::Start { id, model, tier })
            }
            Event::Start { .. }
            | Event::Text { .. }
            | Event::Refusal { .. }
            | Event::Thinking { .. }
            | Event::Signature { .. }
            | Event::Redacted { .. }
            | Event::Citation(_)
            | Event::BlockStop { .. }
            | Event::Ping => sink(event),
        }
    }

    /// A call begins that is the answer. Text around it is none.
    fn answer_start(&mut self) {
        self.parts.push(match self.unwrapped {
            false => ClientPart::Answer,
            true => ClientPart::Nothing,
        });
        self.has_dropped |= self.unwrapped || !Raw::from_checked(&self.held_text).is_blank();
        self.unwrapped = true;
        self.held_text = Vec::new();
    }

    fn hold_text(&mut self, text: Raw<'_>) -> Result<(), StreamFault> {
        if self.unwrapped {
            self.has_dropped |= !text.is_blank();
            return Ok(());
        }
        self.held_text.extend_from_slice(text.bytes());
        if self.held_text.len() > self.held_bytes_max {
            return Err(StreamFault::TooLarge);
        }
        Ok(())
    }

    /// The text that waits is the client's.
    fn release_text(
        &mut self,
        sink: &mut dyn FnMut(&Event<'_>) -> Result<(), StreamFault>,
    ) -> Result<(), StreamFault> {
        if self.held_text.is_empty() {
            return Ok(());
        }
        let text = core::mem::take(&mut self.held_text);
        sink(&Event::Text {
            block: 0,
            text: Raw::from_checked(&text),
        })
    }

    /// The stop reason without the call that was none.
    #[must_use]
    pub const fn stop(&self, stop: StopReason) -> StopReason {
        match stop {
            StopReason::ToolUse if self.unwrapped && self.calls == 0 => StopReason::EndTurn,
            stop => stop,
        }
    }

    fn client_part(&self, tool: u32) -> ClientPart {
        match self.json_answer {
            JsonAnswer::Native => ClientPart::Call(tool),
            JsonAnswer::Tool => {
                let part = self.parts.get(tool as usize);
                part.copied().unwrap_or(ClientPart::Nothing)
            }
        }
    }
}

/// The client's name of the tool that the upstream knows as `name`.
#[must_use]
pub fn client_name<'a>(names: &'a BTreeMap<String, Vec<u8>>, name: Raw<'a>) -> Raw<'a> {
    if names.is_empty() {
        return name;
    }
    let known = names.get(name.text().as_ref());
    known.map_or(name, |own| Raw::from_checked(own))
}

/// The tool that stands in for a structured answer.
pub const JSON_TOOL: &str = "json_response";
