//! Turns of the Anthropic wire as messages that the OpenAI wire takes.
//!
//! Results become messages of their own when they are written; here is what cannot be said in
//! them: pictures within results move to the user text behind, documents of text become text,
//! blocks of server tools go, as do pictures and documents of anybody but the user. Thinking never
//! becomes text: it would leak as an answer.

use std::borrow::Cow;

use crate::chat::error::Refusal;
use crate::chat::member::Member;
use crate::chat::request::{
    Block, DocumentSource, Json, Message, Request, ResultContent, Role, Source, Text, ToolResult,
};
use crate::json::raw::Raw;
use crate::translate::adapt::fit::Fit;
use crate::translate::adapt::{calls, names, to_anthropic_messages};
use crate::wire::common::{foreign_reasoning, gemini_signature, ids};
use crate::wire::kind::Wire;

/// Fits system text and conversation.
///
/// # Errors
/// For calls without results and the like, and for images or files that the upstream does not take.
pub fn fit<'a>(fit: &mut Fit<'_>, request: &mut Request<'a>) -> Result<(), Refusal> {
    let max = fit.dialect.tool_id_bytes_max;
    signatures(fit, request);
    let short = |id: Cow<'a, str>| names::short_id(own_id(id), max);
    calls::pair(&mut request.messages, Wire::AnthropicMessages, short)?;
    let system = core::mem::take(&mut request.system);
    request.system = blocks(fit, system, Role::System, 0)?;
    for message in core::mem::take(&mut request.messages) {
        let fitted = turn(fit, message)?;
        if !fitted.blocks.is_empty() || fitted.role == Role::User {
            request.messages.push(fitted);
        }
    }
    if !fit.dialect.late_system {
        early_system(fit, request);
    }
    if request.messages.is_empty() && request.system.is_empty() {
        // An empty answer alone is a conversation at Anthropic; no message at all is one nowhere.
        fit.notes.changed(Member::Messages);
        request
            .messages
            .push(turn_of(Role::User, vec![to_anthropic_messages::dot()], 0));
    }
    join_turns(request, fit.dialect.repeated_roles);
    if !fit.dialect.user_after_tool {
        part_user_from_tool(fit, request);
    }
    let last = request.messages.last();
    if last.is_some_and(|last| last.role == Role::Assistant && !last.has_calls()) {
        // Said as an answer of its own, or repeated at the start of the next: no longer gone on from.
        fit.notes.changed(Member::Messages);
    }
    Ok(())
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

/// Puts a turn of the assistant between results and what the user says behind them.
fn part_user_from_tool(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    let is_result = |block: &Block<'_>| matches!(block, Block::ToolResult(_));
    let mut out: Vec<Message<'_>> = Vec::with_capacity(request.messages.len());
    for mut message in core::mem::take(&mut request.messages) {
        let index = message.index;
        let behind = out.last().is_some_and(|last| {
            last.role == Role::User && !last.blocks.is_empty() && last.blocks.iter().all(is_result)
        });
        let results = message.blocks.iter().filter(|it| is_result(it)).count();
        let parted = results > 0 && results < message.blocks.len();
        if message.role == Role::User && (parted || (behind && results == 0)) {
            fit.notes.changed(Member::Messages);
            // Results come first in their turn.
            let rest = message.blocks.split_off(results);
            if parted {
                out.push(message);
            }
            out.push(turn_of(Role::Assistant, vec![Block::text(BRIDGE)], index));
            out.push(turn_of(Role::User, rest, index));
        } else {
            out.push(message);
        }
    }
    request.messages = out;
}

const fn turn_of(role: Role, blocks: Vec<Block<'_>>, index: usize) -> Message<'_> {
    Message {
        role,
        blocks,
        index,
    }
}

/// Instructions within the conversation, for chat templates that take them at its start alone: what
/// opens it joins the system text, the rest becomes text of the user in its place.
fn early_system<'a>(fit: &mut Fit<'_>, request: &mut Request<'a>) {
    let is_system = |message: &Message<'_>| message.role == Role::System;
    let list = core::mem::take(&mut request.messages);
    // Instructions alone are what is asked: they stay, as text of the user.
    let opening = list.iter().position(|message| !is_system(message));
    let mut rest = list.into_iter();
    for message in rest.by_ref().take(opening.unwrap_or(0)) {
        request.system.extend(message.blocks);
    }
    request.messages = to_anthropic_messages::place_system(fit, rest.collect(), false);
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

fn image(fit: &Fit<'_>, source: &Source<'_>, index: usize) -> Result<(), Refusal> {
    if fit.facts.vision == Some(false) || !fit.dialect.images {
        return Err(refuse(index, "this model takes no images"));
    }
    match source {
        Source::File(_) => Err(refuse(index, FILE_UNKNOWN)),
        Source::Base64 { .. } | Source::Url(_) => Ok(()),
    }
}

fn pdf(fit: &Fit<'_>, source: &Source<'_>, index: usize) -> Result<(), Refusal> {
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
fn titled<'a>(title: Option<Raw<'a>>, text: Text<'a>, cache: Option<Json<'a>>) -> Block<'a> {
    let Some(title) = title.filter(|title| !title.is_empty()) else {
        return Block::Text { text, cache };
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
        text: Text::Joined(parts),
        cache,
    }
}

/// Whether parts of content may have cache marks: they need parts to stand on.
const fn takes_marks(fit: &Fit<'_>) -> bool {
    fit.dialect.cache_control && fit.dialect.array_content
}

/// Turns of one role in a row as one, for upstreams that do not take them repeated. In any case
/// results join the user's turn before them, and an answer the one before it that calls: so results
/// stand right behind their calls.
fn join_turns(request: &mut Request<'_>, repeated: bool) {
    let is_result = |block: &Block<'_>| matches!(block, Block::ToolResult(_));
    let mut out: Vec<Message<'_>> = Vec::with_capacity(request.messages.len());
    for message in core::mem::take(&mut request.messages) {
        let joins = !repeated || message.blocks.iter().any(is_result);
        match out.last_mut() {
            Some(last) if last.role == message.role && (joins || last.has_calls()) => {
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

/// What the assistant says between a result and the user.
const BRIDGE: Raw<'_> = Raw::from_checked(b"Understood.");
const UNKNOWN_BLOCK: &str = "expected text, image, document, search_result, tool_use, tool_result, \
                             thinking or redacted_thinking blocks";
const FILE_UNKNOWN: &str = "the file is not known to the provider of this model";
