//! Messages of the OpenAI wire as turns that the Anthropic wire takes.
//!
//! Instructions within the conversation keep their place: as a `system` turn where the model takes
//! the role and the place is legal, else as user text. They never move to the top: that would
//! change the cached prefix on every turn and tear thinking blocks from what they are bound to.
//!
//! Invariant: what comes out alternates between user and assistant (system turns apart), starts
//! with user, holds no empty text, and has tool results first in their turn.

use crate::chat::error::Refusal;
use crate::chat::member::Member;
use crate::chat::request::{Block, Json, Message, Request, ResultContent, Role, Text};
use crate::json::raw::Raw;
use crate::translate::adapt::calls;
use crate::translate::adapt::fit::Fit;
use crate::translate::adapt::names::CallIds;
use crate::wire::kind::Wire;

/// Fits the conversation.
///
/// # Errors
/// For calls without results, results without calls, and a prefill that the model refuses.
pub fn fit<'a>(fit: &mut Fit<'_>, request: &mut Request<'a>) -> Result<(), Refusal> {
    for message in &mut request.messages {
        if message.role != Role::User {
            shown_by_others(fit, &mut message.blocks);
        }
        clean(fit, &mut message.blocks);
    }
    clean(fit, &mut request.system);
    let mut ids = CallIds::default();
    calls::pair(&mut request.messages, Wire::OpenAiChat, |id| ids.assign(id))?;
    let said = drop_empty(fit, core::mem::take(&mut request.messages));
    let placed = place_system(fit, said, fit.facts.system_in_messages);
    request.messages = merge(placed);
    repair(fit, request);
    prefill(fit, request)
}

/// Takes out pictures and documents that the user does not show: only the user's turns hold them.
fn shown_by_others(fit: &mut Fit<'_>, blocks: &mut Vec<Block<'_>>) {
    blocks.retain(|block| {
        let member = match block {
            Block::Image { .. } => Member::Image,
            Block::Document { .. } => Member::Document,
            Block::Text { .. }
            | Block::SearchResult { .. }
            | Block::ToolUse(_)
            | Block::ToolResult(_)
            | Block::Thinking { .. }
            | Block::Redacted { .. }
            | Block::Foreign { .. } => return true,
        };
        fit.notes.dropped(member);
        false
    });
}

/// Takes out what cannot be sent: empty text, and thinking that no Claude model has signed.
fn clean(fit: &mut Fit<'_>, blocks: &mut Vec<Block<'_>>) {
    blocks.retain_mut(|block| match block {
        Block::Text { text, cache } => {
            let says = !text.is_blank();
            if !says && cache.is_some() {
                fit.notes.dropped(Member::CacheControl);
            }
            says
        }
        Block::ToolResult(result) => {
            clean_result(&mut result.content);
            true
        }
        Block::Thinking { signature, .. } => {
            let signed = signature.is_some_and(|signature| !signature.is_empty());
            if !signed {
                fit.notes.left_out(Member::ReasoningHistory);
            }
            signed
        }
        _ => true,
    });
}

/// Takes empty text out of a result; one of nothing else has no content.
fn clean_result(content: &mut ResultContent<'_>) {
    let ResultContent::Blocks(list) = content else {
        return;
    };
    list.retain(|block| !matches!(block, Block::Text { text, .. } if text.is_blank()));
    if list.is_empty() {
        *content = ResultContent::Absent;
    }
}

/// Takes out assistant turns that are empty, before instructions are placed by what stands beside
/// them. A user turn that such an answer followed is empty no longer once it is joined with the
/// next, but went out as `.` when it was asked: it stays so, that one turn is the start of the next.
fn drop_empty<'a>(fit: &mut Fit<'_>, messages: Vec<Message<'a>>) -> Vec<Message<'a>> {
    let mut out: Vec<Message<'a>> = Vec::with_capacity(messages.len());
    // Of the user's turn at hand: where its first empty message stands, and whether it says more.
    let (mut empty_at, mut says) = (None, false);
    for message in messages {
        let is_empty = message.blocks.is_empty();
        match message.role {
            Role::Assistant if is_empty => {
                let asked = empty_at
                    .filter(|_| !says)
                    .and_then(|at: usize| out.get_mut(at));
                if let Some(user) = asked {
                    user.blocks.push(dot());
                    fit.notes.changed(Member::Messages);
                    says = true;
                }
                continue;
            }
            Role::Assistant => (empty_at, says) = (None, false),
            Role::User if is_empty => {
                empty_at.get_or_insert(out.len());
            }
            Role::User => says = true,
            Role::System => says |= !is_empty && !fit.facts.system_in_messages,
        }
        out.push(message);
    }
    out
}

/// Puts each run of instructions where the target takes it: in its place, or behind the user's turn
/// that follows, if the role is `taken` there; else as text of the user, which is noted.
pub(super) fn place_system<'a>(
    fit: &mut Fit<'_>,
    messages: Vec<Message<'a>>,
    taken: bool,
) -> Vec<Message<'a>> {
    let mut out: Vec<Message<'a>> = Vec::with_capacity(messages.len());
    let mut rest = messages.into_iter().peekable();
    while let Some(message) = rest.next() {
        if message.role != Role::System {
            out.push(message);
            continue;
        }
        let mut run = message;
        while let Some(more) = rest.next_if(|next| next.role == Role::System) {
            run.blocks.extend(more.blocks);
        }
        if run.blocks.is_empty() {
            continue;
        }
        let before = out.last().map(|message| message.role);
        let next = rest.peek().map(|message| message.role);
        match (before, next) {
            (Some(Role::User), None | Some(Role::Assistant)) if taken => out.push(run),
            (Some(Role::Assistant), Some(Role::User)) if taken => {
                while let Some(user) = rest.next_if(|next| next.role == Role::User) {
                    out.push(user);
                }
                let behind = rest.peek().map(|message| message.role);
                let legal = matches!(behind, None | Some(Role::Assistant));
                out.push(if legal { run } else { as_user(fit, run) });
            }
            _ => out.push(as_user(fit, run)),
        }
    }
    out
}

/// A run of instructions as one text of the user, opened by a line that says what it is. What is no
/// text stands behind it.
fn as_user<'a>(fit: &mut Fit<'_>, run: Message<'a>) -> Message<'a> {
    fit.notes.reworded(Member::Messages);
    let mut text = Text::Joined(vec![Raw::from_checked(b"[system instruction]")]);
    let mut cache: Option<Json<'a>> = None;
    let mut rest = Vec::new();
    for block in run.blocks {
        match block {
            Block::Text {
                text: more,
                cache: mark,
            } => {
                cache = mark.or(cache);
                text = next_line(text, more);
            }
            other => rest.push(other),
        }
    }
    rest.insert(0, Block::Text { text, cache });
    Message {
        role: Role::User,
        blocks: rest,
        index: run.index,
    }
}

/// Both texts, a line each. Still escaped, unless one of them is of our making.
fn next_line<'a>(text: Text<'a>, more: Text<'a>) -> Text<'a> {
    match (text, more) {
        (Text::Joined(mut parts), Text::Raw(raw)) => {
            parts.extend([LINE_END, raw]);
            Text::Joined(parts)
        }
        (Text::Joined(mut parts), Text::Joined(more)) => {
            parts.push(LINE_END);
            parts.extend(more);
            Text::Joined(parts)
        }
        (text, more) => {
            let mut text = match text {
                Text::Plain(text) => text,
                text => text.decode(),
            };
            text.push('\n');
            text.push_str(&more.decode());
            Text::Plain(text)
        }
    }
}

/// Joins turns of one role; tool results come first in theirs.
fn merge(messages: Vec<Message<'_>>) -> Vec<Message<'_>> {
    let mut out: Vec<Message<'_>> = Vec::with_capacity(messages.len());
    for message in messages {
        match out.last_mut() {
            Some(last) if last.role == message.role => last.blocks.extend(message.blocks),
            _ => out.push(message),
        }
    }
    for message in out.iter_mut().filter(|message| message.role == Role::User) {
        let is_result = |block: &Block<'_>| matches!(block, Block::ToolResult(_));
        message.blocks.sort_by_key(|block| !is_result(block));
    }
    out
}

fn repair<'a>(fit: &mut Fit<'_>, request: &mut Request<'a>) {
    for message in &mut request.messages {
        if message.role == Role::User && message.blocks.is_empty() {
            fit.notes.changed(Member::Messages);
            message.blocks.push(dot());
        }
    }
    let first = request.messages.first().map(|message| message.role);
    if first == Some(Role::User) {
        return;
    }
    fit.notes.changed(Member::Messages);
    let blocks = match first {
        // Instructions alone: they are what is asked.
        None if !request.system.is_empty() => core::mem::take(&mut request.system),
        _ => vec![dot()],
    };
    let user: Message<'a> = Message {
        role: Role::User,
        blocks,
        index: 0,
    };
    request.messages.insert(0, user);
}

fn prefill(fit: &Fit<'_>, request: &mut Request<'_>) -> Result<(), Refusal> {
    let Some(last) = request.messages.last_mut() else {
        return Ok(());
    };
    if last.role != Role::Assistant {
        return Ok(());
    }
    if !fit.facts.prefill {
        let param = format!("messages[{}]", last.index);
        return Err(Refusal::invalid(param, PREFILL_REFUSED));
    }
    if let Some(Block::Text { text, .. }) = last.blocks.last_mut() {
        let plain = text.decode();
        let trimmed = plain.trim_end();
        if trimmed.len() < plain.len() {
            *text = Text::Plain(trimmed.to_owned());
        }
    }
    Ok(())
}

/// What a user turn says that says nothing.
pub(super) fn dot<'a>() -> Block<'a> {
    Block::text(Raw::from_checked(b"."))
}

const LINE_END: Raw<'_> = Raw::from_checked(b"\\n");
const PREFILL_REFUSED: &str = "This model does not support assistant message prefill. The \
                               conversation must end with a user message.";
