//! Neutral events to events of the Anthropic wire.
//!
//! Invariants: block indexes count from 0 without gaps; one block is open at a time, and nothing
//! is written for a block that is closed; a call that may not open yet is held back, at most
//! `held_bytes_max` bytes of all of them together.

use crate::chat::event::{Citation, Ending, Event, StreamFault};
use crate::chat::opaque::Opaque;
use crate::chat::usage::StopReason;
use crate::json::raw::Raw;
use crate::json::write::{Writer, number_into};
use crate::limits::TOOL_CALLS_MAX;
use crate::wire::anthropic::stream::cited::{Cited, Waiting};
use crate::wire::anthropic::{stop, usage};
use crate::wire::common::ids::{fingerprint, push_id, spell_reversibly};
use crate::wire::common::{foreign_reasoning, gemini_signature};

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    seed: u64,
    held_bytes_max: usize,
    held_bytes: usize,
    open: Open,
    /// Index of the next block.
    next: u32,
    calls: Vec<Call>,
    cited: Cited,
    /// Citations that came before the text that they stand in.
    waiting: Vec<Waiting>,
    /// A citation came that has no place.
    has_lost_citation: bool,
    /// A delta of the open block up to its text: saves writing the same 90 bytes anew each time.
    prefix: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    None,
    Text,
    Thinking { signed: bool },
    Tool(usize),
}

#[derive(Debug)]
struct Call {
    state: CallState,
    /// Some of its arguments were written: white space before them is not.
    begun: bool,
    /// Its arguments are whole.
    whole: bool,
    /// Of the id as it was written.
    id: u64,
}

#[derive(Debug)]
enum CallState {
    /// Waits for the call before it to end.
    Held {
        id: Vec<u8>,
        name: Vec<u8>,
        json: Vec<u8>,
    },
    Open,
    Closed,
}

impl Encoder {
    /// An encoder of one stream. `seed` makes the ids that the upstream left out.
    #[must_use]
    pub fn new(seed: u64, held_bytes_max: usize) -> Self {
        Self {
            seed,
            held_bytes_max,
            held_bytes: 0,
            open: Open::None,
            next: 0,
            calls: Vec::new(),
            cited: Cited::default(),
            waiting: Vec::new(),
            has_lost_citation: false,
            prefix: Vec::new(),
        }
    }

    /// Appends what `event` means.
    ///
    /// # Errors
    /// The event contradicts those before it, or too much would be held back.
    pub fn encode(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), StreamFault> {
        match *event {
            Event::Start { id, model, .. } => self.start(id, model, out),
            Event::Text { text, .. } => {
                self.cited.push(text);
                self.text(text, out);
            }
            Event::Refusal { text } => self.text(text, out),
            Event::Thinking { text, .. } => {
                if self.open != (Open::Thinking { signed: false }) {
                    self.open_thinking(out);
                }
                self.delta(text, out);
            }
            Event::Signature { signature, .. } => self.signature(&signature, out),
            Event::Redacted { data, .. } => {
                self.open_block(Open::None, out, |w| {
                    w.name("type").raw(plain(b"redacted_thinking"));
                    w.name("data").raw_parts(&foreign_reasoning::spelt(&data));
                });
                self.write_stop(out);
            }
            Event::Citation(citation) => self.citation(&citation, out)?,
            Event::BlockStop { .. } => {
                if matches!(self.open, Open::Text | Open::Thinking { .. }) {
                    self.close(out);
                }
            }
            Event::ToolStart {
                tool,
                id,
                name,
                signature,
            } => self.tool_start(tool, (id, signature), name, out)?,
            Event::ToolArguments { tool, json, whole } => {
                self.tool_arguments(tool, json, whole, out)?;
            }
            Event::ToolStop { tool } => {
                if self.open == Open::Tool(tool as usize) {
                    self.close(out);
                    self.release_next(out);
                }
            }
            Event::Ping => ping(true, out),
            Event::End(ending) => self.end(&ending, out),
        }
        Ok(())
    }

    /// Bytes that are held back.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether a citation has, or had, no text to stand in.
    #[must_use]
    pub const fn has_lost_citation(&self) -> bool {
        self.has_lost_citation || !self.waiting.is_empty()
    }

    fn start(&self, id: Raw<'_>, model: Raw<'_>, out: &mut Vec<u8>) {
        let mut own = Vec::new();
        message_id(id, self.seed, &mut own);
        write_event(out, "message_start", |w| {
            w.name("message").open_object();
            w.name("id").raw(Raw::from_checked(&own));
            w.name("type").raw(plain(b"message"));
            w.name("role").raw(plain(b"assistant"));
            w.name("model").raw(model);
            w.name("content").open_array().close_array();
            w.name("stop_reason").null().name("stop_sequence").null();
            w.name("usage").open_object();
            w.name("input_tokens")
                .number(0)
                .name("output_tokens")
                .number(0);
            w.close_object().close_object();
        });
    }

    fn text(&mut self, text: Raw<'_>, out: &mut Vec<u8>) {
        if self.open != Open::Text {
            self.open_block(Open::Text, out, |w| {
                w.name("type").raw(plain(b"text"));
                w.name("text").raw(Raw::EMPTY);
            });
        }
        self.delta(text, out);
    }

    fn open_thinking(&mut self, out: &mut Vec<u8>) {
        self.open_block(Open::Thinking { signed: false }, out, |w| {
            w.name("type").raw(plain(b"thinking"));
            w.name("thinking").raw(Raw::EMPTY);
            w.name("signature").raw(Raw::EMPTY);
        });
    }

    /// The signature belongs to the thinking that is open. One that comes alone (display omitted,
    /// or sent apart from its text) gets an empty block of its own.
    fn signature(&mut self, signature: &Opaque<'_>, out: &mut Vec<u8>) {
        if self.open != (Open::Thinking { signed: false }) {
            self.open_thinking(out);
        }
        self.write_delta(out, |w| {
            w.name("type").raw(plain(b"signature_delta"));
            w.name("signature")
                .raw_parts(&foreign_reasoning::spelt(signature));
        });
        self.open = Open::Thinking { signed: true };
    }

    /// A citation stands in the text that is open. One that comes before any waits for it; one
    /// behind it has no place: an empty text would be refused when the client sends the
    /// conversation back.
    fn citation(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) -> Result<(), StreamFault> {
        if self.open == Open::Text {
            self.write_citation(citation, out);
        } else if self.cited.is_empty() {
            let waiting = Waiting::new(citation);
            self.hold(waiting.bytes())?;
            self.waiting.push(waiting);
        } else {
            self.has_lost_citation = true;
        }
        Ok(())
    }

    fn write_citation(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        let words = match (citation.cited, citation.range) {
            (None, Some(range)) => self.cited.words(range),
            _ => Vec::new(),
        };
        let cited = citation.cited.unwrap_or_else(|| Raw::from_checked(&words));
        self.write_delta(out, |w| {
            w.name("type").raw(plain(b"citations_delta"));
            w.name("citation");
            write_citation(citation, cited, w);
        });
    }

    /// The text is about to close: what waited for it cites words that are known now.
    fn release_citations(&mut self, out: &mut Vec<u8>) {
        for waiting in core::mem::take(&mut self.waiting) {
            self.held_bytes = self.held_bytes.saturating_sub(waiting.bytes());
            self.write_citation(&waiting.citation(), out);
        }
    }

    fn tool_start(
        &mut self,
        tool: u32,
        (id, signature): (Raw<'_>, Option<Raw<'_>>),
        name: Raw<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamFault> {
        let number = self.calls.len();
        if number >= TOOL_CALLS_MAX {
            return Err(StreamFault::TooMany);
        }
        debug_assert_eq!(tool as usize, number);
        let mut spelled = spell_reversibly(id);
        if let Some(signature) = signature {
            gemini_signature::join(spelled.to_mut(), signature);
        }
        let id = Raw::from_checked(&spelled);
        let mut print = fingerprint(id.bytes());
        let mut made = Vec::new();
        if id.is_empty() || self.calls.iter().any(|call| call.id == print) {
            made.extend_from_slice(b"call_");
            push_id(self.seed, u64::from(tool), &mut made);
            print = fingerprint(&made);
        }
        let id = if made.is_empty() {
            id
        } else {
            Raw::from_checked(&made)
        };
        let waits = self.is_busy();
        let state = if waits {
            self.hold(id.bytes().len().saturating_add(name.bytes().len()))?;
            let (id, name) = (id.bytes().to_vec(), name.bytes().to_vec());
            CallState::Held {
                id,
                name,
                json: Vec::new(),
            }
        } else {
            CallState::Open
        };
        self.calls.push(Call {
            state,
            begun: false,
            whole: false,
            id: print,
        });
        if !waits {
            self.open_tool(number, id, name, out);
        }
        Ok(())
    }

    /// Whether the open block is a call whose arguments are not whole yet.
    fn is_busy(&self) -> bool {
        match self.open {
            Open::Tool(at) => !self.calls.get(at).is_some_and(|call| call.whole),
            Open::None | Open::Text | Open::Thinking { .. } => false,
        }
    }

    fn open_tool(&mut self, at: usize, id: Raw<'_>, name: Raw<'_>, out: &mut Vec<u8>) {
        self.open_block(Open::Tool(at), out, |w| {
            w.name("type").raw(plain(b"tool_use"));
            w.name("id").raw(id).name("name").raw(name);
            w.name("input").open_object().close_object();
        });
    }

    fn tool_arguments(
        &mut self,
        tool: u32,
        json: Raw<'_>,
        whole: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamFault> {
        let number = tool as usize;
        let Some(call) = self.calls.get_mut(number) else {
            return Err(StreamFault::ClosedTool);
        };
        let was_whole = core::mem::replace(&mut call.whole, whole);
        match &mut call.state {
            // The SDKs' readers of unfinished JSON fail on white space alone.
            CallState::Open if !call.begun && json.is_blank() => {}
            CallState::Open => {
                call.begun = true;
                self.delta(json, out);
            }
            CallState::Held { json: held, .. } => {
                held.extend_from_slice(json.bytes());
                return self.hold(json.bytes().len());
            }
            CallState::Closed if json.is_blank() => return Ok(()),
            CallState::Closed => return Err(StreamFault::ClosedTool),
        }
        if !was_whole && !self.is_busy() {
            self.release_next(out);
        }
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), StreamFault> {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        if self.held_bytes > self.held_bytes_max {
            return Err(StreamFault::TooLarge);
        }
        Ok(())
    }

    /// Opens held calls in their order, as long as the one before is whole.
    fn release_next(&mut self, out: &mut Vec<u8>) {
        while !self.is_busy() && self.release_one(out) {}
    }

    fn release_one(&mut self, out: &mut Vec<u8>) -> bool {
        let is_held = |call: &Call| matches!(call.state, CallState::Held { .. });
        let Some(at) = self.calls.iter().position(is_held) else {
            return false;
        };
        let Some(call) = self.calls.get_mut(at) else {
            return false;
        };
        let state = core::mem::replace(&mut call.state, CallState::Open);
        if let CallState::Held { id, name, json } = state {
            let held = id.len() + name.len() + json.len();
            self.held_bytes = self.held_bytes.saturating_sub(held);
            let json = Raw::from_checked(&json);
            call.begun = !json.is_blank();
            self.open_tool(at, Raw::from_checked(&id), Raw::from_checked(&name), out);
            if !json.is_blank() {
                self.delta(json, out);
            }
        }
        true
    }

    fn end(&mut self, ending: &Ending<'_>, out: &mut Vec<u8>) {
        self.close(out);
        while self.release_one(out) {}
        self.close(out);
        write_event(out, "message_delta", |w| {
            w.name("delta").open_object();
            write_ending(ending, w);
            w.close_object();
            w.name("usage");
            usage::write(&ending.usage, w);
        });
        write_event(out, "message_stop", |_| {});
    }

    /// Closes the open block and opens the next. With [`Open::None`] the caller closes it itself.
    fn open_block(&mut self, open: Open, out: &mut Vec<u8>, block: impl FnOnce(&mut Writer<'_>)) {
        self.close(out);
        let index = u64::from(self.next);
        write_event(out, "content_block_start", |w| {
            w.name("index").number(index);
            w.name("content_block").open_object();
            block(w);
            w.close_object();
        });
        self.open = open;
        let text = match open {
            Open::Text => "\"delta\":{\"type\":\"text_delta\",\"text\":\"",
            Open::Thinking { .. } => "\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"",
            Open::Tool(_) => "\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"",
            Open::None => return,
        };
        self.prefix.clear();
        self.prefix.extend_from_slice(DELTA);
        number_into(index, &mut self.prefix);
        self.prefix.push(b',');
        self.prefix.extend_from_slice(text.as_bytes());
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open {
            Open::None => return,
            Open::Tool(at) => {
                if let Some(call) = self.calls.get_mut(at) {
                    call.state = CallState::Closed;
                }
            }
            Open::Text if !self.waiting.is_empty() => self.release_citations(out),
            Open::Text | Open::Thinking { .. } => {}
        }
        self.open = Open::None;
        self.write_stop(out);
    }

    fn write_stop(&mut self, out: &mut Vec<u8>) {
        let index = u64::from(self.next);
        write_event(out, "content_block_stop", |w| {
            w.name("index").number(index);
        });
        self.next = self.next.saturating_add(1);
    }

    /// A piece of the open block.
    #[inline]
    fn delta(&self, text: Raw<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(text.bytes());
        out.extend_from_slice(b"\"}}\n\n");
    }

    /// A delta of another kind for the open block.
    fn write_delta(&self, out: &mut Vec<u8>, delta: impl FnOnce(&mut Writer<'_>)) {
        write_event(out, "content_block_delta", |w| {
            w.name("index").number(u64::from(self.next));
            w.name("delta").open_object();
            delta(w);
            w.close_object();
        });
    }
}

/// Appends the event that keeps a quiet stream alive, or a comment where the answer has not `begun`: no
/// client takes an event there but the one that starts it.
pub fn ping(begun: bool, out: &mut Vec<u8>) {
    let ping: &[u8] = match begun {
        true => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
        false => b": ping\n\n",
    };
    out.extend_from_slice(ping);
}

/// Appends the id of a message for an answer that the provider calls `id`.
pub fn message_id(id: Raw<'_>, seed: u64, out: &mut Vec<u8>) {
    let id = id.bytes();
    if !id.starts_with(b"msg_") {
        out.extend_from_slice(b"msg_");
    }
    if id.is_empty() {
        push_id(seed, u64::MAX, out);
    } else {
        out.extend_from_slice(id.strip_prefix(b"chatcmpl-").unwrap_or(id));
    }
}

/// Writes a citation of a page on the web. `encrypted_index` is what a client may not replay.
pub fn write_citation(citation: &Citation<'_>, cited: Raw<'_>, w: &mut Writer<'_>) {
    w.open_object();
    w.name("type").raw(plain(b"web_search_result_location"));
    w.name("url")
        .raw(citation.url)
        .name("title")
        .raw(citation.title);
    w.name("cited_text").raw(cited);
    w.name("encrypted_index").raw(Raw::EMPTY).close_object();
}

/// Writes the members that say how an answer ended.
pub fn write_ending(ending: &Ending<'_>, w: &mut Writer<'_>) {
    w.name("stop_reason").string(stop::name(ending.stop));
    w.name("stop_sequence");
    match ending.sequence {
        Some(sequence) => w.raw(sequence),
        None => w.null(),
    };
    if ending.stop == StopReason::Refusal {
        w.name("stop_details").open_object();
        w.name("type")
            .raw(plain(b"refusal"))
            .name("category")
            .null();
        w.name("explanation");
        match ending.explanation {
            Some(explanation) => w.raw(explanation),
            None => w.null(),
        };
        w.close_object();
    }
}

/// Appends an event; `members` writes what follows `type`.
fn write_event(out: &mut Vec<u8>, name: &str, members: impl FnOnce(&mut Writer<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut w = Writer::new(out);
    w.open_object().name("type").raw(plain(name.as_bytes()));
    members(&mut w);
    w.close_object();
    out.extend_from_slice(b"\n\n");
}

fn plain(word: &[u8]) -> Raw<'_> {
    Raw::from_checked(word)
}

const DELTA: &[u8] =
    b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
