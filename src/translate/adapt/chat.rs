//! Turns of the Anthropic wire as messages that the OpenAI wire takes.
//!
//! Results become messages of their own when they are written; here is what cannot be said in
//! them: pictures within results move to the user text behind, documents of text become text,
//! blocks of server tools go. Thinking never becomes text: it would leak as an answer.

use crate::chat::error::Refusal;
use crate::chat::request::{
    Block, DocumentSource, Message, Request, ResultContent, Role, Source, Text, ToolResult,
};
use crate::json::raw::Raw;
use crate::translate::adapt::calls;
use crate::translate::adapt::fit::Fit;
use crate::translate::adapt::names;
use crate::wire::kind::Wire;

/// Fits system text and conversation.
///
/// # Errors
/// For calls without results and the like, and for images or files that the upstream does not take.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Refusal> {
    let max = fit.dialect.tool_id_bytes_max;
    let short = |id| names::short_id(id, max);
    calls::pair(&mut request.messages, Wire::AnthropicMessages, short)?;
    let system = core::mem::take(&mut request.system);
    request.system = blocks(fit, system, Role::System, 0)?;
    for message in core::mem::take(&mut request.messages) {
        let fitted = turn(fit, message)?;
        if !fitted.blocks.is_empty() || fitted.role == Role::User {
            request.messages.push(fitted);
        }
    }
    if !fit.dialect.repeated_roles {
        join_turns(request);
    }
    Ok(())
}

fn turn<'a>(fit: &mut Fit<'_>, mut message: Message<'a>) -> Result<Message<'a>, Refusal> {
    let (role, index) = (message.role, message.index);
    let list = core::mem::take(&mut message.blocks);
    let (results, rest): (Vec<_>, Vec<_>) = list
        .into_iter()
        .partition(|block| matches!(block, Block::ToolResult(_)));
    let mut attached = Vec::new();
    for block in results {
        if let Block::ToolResult(result) = block {
            let result = tool_result(fit, result, index, &mut attached)?;
            message.blocks.push(Block::ToolResult(result));
        }
    }
    message.blocks.append(&mut attached);
    message.blocks.extend(blocks(fit, rest, role, index)?);
    Ok(message)
}

/// The result with what may stand in it; images and files go to `attached`, behind a line that
/// says whose they are.
fn tool_result<'a>(
    fit: &mut Fit<'_>,
    mut result: ToolResult<'a>,
    index: usize,
    attached: &mut Vec<Block<'a>>,
) -> Result<ToolResult<'a>, Refusal> {
    if !fit.dialect.cache_control && result.cache.take().is_some() {
        fit.notes.dropped("cache_control");
    }
    let ResultContent::Blocks(list) = result.content else {
        return Ok(result);
    };
    let list = blocks(fit, list, Role::User, index)?;
    let is_text = |block: &Block<'_>| matches!(block, Block::Text { .. });
    let is_image = |block: &Block<'_>| matches!(block, Block::Image { .. });
    let stays = |block: &Block<'_>| {
        is_text(block) || (fit.dialect.images_in_tool_messages && is_image(block))
    };
    let (inside, moved): (Vec<_>, Vec<_>) = list.into_iter().partition(stays);
    if !moved.is_empty() {
        let line = format!("Attachment from tool result {}:", result.id);
        attached.push(Block::Text {
            text: Text::Plain(line),
            cache: None,
        });
        attached.extend(moved);
    }
    result.content = match inside.is_empty() {
        true => ResultContent::Absent,
        false => ResultContent::Blocks(inside),
    };
    Ok(result)
}

fn blocks<'a>(
    fit: &mut Fit<'_>,
    list: Vec<Block<'a>>,
    role: Role,
    index: usize,
) -> Result<Vec<Block<'a>>, Refusal> {
    let mut out = Vec::with_capacity(list.len());
    for mut block in list {
        if let Some(mark) = block.cache_mut()
            && !fit.dialect.cache_control
            && mark.take().is_some()
        {
            fit.notes.dropped("cache_control");
        }
        match block {
            Block::Text { ref text, .. } if text.is_empty() => {}
            Block::Thinking { .. } | Block::Redacted { .. } => {
                let back = fit.dialect.reasoning_content_back || fit.dialect.reasoning_details_back;
                if role == Role::Assistant && back {
                    out.push(block);
                }
            }
            Block::Foreign { kind, .. } if role == Role::Assistant || is_left_out(&kind) => {
                fit.notes.dropped(kind);
            }
            Block::Foreign { .. } => return Err(refuse(index, UNKNOWN_BLOCK)),
            Block::SearchResult {
                title,
                source,
                text,
            } => out.push(found(title, source, &text)),
            Block::Image { ref source, .. } => {
                image(fit, source, index)?;
                out.push(block);
            }
            Block::Document {
                source,
                title,
                cache,
            } => match source {
                DocumentSource::Pdf(source) => {
                    pdf(fit, &source, index)?;
                    let source = DocumentSource::Pdf(source);
                    out.push(Block::Document {
                        source,
                        title,
                        cache,
                    });
                }
                DocumentSource::Text(text) => {
                    out.push(titled(title, text));
                }
                DocumentSource::Content(inner) => {
                    out.extend(title.map(Block::text));
                    // Content documents hold text and images only: one level.
                    out.extend(blocks(fit, inner, role, index)?);
                }
            },
            Block::Text { .. } | Block::ToolUse(_) | Block::ToolResult(_) => out.push(block),
        }
    }
    Ok(out)
}

/// Blocks of the user's that mean something to their own provider alone. Any other would be a
/// question that the model never sees.
fn is_left_out(kind: &str) -> bool {
    let known = [
        "container_upload",
        "compaction",
        "fallback",
        "tool_reference",
        "browser_state",
    ];
    known.contains(&kind) || kind.ends_with("_tool_result")
}

fn image(fit: &Fit<'_>, source: &Source<'_>, index: usize) -> Result<(), Refusal> {
    if !fit.facts.vision || !fit.dialect.images {
        return Err(refuse(index, "this model takes no images"));
    }
    match source {
        Source::File(_) => Err(refuse(index, FILE_UNKNOWN)),
        Source::Base64 { .. } | Source::Url(_) => Ok(()),
    }
}

fn pdf(fit: &Fit<'_>, source: &Source<'_>, index: usize) -> Result<(), Refusal> {
    if !fit.facts.pdf || !fit.dialect.files {
        return Err(refuse(index, "this model takes no documents"));
    }
    match source {
        Source::File(_) => Err(refuse(index, FILE_UNKNOWN)),
        Source::Url(_) => Err(refuse(
            index,
            "this model takes no addresses of documents: send the bytes",
        )),
        Source::Base64 { .. } => Ok(()),
    }
}

/// `<title>\n<text>`
fn titled<'a>(title: Option<Raw<'a>>, text: Text<'a>) -> Block<'a> {
    let Some(title) = title.filter(|title| !title.is_empty()) else {
        return Block::Text { text, cache: None };
    };
    let line = Raw::from_checked(b"\\n");
    let text = match text {
        Text::Raw(raw) => Text::Joined(vec![title, line, raw]),
        Text::Joined(mut parts) => {
            parts.splice(0..0, [title, line]);
            Text::Joined(parts)
        }
        Text::Plain(text) => Text::Plain(format!("{}\n{text}", title.decode())),
    };
    Block::Text { text, cache: None }
}

/// A passage as text: title, source, text, a line each.
fn found<'a>(title: Raw<'a>, source: Raw<'a>, text: &[Raw<'a>]) -> Block<'a> {
    let line = Raw::from_checked(b"\\n");
    let mut parts = Vec::with_capacity(2 * text.len() + 4);
    for part in [title, source]
        .iter()
        .chain(text)
        .filter(|part| !part.is_empty())
    {
        if !parts.is_empty() {
            parts.push(line);
        }
        parts.push(*part);
    }
    Block::Text {
        text: Text::Joined(parts),
        cache: None,
    }
}

/// Turns of one role in a row as one, for upstreams that refuse them. Turns with results stay: the
/// results become messages of another role.
fn join_turns(request: &mut Request<'_>) {
    let mut out: Vec<Message<'_>> = Vec::with_capacity(request.messages.len());
    for message in core::mem::take(&mut request.messages) {
        let has_result = message
            .blocks
            .iter()
            .any(|b| matches!(b, Block::ToolResult(_)));
        match out.last_mut() {
            Some(last) if last.role == message.role && !has_result => {
                last.blocks.extend(message.blocks);
            }
            _ => out.push(message),
        }
    }
    request.messages = out;
}

#[cold]
fn refuse(index: usize, text: &str) -> Refusal {
    let param = format!("messages[{index}].content");
    let text = format!("{param}: {text}");
    Refusal::invalid(param, text)
}

const UNKNOWN_BLOCK: &str = "expected text, image, document, search_result, tool_use, tool_result, \
                             thinking or redacted_thinking blocks";
const FILE_UNKNOWN: &str = "the file is not known to the provider of this model";
