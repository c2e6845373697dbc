//! Tool calls in pieces: which call a piece belongs to, and what it means there.
//!
//! Calls go by index, else by id, and what has neither belongs to the last one. A name may come in
//! pieces as well, which clients put together: one that is none of the request's tools waits for the
//! next frame, and a piece of a name that comes then goes on with it.
//!
//! The free text of a custom tool's call becomes `{"input":"<text>"}`, which is closed when text or
//! reasoning follows, or the stream ends: nothing else says that such a call is over.
//!
//! Invariants: at most `TOOL_CALLS_MAX` calls are remembered; at most `held_bytes_max` bytes of all
//! together wait for their names; at most one call waits with a name.

use crate::chat::event::{Event, StreamFault};
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};
use crate::json::write::escape_into;
use crate::limits::TOOL_CALLS_MAX;
use crate::wire::common::gemini_signature;
use crate::wire::common::ids::{fingerprint, fingerprint_on};
use crate::wire::openai::answer::called_tool::CalledTool;
use crate::wire::openai::reasoning::non_empty;
use crate::wire::openai::stream::arguments::{Arguments, says_something};

/// The calls of one stream.
#[derive(Debug)]
pub struct Pieces {
    /// Bytes of calls that may wait for their names.
    held_bytes_max: usize,
    /// Bytes of calls that wait. `held_bytes <= held_bytes_max` unless a fault was returned.
    held_bytes: usize,
    /// Of names that are whole as they stand, in order. None are known: all are.
    whole_names: Vec<u64>,
    tools: Vec<Tool>,
    /// Of the calls whose start was emitted, by their number.
    arguments: Vec<Arguments>,
    /// Numbers of custom tools' calls whose `{"input":"…"}` is open.
    open_inputs: Vec<u32>,
    /// The call that waits with a name which may not be whole.
    waiting: Option<usize>,
    /// A signature came behind the start of its call.
    has_lost_signature: bool,
}

/// A tool call as the upstream numbers it.
#[derive(Debug)]
struct Tool {
    key: Key,
    /// Of the id that the upstream gave, if any.
    id: Option<u64>,
    /// Of the name, once it came.
    name: Option<u64>,
    /// Its arguments are the free text of a custom tool.
    is_custom: bool,
    state: State,
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
enum State {
    /// The start was not emitted yet.
    Held(Held),
    /// The start was emitted under this number.
    Started(u32),
}

/// What waits for a name to come, or to be whole.
#[derive(Debug, Default)]
struct Held {
    id: Vec<u8>,
    name: Vec<u8>,
    /// Gemini's signature of the call.
    signature: Option<Vec<u8>>,
    fragments: Vec<u8>,
}

impl Held {
    fn bytes(&self) -> usize {
        let signature = self.signature.as_ref().map_or(0, Vec::len);
        let lengths = [self.id.len(), self.name.len(), self.fragments.len()];
        lengths.into_iter().fold(signature, usize::saturating_add)
    }
}

impl Pieces {
    /// No call yet. At most `held_bytes_max` bytes wait for names; `whole_names` are the
    /// fingerprints, in order, of names that no other begins with.
    #[must_use]
    pub const fn new(held_bytes_max: usize, whole_names: Vec<u64>) -> Self {
        Self {
            held_bytes_max,
            held_bytes: 0,
            whole_names,
            tools: Vec::new(),
            arguments: Vec::new(),
            open_inputs: Vec::new(),
            waiting: None,
            has_lost_signature: false,
        }
    }

    /// Whether a signature came too late to cross with its call.
    #[must_use]
    pub const fn has_lost_signature(&self) -> bool {
        self.has_lost_signature
    }

    /// Whether any call has begun.
    #[must_use]
    pub const fn any(&self) -> bool {
        !self.arguments.is_empty() || self.waiting.is_some()
    }

    /// Whether a call waits with a name that may not be whole.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether a custom tool's call is open.
    #[must_use]
    pub const fn has_open_inputs(&self) -> bool {
        !self.open_inputs.is_empty()
    }

    /// Bytes of calls that wait for their names.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether the arguments of a call that has started are whole.
    #[must_use]
    pub fn is_whole(&self, tool: u32) -> bool {
        let arguments = self.arguments.get(tool as usize);
        arguments.is_some_and(Arguments::is_whole)
    }

    /// Whether a call that said something never got a name.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.tools.iter().any(|tool| match &tool.state {
            State::Held(held) => {
                held.name.is_empty() && says_something(Raw::from_checked(&held.fragments))
            }
            State::Started(_) => false,
        })
    }

    /// Takes an entry of `tool_calls`.
    ///
    /// # Errors
    /// Too many calls, too much is held back, or the sink says so.
    pub fn call<S>(&mut self, call: Value<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let id = call.get("id").and_then(non_empty);
        let index = call.get("index").and_then(Value::as_u64);
        let said = CalledTool::of(call);
        let print = |raw: Raw<'_>| fingerprint(raw.bytes());
        let at = self.place(Label {
            key: index.map_or(Key::Id, Key::Index),
            id: id.map(print),
            name: said.and_then(|said| said.name()).map(print),
            filled: said
                .and_then(|said| said.arguments())
                .is_some_and(is_filled),
        })?;
        let signature = gemini_signature::of_call(call);
        self.piece(at, (id.unwrap_or(Raw::EMPTY), signature), said, sink)
    }

    /// Takes the `function_call` of the old form.
    ///
    /// # Errors
    /// As [`Pieces::call`].
    pub fn legacy<S>(&mut self, function: Value<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let at = self.place(Label {
            key: Key::Legacy,
            id: None,
            name: None,
            filled: false,
        })?;
        let said = CalledTool::function(function);
        self.piece(at, (Raw::EMPTY, None), Some(said), sink)
    }

    /// Nothing more comes for the call that waits: its name is whole.
    ///
    /// # Errors
    /// The sink says so.
    pub fn flush<S>(&mut self, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        match self.waiting.take() {
            Some(at) => self.start(at, sink),
            None => Ok(()),
        }
    }

    /// The event of a piece of a call's arguments.
    pub fn grow<'a>(&mut self, tool: u32, json: Raw<'a>) -> Event<'a> {
        let whole = self.arguments.get_mut(tool as usize).is_some_and(|it| {
            it.push(json);
            it.is_whole()
        });
        Event::ToolArguments { tool, json, whole }
    }

    /// Nothing more comes for the custom tools' calls so far: what is open of their inputs is closed.
    ///
    /// # Errors
    /// The sink says so.
    #[cold]
    #[inline(never)]
    pub fn close_inputs<S>(&mut self, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        for number in core::mem::take(&mut self.open_inputs) {
            self.emit(number, Raw::from_checked(INPUT_END), sink)?;
        }
        Ok(())
    }

    /// Emits a piece of the arguments of a call that has started. The free text of a custom tool
    /// becomes a string in JSON, as in a whole answer.
    fn emit<S>(&mut self, number: u32, piece: Raw<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let mut own = Vec::new();
        let json = match self.open_inputs.contains(&number) {
            true => within_input(piece.bytes(), &mut own),
            false => piece,
        };
        sink(self.grow(number, json))
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
            is_custom: false,
            state: State::Held(Held::default()),
        });
        Ok(self.tools.len() - 1)
    }

    /// Whether a piece at the place of `tool` goes on with it. A new call is told by its name, in
    /// a place that holds a call with another id, another name that is whole, or arguments that
    /// are: some servers number every call 0, others neither number nor name them. A piece that
    /// repeats the name of a call still under way goes on with it.
    fn goes_on(&self, tool: &Tool, label: Label) -> bool {
        let Some(name) = label.name else {
            return true;
        };
        if label.id.is_some() && tool.id.is_some() && label.id != tool.id {
            return false;
        }
        let State::Started(number) = tool.state else {
            return true;
        };
        tool.name == Some(name) && !(self.is_whole(number) && label.filled)
    }

    fn piece<S>(
        &mut self,
        at: usize,
        (id, signature): (Raw<'_>, Option<Raw<'_>>),
        said: Option<CalledTool<'_>>,
        sink: &mut S,
    ) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if self.waiting.is_some_and(|waiting| waiting != at) {
            self.flush(sink)?;
        }
        let is_custom = said.is_some_and(|said| said.is_custom);
        if let Some(tool) = self.tools.get_mut(at) {
            tool.is_custom |= is_custom;
        }
        let mut own = Vec::new();
        let json = match said.and_then(|said| said.arguments()) {
            Some(input) if is_custom => input.as_raw().unwrap_or(Raw::EMPTY),
            Some(arguments) => text_of(arguments, &mut own),
            None => Raw::EMPTY,
        };
        let name = said.and_then(|said| said.name());
        if self.hold(at, (id, signature), name, json)? {
            return Ok(());
        }
        if self.waiting == Some(at) {
            self.waiting = None;
        }
        self.start(at, sink)?;
        match self.tools.get(at).map(|tool| &tool.state) {
            Some(&State::Started(number)) if !json.is_empty() => self.emit(number, json, sink),
            _ => Ok(()),
        }
    }

    /// Takes what the piece says of a call that has not started; tells whether it waits on. Its
    /// arguments are kept only while no name has come.
    fn hold(
        &mut self,
        at: usize,
        (id, signature): (Raw<'_>, Option<Raw<'_>>),
        name: Option<Raw<'_>>,
        json: Raw<'_>,
    ) -> Result<bool, StreamFault> {
        let Some(tool) = self.tools.get_mut(at) else {
            return Ok(true);
        };
        let State::Held(held) = &mut tool.state else {
            self.has_lost_signature |= signature.is_some();
            return Ok(false);
        };
        let held_before = held.bytes();
        if held.id.is_empty() && !id.is_empty() {
            held.id.extend_from_slice(id.bytes());
            tool.id = tool.id.or_else(|| Some(fingerprint(id.bytes())));
        }
        if let Some(signature) = signature.filter(|_| held.signature.is_none()) {
            held.signature = Some(signature.bytes().to_vec());
        }
        if let Some(piece) = name.filter(|piece| tool.name != Some(fingerprint(piece.bytes()))) {
            held.name.extend_from_slice(piece.bytes());
            tool.name = Some(match tool.name {
                Some(print) => fingerprint_on(print, piece.bytes()),
                None => fingerprint(piece.bytes()),
            });
        }
        let nameless = held.name.is_empty();
        if nameless {
            held.fragments.extend_from_slice(json.bytes());
        }
        // Nothing that is held shrinks here.
        let grown = held.bytes().saturating_sub(held_before);
        self.held_bytes = self.held_bytes.saturating_add(grown);
        if self.held_bytes > self.held_bytes_max {
            return Err(StreamFault::TooLarge);
        }
        let comes = !json.is_empty() || !held.fragments.is_empty();
        let is_whole = |print: &u64| {
            self.whole_names.is_empty() || self.whole_names.binary_search(print).is_ok()
        };
        let waits = nameless || !(comes || tool.name.as_ref().is_some_and(is_whole));
        if waits && !nameless {
            self.waiting = Some(at);
        }
        Ok(waits)
    }

    /// Emits the start of a call whose name is whole, unless that was done.
    fn start<S>(&mut self, at: usize, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let Some(tool) = self.tools.get_mut(at) else {
            return Ok(());
        };
        let State::Held(held) = &mut tool.state else {
            return Ok(());
        };
        let mut held = core::mem::take(held);
        self.held_bytes = self.held_bytes.saturating_sub(held.bytes());
        let number = u32::try_from(self.arguments.len()).map_err(|_| StreamFault::TooMany)?;
        self.arguments.push(Arguments::default());
        tool.state = State::Started(number);
        let is_custom = tool.is_custom;
        sink(Event::ToolStart {
            tool: number,
            id: Raw::from_checked(&held.id),
            name: Raw::from_checked(&held.name),
            signature: held.signature.as_deref().map(Raw::from_checked),
        })?;
        if is_custom {
            self.open_inputs.push(number);
            let mut json = INPUT_START.to_vec();
            within_input(&held.fragments, &mut json);
            held.fragments = json;
        }
        if held.fragments.is_empty() {
            return Ok(());
        }
        sink(self.grow(number, Raw::from_checked(&held.fragments)))
    }
}

/// Whether arguments bring something.
fn is_filled(arguments: Value<'_>) -> bool {
    match arguments.as_raw() {
        Some(text) => !text.is_blank(),
        None => arguments.kind() == JsonKind::Object,
    }
}

/// Arguments as the text that they should be. Some services give the object itself: its source is
/// escaped into `own`.
fn text_of<'a>(arguments: Value<'a>, own: &'a mut Vec<u8>) -> Raw<'a> {
    if arguments.kind() != JsonKind::Object {
        return arguments.as_raw().unwrap_or(Raw::EMPTY);
    }
    let source = core::str::from_utf8(arguments.source()).unwrap_or_default();
    escape_into(source, own);
    Raw::from_checked(own)
}

/// Appends a piece of a custom tool's text to `json`, as it stands in a string of its arguments.
fn within_input<'j>(piece: &[u8], json: &'j mut Vec<u8>) -> Raw<'j> {
    escape_into(core::str::from_utf8(piece).unwrap_or_default(), json);
    Raw::from_checked(json)
}

/// What stands around a custom tool's free text in its arguments, escaped as these are.
const INPUT_START: &[u8] = br#"{\"input\":\""#;
const INPUT_END: &[u8] = br#"\"}"#;
