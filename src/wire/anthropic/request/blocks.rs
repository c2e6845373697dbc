//! Content blocks of the Anthropic wire.
//!
//! Blocks of server tools and other provider-side things come out as [`Block::Foreign`]; a block
//! of an unknown type likewise, so that a new one is a loss and not a failure.

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Block, DocumentSource, Json, Request, ResultContent, Source, TextRun, Tool, ToolResult, ToolUse,
};
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};
use crate::wire::anthropic::request::tools;
use crate::wire::common::read::{self, FieldPath};

/// The blocks of `content`: a string is one text.
///
/// # Errors
/// A refusal where a block is of the wrong form.
pub fn read<'t>(
    content: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'t>,
) -> Result<Vec<Block<'t>>, Rejection> {
    if let Some(text) = content.as_raw() {
        return Ok(vec![Block::text(text)]);
    }
    if content.kind() != JsonKind::Array {
        return Err(place.expected("a string or an array", content));
    }
    let mut blocks = Vec::new();
    for (index, value) in content.elements().enumerate() {
        let place = place.element(index);
        if value.as_raw().is_some() {
            return Err(place.expected("an object", value));
        }
        blocks.extend(block(value, &place, request)?);
    }
    Ok(blocks)
}

/// Whether the block is a coding client's attribution line, which changes on every request.
#[must_use]
pub fn is_attribution(block: &Block<'_>) -> bool {
    matches!(block, Block::Text { text: TextRun::Raw(raw), .. }
        if raw.bytes().starts_with(b"x-anthropic-billing-header:"))
}

/// Refuses calls and results where none can be answered: within system text and documents.
///
/// # Errors
/// For the first of them.
pub fn no_calls(blocks: &[Block<'_>], place: &FieldPath<'_>) -> Result<(), Rejection> {
    for block in blocks {
        let kind = match block {
            Block::ToolUse(_) => "tool_use",
            Block::ToolResult(_) => "tool_result",
            Block::Text { .. }
            | Block::Image { .. }
            | Block::Document { .. }
            | Block::SearchResult { .. }
            | Block::Thinking { .. }
            | Block::Redacted { .. }
            | Block::Foreign { .. } => continue,
        };
        return Err(place.refuse(&format!("`{kind}` blocks cannot stand here")));
    }
    Ok(())
}

fn block<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'t>,
) -> Result<Option<Block<'t>>, Rejection> {
    let kind = read::string_member(read::object(value, place)?, "type", place)?;
    let mark = value.get_set("cache_control");
    let cache = mark.map(|mark| Json::Borrowed(mark.source()));
    let word = read::decoded(kind);
    lost(&word, value, request);
    Ok(Some(match word.as_ref() {
        "text" => Block::Text {
            text: TextRun::Raw(read::string_maybe(value, "text", place)?.unwrap_or(Raw::EMPTY)),
            cache,
        },
        "image" => Block::Image {
            source: image_source(value, place)?,
            cache,
        },
        "document" => document(value, place, request, cache)?,
        "search_result" => search_result(value, place, request, cache)?,
        "tool_use" => Block::ToolUse(ToolUse {
            id: read::decoded(read::string_member(value, "id", place)?),
            name: read::decoded(read::string_member(value, "name", place)?),
            input: input(value, place)?,
            signature: None,
            cache,
        }),
        "tool_result" => Block::ToolResult(ToolResult {
            id: read::decoded(read::string_member(value, "tool_use_id", place)?),
            content: result_content(value, place, request)?,
            is_error: value.get_set("is_error").and_then(Value::as_bool) == Some(true),
            cache,
        }),
        "thinking" => Block::Thinking {
            text: TextRun::Raw(read::string_maybe(value, "thinking", place)?.unwrap_or(Raw::EMPTY)),
            signature: value.get_set("signature").and_then(Value::as_raw),
        },
        "redacted_thinking" => Block::Redacted {
            data: read::string_member(value, "data", place)?,
        },
        "tool_addition" => return addition(value, place, request).map(|()| None),
        "tool_removal" => {
            return Err(place.refuse("tools cannot be taken away within a conversation here"));
        }
        _ => Block::Foreign {
            kind: read::shown(kind),
            source: value.source(),
        },
    }))
}

/// Lists the members of a block that have no word. Of citations in a history, and of who called a
/// tool, only those that say something.
fn lost(kind: &str, value: Value<'_>, request: &mut Request<'_>) {
    let known: &[&str] = match kind {
        "text" => &["text", "citations"],
        "image" => &["source"],
        "document" => &["source", "title", "context", "citations"],
        "search_result" => &["source", "title", "content", "citations"],
        "tool_use" => &["id", "name", "input", "caller"],
        "tool_result" => &["tool_use_id", "content", "is_error"],
        "thinking" => &["thinking", "signature"],
        _ => return,
    };
    let known = [&["type", "cache_control"], known].concat();
    read::strays(value, &known, request);
    if let Some(source) = value
        .get_set("source")
        .filter(|it| it.kind() == JsonKind::Object)
    {
        read::strays(source, &SOURCE, request);
    }
    let cited = value.get_set("citations");
    if kind == "text" && cited.is_some_and(|list| list.elements().next().is_some()) {
        request.list(Member::Citations);
    }
    let caller = value
        .get_set("caller")
        .and_then(|caller| caller.get("type"));
    if caller.is_some_and(|kind| !kind.is_str("direct")) {
        request.list(Member::Caller);
    }
}

fn input<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Json<'t>, Rejection> {
    match value.get_set("input") {
        None => Ok(Json::Borrowed(b"{}")),
        Some(input) => {
            let input = read::opaque(input, &place.member("input"))?;
            Ok(Json::Borrowed(input.source()))
        }
    }
}

/// A tool that joins the conversation later: one of `tools` already when it is a reference.
fn addition<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'t>,
) -> Result<(), Rejection> {
    let tool = read::object_member(value, "tool", place)?;
    let place = place.member("tool");
    let is_reference = tool
        .get_set("type")
        .is_some_and(|kind| kind.is_str("tool_reference"));
    if is_reference {
        return Ok(());
    }
    if let Some(function) = tools::tool(tool, &place, request)? {
        request.tools.push(Tool::Function(function));
    }
    Ok(())
}

fn result_content<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'t>,
) -> Result<ResultContent<'t>, Rejection> {
    let Some(content) = value.get_set("content") else {
        return Ok(ResultContent::Absent);
    };
    if let Some(text) = content.as_raw() {
        return Ok(ResultContent::Text(text));
    }
    let place = place.member("content");
    let mut blocks = Vec::new();
    for block in read(content, &place, request)? {
        match block {
            Block::ToolUse(_) | Block::ToolResult(_) => {
                return Err(place.refuse("expected text, images, documents or search results"));
            }
            Block::Foreign { kind, .. } => request.list(Member::Unknown(kind)),
            other => blocks.push(other),
        }
    }
    Ok(ResultContent::Blocks(blocks))
}

fn image_source<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Source<'t>, Rejection> {
    let source = read::object_member(value, "source", place)?;
    source_of(source, &place.member("source"))
}

fn source_of<'t>(source: Value<'t>, place: &FieldPath<'_>) -> Result<Source<'t>, Rejection> {
    let kind = read::string_member(source, "type", place)?;
    match read::decoded(kind).as_ref() {
        "base64" => Ok(Source::Base64 {
            media: read::decoded(read::string_member(source, "media_type", place)?),
            data: read::string_member(source, "data", place)?,
        }),
        "url" => read::string_member(source, "url", place).map(Source::Url),
        "file" => read::string_member(source, "file_id", place).map(Source::File),
        _ => Err(place.member("type").refuse("expected base64, url or file")),
    }
}

fn document<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'t>,
    cache: Option<Json<'t>>,
) -> Result<Block<'t>, Rejection> {
    citations(value, place, request)?;
    if value.get_set("context").is_some() {
        request.list(Member::DocumentContext);
    }
    let title = read::string_maybe(value, "title", place)?;
    let source = read::object_member(value, "source", place)?;
    let place = place.member("source");
    let kind = read::string_member(source, "type", &place)?;
    let source = match read::decoded(kind).as_ref() {
        "text" => DocumentSource::Text(TextRun::Raw(read::string_member(source, "data", &place)?)),
        "content" => {
            let place = place.member("content");
            let content = source.get_set("content");
            let content = content.ok_or_else(|| place.refuse("expected content, found nothing"))?;
            let content = read(content, &place, request)?;
            no_calls(&content, &place)?;
            DocumentSource::Content(content)
        }
        _ => DocumentSource::Pdf(source_of(source, &place)?),
    };
    Ok(Block::Document {
        source,
        title,
        cache,
    })
}

fn search_result<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'t>,
    cache: Option<Json<'t>>,
) -> Result<Block<'t>, Rejection> {
    citations(value, place, request)?;
    let mut text = Vec::new();
    if let Some(content) = value.get_set("content") {
        let place = place.member("content");
        for (index, block) in read::array(content, &place)?.elements().enumerate() {
            read::single(block, &place.element(index))?;
            text.extend(block.get_set("text").and_then(Value::as_raw));
        }
    }
    Ok(Block::SearchResult {
        title: read::string_maybe(value, "title", place)?.unwrap_or(Raw::EMPTY),
        source: read::string_maybe(value, "source", place)?.unwrap_or(Raw::EMPTY),
        text,
        cache,
    })
}

/// Citations were asked for: other wires have none.
fn citations(
    value: Value<'_>,
    place: &FieldPath<'_>,
    request: &mut Request<'_>,
) -> Result<(), Rejection> {
    let Some(citations) = value.get_set("citations") else {
        return Ok(());
    };
    let enabled = read::single(citations, &place.member("citations"))?.get_set("enabled");
    if enabled.and_then(Value::as_bool) == Some(true) {
        request.list(Member::Citations);
    }
    Ok(())
}

/// Members of the source of an image or a document.
const SOURCE: [&str; 6] = ["type", "media_type", "data", "url", "file_id", "content"];
