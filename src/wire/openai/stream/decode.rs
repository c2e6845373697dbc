//! Chunks of the OpenAI wire, and of everything that calls itself compatible, to neutral events.
//!
//! A frame that is no chunk is an error if it reads as one, and skipped if not; an end behind such
//! frames alone is none. What a chunk may hold is read in one fixed order: error, usage, reasoning,
//! text, citations, refusal, tool calls, finish reason. Only the first choice is read (a translated
//! request asked for one); the finish reason is kept until the end, because usage may follow it.
//!
//! Invariants: one start, at most one end; an end only after `[DONE]`, or, at a clean end of the
//! body, after a finish reason on every choice seen.

use crate::chat::event::{Ending, Event, Step, StreamFault};
use crate::chat::response::Opaque;
use crate::chat::usage::{StopReason, Usage};
use crate::json::raw::Raw;
use crate::json::scan::{DEPTH_MAX, trimmed};
use crate::json::tape::{Kind, Tape, Value};
use crate::limits::EVENT_VALUES_MAX;
use crate::wire::error_text;
use crate::wire::memo::{Memo, Only};
use crate::wire::openai::annotations::read_annotation;
use crate::wire::openai::choices::Choices;
use crate::wire::openai::reasoning::{self, Carriers, Piece};
use crate::wire::openai::stream::pieces::Pieces;
use crate::wire::openai::{error, failure, finish, usage};
use crate::wire::sealed;

/// Reads one stream.
#[derive(Debug)]
pub struct Decoder {
    started: bool,
    choices: Choices,
    /// Something came that is no chunk.
    strange: bool,
    calls: Pieces,
    refused: bool,
    finish: Option<StopReason>,
    usage: Usage,
    memo: Memo,
}

impl Decoder {
    /// A decoder of one stream; at most `held_bytes_max` bytes of calls wait for their names, and a name
    /// that is not among `whole_names` (see [`Pieces::new`]) may come in pieces.
    #[must_use]
    pub fn new(held_bytes_max: usize, whole_names: Vec<u64>) -> Self {
        Self {
            started: false,
            choices: Choices::default(),
            strange: false,
            calls: Pieces::new(held_bytes_max, whole_names),
            refused: false,
            finish: None,
            usage: Usage::default(),
            memo: Memo::default(),
        }
    }

    /// Takes the name and the data of one frame and hands their meaning to `sink`. What has a name
    /// and is no JSON is an event of another kind, unless it opens like a chunk: those may have any.
    ///
    /// # Errors
    /// The frame is malformed, or the sink says so.
    #[inline]
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
        let data = trimmed(data);
        if data.is_empty() {
            return Ok(Step::Open);
        }
        match self.memo.read(data) {
            // Behind arguments that are whole, a frame like the one before may begin another call.
            Some(Event::ToolArguments { tool, json, .. }) if !self.calls.is_whole(tool) => {
                return sink(self.calls.grow(tool, json)).map(|()| Step::Open);
            }
            Some(Event::ToolArguments { .. }) | None => {}
            Some(event) => return sink(event).map(|()| Step::Open),
        }
        if data.starts_with(b"[DONE]") {
            return self.end(sink);
        }
        let root = match tape.read(data, DEPTH_MAX, EVENT_VALUES_MAX) {
            Ok(root) if root.kind() == Kind::Object => root,
            Err(_) if event.is_empty() || data.starts_with(b"{") => return Err(StreamFault::Json),
            Ok(_) | Err(_) => {
                self.strange = true;
                return Ok(Step::Open);
            }
        };
        let mut only = Only::default();
        let step = self.chunk(root, &mut |event: Event<'_>| {
            only.note(&event, data);
            sink(event)
        })?;
        if self.calls.is_waiting() {
            // What comes next tells whether a name is whole, whatever the frame is like.
            self.memo.forget();
        } else {
            self.memo.learn(data, &only, noise(root));
        }
        Ok(step)
    }

    /// The body ended by its own framing: an end, if every choice has finished.
    ///
    /// # Errors
    /// The stream broke off.
    pub fn finish<S>(&mut self, sink: &mut S) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if !self.choices.all_finished() {
            return Err(StreamFault::Early);
        }
        self.end(sink)
    }

    /// Bytes that are held back.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.calls.held_bytes()
    }

    /// Token counts so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// Why the model stopped, once it said so.
    #[must_use]
    pub const fn stop(&self) -> Option<StopReason> {
        match self.finish {
            None => None,
            reason => Some(finish::settle(reason, self.calls.any(), self.refused)),
        }
    }

    fn chunk<S>(&mut self, root: Value<'_>, sink: &mut S) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let chunk = Chunk::read(root);
        if chunk.failed {
            return Ok(Step::Failed(Box::new(error::read_object(root))));
        }
        if chunk.choices.is_none() {
            self.strange = true;
            if let Some(facts) = error::find(root) {
                return Ok(Step::Failed(Box::new(facts)));
            }
        }
        self.start(&chunk, sink)?;
        if let Some(counts) = chunk.usage.and_then(usage::read) {
            self.usage = counts;
        }
        for choice in chunk.choices.into_iter().flat_map(Value::elements) {
            if let Step::Failed(facts) = self.choice(choice, sink)? {
                return Ok(Step::Failed(facts));
            }
        }
        Ok(Step::Open)
    }

    /// The first chunk starts the answer at once, also where it has no id (Azure's opens with one that
    /// has neither id nor choices): a client waits for the start.
    fn start<S>(&mut self, chunk: &Chunk<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if self.started || (chunk.choices.is_none() && chunk.id.is_empty()) {
            return Ok(());
        }
        self.started = true;
        sink(Event::Start {
            id: chunk.id,
            model: chunk.model,
            tier: Raw::EMPTY,
        })
    }

    fn choice<S>(&mut self, choice: Value<'_>, sink: &mut S) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        let reason = choice.get("finish_reason").and_then(reasoning::non_empty);
        let failed = failure::is_failed(choice);
        self.choices.note(index, reason.is_some() && !failed);
        let delta = choice.get_set("delta").filter(|_| index == 0);
        if let Some(delta) = delta {
            self.delta(&Delta::read(delta), sink)?;
        }
        if failed {
            return Ok(Step::Failed(Box::new(failure::of_choice(choice))));
        }
        if index == 0 && self.finish.is_none() {
            self.finish = reason.and_then(finish::read);
        }
        Ok(Step::Open)
    }

    fn delta<S>(&mut self, delta: &Delta<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if delta.tool_calls.is_none() && delta.function_call.is_none() {
            self.calls.flush(sink)?;
        }
        let mut own = Vec::new();
        let reasoned = delta.reasoning.each(|piece| {
            sink(match piece {
                Piece::Text(text) => Event::Thinking { block: 0, text },
                Piece::Signature(signature) => Event::Signature {
                    block: 0,
                    signature: spelt(signature, &mut own),
                },
                Piece::Encrypted(data) => Event::Redacted {
                    block: 0,
                    data: spelt(data, &mut own),
                },
            })
        })?;
        if let Some(content) = delta.content {
            emit_content(content, reasoned, sink)?;
        }
        for annotation in delta.annotations.into_iter().flat_map(Value::elements) {
            if let Some(citation) = read_annotation(annotation) {
                sink(Event::Citation(citation))?;
            }
        }
        if let Some(text) = delta.refusal.and_then(reasoning::non_empty) {
            self.refused = true;
            sink(Event::Refusal { text })?;
        }
        for call in delta.tool_calls.into_iter().flat_map(Value::elements) {
            self.calls.call(call, sink)?;
        }
        if let Some(function) = delta.function_call.filter(|it| it.kind() == Kind::Object) {
            self.calls.legacy(function, sink)?;
        }
        Ok(())
    }

    fn end<S>(&mut self, sink: &mut S) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if self.strange && !self.choices.any() {
            return Err(StreamFault::NoAnswer);
        }
        if self.calls.has_lost() {
            return Err(StreamFault::Nameless);
        }
        self.calls.flush(sink)?;
        if !self.started {
            self.started = true;
            sink(Event::Start {
                id: Raw::EMPTY,
                model: Raw::EMPTY,
                tier: Raw::EMPTY,
            })?;
        }
        sink(Event::End(Ending {
            stop: finish::settle(self.finish, self.calls.any(), self.refused),
            sequence: None,
            explanation: None,
            usage: self.usage,
        }))?;
        Ok(Step::Complete)
    }
}

/// The string as it crosses: with its origin, where it has one, in `own`.
fn spelt<'a>(opaque: Opaque<'a>, own: &'a mut Vec<u8>) -> Raw<'a> {
    if opaque.origin.is_none() {
        return opaque.data;
    }
    own.clear();
    own.extend(sealed::spelt(&opaque).iter().flat_map(|part| part.bytes()));
    Raw::from_checked(own)
}

/// Strings of a chunk that vary from one to the next and mean nothing: padding, and the second
/// spelling of a piece of reasoning.
fn noise(root: Value<'_>) -> [Option<Raw<'_>>; 2] {
    let padding = root.get("obfuscation").or_else(|| root.get("p"));
    let choice = root.get("choices").and_then(|all| all.elements().next());
    let delta = choice.and_then(|choice| choice.get("delta"));
    let again = delta.and_then(|delta| {
        let plain = delta
            .get("reasoning")
            .or_else(|| delta.get("reasoning_content"));
        plain.and_then(reasoning::non_empty)?;
        delta
            .get("reasoning_details")?
            .elements()
            .next()?
            .get("text")
    });
    [padding, again].map(|value| value.and_then(Value::as_raw))
}

/// The members of a chunk that mean something.
struct Chunk<'t> {
    id: Raw<'t>,
    model: Raw<'t>,
    choices: Option<Value<'t>>,
    usage: Option<Value<'t>>,
    failed: bool,
}

impl<'t> Chunk<'t> {
    fn read(root: Value<'t>) -> Self {
        let mut chunk = Self {
            id: Raw::EMPTY,
            model: Raw::EMPTY,
            choices: None,
            usage: None,
            failed: false,
        };
        root.each_member(|name, value| match name {
            b"id" => chunk.id = value.as_raw().unwrap_or(Raw::EMPTY),
            b"model" => chunk.model = value.as_raw().unwrap_or(Raw::EMPTY),
            b"choices" => chunk.choices = Some(value),
            b"usage" if !value.is_null() => chunk.usage = Some(value),
            b"x_groq" => chunk.usage = value.get_set("usage").or(chunk.usage),
            b"error" => chunk.failed = error_text::is_truthy(value),
            _ => {}
        });
        chunk
    }
}

/// The members of a delta that mean something.
#[derive(Default)]
struct Delta<'t> {
    reasoning: Carriers<'t>,
    content: Option<Value<'t>>,
    refusal: Option<Value<'t>>,
    tool_calls: Option<Value<'t>>,
    function_call: Option<Value<'t>>,
    annotations: Option<Value<'t>>,
}

impl<'t> Delta<'t> {
    fn read(value: Value<'t>) -> Self {
        let mut delta = Self::default();
        value.each_member(|name, value| match name {
            b"content" => delta.content = Some(value),
            b"reasoning_content" => delta.reasoning.content = Some(value),
            b"reasoning" => delta.reasoning.plain = Some(value),
            b"reasoning_details" => delta.reasoning.details = Some(value),
            b"refusal" => delta.refusal = Some(value),
            b"tool_calls" => delta.tool_calls = Some(value),
            b"function_call" => delta.function_call = Some(value),
            b"annotations" => delta.annotations = Some(value),
            _ => {}
        });
        delta
    }
}

/// A string, or an array of text and thinking parts in order. Where another member has already
/// told the reasoning, the thinking parts only repeat it.
fn emit_content<S>(content: Value<'_>, reasoned: bool, sink: &mut S) -> Result<(), StreamFault>
where
    S: FnMut(Event<'_>) -> Result<(), StreamFault>,
{
    if let Some(text) = reasoning::non_empty(content) {
        return sink(Event::Text { block: 0, text });
    }
    for part in content.elements() {
        if part.get("type").is_some_and(|kind| kind.is_str("thinking")) {
            if reasoned {
                continue;
            }
            reasoning::thinking_part(part, |text| sink(Event::Thinking { block: 0, text }))?;
        } else if let Some(text) = part.get("text").and_then(reasoning::non_empty) {
            sink(Event::Text { block: 0, text })?;
        }
    }
    Ok(())
}
