//! Calls and results in pairs: each call is answered in the next user turn, each result answers a
//! call of the turn before.
//!
//! Both providers refuse other histories, and an invented result would change what the model
//! believes. Ids are respelled on the same walk, call and result alike.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::chat::error::Refusal;
use crate::chat::request::{Block, Message, Role};
use crate::wire::kind::Wire;

/// Checks the pairs of `messages`, as the client's wire words it, and respells ids by `assign`.
///
/// # Errors
/// For the first call without a result, result without a call, or either in a turn of the wrong role.
/// Calls of the last turn wait.
pub fn pair<'a>(
    messages: &mut [Message<'a>],
    from: Wire,
    mut assign: impl FnMut(Cow<'a, str>) -> Cow<'a, str>,
) -> Result<(), Refusal> {
    let mut waiting: BTreeMap<String, Cow<'a, str>> = BTreeMap::new();
    let mut last = Role::User;
    let mut asked_at = 0;
    for message in messages {
        if message.role == Role::Assistant && last == Role::User {
            answered(&waiting, from, asked_at)?;
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
                        return Err(repeated(&id, from, message.index));
                    }
                    waiting.insert(id, call.id.clone());
                }
                Block::ToolResult(result) => match waiting.remove(result.id.as_ref()) {
                    Some(id) => result.id = id,
                    None => return Err(orphan(&result.id, from, message.index)),
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
        Role::User => answered(&waiting, from, asked_at),
        Role::Assistant | Role::System => Ok(()),
    }
}

fn answered(
    waiting: &BTreeMap<String, Cow<'_, str>>,
    from: Wire,
    index: usize,
) -> Result<(), Refusal> {
    let Some(id) = waiting.keys().next() else {
        return Ok(());
    };
    let id = shown(id);
    let text = match from {
        Wire::OpenAiChat => format!(
            "messages[{index}]: an assistant message with `tool_calls` must be followed by tool \
             messages that answer each `tool_call_id`; none answers `{id}`"
        ),
        Wire::AnthropicMessages => format!(
            "messages[{index}]: `tool_use` ids were found without `tool_result` blocks \
             immediately after: {id}"
        ),
    };
    Err(Refusal::invalid(format!("messages[{index}]"), text))
}

/// Blocks of this kind stand in messages of one role alone. On the OpenAI wire calls and results have
/// no other place.
#[cold]
fn misplaced((kind, role): (&str, &str), index: usize) -> Refusal {
    let param = format!("messages[{index}].content");
    let text = format!("{param}: `{kind}` blocks can only be in `{role}` messages");
    Refusal::invalid(param, text)
}

#[cold]
fn orphan(id: &str, from: Wire, index: usize) -> Refusal {
    let id = shown(id);
    let text = match from {
        Wire::OpenAiChat => format!(
            "messages[{index}]: a tool message must answer a call of the assistant message \
             before it; none has the id `{id}`"
        ),
        Wire::AnthropicMessages => format!(
            "messages[{index}]: `tool_result` needs a `tool_use` block in the message before \
             it; none has the id `{id}`"
        ),
    };
    Refusal::invalid(format!("messages[{index}]"), text)
}

#[cold]
fn repeated(id: &str, from: Wire, index: usize) -> Refusal {
    let what = match from {
        Wire::OpenAiChat => "tool_calls",
        Wire::AnthropicMessages => "tool_use",
    };
    let text = format!(
        "messages[{index}]: `{what}` has the id `{}` twice",
        shown(id)
    );
    Refusal::invalid(format!("messages[{index}]"), text)
}

/// An id as it may be repeated to the client: its start, without control characters.
fn shown(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(64).collect()
}
