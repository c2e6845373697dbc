//! Strings of an answer that only the provider of a model can read.

use crate::json::raw::Raw;

/// A string that only the provider of a model can read.
#[derive(Clone, Copy, Debug)]
pub struct Opaque<'a> {
    /// The string; may be empty.
    pub data: Raw<'a>,
    /// Format and id that its own service wants back beside it.
    pub origin: Option<[Raw<'a>; 2]>,
    /// What the string belongs to.
    pub seal: Seal,
}

/// What an [`Opaque`] string belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seal {
    /// The block that it stands in.
    #[default]
    Block,
    /// Nothing: it tells that the block's text is a `reasoning.summary`. The string is empty.
    Summary,
    /// The whole message (Gemini 2.5's `thought_signature`).
    Message,
}

impl<'a> Opaque<'a> {
    /// A string that goes back as it is.
    #[must_use]
    pub const fn plain(data: Raw<'a>) -> Self {
        Self {
            data,
            origin: None,
            seal: Seal::Block,
        }
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.seal == Seal::Block
    }
}
