//! A whole answer, whichever wire it came on.

use std::borrow::Cow;

use crate::chat::event::{Citation, Ending};
use crate::chat::opaque::Opaque;
use crate::json::raw::Raw;
use crate::limits::NOTES_MAX;

/// A whole answer that borrows from its body.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The provider's id; empty where it gave none.
    pub id: Raw<'a>,
    /// The model as the provider names it.
    pub model: Raw<'a>,
    /// What the model produced, in order.
    pub blocks: Vec<Block<'a>>,
    /// How it ended.
    pub ending: Ending<'a>,
    /// The service tier in the wire's own words.
    pub service_tier: Option<Raw<'a>>,
    /// What it says that no other wire can.
    pub lost: Lost,
}

/// What a writer tells of an answer that it has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Arguments of a call were no JSON object and stand in one as text.
    pub has_raw_arguments: bool,
}

/// An answer is longer in the client's wire than an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// A part of a whole answer.
#[derive(Clone, Debug)]
pub enum Block<'a> {
    /// Text with the sources it rests on.
    Text {
        /// The text.
        text: Raw<'a>,
        /// Its citations.
        citations: Vec<Citation<'a>>,
        /// The block as the provider wrote it, where its wire has blocks.
        source: Option<&'a [u8]>,
    },
    /// The text of a refusal.
    Refusal(Raw<'a>),
    /// Thinking. Either string may be empty.
    Thinking {
        /// The thinking.
        text: Vec<Raw<'a>>,
        /// Its signature.
        signature: Opaque<'a>,
        /// The block as the provider wrote it, where its wire has blocks.
        source: Option<&'a [u8]>,
    },
    /// Thinking that only the provider can read.
    Redacted {
        /// The opaque text.
        data: Opaque<'a>,
        /// The block as the provider wrote it, where its wire has blocks.
        source: Option<&'a [u8]>,
    },
    /// A tool call.
    Tool {
        /// The provider's id of the call; empty where it gave none.
        id: Raw<'a>,
        /// The tool's name.
        name: Raw<'a>,
        /// What it is called with.
        arguments: Arguments<'a>,
        /// Gemini's signature of the call.
        signature: Option<Raw<'a>>,
    },
    /// A block that the other wire has no form for, as the provider wrote it.
    Foreign(&'a [u8]),
}

/// Names of what an answer says that another wire cannot: each once, at most [`NOTES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost(Vec<Cow<'static, str>>);

impl Lost {
    /// Adds a name.
    pub fn add(&mut self, name: impl Into<Cow<'static, str>>) {
        let name = name.into();
        if self.0.len() < NOTES_MAX && !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// The names, in the order in which they were added.
    #[must_use]
    pub fn names(&self) -> &[Cow<'static, str>] {
        &self.0
    }
}

/// The arguments of a tool call, in the form of their wire.
#[derive(Clone, Copy, Debug)]
pub enum Arguments<'a> {
    /// A JSON object as it stood in the answer.
    Json(&'a [u8]),
    /// JSON text inside a JSON string; may be broken.
    Text(Raw<'a>),
    /// The free text of a custom tool's call.
    Input(Raw<'a>),
}
