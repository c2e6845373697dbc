//! What the writers of answers must know of the request.

use std::collections::BTreeSet;

use crate::chat::request::{Request, Tool};
use crate::json::raw::Raw;

/// Which members of an answer carry reasoning.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent members of an answer"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasoningMembers {
    /// `reasoning_content`
    pub text: bool,
    /// `reasoning_details`
    pub details: bool,
    /// `thinking_blocks`
    pub thinking_blocks: bool,
    /// `content_blocks` (Portkey's form, beside the others)
    pub content_blocks: bool,
}

impl Default for ReasoningMembers {
    fn default() -> Self {
        Self {
            text: true,
            details: true,
            ..Self::NONE
        }
    }
}

impl ReasoningMembers {
    /// None of them.
    pub const NONE: Self = Self {
        text: false,
        details: false,
        thinking_blocks: false,
        content_blocks: false,
    };

    /// The one of this name, or none of them by the name `none`.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let only = Self {
            text: name == b"text",
            details: name == b"details",
            thinking_blocks: name == b"thinking_blocks",
            content_blocks: name == b"content_blocks",
        };
        (only != Self::NONE || name == b"none").then_some(only)
    }
}

/// What a client of this wire needs of an answer, by its request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Members that carry reasoning.
    pub reasoning: ReasoningMembers,
    /// The client asked for the usage chunk.
    pub include_usage: bool,
    /// The client asked with `functions`: the answer says `function_call`.
    pub legacy_function: bool,
    /// The client's names of its `custom` tools, whose input is unwrapped.
    pub custom_tools: BTreeSet<String>,
    /// Seconds since 1970 at the first byte, for `created`.
    pub created: u64,
}

impl Needs {
    /// What the client of `request` needs, its tools by its own names.
    #[must_use]
    pub fn of(request: &Request<'_>, reasoning: ReasoningMembers, created: u64) -> Self {
        let custom = request.tools.iter().filter_map(|tool| match tool {
            Tool::Function(function) if function.custom => Some(function.name.to_string()),
            Tool::Function(_) | Tool::Versioned { .. } => None,
        });
        Self {
            reasoning,
            include_usage: request.include_usage,
            legacy_function: request.legacy_functions,
            custom_tools: custom.collect(),
            created,
        }
    }

    /// Whether `name`, as the client knows it, is a custom tool's.
    #[must_use]
    pub fn is_custom(&self, name: Raw<'_>) -> bool {
        !self.custom_tools.is_empty() && self.custom_tools.contains(name.text().as_ref())
    }
}
