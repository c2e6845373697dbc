//! Chunks of the OpenAI wire, and of everything that calls itself compatible, to neutral events.
//!
//! A frame that is no chunk is an error if it reads as one, and skipped if not; an end behind such
//! frames alone is none. What a chunk may hold is read in one fixed order: error, usage, reasoning,
//! text, citations, refusal, tool calls, finish reason. Only the first choice is read (a translated
//! request asked for one); the finish reason is kept until the end, because usage may follow it.
//!
//! Invariants: one start, at most one end; an end only after `[DONE]`, or, at a clean end of the
//! body, after a finish reason on every choice seen; at most `TOOL_CALLS_MAX` calls are remembered.

use crate::chat::event::{Ending, Event, Step, StreamFault};
use crate::chat::usage::{StopReason, Usage};
use crate::json::raw::Raw;
use crate::json::scan::DEPTH_MAX;
use crate::json::tape::{Kind, Tape, Value};
use crate::json::write::escape_into;
use crate::limits::{EVENT_VALUES_MAX, TOOL_CALLS_MAX};
use crate::wire::error_text;
use crate::wire::ids::fingerprint;
use crate::wire::memo::{Memo, Only};
use crate::wire::openai::annotations::read_annotation;
use crate::wire::openai::choices::Choices;
use crate::wire::openai::reasoning::{self, Carriers, Piece};
use crate::wire::openai::stream::arguments::{Arguments, says_something};
use crate::wire::openai::{error, failure, finish, usage};
use crate::wire::thought;

/// Reads one stream.
#[derive(Debug)]
pub struct Decoder {
    /// Bytes of one call that may wait for its name.
    held_bytes_max: usize,
    started: bool,
    choices: Choices,
    /// Something came that is no chunk.
    strange: bool,
    tools: Vec<Tool>,
    /// Of the calls whose start was emitted, by their number.
    arguments: Vec<Arguments>,
    refused: bool,
    finish: Option<StopReason>,
    usage: Usage,
    memo: Memo,
}

/// A tool call as the upstream numbers it.
#[derive(Debug)]
struct Tool {
    key: Key,
    /// Of the id that the upstream gave, if any.
    id: Option<u64>,
    /// Of the name, once it came.
    name: Option<u64>,
    state: ToolState,
}

/// What a piece says about the call that it belongs to.
#[derive(Clone, Copy, Debug)]
struct Label {
    key: Key,
    /// Of the id.
    id: Option<u64>,
    /// Of the name.
    name: Option<u64>,
    /// It brings arguments.
    filled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// `index` of the call.
    Index(u64),
    /// No index: known by its id alone.
    Id,
    /// The one `function_call` of the old form.
    Legacy,
}

#[derive(Debug)]
enum ToolState {
    /// The name has not come yet: id and fragments wait for it.
    Nameless { id: Vec<u8>, fragments: Vec<u8> },
    /// The start was emitted under this number.
    Started(u32),
}

impl Decoder {
    /// A decoder of one stream; at most `held_bytes_max` bytes of a call wait for its name.
    #[must_use]
    pub fn new(held_bytes_max: usize) -> Self {
        Self {
            held_bytes_max,
            started: false,
            choices: Choices::default(),
            strange: false,
            tools: Vec::new(),
            arguments: Vec::new(),
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
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(Step::Open);
        }
        if let Some(event) = self.memo.read(data) {
            let event = match event {
                Event::ToolArguments { tool, json, .. } => self.grow(tool, json),
                other => other,
            };
            return sink(event).map(|()| Step::Open);
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
        self.memo.learn(data, &only, noise(root));
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
            reason => Some(finish::settle(
                reason,
                !self.arguments.is_empty(),
                self.refused,
            )),
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

    /// The first chunk starts the answer at once. Azure's opens with one that has neither id nor
    /// choices: the start waits for the next, which has both.
    fn start<S>(&mut self, chunk: &Chunk<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let some_choice = chunk
            .choices
            .is_some_and(|all| all.elements().next().is_some());
        if self.started || (chunk.id.is_empty() && !some_choice) {
            return Ok(());
        }
        self.started = true;
        sink(Event::Start {
            id: chunk.id,
            model: chunk.model,
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
        if index != 0 {
            return Ok(Step::Open);
        }
        if let Some(delta) = choice.get_set("delta") {
            self.delta(&Delta::read(delta), sink)?;
        }
        if failed {
            return Ok(Step::Failed(Box::new(failure::of_choice(choice))));
        }
        if self.finish.is_none() {
            self.finish = reason.and_then(finish::read);
        }
        Ok(Step::Open)
    }

    fn delta<S>(&mut self, delta: &Delta<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let reasoned = delta.reasoning.each(|piece| {
            sink(match piece {
                Piece::Text(text) => Event::Thinking { block: 0, text },
                Piece::Signature(signature) => Event::Signature {
                    block: 0,
                    signature,
                },
                Piece::Encrypted(data) => Event::Redacted { block: 0, data },
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
            self.tool_call(call, sink)?;
        }
        if let Some(function) = delta.function_call.filter(|it| it.kind() == Kind::Object) {
            let at = self.place(Label {
                key: Key::Legacy,
                id: None,
                name: None,
                filled: false,
            })?;
            self.tool_piece(at, (Raw::EMPTY, None), Some(function), sink)?;
        }
        Ok(())
    }

    fn tool_call<S>(&mut self, call: Value<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let id = call.get("id").and_then(reasoning::non_empty);
        let index = call.get("index").and_then(Value::as_u64);
        let function = call.get_set("function");
        let member = |name: &str| function?.get_set(name);
        let name = member("name").and_then(reasoning::non_empty);
        let print = |raw: Raw<'_>| fingerprint(raw.bytes());
        let at = self.place(Label {
            key: index.map_or(Key::Id, Key::Index),
            id: id.map(print),
            name: name.map(print),
            filled: member("arguments").is_some_and(is_filled),
        })?;
        let signature = thought::of_call(call);
        self.tool_piece(at, (id.unwrap_or(Raw::EMPTY), signature), function, sink)
    }

    /// Which call a piece belongs to. Calls go by index. Without one they go by id, and a piece
    /// without either belongs to the last call.
    fn place(&mut self, label: Label) -> Result<usize, StreamFault> {
        let last_of = |same: &dyn Fn(&Tool) -> bool| self.tools.iter().rposition(same);
        let found = match (label.key, label.id) {
            (Key::Id, None) => self.tools.len().checked_sub(1),
            (Key::Id, id) => last_of(&|tool| tool.id == id),
            (key, _) => last_of(&|tool| tool.key == key),
        };
        let goes_on = |&at: &usize| self.tools.get(at).is_some_and(|it| self.goes_on(it, label));
        if let Some(at) = found.filter(goes_on) {
            return Ok(at);
        }
        if self.tools.len() >= TOOL_CALLS_MAX {
            return Err(StreamFault::TooMany);
        }
        self.tools.push(Tool {
            key: label.key,
            id: label.id,
            name: None,
            state: ToolState::Nameless {
                id: Vec::new(),
                fragments: Vec::new(),
            },
        });
        Ok(self.tools.len() - 1)
    }

    /// Whether a piece at the place of `tool` goes on with it. A new call is told by its name, in
    /// a place that holds a call with another id, another name, or arguments that are whole: some
    /// servers number every call 0, others neither number nor name them. A piece that repeats the
    /// name of a call still under way goes on with it.
    fn goes_on(&self, tool: &Tool, label: Label) -> bool {
        let Some(name) = label.name else {
            return true;
        };
        if label.id.is_some() && tool.id.is_some() && label.id != tool.id {
            return false;
        }
        let ToolState::Started(number) = tool.state else {
            return true;
        };
        let arguments = self.arguments.get(number as usize);
        let is_whole = arguments.is_some_and(Arguments::is_whole);
        tool.name == Some(name) && !(is_whole && label.filled)
    }

    fn tool_piece<S>(
        &mut self,
        at: usize,
        (id, signature): (Raw<'_>, Option<Raw<'_>>),
        function: Option<Value<'_>>,
        sink: &mut S,
    ) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let Some(tool) = self.tools.get_mut(at) else {
            return Ok(());
        };
        let member = |name: &str| function?.get_set(name);
        let mut own = Vec::new();
        let json = member("arguments").map(|it| text_of(it, &mut own));
        let json = json.unwrap_or(Raw::EMPTY);
        if let ToolState::Nameless {
            id: kept,
            fragments,
        } = &mut tool.state
        {
            if kept.is_empty() {
                kept.extend_from_slice(id.bytes());
                tool.id = tool
                    .id
                    .or_else(|| (!id.is_empty()).then(|| fingerprint(id.bytes())));
            }
            let Some(name) = member("name").and_then(reasoning::non_empty) else {
                fragments.extend_from_slice(json.bytes());
                let held = kept.len().saturating_add(fragments.len());
                return (held <= self.held_bytes_max)
                    .then_some(())
                    .ok_or(StreamFault::TooLarge);
            };
            let number = u32::try_from(self.arguments.len()).map_err(|_| StreamFault::TooMany)?;
            self.arguments.push(Arguments::default());
            let (mut kept, fragments) = (core::mem::take(kept), core::mem::take(fragments));
            if let Some(signature) = signature {
                thought::join(&mut kept, signature);
            }
            tool.name = Some(fingerprint(name.bytes()));
            tool.state = ToolState::Started(number);
            sink(Event::ToolStart {
                tool: number,
                id: Raw::from_checked(&kept),
                name,
            })?;
            if !fragments.is_empty() {
                sink(self.grow(number, Raw::from_checked(&fragments)))?;
            }
        }
        match self.tools.get(at).map(|tool| &tool.state) {
            Some(&ToolState::Started(number)) if !json.is_empty() => sink(self.grow(number, json)),
            _ => Ok(()),
        }
    }

    /// The event of a piece of a call's arguments.
    fn grow<'a>(&mut self, tool: u32, json: Raw<'a>) -> Event<'a> {
        let whole = self.arguments.get_mut(tool as usize).is_some_and(|it| {
            it.push(json);
            it.is_whole()
        });
        Event::ToolArguments { tool, json, whole }
    }

    fn end<S>(&mut self, sink: &mut S) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if self.strange && !self.choices.any() {
            return Err(StreamFault::NoAnswer);
        }
        let is_lost = |tool: &Tool| match &tool.state {
            ToolState::Nameless { fragments, .. } => says_something(Raw::from_checked(fragments)),
            ToolState::Started(_) => false,
        };
        if self.tools.iter().any(is_lost) {
            return Err(StreamFault::Nameless);
        }
        if !self.started {
            self.started = true;
            sink(Event::Start {
                id: Raw::EMPTY,
                model: Raw::EMPTY,
            })?;
        }
        sink(Event::End(Ending {
            stop: finish::settle(self.finish, !self.arguments.is_empty(), self.refused),
            sequence: None,
            explanation: None,
            usage: self.usage,
        }))?;
        Ok(Step::Complete)
    }
}

/// Whether arguments bring something.
fn is_filled(arguments: Value<'_>) -> bool {
    match arguments.as_raw() {
        Some(text) => !text.is_blank(),
        None => arguments.kind() == Kind::Object,
    }
}

/// Arguments as the text that they should be. Some services give the object itself: its source is
/// escaped into `own`.
fn text_of<'a>(arguments: Value<'a>, own: &'a mut Vec<u8>) -> Raw<'a> {
    if arguments.kind() != Kind::Object {
        return arguments.as_raw().unwrap_or(Raw::EMPTY);
    }
    let source = core::str::from_utf8(arguments.source()).unwrap_or_default();
    escape_into(source, own);
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
        for (name, value) in root.members() {
            match name.plain().unwrap_or_default() {
                "id" => chunk.id = value.as_raw().unwrap_or(Raw::EMPTY),
                "model" => chunk.model = value.as_raw().unwrap_or(Raw::EMPTY),
                "choices" => chunk.choices = Some(value),
                "usage" if !value.is_null() => chunk.usage = Some(value),
                "x_groq" => chunk.usage = value.get_set("usage").or(chunk.usage),
                "error" => chunk.failed = error_text::is_truthy(value),
                _ => {}
            }
        }
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
        for (name, value) in value.members() {
            match name.plain().unwrap_or_default() {
                "content" => delta.content = Some(value),
                "reasoning_content" => delta.reasoning.content = Some(value),
                "reasoning" => delta.reasoning.plain = Some(value),
                "reasoning_details" => delta.reasoning.details = Some(value),
                "refusal" => delta.refusal = Some(value),
                "tool_calls" => delta.tool_calls = Some(value),
                "function_call" => delta.function_call = Some(value),
                "annotations" => delta.annotations = Some(value),
                _ => {}
            }
        }
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
