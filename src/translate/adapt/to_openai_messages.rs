//! Turns of the Anthropic wire as messages that the OpenAI wire takes.
//!
//! Results become messages of their own when they are written; here is what cannot be said in
//! them: pictures within results move to the user text behind, documents of text become text,
//! blocks of server tools go, as do pictures and documents of anybody but the user. Thinking never
//! becomes text: it would leak as an answer.

use std::borrow::Cow;

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Block, DocumentSource, Json, Message, Request, ResultContent, Role, Source, TextRun, ToolResult,
};
use crate::json::raw::Raw;
use crate::translate::adapt::fit::Fit;
use crate::translate::adapt::turns::{self, Prefill, Shape, SystemPlace};
use crate::translate::adapt::{calls, names};
use crate::wire::common::{foreign_reasoning, gemini_signature, ids};
use crate::wire::kind::Dialect;

/// Fits system text and conversation.
///
/// # Errors
/// For calls without results and the like, and for images or files that the upstream does not take.
pub fn fit<'a>(fit: &mut Fit<'_>, request: &mut Request<'a>) -> Result<(), Rejection> {
    let max = fit.dialect.tool_id_bytes_max;
    signatures(fit, request);
    let short = |id: Cow<'a, str>| names::short_id(own_id(id), max);
    calls::pair(&mut request.messages, fit.notes.client(), short)?;
    let system = core::mem::take(&mut request.system);
    request.system = blocks(fit, system, Role::System, 0)?;
    for message in &mut request.messages {
        turn(fit, message)?;
    }
    turns::fit(fit, request, shape(fit.dialect))
}

/// What the OpenAI wire takes of turns, by the upstream's quirks.
const fn shape(dialect: &Dialect) -> Shape {
    Shape {
        system: match dialect.late_system {
            true => SystemPlace::Anywhere,
            false => SystemPlace::Start,
        },
        repeated_roles: dialect.repeated_roles,
        user_behind_results: dialect.user_after_tool,
        empty_turns: true,
        user_first: false,
        prefill: Prefill::Repeated,
    }
}

/// Takes the signatures that stand behind the ids of calls to where the dialect wants them.
fn signatures(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    let blocks = request.messages.iter_mut().flat_map(|m| &mut m.blocks);
    for block in blocks {
        if let Block::ToolUse(call) = block {
            let (_, signature) = gemini_signature::split(&call.id);
            if signature.is_some() && !fit.dialect.thought_signatures {
                fit.notes.left_out(Member::CallSignature);
            } else {
                call.signature = signature;
            }
        }
    }
}

/// The provider's own id of a call.
fn own_id(id: Cow<'_, str>) -> Cow<'_, str> {
    match gemini_signature::split(&id) {
        (_, None) => ids::own(id),
        (own, Some(_)) => ids::own(Cow::Owned(own.to_owned())),
    }
}

/// Fits the blocks of one turn: results first, then what does not fit into them, then the rest.
fn turn(fit: &mut Fit<'_>, message: &mut Message<'_>) -> Result<(), Rejection> {
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
    Ok(())
}

/// The result with what may stand in it; images and files go to `attached`, behind a line that
/// says whose they are.
fn tool_result<'a>(
    fit: &mut Fit<'_>,
    mut result: ToolResult<'a>,
    index: usize,
    attached: &mut Vec<Block<'a>>,
) -> Result<ToolResult<'a>, Rejection> {
    if !takes_marks(fit) && result.cache.take().is_some() {
        fit.notes.dropped(Member::CacheControl);
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
            text: TextRun::Plain(line),
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
) -> Result<Vec<Block<'a>>, Rejection> {
    let mut out = Vec::with_capacity(list.len());
    for mut block in list {
        // A call has no place for a mark.
        let takes_mark = takes_marks(fit) && !matches!(block, Block::ToolUse(_));
        if let Some(mark) = block.cache_mut()
            && !takes_mark
            && mark.take().is_some()
        {
            fit.notes.dropped(Member::CacheControl);
        }
        match block {
            Block::Text {
                ref text,
                ref cache,
            } if text.is_empty() => lost_mark(fit, cache.as_ref()),
            Block::Thinking { .. } | Block::Redacted { .. } => {
                if goes_back(fit, &block, role) {
                    out.push(block);
                }
            }
            Block::Foreign { kind, .. } if role == Role::Assistant || is_left_out(&kind) => {
                fit.notes.dropped(Member::Unknown(kind));
            }
            Block::Foreign { .. } => return Err(refuse(index, UNKNOWN_BLOCK)),
            Block::SearchResult {
                title,
                source,
                text,
                cache,
            } => out.push(found(title, source, &text, cache)),
            Block::Image { .. } if role != Role::User => fit.notes.dropped(Member::Image),
            Block::Image { ref source, .. } => {
                image(fit, source, index)?;
                out.push(block);
            }
            Block::Document {
                source,
                title,
                cache,
            } => match source {
                DocumentSource::Pdf(_) if role != Role::User => fit.notes.dropped(Member::Document),
                DocumentSource::Pdf(source) => {
                    pdf(fit, &source, index)?;
                    let source = DocumentSource::Pdf(source);
                    out.push(Block::Document {
                        source,
                        title,
                        cache,
                    });
                }
                DocumentSource::Text(text) => out.push(titled(title, text, cache)),
                DocumentSource::Content(inner) => {
                    out.extend(title.map(Block::text));
                    // Content documents hold text and images only: one level.
                    out.extend(blocks(fit, inner, role, index)?);
                    match out.last_mut().and_then(Block::cache_mut) {
                        Some(slot) => *slot = cache.or_else(|| slot.take()),
                        None => lost_mark(fit, cache.as_ref()),
                    }
                }
            },
            Block::Text { .. } | Block::ToolUse(_) | Block::ToolResult(_) => out.push(block),
        }
    }
    Ok(out)
}

/// The block of a mark is left out.
fn lost_mark(fit: &mut Fit<'_>, mark: Option<&Json<'_>>) {
    if mark.is_some() {
        fit.notes.dropped(Member::CacheControl);
    }
}

/// Whether the upstream wants a block of reasoning back; notes those that it does not.
fn goes_back(fit: &mut Fit<'_>, block: &Block<'_>, role: Role) -> bool {
    let is_assistant = role == Role::Assistant;
    if let Block::Thinking { text, signature } = block
        && foreign_reasoning::of_message(*signature).is_some()
    {
        if !text.is_empty() {
            fit.notes.left_out(Member::ReasoningHistory);
        }
        let taken = is_assistant && fit.dialect.thought_signatures;
        if !taken {
            fit.notes.left_out(Member::CallSignature);
        }
        return taken;
    }
    let is_text = matches!(block, Block::Thinking { .. });
    let dialect = fit.dialect;
    let wanted = dialect.reasoning_details_back || (dialect.reasoning_content_back && is_text);
    if !(is_assistant && wanted) {
        fit.notes.left_out(Member::ReasoningHistory);
    }
    is_assistant && wanted
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

fn image(fit: &Fit<'_>, source: &Source<'_>, index: usize) -> Result<(), Rejection> {
    if fit.facts.vision == Some(false) || !fit.dialect.images {
        return Err(refuse(index, "this model takes no images"));
    }
    match source {
        Source::File(_) => Err(refuse(index, FILE_UNKNOWN)),
        Source::Base64 { .. } | Source::Url(_) => Ok(()),
    }
}

fn pdf(fit: &Fit<'_>, source: &Source<'_>, index: usize) -> Result<(), Rejection> {
    if fit.facts.pdf == Some(false) || !fit.dialect.files {
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
fn titled<'a>(title: Option<Raw<'a>>, text: TextRun<'a>, cache: Option<Json<'a>>) -> Block<'a> {
    let Some(title) = title.filter(|title| !title.is_empty()) else {
        return Block::Text { text, cache };
    };
    let line = Raw::from_checked(b"\\n");
    let text = match text {
        TextRun::Raw(raw) => TextRun::Joined(vec![title, line, raw]),
        TextRun::Joined(mut parts) => {
            parts.splice(0..0, [title, line]);
            TextRun::Joined(parts)
        }
        TextRun::Plain(text) => TextRun::Plain(format!("{}\n{text}", title.decode())),
    };
    Block::Text { text, cache }
}

/// A passage as text: title, source, text, a line each.
fn found<'a>(
    title: Raw<'a>,
    source: Raw<'a>,
    text: &[Raw<'a>],
    cache: Option<Json<'a>>,
) -> Block<'a> {
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
        text: TextRun::Joined(parts),
        cache,
    }
}

/// Whether parts of content may have cache marks: they need parts to stand on.
const fn takes_marks(fit: &Fit<'_>) -> bool {
    fit.dialect.cache_control && fit.dialect.array_content
}

#[cold]
fn refuse(index: usize, text: &str) -> Rejection {
    let param = format!("messages[{index}].content");
    let text = format!("{param}: {text}");
    Rejection::invalid(param, text)
}

const UNKNOWN_BLOCK: &str = "expected text, image, document, search_result, tool_use, tool_result, \
                             thinking or redacted_thinking blocks";
const FILE_UNKNOWN: &str = "the file is not known to the provider of this model";
