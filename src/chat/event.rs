//! What the frames of a stream mean, whichever wire they came on.
//!
//! A wire's decoder turns frames into [`Event`]s, a wire's encoder turns them into frames. Strings
//! are [`Raw`]: copied from wire to wire in their escaped form.
//!
//! Rules that decoders keep and encoders rely on:
//! - [`Event::Start`] comes first and once; [`Event::End`] comes last, once, and only after the
//!   wire's own terminator;
//! - tools are numbered from 0 without gaps, in the order of their starts; a tool's arguments come
//!   between its start and its stop, but tools may overlap, and a stop may be missing;
//! - a tool that starts has a name;
//! - what only a provider can read is an [`Opaque`]: an encoder spells it for its clients.
//!
//! Errors of the provider are no event: a decoder returns them as [`Step::Failed`].

use crate::chat::error::ErrorFacts;
use crate::chat::opaque::Opaque;
use crate::chat::usage::{StopReason, Usage};
use crate::json::raw::Raw;

/// One step of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The answer begins. All may be empty where the provider named none.
    Start {
        /// The provider's id of the answer.
        id: Raw<'a>,
        /// The model as the provider names it.
        model: Raw<'a>,
        /// The service tier in the wire's own words.
        tier: Raw<'a>,
    },
    /// A piece of the answer's text.
    Text {
        /// The provider's number of the block, 0 where its wire has none.
        block: u32,
        /// The piece.
        text: Raw<'a>,
    },
    /// A piece of a refusal's text.
    Refusal {
        /// The piece.
        text: Raw<'a>,
    },
    /// A piece of thinking.
    Thinking {
        /// The provider's number of the block.
        block: u32,
        /// The piece.
        text: Raw<'a>,
    },
    /// The signature of a thinking block.
    Signature {
        /// The provider's number of the block.
        block: u32,
        /// The signature.
        signature: Opaque<'a>,
    },
    /// A whole block of thinking that only the provider can read.
    Redacted {
        /// The provider's number of the block.
        block: u32,
        /// The opaque text.
        data: Opaque<'a>,
    },
    /// A citation of the text block that is open.
    Citation(Citation<'a>),
    /// A block other than a tool is over. Never seen on the OpenAI wire.
    BlockStop {
        /// The provider's number of the block.
        block: u32,
    },
    /// A tool call begins.
    ToolStart {
        /// Number of the call in the answer.
        tool: u32,
        /// The provider's id of the call; empty where it gave none.
        id: Raw<'a>,
        /// The tool's name.
        name: Raw<'a>,
        /// The signature that the model's vendor gave the call (Gemini).
        signature: Option<Raw<'a>>,
    },
    /// A piece of a call's arguments: JSON text inside a JSON string. Never empty.
    ToolArguments {
        /// Number of the call.
        tool: u32,
        /// The piece.
        json: Raw<'a>,
        /// The pieces so far are a whole document: told on the OpenAI wire, which has no stop.
        whole: bool,
    },
    /// A tool call is over. Never seen on the OpenAI wire.
    ToolStop {
        /// Number of the call.
        tool: u32,
    },
    /// A sign of life.
    Ping,
    /// The answer is whole.
    End(Ending<'a>),
}

impl Event<'_> {
    /// Whether this carries a piece of text, thinking or tool arguments.
    #[must_use]
    pub const fn is_delta(&self) -> bool {
        match self {
            Self::Text { .. }
            | Self::Refusal { .. }
            | Self::Thinking { .. }
            | Self::ToolArguments { .. } => true,
            Self::Start { .. }
            | Self::Signature { .. }
            | Self::Redacted { .. }
            | Self::Citation(_)
            | Self::BlockStop { .. }
            | Self::ToolStart { .. }
            | Self::ToolStop { .. }
            | Self::Ping
            | Self::End(_) => false,
        }
    }

    /// Whether this is part of the answer's content, so that an answer which has shown it can no
    /// longer be exchanged for another.
    #[must_use]
    pub const fn is_content(&self) -> bool {
        !matches!(self, Self::Start { .. } | Self::Ping)
    }
}

/// A source on the web that a text rests on.
#[derive(Clone, Copy, Debug)]
pub struct Citation<'a> {
    /// Where it is.
    pub url: Raw<'a>,
    /// What it is called; empty where unknown.
    pub title: Raw<'a>,
    /// The cited words, where the wire has them.
    pub cited: Option<Raw<'a>>,
    /// Range in the answer's text, in characters, where the wire has it.
    pub range: Option<(u64, u64)>,
}

/// How a whole answer ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// Why the model stopped.
    pub stop: StopReason,
    /// The stop sequence that matched.
    pub sequence: Option<Raw<'a>>,
    /// Why the model refused.
    pub explanation: Option<Raw<'a>>,
    /// Token counts.
    pub usage: Usage,
}

/// How a stream stands after a frame.
#[derive(Debug)]
pub enum Step {
    /// More is to come.
    Open,
    /// The wire's own terminator was seen, [`Event::End`] was emitted.
    Complete,
    /// The provider reported an error: nothing more is to come.
    Failed(Box<ErrorFacts>),
}

/// What makes a stream malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// The data of a frame is no JSON object.
    Json,
    /// A second start of the answer.
    SecondStart,
    /// A fragment for a tool call that is over or never began.
    ClosedTool,
    /// A call came with arguments and without a name.
    Nameless,
    /// A frame, or what must be held back, is larger than the limit.
    TooLarge,
    /// More blocks or tool calls than the limit.
    TooMany,
    /// Frames came, and none of them was part of an answer.
    NoAnswer,
    /// The bytes ended before the wire's own terminator.
    Early,
}

impl StreamFault {
    /// What the client is told.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Early => "upstream stream ended early",
            Self::TooLarge => "upstream sent an event that is too large (limit event_bytes_max)",
            Self::TooMany => "upstream sent too many tool calls",
            Self::Json | Self::SecondStart | Self::ClosedTool | Self::Nameless | Self::NoAnswer => {
                "upstream sent a malformed stream"
            }
        }
    }
}
