//! Events of the Anthropic wire to neutral events.
//!
//! The kind of an event is the `type` inside its data; the `event:` line is asked only where that
//! is no JSON. Unknown events, blocks and deltas are skipped. Blocks of server tools and their results are silent:
//! the client must not take them for calls of its own.
//!
//! Invariants: one start, at most one end; an end only after `message_stop`, or, at a clean end of
//! the body, after a stop reason; at most `BLOCKS_OPEN_MAX` blocks are remembered.

use std::borrow::Cow;

use crate::chat::event::{Citation, Ending, Event, Step, StreamFault};
use crate::chat::opaque::Opaque;
use crate::chat::response::Lost;
use crate::chat::usage::{StopReason, Usage};
use crate::json::raw::Raw;
use crate::json::scan::{DEPTH_MAX, trimmed};
use crate::json::tape::{JsonKind, Tape, Value};
use crate::json::write::escape_into;
use crate::limits::{BLOCKS_OPEN_MAX, EVENT_VALUES_MAX, TOOL_CALLS_MAX};
use crate::wire::anthropic::stream::watch;
use crate::wire::anthropic::{error, stop, usage};
use crate::wire::common::read;
use crate::wire::common::repeated_frame::{RepeatedFrame, SingleDelta};

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    /// Blocks between their start and their stop: one at a time at Anthropic, others overlap.
    open: Vec<Block>,
    /// Bytes of the inputs of all open calls.
    held_bytes: usize,
    /// Tool calls that began. `tools <= TOOL_CALLS_MAX`.
    tools: u32,
    usage: Usage,
    stop: Option<StopReason>,
    sequence: Option<Vec<u8>>,
    explanation: Option<Vec<u8>>,
    memo: RepeatedFrame,
    /// The frame at hand starts a block.
    has_started: bool,
    lost: Lost,
}

#[derive(Debug)]
struct Block {
    index: u32,
    kind: BlockKind,
}

#[derive(Debug)]
enum BlockKind {
    Text,
    Thinking,
    Tool {
        tool: u32,
        fragments: bool,
        /// The input that the start carried, escaped; it counts if no fragment follows.
        input: Vec<u8>,
    },
    Silent,
}

impl Decoder {
    /// A decoder of one stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the name and the data of one frame and hands their meaning to `sink`. What is no JSON
    /// is an event of another kind, unless its name is the wire's, or it has none and opens like one.
    ///
    /// # Errors
    /// The frame is malformed, or the sink says so.
    pub fn decode<S>(
        &mut self,
        event: &[u8],
        data: &[u8],
        tape: &mut Tape,
        sink: &mut S,
    ) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if let Some(event) = self.memo.read(data) {
            return sink(event).map(|()| Step::Open);
        }
        let mut only = SingleDelta::default();
        let step = self.decode_whole(event, data, tape, &mut |event: Event<'_>| {
            only.note(&event, data);
            sink(event)
        })?;
        if core::mem::take(&mut self.has_started) {
            // A start that repeats one opens a block anew, whatever text it brings.
            self.memo.forget();
        } else {
            self.memo.learn(data, &only, [None, None]);
        }
        Ok(step)
    }

    fn decode_whole<S>(
        &mut self,
        event: &[u8],
        data: &[u8],
        tape: &mut Tape,
        sink: &mut S,
    ) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let data = trimmed(data);
        if data.is_empty() {
            return Ok(Step::Open);
        }
        let unnamed = event.is_empty() && data.starts_with(b"{");
        let root = match tape.read(data, DEPTH_MAX, EVENT_VALUES_MAX) {
            Ok(root) if root.kind() == JsonKind::Object => root,
            Err(_) if unnamed || watch::is_known(event) => return Err(StreamFault::Json),
            Ok(_) | Err(_) => return Ok(Step::Open),
        };
        match text(root, "type") {
            "content_block_delta" => self.delta(root, sink)?,
            "content_block_start" => {
                self.has_started = true;
                self.block_start(root, sink)?;
            }
            "content_block_stop" => self.block_stop(index(root)?, sink)?,
            "message_start" => self.message_start(root, sink)?,
            "message_delta" => self.message_delta(root),
            "message_stop" => return self.end(sink),
            "ping" => sink(Event::Ping)?,
            "error" => return Ok(Step::Failed(Box::new(error::read_object(root)))),
            _ => {
                if let Some(facts) = error::in_stranger(root) {
                    return Ok(Step::Failed(Box::new(facts)));
                }
            }
        }
        Ok(Step::Open)
    }

    /// The body ended by its own framing: an end, if a stop reason was seen.
    ///
    /// # Errors
    /// The stream broke off.
    pub fn finish<S>(&mut self, sink: &mut S) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if self.stop.is_none() {
            return Err(StreamFault::Early);
        }
        self.end(sink)
    }

    /// Bytes that are held back: inputs that came with the starts of calls, and words about the end.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        let mut bytes = self.held_bytes;
        if let Some(sequence) = &self.sequence {
            bytes = bytes.saturating_add(sequence.len());
        }
        if let Some(explanation) = &self.explanation {
            bytes = bytes.saturating_add(explanation.len());
        }
        bytes
    }

    /// What was said that no other wire can: blocks of server tools, citations of documents.
    #[must_use]
    pub const fn lost(&self) -> &Lost {
        &self.lost
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

    fn message_start<S>(&mut self, root: Value<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if self.started {
            return Err(StreamFault::SecondStart);
        }
        self.started = true;
        let message = root.get_set("message");
        let string = |name: &str| message?.get_set(name)?.as_raw();
        let counts = message.and_then(|message| message.get_set("usage"));
        if let Some(counts) = counts {
            usage::merge(counts, &mut self.usage);
        }
        let tier = counts.and_then(|counts| counts.get_set("service_tier")?.as_raw());
        sink(Event::Start {
            id: string("id").unwrap_or(Raw::EMPTY),
            model: string("model").unwrap_or(Raw::EMPTY),
            tier: tier.unwrap_or(Raw::EMPTY),
        })
    }

    fn block_start<S>(&mut self, root: Value<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let index = index(root)?;
        self.start_unless_started(sink)?;
        if self.find(index).is_some() {
            self.block_stop(index, sink)?;
        }
        if self.open.len() >= BLOCKS_OPEN_MAX {
            return Err(StreamFault::TooMany);
        }
        let Some(block) = root.get_set("content_block") else {
            self.open.push(Block {
                index,
                kind: BlockKind::Silent,
            });
            return Ok(());
        };
        let string = |name: &str| block.get_set(name).and_then(Value::as_raw);
        let kind = match text(block, "type") {
            "text" => BlockKind::Text,
            "thinking" => BlockKind::Thinking,
            "tool_use" => self.tool_start(block, sink)?,
            "redacted_thinking" => BlockKind::Silent,
            _ => {
                let kind = block.get_set("type").and_then(Value::as_raw);
                self.lost
                    .add(kind.map_or(Cow::Borrowed("content"), read::shown));
                BlockKind::Silent
            }
        };
        match kind {
            BlockKind::Text => {
                if let Some(text) = string("text").filter(|text| !text.is_empty()) {
                    sink(Event::Text { block: index, text })?;
                }
                let citations = block.get_set("citations").into_iter();
                for citation in citations.flat_map(Value::elements) {
                    emit_citation(citation, &mut self.lost, sink)?;
                }
            }
            BlockKind::Thinking => {
                if let Some(text) = string("thinking").filter(|text| !text.is_empty()) {
                    sink(Event::Thinking { block: index, text })?;
                }
                if let Some(signature) = string("signature").filter(|text| !text.is_empty()) {
                    sink(Event::Signature {
                        block: index,
                        signature: Opaque::plain(signature),
                    })?;
                }
            }
            BlockKind::Silent if text(block, "type") == "redacted_thinking" => {
                let data = Opaque::plain(string("data").unwrap_or(Raw::EMPTY));
                sink(Event::Redacted { block: index, data })?;
            }
            BlockKind::Tool { .. } | BlockKind::Silent => {}
        }
        self.open.push(Block { index, kind });
        Ok(())
    }

    fn tool_start<S>(&mut self, block: Value<'_>, sink: &mut S) -> Result<BlockKind, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let tool = self.tools;
        if tool as usize >= TOOL_CALLS_MAX {
            return Err(StreamFault::TooMany);
        }
        let string = |name: &str| block.get_set(name).and_then(Value::as_raw);
        let Some(name) = string("name").filter(|name| !name.is_empty()) else {
            return Err(StreamFault::Nameless);
        };
        self.tools += 1;
        let mut kept = Vec::new();
        let input = block
            .get_set("input")
            .filter(|input| input.members().next().is_some());
        if let Some(input) = input {
            let source = core::str::from_utf8(input.source()).unwrap_or_default();
            escape_into(source, &mut kept);
        }
        self.held_bytes = self.held_bytes.saturating_add(kept.len());
        sink(Event::ToolStart {
            tool,
            id: string("id").unwrap_or(Raw::EMPTY),
            name,
            signature: None,
        })?;
        Ok(BlockKind::Tool {
            tool,
            fragments: false,
            input: kept,
        })
    }

    fn delta<S>(&mut self, root: Value<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let index = index(root)?;
        let Some(delta) = root.get_set("delta") else {
            return Ok(());
        };
        self.start_unless_started(sink)?;
        let place = self.find(index);
        let block = place.and_then(|at| self.open.get(at));
        if block.is_some_and(|block| matches!(block.kind, BlockKind::Silent)) {
            return Ok(());
        }
        let string = |name: &str| {
            let raw = delta.get_set(name).and_then(Value::as_raw);
            raw.filter(|raw| !raw.is_empty())
        };
        match text(delta, "type") {
            "text_delta" => match string("text") {
                Some(text) => sink(Event::Text { block: index, text }),
                None => Ok(()),
            },
            "thinking_delta" => match string("thinking") {
                Some(text) => sink(Event::Thinking { block: index, text }),
                None => Ok(()),
            },
            "signature_delta" => match string("signature") {
                Some(signature) => sink(Event::Signature {
                    block: index,
                    signature: Opaque::plain(signature),
                }),
                None => Ok(()),
            },
            "input_json_delta" => match string("partial_json") {
                Some(json) => sink(self.fragment(place, json)?),
                None => Ok(()),
            },
            "citations_delta" => match delta.get_set("citation") {
                Some(citation) => emit_citation(citation, &mut self.lost, sink),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn fragment<'a>(
        &mut self,
        place: Option<usize>,
        json: Raw<'a>,
    ) -> Result<Event<'a>, StreamFault> {
        let block = place.and_then(|at| self.open.get_mut(at));
        match block.map(|block| &mut block.kind) {
            Some(BlockKind::Tool {
                tool, fragments, ..
            }) => {
                *fragments = true;
                Ok(Event::ToolArguments {
                    tool: *tool,
                    json,
                    whole: false,
                })
            }
            _ => Err(StreamFault::ClosedTool),
        }
    }

    fn block_stop<S>(&mut self, index: u32, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let Some(at) = self.find(index) else {
            return Ok(());
        };
        let block = self.open.remove(at);
        match block.kind {
            BlockKind::Tool {
                tool,
                fragments,
                input,
            } => {
                self.held_bytes = self.held_bytes.saturating_sub(input.len());
                if !fragments {
                    let json = if input.is_empty() {
                        b"{}"
                    } else {
                        input.as_slice()
                    };
                    sink(Event::ToolArguments {
                        tool,
                        json: Raw::from_checked(json),
                        whole: false,
                    })?;
                }
                sink(Event::ToolStop { tool })
            }
            BlockKind::Text | BlockKind::Thinking => sink(Event::BlockStop { block: index }),
            BlockKind::Silent => Ok(()),
        }
    }

    fn message_delta(&mut self, root: Value<'_>) {
        if let Some(counts) = root.get_set("usage") {
            usage::merge(counts, &mut self.usage);
        }
        let Some(delta) = root.get_set("delta") else {
            return;
        };
        let string = |name: &str| delta.get_set(name)?.as_raw();
        if let Some(reason) = string("stop_reason") {
            self.stop = Some(stop::read(reason));
        }
        if let Some(sequence) = string("stop_sequence") {
            self.sequence = Some(sequence.bytes().to_vec());
        }
        let explanation = delta
            .get_set("stop_details")
            .and_then(|details| details.get_set("explanation")?.as_raw());
        if let Some(explanation) = explanation {
            self.explanation = Some(explanation.bytes().to_vec());
        }
    }

    fn end<S>(&mut self, sink: &mut S) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        self.start_unless_started(sink)?;
        while let Some(index) = self.open.first().map(|block| block.index) {
            self.block_stop(index, sink)?;
        }
        sink(Event::End(Ending {
            stop: self.stop.unwrap_or(StopReason::Other),
            sequence: self.sequence.as_deref().map(Raw::from_checked),
            explanation: self.explanation.as_deref().map(Raw::from_checked),
            usage: self.usage,
        }))?;
        Ok(Step::Complete)
    }

    /// Some services leave `message_start` out; the client still needs its start.
    fn start_unless_started<S>(&mut self, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if self.started {
            return Ok(());
        }
        self.started = true;
        sink(Event::Start {
            id: Raw::EMPTY,
            model: Raw::EMPTY,
            tier: Raw::EMPTY,
        })
    }

    fn find(&self, index: u32) -> Option<usize> {
        self.open.iter().position(|block| block.index == index)
    }
}

/// A `web_search_result_location`; the other kinds cite documents, which have no form elsewhere.
fn emit_citation<S>(citation: Value<'_>, lost: &mut Lost, sink: &mut S) -> Result<(), StreamFault>
where
    S: FnMut(Event<'_>) -> Result<(), StreamFault>,
{
    match read_citation(citation) {
        Some(citation) => sink(Event::Citation(citation)),
        None => {
            lost.add("citations");
            Ok(())
        }
    }
}

/// Reads a citation of a page on the web; nothing for any other.
#[must_use]
pub fn read_citation(citation: Value<'_>) -> Option<Citation<'_>> {
    let string = |name: &str| citation.get_set(name)?.as_raw();
    if text(citation, "type") != "web_search_result_location" {
        return None;
    }
    Some(Citation {
        url: string("url")?,
        title: string("title").unwrap_or(Raw::EMPTY),
        cited: string("cited_text"),
        range: None,
    })
}

fn text<'t>(value: Value<'t>, name: &str) -> &'t str {
    let raw = value.get(name).and_then(Value::as_raw);
    raw.and_then(Raw::plain).unwrap_or_default()
}

fn index(root: Value<'_>) -> Result<u32, StreamFault> {
    let index = root.get("index").and_then(Value::as_u64).unwrap_or(0);
    u32::try_from(index).map_err(|_| StreamFault::TooMany)
}
