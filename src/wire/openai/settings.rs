//! What the writers of answers must know of the request.

use std::collections::BTreeSet;

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
}

/// The part of a request that shapes its answer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Members that carry reasoning.
    pub reasoning: ReasoningMembers,
    /// The client asked for the usage chunk.
    pub include_usage: bool,
    /// The client asked with `functions`.
    pub legacy_function: bool,
    /// The client's names of its custom tools.
    pub custom_tools: BTreeSet<String>,
    /// Seconds since 1970, for `created`.
    pub created: u64,
    /// Makes the ids that the upstream left out.
    pub seed: u64,
    /// Bytes that a whole answer may have in this wire, or that a stream may hold back.
    pub bytes_max: usize,
}

impl Settings {
    /// Whether `name`, as the client knows it, is a custom tool's.
    #[must_use]
    pub fn is_custom(&self, name: Raw<'_>) -> bool {
        !self.custom_tools.is_empty() && self.custom_tools.contains(name.text().as_ref())
    }
}
