//! Reasoning in whole answers of the OpenAI wire, in each of the members that may carry it.

use crate::chat::response::{Answer, Block, TooLong};
use crate::json::write::Writer;
use crate::wire::openai::reasoning::FORMAT;
use crate::wire::openai::settings::ReasoningMembers;

/// Writes the members that carry reasoning. Each repeats what the ones before it said.
///
/// # Errors
/// [`TooLong`]: the output is past `end`.
pub fn write_reasoning(
    answer: &Answer<'_>,
    members: ReasoningMembers,
    end: usize,
    w: &mut Writer<'_>,
) -> Result<(), TooLong> {
    fits(w, end)?;
    let mut texts = Vec::new();
    let mut thinks = false;
    for block in &answer.blocks {
        match block {
            Block::Thinking { text, .. } => {
                thinks = true;
                texts.extend_from_slice(text);
            }
            Block::Redacted { .. } => thinks = true,
            Block::Text { .. } | Block::Refusal(_) | Block::Tool { .. } | Block::Foreign(_) => {}
        }
    }
    if members.text && texts.iter().any(|text| !text.is_empty()) {
        w.name("reasoning_content").raw_parts(&texts);
    }
    if members.details && thinks {
        w.name("reasoning_details").open_array();
        for (block, index) in answer.blocks.iter().filter(|it| is_thinking(it)).zip(0..) {
            write_detail(block, index, w);
            fits(w, end)?;
        }
        w.close_array();
    }
    if members.thinking_blocks && thinks {
        w.name("thinking_blocks").open_array();
        for block in answer.blocks.iter().filter(|block| is_thinking(block)) {
            write_source(block, w);
            fits(w, end)?;
        }
        w.close_array();
    }
    if members.content_blocks && !answer.blocks.is_empty() {
        w.name("content_blocks").open_array();
        for block in &answer.blocks {
            write_source(block, w);
            fits(w, end)?;
        }
        w.close_array();
    }
    fits(w, end)
}

/// Whether the output still fits.
///
/// # Errors
/// [`TooLong`]: it does not.
pub fn fits(w: &Writer<'_>, end: usize) -> Result<(), TooLong> {
    match w.fits(end) {
        true => Ok(()),
        false => Err(TooLong),
    }
}

const fn is_thinking(block: &Block<'_>) -> bool {
    matches!(block, Block::Thinking { .. } | Block::Redacted { .. })
}

fn write_detail(block: &Block<'_>, index: u64, w: &mut Writer<'_>) {
    w.open_object();
    match block {
        Block::Thinking {
            text, signature, ..
        } => {
            w.name("type").string("reasoning.text");
            w.name("text").raw_parts(text);
            if !signature.data.is_empty() {
                w.name("signature").raw(signature.data);
            }
        }
        Block::Redacted { data, .. } => {
            w.name("type").string("reasoning.encrypted");
            w.name("data").raw(data.data);
        }
        Block::Text { .. } | Block::Refusal(_) | Block::Tool { .. } | Block::Foreign(_) => {}
    }
    w.name("format").string(FORMAT);
    w.name("index").number(index).close_object();
}

/// The block as its own wire wrote it. Calls of tools have a place of their own.
fn write_source(block: &Block<'_>, w: &mut Writer<'_>) {
    match block {
        Block::Text { source, .. }
        | Block::Thinking { source, .. }
        | Block::Redacted { source, .. } => {
            if let Some(source) = source {
                w.value(source);
            }
        }
        Block::Foreign(source) => {
            w.value(source);
        }
        Block::Refusal(_) | Block::Tool { .. } => {}
    }
}
