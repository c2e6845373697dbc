//! A request as any wire can say it: what its reader found, borrowed from the client's bytes.
//!
//! A wire's reader fills [`Request`], `translate` fits it to the target, the other wire's writer
//! writes it: n wires need 2n codecs. Strings stay escaped ([`Raw`]), sub-objects (schemas, tool
//! inputs, cache marks) are slices of the source. Messages are turns of blocks, because every
//! wire's messages can be cut into blocks, while the reverse loses places.
//!
//! Not here: judgement. What a target cannot say is decided in `translate`; members that have no
//! word here are listed in [`Request::members`].

use std::borrow::Cow;

use crate::chat::member::Member;
use crate::json::raw::Raw;
use crate::limits::NOTES_MAX;

/// Bytes that are JSON already: a slice of the source, or of our making.
pub type Json<'a> = Cow<'a, [u8]>;

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// System text before the conversation.
    pub system: Vec<Block<'a>>,
    /// The conversation.
    pub messages: Vec<Message<'a>>,
    /// Tools the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Which of them it shall call.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether several calls may come at once; `None`: not said.
    pub parallel_tool_calls: Option<bool>,
    /// The client spoke of `functions`.
    pub legacy_functions: bool,
    /// The model may search the web.
    pub web_search: Option<WebSearch<'a>>,
    /// Most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// Digits as they stood.
    pub temperature: Option<&'a str>,
    /// Digits as they stood.
    pub top_p: Option<&'a str>,
    /// Digits as they stood.
    pub top_k: Option<&'a str>,
    /// Sequences that end the answer.
    pub stop: Vec<Raw<'a>>,
    /// The answer is to be streamed.
    pub stream: bool,
    /// The usage chunk was asked for (OpenAI wire).
    pub include_usage: bool,
    /// How much to think.
    pub reasoning: Reasoning<'a>,
    /// The form of the answer's text.
    pub format: Format<'a>,
    /// An opaque id of the end user.
    pub user: Option<Raw<'a>>,
    /// Which capacity serves the request.
    pub service_tier: Option<ServiceTier>,
    /// The cache mark of the whole request.
    pub cache: Option<Json<'a>>,
    /// Values of the body's `anthropic_beta`.
    pub betas: Vec<Raw<'a>>,
    /// What the request gives beyond this vocabulary: the target says what becomes of each.
    pub members: Vec<Member>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions within the conversation.
    System,
    /// The client, tool results included.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub blocks: Vec<Block<'a>>,
    /// Where the message stood in the request: for messages to the client.
    pub index: usize,
}

/// A string of the source, or one joined of several, or plain text of our making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextRun<'a> {
    /// As it stood, still escaped.
    Raw(Raw<'a>),
    /// Several in a row, still escaped.
    Joined(Vec<Raw<'a>>),
    /// Plain, to be escaped.
    Plain(String),
}

/// A piece of a message.
#[derive(Clone, Debug)]
pub enum Block<'a> {
    /// Text.
    Text {
        /// The text.
        text: TextRun<'a>,
        /// Its cache mark.
        cache: Option<Json<'a>>,
    },
    /// A picture.
    Image {
        /// Where its bytes are.
        source: Source<'a>,
        /// Its cache mark.
        cache: Option<Json<'a>>,
    },
    /// A document.
    Document {
        /// Where its bytes are.
        source: DocumentSource<'a>,
        /// Its title or file name.
        title: Option<Raw<'a>>,
        /// Its cache mark.
        cache: Option<Json<'a>>,
    },
    /// A found passage that the model may cite.
    SearchResult {
        /// Its title.
        title: Raw<'a>,
        /// Where it was found.
        source: Raw<'a>,
        /// Its text.
        text: Vec<Raw<'a>>,
        /// Its cache mark.
        cache: Option<Json<'a>>,
    },
    /// A call of a tool.
    ToolUse(ToolUse<'a>),
    /// A tool's answer.
    ToolResult(ToolResult<'a>),
    /// Reasoning, signed by the model that made it.
    Thinking {
        /// The text, may be empty.
        text: TextRun<'a>,
        /// The signature; `None` and empty are not ours to send back.
        signature: Option<Raw<'a>>,
    },
    /// Reasoning that only the provider can read.
    Redacted {
        /// Opaque.
        data: Raw<'a>,
    },
    /// A block of the Anthropic wire that has no other form (server tools and their results).
    Foreign {
        /// Its type, for notes.
        kind: Cow<'static, str>,
        /// The block as it stood.
        source: &'a [u8],
    },
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub struct ToolUse<'a> {
    /// Names the call.
    pub id: Cow<'a, str>,
    /// Names the tool.
    pub name: Cow<'a, str>,
    /// The arguments: one JSON object.
    pub input: Json<'a>,
    /// Gemini's signature of the call, as plain text.
    pub signature: Option<String>,
    /// Its cache mark.
    pub cache: Option<Json<'a>>,
}

/// A tool's answer.
#[derive(Clone, Debug)]
pub struct ToolResult<'a> {
    /// Names the call.
    pub id: Cow<'a, str>,
    /// What the tool said.
    pub content: ResultContent<'a>,
    /// The tool failed.
    pub is_error: bool,
    /// Its cache mark.
    pub cache: Option<Json<'a>>,
}

/// What a tool said.
#[derive(Clone, Debug)]
pub enum ResultContent<'a> {
    /// Nothing.
    Absent,
    /// One string.
    Text(Raw<'a>),
    /// Text, images, documents.
    Blocks(Vec<Block<'a>>),
}

/// Where the bytes of an image are.
#[derive(Clone, Debug)]
pub enum Source<'a> {
    /// In the request.
    Base64 {
        /// `image/png` and the like.
        media: Cow<'a, str>,
        /// Base64 text.
        data: Raw<'a>,
    },
    /// At an address.
    Url(Raw<'a>),
    /// Stored at the provider.
    File(Raw<'a>),
}

/// Where the bytes of a document are.
#[derive(Clone, Debug)]
pub enum DocumentSource<'a> {
    /// A PDF within the request, as an address or stored at the provider.
    Pdf(Source<'a>),
    /// Plain text.
    Text(TextRun<'a>),
    /// Blocks.
    Content(Vec<Block<'a>>),
}

/// A tool that the model may call.
#[derive(Clone, Debug)]
pub enum Tool<'a> {
    /// Run by the client.
    Function(Function<'a>),
    /// A versioned tool of the Anthropic wire, as it stood.
    Versioned {
        /// Its type.
        kind: Cow<'a, str>,
        /// What calls name it by.
        name: Cow<'a, str>,
        /// The tool as it stood.
        source: Json<'a>,
    },
}

/// A tool that the client runs.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// Names the tool.
    pub name: Cow<'a, str>,
    /// What it does.
    pub description: Option<TextRun<'a>>,
    /// The schema of its arguments.
    pub schema: Option<Json<'a>>,
    /// The arguments must keep to the schema.
    pub strict: Option<bool>,
    /// The client's tool takes free text (OpenAI's `custom`).
    pub custom: bool,
    /// Its cache mark.
    pub cache: Option<Json<'a>>,
}

/// Which tool to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// The model chooses.
    Auto,
    /// Some tool.
    Any,
    /// None.
    None,
    /// This one.
    Tool(Cow<'a, str>),
    /// Some of these; `required`: one must be called.
    Allowed {
        /// Their names.
        names: Vec<Cow<'a, str>>,
        /// One must be called.
        required: bool,
    },
}

/// Search of the web by the provider.
#[derive(Clone, Debug, Default)]
pub struct WebSearch<'a> {
    /// How much may be read: OpenAI's `search_context_size`.
    pub size: Option<SearchSize>,
    /// City, country, region and timezone, in the source's order.
    pub location: Vec<(&'static str, Raw<'a>)>,
    /// Whether a location was given at all.
    pub located: bool,
}

/// OpenAI's `search_context_size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchSize {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
}

/// How much to think.
#[derive(Clone, Debug, Default)]
pub struct Reasoning<'a> {
    /// A level.
    pub effort: Option<Effort>,
    /// Tokens.
    pub budget: Option<u64>,
    /// The switch of the Anthropic wire.
    pub mode: Option<ThinkingMode>,
    /// The reasoning shall not be shown.
    pub hidden: bool,
    /// `thinking` as it stood.
    pub thinking: Option<&'a [u8]>,
    /// Members of `output_config` other than `effort` and `format`, as they stood.
    pub output_config: Vec<(Raw<'a>, &'a [u8])>,
    /// Text is wanted (`summarized`) or not (`omitted`), where we set the switch.
    pub display: Option<Display>,
    /// `effort` came in the Anthropic wire's own member.
    pub native: bool,
}

/// The switch of the Anthropic wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingMode {
    /// `disabled`
    Disabled,
    /// `enabled`, with a budget.
    Enabled,
    /// `adaptive`
    Adaptive,
    /// `between_tools`
    BetweenTools,
}

/// Whether thinking text is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// `summarized`
    Summarized,
    /// `omitted`
    Omitted,
}

/// How hard to think, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// `none`
    None,
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    Xhigh,
    /// `max`
    Max,
}

/// The form of the answer's text.
#[derive(Clone, Debug, Default)]
pub enum Format<'a> {
    /// Any text.
    #[default]
    Text,
    /// One JSON object.
    JsonObject,
    /// JSON by a schema.
    Schema(SchemaFormat<'a>),
}

/// JSON by a schema.
#[derive(Clone, Debug)]
pub struct SchemaFormat<'a> {
    /// The schema.
    pub schema: Json<'a>,
    /// The provider must keep to it.
    pub strict: bool,
}

/// Which capacity serves the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceTier {
    /// Priority where there is any.
    Auto,
    /// Never priority.
    Standard,
    /// Cheaper and slower; the Anthropic wire has no such thing in requests.
    Flex,
}

impl Request<'_> {
    /// Lists a member, once; after too many unknown ones the rest is named as one.
    pub fn list(&mut self, member: Member) {
        if self.members.contains(&member) {
            return;
        }
        if self.members.len() < NOTES_MAX || !matches!(member, Member::Unknown(_)) {
            self.members.push(member);
        } else {
            self.list_others();
        }
    }

    #[cold]
    fn list_others(&mut self) {
        if !self.members.contains(&Member::OTHERS) {
            self.members.push(Member::OTHERS);
        }
    }
}

impl<'a> Block<'a> {
    /// Text as it stood, without a mark.
    #[must_use]
    pub const fn text(text: Raw<'a>) -> Self {
        Self::Text {
            text: TextRun::Raw(text),
            cache: None,
        }
    }

    /// Whether this is reasoning, readable or not.
    #[must_use]
    pub const fn is_thinking(&self) -> bool {
        matches!(self, Self::Thinking { .. } | Self::Redacted { .. })
    }

    /// Where this block keeps its cache mark, if it may have one.
    pub fn cache_mut(&mut self) -> Option<&mut Option<Json<'a>>> {
        match self {
            Self::Text { cache, .. }
            | Self::Image { cache, .. }
            | Self::Document { cache, .. }
            | Self::SearchResult { cache, .. } => Some(cache),
            Self::ToolUse(call) => Some(&mut call.cache),
            Self::ToolResult(result) => Some(&mut result.cache),
            Self::Thinking { .. } | Self::Redacted { .. } | Self::Foreign { .. } => None,
        }
    }
}

impl TextRun<'_> {
    /// Whether no character is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Raw(raw) => raw.is_empty(),
            Self::Joined(parts) => parts.iter().all(|part| part.is_empty()),
            Self::Plain(text) => text.is_empty(),
        }
    }

    /// Whether it is empty or blank.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Raw(raw) => raw.is_blank(),
            Self::Joined(parts) => parts.iter().all(|part| part.is_blank()),
            Self::Plain(text) => text.trim().is_empty(),
        }
    }

    /// The decoded text.
    #[must_use]
    pub fn decode(&self) -> String {
        match self {
            Self::Raw(raw) => raw.decode(),
            Self::Joined(parts) => parts.iter().map(|part| part.decode()).collect(),
            Self::Plain(text) => text.clone(),
        }
    }
}

impl Effort {
    /// All of them, in rising order.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Xhigh,
        Self::Max,
    ];

    /// Its name on the wires.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The level called `name`.
    #[must_use]
    pub fn from_name(name: Raw<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| name.is(effort.name()))
    }
}

impl Message<'_> {
    /// Whether the message holds a call.
    #[must_use]
    pub fn has_calls(&self) -> bool {
        self.blocks
            .iter()
            .any(|block| matches!(block, Block::ToolUse(_)))
    }
}
