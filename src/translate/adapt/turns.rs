//! A conversation's turns as a target takes them: who may speak when, and what a turn may hold.
//!
//! The rules of a target are data, its [`Shape`]; what a block becomes is decided before, by target. Of
//! instructions within the conversation the place is kept as far as the target takes it. They never move
//! to the top from behind a turn: that would change the cached prefix on every turn and tear thinking
//! blocks from what they are bound to.

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{Block, Json, Message, Request, Role, TextRun};
use crate::json::raw::Raw;
use crate::translate::adapt::fit::Fit;

/// What a target takes of turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Where instructions may stand in the conversation.
    pub system: SystemPlace,
    /// Two turns of one role in a row are taken.
    pub repeated_roles: bool,
    /// The user may speak right behind the results of tools.
    pub user_behind_results: bool,
    /// A turn of the user may be empty.
    pub empty_turns: bool,
    /// The user speaks first.
    pub user_first: bool,
    /// What becomes of a last turn of the assistant.
    pub prefill: Prefill,
}

/// Where a target takes instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemPlace {
    /// Anywhere in the conversation.
    Anywhere,
    /// In the conversation, but only behind a turn of the user that an answer follows.
    BehindUser,
    /// Before the conversation: those that open it join the others.
    Start,
    /// Not in the conversation at all.
    Nowhere,
}

/// What a target does with a last turn of the assistant, which its answer is to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefill {
    /// It goes on from there; white space at its end is refused.
    Continued,
    /// It is said as an answer of its own, or repeated at the start of the next.
    Repeated,
    /// It is refused.
    Refused,
}

/// Fits the turns of `request`, whose blocks are fitted and whose calls are paired with results.
///
/// Invariant of what comes out: tool results come first in their turn and stand right behind their
/// calls; the rest is as `shape` says.
///
/// # Errors
/// For a prefill that the target refuses.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>, shape: Shape) -> Result<(), Rejection> {
    let kept = drop_empty(fit, core::mem::take(&mut request.messages), shape);
    let placed = match shape.system {
        SystemPlace::Anywhere => kept,
        SystemPlace::BehindUser => place_system(fit, kept, true),
        SystemPlace::Nowhere => place_system(fit, kept, false),
        SystemPlace::Start => {
            let rest = take_opening(request, kept);
            place_system(fit, rest, false)
        }
    };
    request.messages = join(placed, shape.repeated_roles);
    repair(fit, request, shape);
    if !shape.user_behind_results {
        part_user_from_results(fit, request);
    }
    prefill(fit, request, shape.prefill)
}

/// Takes out turns that are empty, but for the user's, before instructions are placed by what stands
/// beside them. A user turn that an empty answer followed is empty no longer once it is joined with the
/// next, but went out as `.` when it was asked: it stays so, that one turn is the start of the next.
fn drop_empty<'a>(fit: &mut Fit<'_>, messages: Vec<Message<'a>>, shape: Shape) -> Vec<Message<'a>> {
    let mut out: Vec<Message<'a>> = Vec::with_capacity(messages.len());
    // Of the user's turn at hand: where its first empty message stands, and whether it says more.
    let (mut empty_at, mut says) = (None, shape.empty_turns);
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
            Role::System if is_empty => continue,
            Role::Assistant => (empty_at, says) = (None, shape.empty_turns),
            Role::User if is_empty => {
                empty_at.get_or_insert(out.len());
            }
            Role::User => says = true,
            Role::System => says |= shape.system != SystemPlace::BehindUser,
        }
        out.push(message);
    }
    out
}

/// Takes the instructions that open a conversation to those before it. Instructions alone are what is
/// asked: they stay.
fn take_opening<'a>(request: &mut Request<'a>, messages: Vec<Message<'a>>) -> Vec<Message<'a>> {
    let is_turn = |message: &Message<'_>| message.role != Role::System;
    let opening = messages.iter().position(is_turn).unwrap_or(0);
    let mut rest = messages.into_iter();
    for message in rest.by_ref().take(opening) {
        request.system.extend(message.blocks);
    }
    rest.collect()
}

/// Puts each run of instructions where the target takes it: in its place, or behind the user's turn
/// that follows, if instructions are `taken` there; else as text of the user, which is noted.
fn place_system<'a>(
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
    let mut text = TextRun::Joined(vec![Raw::from_checked(b"[system instruction]")]);
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
fn next_line<'a>(text: TextRun<'a>, more: TextRun<'a>) -> TextRun<'a> {
    match (text, more) {
        (TextRun::Joined(mut parts), TextRun::Raw(raw)) => {
            parts.extend([LINE_END, raw]);
            TextRun::Joined(parts)
        }
        (TextRun::Joined(mut parts), TextRun::Joined(more)) => {
            parts.push(LINE_END);
            parts.extend(more);
            TextRun::Joined(parts)
        }
        (text, more) => {
            let mut text = match text {
                TextRun::Plain(text) => text,
                text => text.decode(),
            };
            text.push('\n');
            text.push_str(&more.decode());
            TextRun::Plain(text)
        }
    }
}

/// Joins turns of one role in a row where the target does not take them `repeated`. In any case
/// results join the user's turn before them, and an answer the one before it that calls.
fn join(messages: Vec<Message<'_>>, repeated: bool) -> Vec<Message<'_>> {
    let mut out: Vec<Message<'_>> = Vec::with_capacity(messages.len());
    for message in messages {
        let joins = !repeated || message.blocks.iter().any(is_result);
        match out.last_mut() {
            Some(last) if last.role == message.role && (joins || last.has_calls()) => {
                last.blocks.extend(message.blocks);
            }
            _ => out.push(message),
        }
    }
    for message in out.iter_mut().filter(|message| message.role == Role::User) {
        message.blocks.sort_by_key(|block| !is_result(block));
    }
    out
}

/// Gives a conversation the turns that it must have, with a dot for text.
fn repair(fit: &mut Fit<'_>, request: &mut Request<'_>, shape: Shape) {
    if !shape.empty_turns {
        for message in &mut request.messages {
            if message.role == Role::User && message.blocks.is_empty() {
                fit.notes.changed(Member::Messages);
                message.blocks.push(dot());
            }
        }
    }
    let blocks = match request.messages.first().map(|message| message.role) {
        Some(Role::User) => return,
        Some(_) if !shape.user_first => return,
        None if !request.system.is_empty() && !shape.user_first => return,
        // Instructions alone: they are what is asked.
        None if !request.system.is_empty() => core::mem::take(&mut request.system),
        // An empty answer alone is a conversation at Anthropic; no message at all is one nowhere.
        _ => vec![dot()],
    };
    fit.notes.changed(Member::Messages);
    request.messages.insert(0, turn(Role::User, blocks, 0));
}

/// Puts a turn of the assistant between results and what the user says behind them.
fn part_user_from_results(fit: &mut Fit<'_>, request: &mut Request<'_>) {
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
            out.push(turn(Role::Assistant, vec![Block::text(BRIDGE)], index));
            out.push(turn(Role::User, rest, index));
        } else {
            out.push(message);
        }
    }
    request.messages = out;
}

fn prefill(
    fit: &mut Fit<'_>,
    request: &mut Request<'_>,
    prefill: Prefill,
) -> Result<(), Rejection> {
    let last = request.messages.last_mut();
    let Some(last) = last.filter(|last| last.role == Role::Assistant) else {
        return Ok(());
    };
    match prefill {
        Prefill::Refused => {
            let param = format!("messages[{}]", last.index);
            return Err(Rejection::invalid(param, PREFILL_REFUSED));
        }
        Prefill::Repeated if last.has_calls() => {}
        Prefill::Repeated => fit.notes.changed(Member::Messages),
        Prefill::Continued => {
            if let Some(Block::Text { text, .. }) = last.blocks.last_mut() {
                let plain = text.decode();
                let trimmed = plain.trim_end();
                if trimmed.len() < plain.len() {
                    *text = TextRun::Plain(trimmed.to_owned());
                }
            }
        }
    }
    Ok(())
}

const fn is_result(block: &Block<'_>) -> bool {
    matches!(block, Block::ToolResult(_))
}

const fn turn(role: Role, blocks: Vec<Block<'_>>, index: usize) -> Message<'_> {
    Message {
        role,
        blocks,
        index,
    }
}

/// What a user turn says that says nothing.
fn dot<'a>() -> Block<'a> {
    Block::text(Raw::from_checked(b"."))
}

/// What the assistant says between a result and the user.
const BRIDGE: Raw<'_> = Raw::from_checked(b"Understood.");
const LINE_END: Raw<'_> = Raw::from_checked(b"\\n");
const PREFILL_REFUSED: &str = "This model does not support assistant message prefill. The \
                               conversation must end with a user message.";
