//! Chunks of the OpenAI wire, and of everything that calls itself compatible, to neutral events.
//!
//! A frame that is no chunk is an error if it reads as one, and skipped if not; an end behind such
//! frames alone is none. What a chunk may hold is read in one fixed order: error, usage, reasoning,
//! text, citations, refusal, tool calls, finish reason. SingleDelta the first choice is read (a translated
//! request asked for one); the finish reason is kept until the end, because usage may follow it.
//!
//! Invariants: one start, at most one end; an end only after `[DONE]`, or, at a clean end of the
//! body, after a finish reason on every choice seen.

use crate::chat::event::{Ending, Event, Step, StreamFault};
use crate::chat::opaque::Opaque;
use crate::chat::response::Lost;
use crate::chat::usage::{StopReason, Usage};
use crate::json::raw::Raw;
use crate::json::scan::{DEPTH_MAX, trimmed};
use crate::json::tape::{JsonKind, Tape, Value};
use crate::limits::EVENT_VALUES_MAX;
use crate::wire::common::repeated_frame::{RepeatedFrame, SingleDelta};
use crate::wire::common::{error_text, foreign_reasoning};
use crate::wire::openai::answer::annotations::{self, read_annotation};
use crate::wire::openai::answer::failure;
use crate::wire::openai::answer::sources::Sources;
use crate::wire::openai::reasoning::{self, Piece};
use crate::wire::openai::stream::choices::Choices;
use crate::wire::openai::stream::chunk_members::{Chunk, Delta, noise};
use crate::wire::openai::stream::pieces::Pieces;
use crate::wire::openai::{error, finish, usage};

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
    memo: RepeatedFrame,
    sources: Sources,
    lost: Lost,
    /// The summary that is under way: its mark stands behind the text.
    summary: Option<Summary>,
    /// A signature of the whole message that came behind a call: it waits for the end.
    signature: Vec<u8>,
    /// The message has a signature already.
    is_signed: bool,
}

/// Format and id of a `reasoning.summary`; either may be empty.
#[derive(Debug)]
struct Summary {
    format: Vec<u8>,
    id: Vec<u8>,
}

impl Summary {
    fn of(mark: &Opaque<'_>) -> Self {
        let [format, id] = mark.origin.unwrap_or([Raw::EMPTY; 2]);
        Self {
            format: format.bytes().to_vec(),
            id: id.bytes().to_vec(),
        }
    }
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
            memo: RepeatedFrame::default(),
            sources: Sources::default(),
            lost: Lost::default(),
            summary: None,
            signature: Vec::new(),
            is_signed: false,
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
            Some(event) => {
                if let Event::Text { text, .. } = event {
                    self.sources.text(text);
                }
                return sink(event).map(|()| Step::Open);
            }
        }
        if data.starts_with(b"[DONE]") {
            return self.end(sink);
        }
        let root = match tape.read(data, DEPTH_MAX, EVENT_VALUES_MAX) {
            Ok(root) if root.kind() == JsonKind::Object => root,
            Err(_) if event.is_empty() || data.starts_with(b"{") => return Err(StreamFault::Json),
            Ok(_) | Err(_) => {
                self.strange = true;
                return Ok(Step::Open);
            }
        };
        let mut only = SingleDelta::default();
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
        let summary = match &self.summary {
            Some(summary) => summary.format.len() + summary.id.len(),
            None => 0,
        };
        let seals = summary.saturating_add(self.signature.len());
        self.calls.held_bytes().saturating_add(seals)
    }

    /// What was said that no other wire can, and where in the text no source has a place.
    #[must_use]
    pub fn lost(&self) -> Lost {
        let mut lost = self.lost.clone();
        self.sources.lost(&mut lost);
        if self.calls.has_lost_signature() {
            lost.add("thought_signature");
        }
        lost
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
        // Counts may stand beside an error (OpenRouter): they are paid for.
        if let Some(counts) = chunk.usage.and_then(usage::read) {
            self.usage = counts;
        }
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
        for choice in chunk.choices.into_iter().flat_map(Value::elements) {
            if let Step::Failed(facts) = self.choice(choice, sink)? {
                return Ok(Step::Failed(facts));
            }
        }
        if !chunk.listed.is_empty() {
            self.sources.list(chunk.listed);
            self.sources
                .tell(chunk.listed, |citation| sink(Event::Citation(citation)))?;
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
        if self.calls.has_open_inputs() {
            self.end_inputs(delta, sink)?;
        }
        let reasoned = self.reasoning(delta, sink)?;
        if delta.says_more() {
            self.end_summary(sink)?;
        }
        self.sign(delta, sink)?;
        if let Some(content) = delta.content {
            self.content(content, reasoned, sink)?;
        }
        for annotation in delta.annotations.into_iter().flat_map(Value::elements) {
            if let Some(citation) = read_annotation(annotation) {
                sink(Event::Citation(citation))?;
            }
        }
        self.strays(delta);
        if let Some(text) = delta.refusal.and_then(reasoning::non_empty) {
            self.refused = true;
            sink(Event::Refusal { text })?;
        }
        for call in delta.tool_calls.into_iter().flat_map(Value::elements) {
            self.calls.call(call, sink)?;
        }
        if let Some(function) = delta
            .function_call
            .filter(|it| it.kind() == JsonKind::Object)
        {
            self.calls.legacy(function, sink)?;
        }
        Ok(())
    }

    /// Ends the calls of custom tools where text or reasoning follows. Out of line: few streams have any.
    #[cold]
    #[inline(never)]
    fn end_inputs<S>(&mut self, delta: &Delta<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if delta.is_text() || !delta.reasoning.is_empty() {
            self.calls.close_inputs(sink)?;
        }
        Ok(())
    }

    /// The pieces of reasoning; tells whether there were any with text.
    fn reasoning<S>(&mut self, delta: &Delta<'_>, sink: &mut S) -> Result<bool, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let block = 0;
        delta.reasoning.each(|piece| match piece {
            Piece::Text(text) => sink(Event::Thinking { block, text }),
            Piece::Summary(mark) => {
                self.summary.get_or_insert_with(|| Summary::of(&mark));
                Ok(())
            }
            Piece::Signature(signature) => {
                // It stands behind the same text as the mark would.
                self.summary = None;
                sink(Event::Signature { block, signature })
            }
            Piece::Encrypted(data) => {
                end_summary(&mut self.summary, sink)?;
                sink(Event::Redacted { block, data })
            }
        })
    }

    /// The text of a summary is whole: the mark follows.
    fn end_summary<S>(&mut self, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        end_summary(&mut self.summary, sink)
    }

    /// A signature of the whole message: told at once, behind a call at the end. One is carried.
    fn sign<S>(&mut self, delta: &Delta<'_>, sink: &mut S) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        let Some(signature) = delta.signature.and_then(reasoning::non_empty) else {
            return Ok(());
        };
        if self.is_signed {
            self.lost.add("thought_signature");
            return Ok(());
        }
        self.is_signed = true;
        self.end_summary(sink)?;
        if !self.calls.any() {
            return sink(Event::Signature {
                block: 0,
                signature: foreign_reasoning::message(signature),
            });
        }
        self.signature.extend_from_slice(signature.bytes());
        Ok(())
    }

    /// Names what a delta says that no other wire can.
    fn strays(&mut self, delta: &Delta<'_>) {
        let list = delta.annotations.into_iter().flat_map(Value::elements);
        if list.into_iter().any(annotations::is_stray) {
            self.lost.add("annotations");
        }
        for (name, value) in [("images", delta.images), ("audio", delta.audio)] {
            if value.is_some_and(error_text::is_truthy) {
                self.lost.add(name);
            }
        }
        let details = delta.reasoning.details.into_iter();
        if details
            .flat_map(Value::elements)
            .any(reasoning::stays_behind)
        {
            self.lost.add("reasoning_details");
        }
    }

    /// A string, or an array of text and thinking parts in order. Where another member has already
    /// told the reasoning, the thinking parts only repeat it.
    fn content<S>(
        &mut self,
        content: Value<'_>,
        reasoned: bool,
        sink: &mut S,
    ) -> Result<(), StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        if let Some(text) = reasoning::non_empty(content) {
            self.sources.text(text);
            return sink(Event::Text { block: 0, text });
        }
        for part in content.elements() {
            let kind = part.get("type");
            if kind.is_some_and(|kind| kind.is_str("thinking")) {
                if reasoned {
                    continue;
                }
                reasoning::thinking_part(part, |text| sink(Event::Thinking { block: 0, text }))?;
            } else if let Some(text) = part.get("text").and_then(reasoning::non_empty) {
                self.sources.text(text);
                sink(Event::Text { block: 0, text })?;
            } else if kind.is_some_and(|kind| kind.is_str("image_url")) {
                self.lost.add("images");
            }
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
        if self.calls.has_open_inputs() {
            self.calls.close_inputs(sink)?;
        }
        if !self.started {
            self.started = true;
            sink(Event::Start {
                id: Raw::EMPTY,
                model: Raw::EMPTY,
                tier: Raw::EMPTY,
            })?;
        }
        self.end_summary(sink)?;
        if !self.signature.is_empty() {
            let signature = core::mem::take(&mut self.signature);
            sink(Event::Signature {
                block: 0,
                signature: foreign_reasoning::message(Raw::from_checked(&signature)),
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

/// The text of a summary is whole: its mark follows.
fn end_summary<S>(summary: &mut Option<Summary>, sink: &mut S) -> Result<(), StreamFault>
where
    S: FnMut(Event<'_>) -> Result<(), StreamFault>,
{
    let Some(Summary { format, id }) = summary.take() else {
        return Ok(());
    };
    let [format, id] = [&format, &id].map(|name| Raw::from_checked(name));
    sink(Event::Signature {
        block: 0,
        signature: foreign_reasoning::summary(format, id),
    })
}
