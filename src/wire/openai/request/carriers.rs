//! Reasoning that clients send back in assistant messages, in any of three forms.
//!
//! Taken in this order, the first that is there: `reasoning_details` (entries of one `index` are
//! fragments of one block), `thinking_blocks` (blocks of the Anthropic wire), `content_blocks`
//! (Portkey: all blocks but tool calls, in place of `content`). `reasoning_content` alone carries
//! no signature and is a display copy.
//!
//! Not here: which blocks a target accepts (see `translate`).

use std::collections::BTreeMap;

use crate::chat::rejection::Rejection;
use crate::chat::request::{Block, TextRun};
use crate::json::raw::Raw;
use crate::json::tape::Value;
use crate::wire::common::read::{self, FieldPath};

/// What an assistant message carried.
#[derive(Debug)]
pub enum Carried<'t> {
    /// Nothing.
    None,
    /// Thinking blocks, to stand before the text.
    Thinking(Vec<Block<'t>>),
    /// All blocks but tool calls, in place of `content`.
    Content(Vec<Block<'t>>),
}

/// Reads what `message` carries. Unsigned and foreign blocks come out with no signature.
///
/// # Errors
/// A refusal where a carrier is of the wrong form.
pub fn read<'t>(message: Value<'t>, place: &FieldPath<'_>) -> Result<Carried<'t>, Rejection> {
    if let Some(value) = filled(message, "reasoning_details") {
        let place = place.member("reasoning_details");
        return Ok(Carried::Thinking(details(value, &place)?));
    }
    if let Some(value) = filled(message, "thinking_blocks") {
        let place = place.member("thinking_blocks");
        return Ok(Carried::Thinking(blocks(value, &place)?));
    }
    if let Some(value) = filled(message, "content_blocks") {
        let place = place.member("content_blocks");
        return Ok(Carried::Content(blocks(value, &place)?));
    }
    Ok(Carried::None)
}

fn filled<'t>(message: Value<'t>, name: &str) -> Option<Value<'t>> {
    let value = message.get_set(name)?;
    value.elements().next().map(|_| value)
}

/// One block while its fragments are gathered.
#[derive(Default)]
struct Gathered<'t> {
    text: Vec<Raw<'t>>,
    signature: Option<Raw<'t>>,
    data: Option<Raw<'t>>,
}

fn details<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Vec<Block<'t>>, Rejection> {
    let mut gathered: Vec<Gathered<'_>> = Vec::new();
    let mut by_index: BTreeMap<u64, usize> = BTreeMap::new();
    let mut foreign = BTreeMap::new();
    for (at, entry) in value.elements().enumerate() {
        read::single(entry, &place.element(at))?;
        let index = entry.get_set("index").and_then(Value::as_u64);
        let ours = is_ours(entry, index, &mut foreign);
        let kind = entry.get_set("type").and_then(Value::as_raw);
        let text = |name: &str| entry.get_set(name).and_then(Value::as_raw);
        if !ours || kind.is_some_and(|kind| kind.is("reasoning.summary")) {
            // Carried as a block that nobody has signed: it is left out with a note.
            gathered.push(Gathered::default());
            continue;
        }
        let known = index.and_then(|index| by_index.get(&index).copied());
        let at = known.unwrap_or(gathered.len());
        if known.is_none() {
            gathered.push(Gathered::default());
            index.and_then(|index| by_index.insert(index, at));
        }
        let Some(block) = gathered.get_mut(at) else {
            continue;
        };
        if kind.is_some_and(|kind| kind.is("reasoning.encrypted")) {
            block.data = text("data").or(block.data);
        } else {
            block.text.extend(text("text"));
            block.signature = text("signature").or(block.signature);
        }
    }
    Ok(gathered.into_iter().map(finish).collect())
}

/// Whether the entry is of a Claude model. Only the first fragment of an entry names its format.
fn is_ours(entry: Value<'_>, index: Option<u64>, seen: &mut BTreeMap<u64, bool>) -> bool {
    let format = entry.get_set("format").and_then(Value::as_raw);
    let Some(format) = format else {
        return index.is_none_or(|index| seen.get(&index).copied().unwrap_or(true));
    };
    let ours = format.is("anthropic-claude-v1");
    if let Some(index) = index {
        seen.insert(index, ours);
    }
    ours
}

fn finish(gathered: Gathered<'_>) -> Block<'_> {
    if let Some(data) = gathered.data {
        return Block::Redacted { data };
    }
    let text = match gathered.text.as_slice() {
        [] => TextRun::Raw(Raw::EMPTY),
        [one] => TextRun::Raw(*one),
        _ => TextRun::Joined(gathered.text),
    };
    Block::Thinking {
        text,
        signature: gathered.signature,
    }
}

fn blocks<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Vec<Block<'t>>, Rejection> {
    let mut out = Vec::new();
    for (index, entry) in value.elements().enumerate() {
        let place = place.element(index);
        let kind = read::string_member(read::object(entry, &place)?, "type", &place)?;
        let text = |name: &str| entry.get_set(name).and_then(Value::as_raw);
        if kind.is("thinking") {
            out.push(Block::Thinking {
                text: TextRun::Raw(text("thinking").unwrap_or(Raw::EMPTY)),
                signature: text("signature"),
            });
        } else if kind.is("redacted_thinking") {
            out.extend(text("data").map(|data| Block::Redacted { data }));
        } else if kind.is("text") {
            out.extend(text("text").map(Block::text));
        } else if !kind.is("tool_use") {
            out.push(Block::Foreign {
                kind: read::shown(kind),
                source: entry.source(),
            });
        }
    }
    Ok(out)
}
