//! Messages of other wires as turns that the Anthropic wire takes.
//!
//! What comes out alternates between user and assistant (system turns apart), starts with user, holds
//! no empty text, and has tool results first in their turn.

use crate::chat::error::Refusal;
use crate::chat::member::Member;
use crate::chat::request::{Block, Request, ResultContent, Role};
use crate::translate::adapt::calls;
use crate::translate::adapt::fit::Fit;
use crate::translate::adapt::names::CallIds;
use crate::translate::adapt::turns::{self, Prefill, Shape, SystemPlace};
use crate::translate::models::ModelFacts;

/// Fits the conversation.
///
/// # Errors
/// For calls without results, results without calls, and a prefill that the model refuses.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Refusal> {
    for message in &mut request.messages {
        if message.role != Role::User {
            shown_by_others(fit, &mut message.blocks);
        }
        clean(fit, &mut message.blocks);
    }
    clean(fit, &mut request.system);
    let mut ids = CallIds::default();
    let client = fit.notes.client();
    calls::pair(&mut request.messages, client, |id| ids.assign(id))?;
    turns::fit(fit, request, shape(fit.facts))
}

/// What the Anthropic wire takes of turns, by the model.
const fn shape(facts: &ModelFacts) -> Shape {
    Shape {
        system: match facts.system_in_messages {
            true => SystemPlace::BehindUser,
            false => SystemPlace::Nowhere,
        },
        repeated_roles: false,
        user_behind_results: true,
        empty_turns: false,
        user_first: true,
        prefill: match facts.prefill {
            true => Prefill::Continued,
            false => Prefill::Refused,
        },
    }
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
