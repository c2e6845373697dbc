//! Ids of tool calls and names of tools within a target's letters and lengths.
//!
//! Everything here is a function of the name alone (and, for repeated ids, of what stood before
//! it), so that one conversation is spelled the same on every turn.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::chat::request::{Block, Message, Request, Tool, ToolChoice};
use crate::json::{hex, write};
use crate::translate::answer_context::AnswerContext;
use crate::wire::common::ids::{fingerprint, is_letter, letter};

/// Longest tool name on the Anthropic wire.
pub const ANTHROPIC_NAME_MAX: usize = 128;
/// Longest tool name on the OpenAI wire.
pub const OPENAI_NAME_MAX: usize = 64;

/// Ids of tool calls on the Anthropic wire: legal letters, none twice in a conversation.
#[derive(Debug, Default)]
pub struct CallIds {
    taken: BTreeSet<String>,
    /// The next number to try behind a base.
    counts: BTreeMap<String, u32>,
}

impl CallIds {
    /// The id that the next call, which the client calls `id`, goes by.
    pub fn assign<'a>(&mut self, id: Cow<'a, str>) -> Cow<'a, str> {
        let id = replace_illegal(id);
        if self.taken.insert(id.clone().into_owned()) {
            return id;
        }
        let count = self.counts.entry(id.clone().into_owned()).or_insert(1);
        loop {
            *count = count.saturating_add(1);
            let numbered = format!("{id}_{count}");
            if self.taken.insert(numbered.clone()) {
                return Cow::Owned(numbered);
            }
        }
    }
}

/// The id with every letter that the Anthropic wire refuses made `_`.
fn replace_illegal(id: Cow<'_, str>) -> Cow<'_, str> {
    if !id.is_empty() && id.bytes().all(is_letter) {
        return id;
    }
    let legal: String = id.chars().map(letter).collect();
    Cow::Owned(if legal.is_empty() { "_".into() } else { legal })
}

/// Fingerprints, in order, of the names of tools that no other's begins with.
#[must_use]
pub fn whole(request: &Request<'_>) -> Vec<u64> {
    let names = request.tools.iter().filter_map(|tool| match tool {
        Tool::Function(function) => Some(function.name.as_bytes()),
        Tool::Versioned { .. } => None,
    });
    let mut names: Vec<&[u8]> = names.collect();
    names.sort_unstable();
    names.dedup();
    // What begins with a name stands right behind it.
    let next = names.iter().skip(1).map(Some).chain([None]);
    let is_whole =
        |(name, next): &(&&[u8], Option<&&[u8]>)| next.is_none_or(|next| !next.starts_with(name));
    let whole = names.iter().zip(next).filter(is_whole);
    let mut prints: Vec<u64> = whole.map(|(name, _)| fingerprint(name)).collect();
    prints.sort_unstable();
    prints
}

/// The id within `max` bytes: as it is, or its start and a digest of it. A `max` under 40 is an
/// upstream that wants ids of exactly that length, letters and digits only.
#[must_use]
pub fn short_id(id: Cow<'_, str>, max: u32) -> Cow<'_, str> {
    let max = max as usize;
    if max < DIGESTED_ID_BYTES {
        let fits = id.len() == max && id.bytes().all(|b| b.is_ascii_alphanumeric());
        return if fits {
            id
        } else {
            Cow::Owned(digest(&id, max))
        };
    }
    if id.len() <= max {
        return id;
    }
    let start: String = id.chars().filter(char::is_ascii).take(24).collect();
    Cow::Owned(format!("{start}_{}", digest(&id, 15)))
}

/// The name within `max` bytes and legal letters: as it is, or its start and a digest of it.
#[must_use]
pub fn tool_name(name: Cow<'_, str>, max: usize) -> Cow<'_, str> {
    if !name.is_empty() && name.len() <= max && name.bytes().all(is_letter) {
        return name;
    }
    let start: String = name.chars().map(letter).take(55).collect();
    Cow::Owned(format!("{start}_{}", digest(&name, 8)))
}

/// Spells every tool name of the request within `max`, and remembers what the client called them.
pub fn rename_tools(request: &mut Request<'_>, max: usize, answer: &mut AnswerContext) {
    for tool in &mut request.tools {
        let Tool::Function(function) = tool else {
            continue;
        };
        let sent = tool_name(function.name.clone(), max);
        if sent != function.name {
            let mut escaped = Vec::new();
            write::escape_into(&function.name, &mut escaped);
            let sent = sent.clone().into_owned();
            answer.tool_names.insert(sent, escaped);
        }
        function.name = sent;
    }
    match &mut request.tool_choice {
        Some(ToolChoice::Tool(name)) => respell(name, max),
        Some(ToolChoice::Allowed { names, .. }) => names.iter_mut().for_each(|n| respell(n, max)),
        Some(ToolChoice::Auto | ToolChoice::Any | ToolChoice::None) | None => {}
    }
    for message in &mut request.messages {
        rename_calls(message, max);
    }
}

fn rename_calls(message: &mut Message<'_>, max: usize) {
    for block in &mut message.blocks {
        if let Block::ToolUse(call) = block {
            respell(&mut call.name, max);
        }
    }
}

fn respell(name: &mut Cow<'_, str>, max: usize) {
    *name = tool_name(core::mem::take(name), max);
}

/// Whether any message holds a call or a result.
#[must_use]
pub fn has_tool_blocks(request: &Request<'_>) -> bool {
    let is_tool = |block: &Block<'_>| matches!(block, Block::ToolUse(_) | Block::ToolResult(_));
    request
        .messages
        .iter()
        .any(|message| message.blocks.iter().any(is_tool))
}

/// The first `length` hex digits of the text's SHA-256.
#[must_use]
pub fn digest(text: &str, length: usize) -> String {
    let mut digits = hex::text(&Sha256::digest(text.as_bytes()));
    digits.truncate(length);
    digits
}

const DIGESTED_ID_BYTES: usize = 40;
