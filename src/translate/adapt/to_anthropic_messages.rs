//! Messages of other wires as turns that the Anthropic wire takes.
//!
//! What comes out alternates between user and assistant (system turns apart), starts with user, holds
//! no empty text, and has tool results first in their turn.

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{Block, DocumentSource, Request, ResultContent, Role, Source};
use crate::translate::adapt::calls;
use crate::translate::adapt::fit::Fit;
use crate::translate::adapt::names::CallIds;
use crate::translate::adapt::turns::{self, Prefill, Shape, SystemPlace};
use crate::translate::models::ModelFacts;

/// Fits the conversation.
///
/// # Errors
/// For calls without results, results without calls, a prefill that the model refuses, and images or
/// documents that it does not take.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Rejection> {
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
    turns::fit(fit, request, shape(fit.facts))?;
    sources(fit, request)
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

/// Images, documents and where they may come from.
fn sources(fit: &Fit<'_>, request: &Request<'_>) -> Result<(), Rejection> {
    for message in &request.messages {
        for block in &message.blocks {
            source(fit, block, message.index)?;
        }
    }
    Ok(())
}

fn source(fit: &Fit<'_>, block: &Block<'_>, index: usize) -> Result<(), Rejection> {
    let from = match block {
        Block::Image { source, .. } if fit.facts.vision != Some(false) => source,
        Block::Image { .. } => return Err(refuse(index, "this model takes no images")),
        Block::Document { source, .. } => match source {
            DocumentSource::Pdf(source) if fit.facts.pdf != Some(false) => source,
            DocumentSource::Pdf(_) => {
                return Err(refuse(index, "this model takes no PDF documents"));
            }
            DocumentSource::Text(_) | DocumentSource::Content(_) => return Ok(()),
        },
        Block::ToolResult(result) => {
            if let ResultContent::Blocks(blocks) = &result.content {
                return blocks
                    .iter()
                    .try_for_each(|block| source_of(fit, block, index));
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    match from {
        Source::Url(_) if !fit.dialect.url_sources => Err(refuse(
            index,
            "the provider of this model takes no addresses: send the bytes as a data address",
        )),
        Source::Url(_) | Source::Base64 { .. } | Source::File(_) => Ok(()),
    }
}

/// One level down: results hold no results.
fn source_of(fit: &Fit<'_>, block: &Block<'_>, index: usize) -> Result<(), Rejection> {
    match block {
        Block::ToolResult(_) => Ok(()),
        _ => source(fit, block, index),
    }
}

#[cold]
fn refuse(index: usize, text: &str) -> Rejection {
    let param = format!("messages[{index}].content");
    let text = format!("{param}: {text}");
    Rejection::invalid(param, text)
}
