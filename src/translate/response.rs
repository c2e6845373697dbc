//! Whole answers from one wire to the other.
//!
//! Promises: a body that is no answer of its wire is a fault and writes nothing; strings and tool
//! inputs are copied as they stand; what the request's translation changed is changed back.

use crate::chat::member::Member;
use crate::chat::response::{Answer, Arguments, Block, TooLong};
use crate::chat::small_str::SmallStr;
use crate::chat::usage::{StopReason, Usage};
use crate::json::error::JsonError;
use crate::json::raw::Raw;
use crate::json::scan::{DEPTH_MAX, unmarked};
use crate::json::tape::{Tape, Value};
use crate::json::write::escape_into;
use crate::limits::{EVENT_VALUES_MAX, LOGGED_ID_BYTES_MAX, Limits};
use crate::translate::answer_context::{AnswerContext, JsonAnswer, escaped};
use crate::translate::notes::Notes;
use crate::translate::response_mapping::{JSON_TOOL, client_name};
use crate::wire::codec;
use crate::wire::common::read;
use crate::wire::kind::Wire;

/// What the shell wants to know of a whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerFacts {
    /// Token counts.
    pub usage: Usage,
    /// Why the model stopped.
    pub stop: Option<StopReason>,
    /// The model as the answer names it, cut to what is logged.
    pub model: Option<SmallStr>,
    /// What of the answer was lost on the way to another wire.
    pub notes: Notes,
}

/// Why a body with a success status is no answer. The client gets a 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// Not JSON.
    Json(JsonError),
    /// JSON, but no answer of its wire.
    NotAnAnswer,
    /// Longer in the client's wire than an answer may be.
    TooLong,
}

impl AnswerFault {
    /// What the client is told.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Json(_) => "upstream sent a body that is not JSON",
            Self::NotAnAnswer => "upstream sent a body that is no answer",
            Self::TooLong => {
                "upstream sent an answer that is too long once translated (limit answer_bytes_max)"
            }
        }
    }
}

/// Reads an answer of the first wire and appends it in the second.
///
/// # Errors
/// The body is no answer of its wire, or too long in the other; nothing was written.
pub fn translate(
    (from, to): (Wire, Wire),
    body: &[u8],
    context: &AnswerContext,
    tape: &mut Tape,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<AnswerFacts, AnswerFault> {
    let root = tape
        .read(
            unmarked(body),
            limits.json_depth_max,
            limits.json_values_max,
        )
        .map_err(AnswerFault::Json)?;
    let answer = codec::read_answer(from, root).ok_or(AnswerFault::NotAnAnswer)?;
    let mut texts = Texts::default();
    texts.collect(&answer, context, limits);
    let mut notes = losses(&answer, to);
    if !context.needs.takes_foreign_blocks() {
        foreign(&answer, &mut notes);
    }
    let mut answer = restore(answer, context, &texts, &mut notes);
    let mut told = AnswerFacts {
        notes,
        ..facts(&answer)
    };
    let own;
    if answer.model.is_empty() {
        own = escaped(context.model.as_ref());
        answer.model = Raw::from_checked(&own);
    }
    let start = out.len();
    let made = (context.seed, limits.answer_bytes_max);
    match codec::write_answer(to, &answer, &context.needs, made, out) {
        Ok(written) => {
            if written.has_raw_arguments {
                told.notes.changed(Member::ToolCalls);
            }
            Ok(told)
        }
        Err(TooLong) => {
            out.truncate(start);
            Err(AnswerFault::TooLong)
        }
    }
}

/// What the other wire cannot say.
fn losses(answer: &Answer<'_>, client: Wire) -> Notes {
    let mut notes = Notes::new(client);
    for name in answer.lost.names() {
        notes.dropped(Member::Unknown(name.clone()));
    }
    if answer.ending.stop == StopReason::Other {
        notes.changed(Member::StopReason);
    }
    notes
}

/// Names the blocks that only their own wire has: those of tools that the provider runs.
fn foreign(answer: &Answer<'_>, notes: &mut Notes) {
    let mut tape = Tape::new();
    for block in &answer.blocks {
        if let Block::Foreign(source) = block
            && let Ok(root) = tape.read(source, DEPTH_MAX, EVENT_VALUES_MAX)
        {
            let kind = root.get("type").and_then(Value::as_raw);
            notes.dropped(kind.map_or(Member::Content, read::unknown));
        }
    }
}

/// What the shell wants to know of `answer`.
#[must_use]
pub fn facts(answer: &Answer<'_>) -> AnswerFacts {
    AnswerFacts {
        usage: answer.ending.usage,
        stop: Some(answer.ending.stop),
        model: logged(answer.model),
        notes: Notes::default(),
    }
}

/// The model's name, cut to what is logged, if it has one.
pub(super) fn logged(model: Raw<'_>) -> Option<SmallStr> {
    let name = match model.plain() {
        Some(name) if name.len() <= LOGGED_ID_BYTES_MAX => SmallStr::from(name),
        _ => SmallStr::from(model.decode_start(LOGGED_ID_BYTES_MAX).as_str()),
    };
    (!model.is_empty()).then_some(name)
}

/// Texts that stand in the answer in another form: escaped anew, one per block that needs it.
#[derive(Default)]
struct Texts {
    by_block: Vec<Option<Vec<u8>>>,
}

impl Texts {
    fn collect(&mut self, answer: &Answer<'_>, context: &AnswerContext, limits: &Limits) {
        for block in &answer.blocks {
            self.by_block.push(own_text(block, context, limits));
        }
    }

    fn get(&self, block: usize) -> Option<Raw<'_>> {
        let text = self.by_block.get(block)?.as_deref()?;
        Some(Raw::from_checked(text))
    }
}

/// The text of a block that is not the answer's text as it stands: a structured answer that came
/// as a tool's input, or wrapped in an object.
fn own_text(block: &Block<'_>, context: &AnswerContext, limits: &Limits) -> Option<Vec<u8>> {
    let mut json = Vec::new();
    match block {
        Block::Tool {
            name, arguments, ..
        } if is_json_tool(*name, context) => match arguments {
            Arguments::Json(source) => json.extend_from_slice(source),
            Arguments::Text(text) | Arguments::Input(text) => text.decode_into(&mut json),
        },
        Block::Text { text, .. } if context.json_wrapped => text.decode_into(&mut json),
        Block::Text { .. }
        | Block::Refusal(_)
        | Block::Thinking { .. }
        | Block::Redacted { .. }
        | Block::Tool { .. }
        | Block::Foreign(_) => return None,
    }
    let mut tape = Tape::new();
    let root = tape
        .read(&json, limits.json_depth_max, limits.json_values_max)
        .ok();
    let wrapped = root
        .filter(|_| context.json_wrapped)
        .and_then(|root| root.get("value"));
    if wrapped.is_none() && matches!(block, Block::Text { .. }) {
        return None;
    }
    let source = wrapped.map_or(json.as_slice(), |value| value.source());
    let mut text = Vec::new();
    escape_into(core::str::from_utf8(source).unwrap_or_default(), &mut text);
    Some(text)
}

fn is_json_tool(name: Raw<'_>, context: &AnswerContext) -> bool {
    context.json_answer == JsonAnswer::Tool && name.is(JSON_TOOL)
}

fn restore<'a>(
    mut answer: Answer<'a>,
    context: &'a AnswerContext,
    texts: &'a Texts,
    notes: &mut Notes,
) -> Answer<'a> {
    let is_json = |block: &Block<'_>| matches!(block, Block::Tool { name, .. } if is_json_tool(*name, context));
    let unwrapped = answer.blocks.iter().position(is_json);
    let mut calls = false;
    let mut at = 0;
    answer.blocks.retain_mut(|block| {
        let own = texts.get(at);
        let is_answer = unwrapped == Some(at);
        at += 1;
        match block {
            _ if is_answer => {
                *block = Block::Text {
                    text: own.unwrap_or(Raw::EMPTY),
                    citations: Vec::new(),
                    source: None,
                };
                true
            }
            // Of a structured answer the first call alone counts, and no text around it.
            Block::Tool { name, .. } if is_json_tool(*name, context) => {
                notes.dropped(Member::Content);
                false
            }
            Block::Text { text, .. } if unwrapped.is_some() => {
                if !text.is_blank() {
                    notes.dropped(Member::Content);
                }
                false
            }
            Block::Tool { name, .. } => {
                calls = true;
                *name = client_name(&context.tool_names, *name);
                true
            }
            Block::Text { text, .. } => {
                *text = own.unwrap_or(*text);
                true
            }
            Block::Refusal(_)
            | Block::Thinking { .. }
            | Block::Redacted { .. }
            | Block::Foreign(_) => true,
        }
    });
    if unwrapped.is_some() && !calls && answer.ending.stop == StopReason::ToolUse {
        answer.ending.stop = StopReason::EndTurn;
    }
    answer
}
