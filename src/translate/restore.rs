//! What the request's translation changed is changed back in the answer.
//!
//! Tools whose names had to change get the client's names again, the tool that stood in for a
//! structured answer becomes the answer's text, and an answer that names no model is of the one that
//! was asked.
//!
//! Invariant: events come out with tools numbered from 0 without gaps again.

use std::collections::BTreeMap;

use crate::chat::event::{Ending, Event, StreamFault};
use crate::chat::text::Text;
use crate::chat::usage::StopReason;
use crate::json::raw::Raw;
use crate::translate::context::{JsonAnswer, escaped};

/// Changes the events of one stream.
#[derive(Debug)]
pub struct Restore {
    json_answer: JsonAnswer,
    /// By the name sent upstream: the client's, as escaped JSON body.
    names: BTreeMap<String, Vec<u8>>,
    /// For each of the upstream's calls that number it has here; none for a structured answer.
    /// Kept only where such an answer may come.
    numbers: Vec<Option<u32>>,
    calls: u32,
    unwrapped: bool,
    /// The model that was asked.
    model: Option<Text>,
}

impl Restore {
    /// For one stream.
    #[must_use]
    pub const fn new(
        json_answer: JsonAnswer,
        names: BTreeMap<String, Vec<u8>>,
        model: Option<Text>,
    ) -> Self {
        Self {
            json_answer,
            names,
            numbers: Vec::new(),
            calls: 0,
            unwrapped: false,
            model,
        }
    }

    /// Hands `event` on, as the client would have it.
    ///
    /// # Errors
    /// The sink's own.
    pub fn event(
        &mut self,
        event: &Event<'_>,
        sink: impl FnOnce(&Event<'_>) -> Result<(), StreamFault>,
    ) -> Result<(), StreamFault> {
        match *event {
            Event::ToolStart { id, name, .. } => {
                if self.json_answer == JsonAnswer::Tool && name.is(JSON_TOOL) {
                    self.numbers.push(None);
                    self.unwrapped = true;
                    return Ok(());
                }
                let tool = self.calls;
                self.calls = tool.saturating_add(1);
                if self.json_answer == JsonAnswer::Tool {
                    self.numbers.push(Some(tool));
                }
                let name = client_name(&self.names, name);
                sink(&Event::ToolStart { tool, id, name })
            }
            Event::ToolArguments { tool, json, whole } => match self.number(tool) {
                Some(tool) => sink(&Event::ToolArguments { tool, json, whole }),
                None => sink(&Event::Text {
                    block: 0,
                    text: json,
                }),
            },
            Event::ToolStop { tool } => match self.number(tool) {
                Some(tool) => sink(&Event::ToolStop { tool }),
                None => Ok(()),
            },
            Event::End(ending) => sink(&Event::End(Ending {
                stop: self.stop(ending.stop),
                ..ending
            })),
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

    /// The stop reason without the call that was none.
    #[must_use]
    pub const fn stop(&self, stop: StopReason) -> StopReason {
        match stop {
            StopReason::ToolUse if self.unwrapped && self.calls == 0 => StopReason::EndTurn,
            stop => stop,
        }
    }

    fn number(&self, tool: u32) -> Option<u32> {
        match self.json_answer {
            JsonAnswer::Native => Some(tool),
            JsonAnswer::Tool => self.numbers.get(tool as usize).copied().flatten(),
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
