//! An estimate for `count_tokens`, where the upstream has no such thing.
//!
//! Deterministic, of the body alone, meant to be near from above: clients compact their context by
//! it. The formula:
//!
//! | what | tokens |
//! |---|---|
//! | a request | 3 |
//! | a message, the system text, a tool | 4 each |
//! | text (names, descriptions, schemas, inputs too) | a quarter of its ASCII characters, rounded up, plus one for each other character |
//! | an image | 1,000 |
//! | a PDF | 2,000 for every started 75,000 characters of base64 (a page or two) |
//! | a PDF or image by address | 2,000 |
//! | thinking in the history | 0: it is not sent on |
//!
//! Not here: tokenizers. They differ by model, and a table of one costs megabytes.

use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Block, DocumentSource, Json, Request, ResultContent, Source, TextRun, Tool, ToolResult,
};
use crate::json::raw::Raw;
use crate::json::tape::Tape;
use crate::limits::Limits;
use crate::wire::anthropic::request::read;

/// Estimates the input tokens of `body`, a `count_tokens` body of the Anthropic wire.
///
/// # Errors
/// A refusal where the body is no such body.
pub fn estimate(body: &[u8], tape: &mut Tape, limits: &Limits) -> Result<u64, Rejection> {
    let root = tape
        .read(body, limits.json_depth_max, limits.json_values_max)
        .map_err(Rejection::unreadable)?;
    let request = read::read_countable(root)?;
    Ok(total(&request))
}

fn total(request: &Request<'_>) -> u64 {
    let mut sum = REQUEST;
    if !request.system.is_empty() {
        sum += EACH + blocks(&request.system);
    }
    for message in &request.messages {
        sum += EACH + blocks(&message.blocks);
    }
    for tool in &request.tools {
        sum += EACH;
        if let Tool::Function(function) = tool {
            sum += plain(&function.name);
            sum += function.description.as_ref().map_or(0, text);
            sum += function.schema.as_ref().map_or(0, json);
        }
    }
    sum
}

fn blocks(list: &[Block<'_>]) -> u64 {
    list.iter().map(block).sum()
}

fn block(one: &Block<'_>) -> u64 {
    match one {
        Block::Text { text: body, .. } => text(body),
        Block::Image {
            source: Source::Base64 { .. },
            ..
        } => IMAGE,
        Block::Image { .. } => ADDRESS,
        Block::Document { source, title, .. } => title.map_or(0, raw) + document(source),
        Block::SearchResult {
            title,
            source,
            text,
            ..
        } => raw(*title) + raw(*source) + text.iter().map(|part| raw(*part)).sum::<u64>(),
        Block::ToolUse(call) => EACH + plain(&call.name) + json(&call.input),
        Block::ToolResult(result) => EACH + tool_result(result),
        Block::Thinking { .. } | Block::Redacted { .. } | Block::Foreign { .. } => 0,
    }
}

fn tool_result(result: &ToolResult<'_>) -> u64 {
    match &result.content {
        ResultContent::Absent => 0,
        ResultContent::Text(text) => raw(*text),
        ResultContent::Blocks(list) => blocks(list),
    }
}

fn document(source: &DocumentSource<'_>) -> u64 {
    match source {
        DocumentSource::Pdf(Source::Base64 { data, .. }) => {
            let started = data.bytes().len().div_ceil(PDF_CHARS) as u64;
            started.max(1) * PDF
        }
        DocumentSource::Pdf(Source::Url(_) | Source::File(_)) => ADDRESS,
        DocumentSource::Text(body) => text(body),
        DocumentSource::Content(list) => blocks(list),
    }
}

fn text(body: &TextRun<'_>) -> u64 {
    match body {
        TextRun::Raw(one) => raw(*one),
        TextRun::Joined(parts) => parts.iter().map(|part| raw(*part)).sum(),
        TextRun::Plain(text) => plain(text),
    }
}

fn raw(body: Raw<'_>) -> u64 {
    match body.plain() {
        Some(text) => plain(text),
        None => plain(&body.decode()),
    }
}

fn json(source: &Json<'_>) -> u64 {
    core::str::from_utf8(source).map_or(0, plain)
}

fn plain(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    // Every other character starts with one byte of this kind.
    let others = text.bytes().filter(|&b| b >= 0xC0).count();
    (ascii.div_ceil(4) + others) as u64
}

const REQUEST: u64 = 3;
const EACH: u64 = 4;
const IMAGE: u64 = 1000;
const ADDRESS: u64 = 2000;
const PDF: u64 = 2000;
const PDF_CHARS: usize = 75_000;
