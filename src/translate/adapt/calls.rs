//! Calls and results in pairs: each call is answered in the next user turn, each result answers a
//! call of the turn before.
//!
//! Both providers refuse other histories, and an invented result would change what the model
//! believes. Ids are respelled on the same walk, call and result alike.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::chat::error::CallFault;
use crate::chat::rejection::Rejection;
use crate::chat::request::{Block, Message, Role};
use crate::wire::codec;
use crate::wire::kind::Wire;

/// Checks the pairs of `messages`, as the wire of the `client` words it, and respells ids by `assign`.
///
/// # Errors
/// For the first call without a result, result without a call, or either in a turn of the wrong role.
/// Calls of the last turn wait.
pub fn pair<'a>(
    messages: &mut [Message<'a>],
    client: Wire,
    mut assign: impl FnMut(Cow<'a, str>) -> Cow<'a, str>,
) -> Result<(), Rejection> {
    let mut waiting: BTreeMap<String, Cow<'a, str>> = BTreeMap::new();
    let mut last = Role::User;
    let mut asked_at = 0;
    for message in messages {
        if message.role == Role::Assistant && last == Role::User {
            answered(&waiting, client, asked_at)?;
        }
        for block in &mut message.blocks {
            match block {
                Block::ToolUse(_) if message.role != Role::Assistant => {
                    return Err(misplaced(("tool_use", "assistant"), message.index));
                }
                Block::ToolResult(_) if message.role != Role::User => {
                    return Err(misplaced(("tool_result", "user"), message.index));
                }
                Block::ToolUse(call) => {
                    asked_at = message.index;
                    let id = call.id.clone().into_owned();
                    call.id = assign(core::mem::take(&mut call.id));
                    if waiting.contains_key(&id) {
                        return Err(refuse(client, CallFault::RepeatedId, &id, message.index));
                    }
                    waiting.insert(id, call.id.clone());
                }
                Block::ToolResult(result) => match waiting.remove(result.id.as_ref()) {
                    Some(id) => result.id = id,
                    None => {
                        let fault = CallFault::NoCall;
                        return Err(refuse(client, fault, &result.id, message.index));
                    }
                },
                Block::Text { .. }
                | Block::Image { .. }
                | Block::Document { .. }
                | Block::SearchResult { .. }
                | Block::Thinking { .. }
                | Block::Redacted { .. }
                | Block::Foreign { .. } => {}
            }
        }
        // A turn of instructions alone is no answer.
        if message.role != Role::System {
            last = message.role;
        }
    }
    match last {
        Role::User => answered(&waiting, client, asked_at),
        Role::Assistant | Role::System => Ok(()),
    }
}

fn answered(
    waiting: &BTreeMap<String, Cow<'_, str>>,
    client: Wire,
    index: usize,
) -> Result<(), Rejection> {
    match waiting.keys().next() {
        None => Ok(()),
        Some(id) => Err(refuse(client, CallFault::Unanswered, id, index)),
    }
}

/// Blocks of this kind stand in messages of one role alone. On the OpenAI wire calls and results have
/// no other place.
#[cold]
fn misplaced((kind, role): (&str, &str), index: usize) -> Rejection {
    let param = format!("messages[{index}].content");
    let text = format!("{param}: `{kind}` blocks can only be in `{role}` messages");
    Rejection::invalid(param, text)
}

#[cold]
fn refuse(client: Wire, fault: CallFault, id: &str, index: usize) -> Rejection {
    let param = format!("messages[{index}]");
    let text = codec::call_fault(client, fault, &shown(id));
    let text = format!("{param}: {text}");
    Rejection::invalid(param, text)
}

/// An id as it may be repeated to the client: its start, without control characters.
fn shown(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(64).collect()
}
