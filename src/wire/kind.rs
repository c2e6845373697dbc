//! Which wire, and which quirks of one provider inside it.

/// A public request and response format with its stream form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wire {
    /// OpenAI Chat Completions, and of requests that say nothing of their wire.
    #[default]
    OpenAiChat,
    /// Anthropic Messages.
    AnthropicMessages,
}

impl Wire {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::OpenAiChat, Self::AnthropicMessages];

    /// Name in logs, metrics and headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai",
            Self::AnthropicMessages => "anthropic",
        }
    }
}

/// The quirks of an upstream inside its wire. The default is what OpenAI and Anthropic themselves
/// take; compatible services set what differs.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about a foreign service"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Name of the output limit: `max_completion_tokens` (true) or `max_tokens`.
    pub max_completion_tokens: bool,
    /// System text goes out with the role `developer`.
    pub developer_role: bool,
    /// System messages may stand behind the first turn. Chat templates that servers render often
    /// take one at the start alone.
    pub late_system: bool,
    /// A message of the user may stand right behind one of a tool.
    pub user_after_tool: bool,
    /// A last message of the assistant, which the answer is to go on from, is marked `prefix`.
    pub assistant_prefix: bool,
    /// `content` of system, user and tool messages may be an array of text parts.
    pub array_content: bool,
    /// Content parts of type `file` are taken.
    pub files: bool,
    /// Content parts of type `image_url` are taken.
    pub images: bool,
    /// Image parts may stand in `tool` messages.
    pub images_in_tool_messages: bool,
    /// Reasoning members in an assistant message (`reasoning_content`, `reasoning_details`, ...)
    /// are refused: they are taken out before sending, on the same wire too. On the Anthropic
    /// wire: thinking without a signature, which only other services give.
    pub strips_reasoning: bool,
    /// Reasoning text of history is wanted back as `reasoning_content`.
    pub reasoning_content_back: bool,
    /// Reasoning of history is wanted back as `reasoning_details`.
    pub reasoning_details_back: bool,
    /// Signatures of calls (`extra_content.google.thought_signature`) are wanted back.
    pub thought_signatures: bool,
    /// `cache_control` marks are taken.
    pub cache_control: bool,
    /// `stream_options.include_usage` is taken.
    pub stream_usage: bool,
    /// `top_k` is taken.
    pub top_k: bool,
    /// `reasoning_effort` is taken.
    pub reasoning_effort: bool,
    /// `web_search_options` is taken.
    pub web_search_options: bool,
    /// `response_format` of type `json_schema` is taken.
    pub json_schema: bool,
    /// `safety_identifier` is taken (else the user id goes out as `user` alone).
    pub safety_identifier: bool,
    /// Two messages of one role in a row are taken.
    pub repeated_roles: bool,
    /// Longest tool call id.
    pub tool_id_bytes_max: u32,
    /// Most `stop` entries.
    pub stop_max: u32,
    /// Image and document sources by URL are taken (Anthropic wire; not on most clouds).
    pub url_sources: bool,
    /// Value of `tool_choice` that forces some tool: `required`, or `any` at a few services.
    pub tool_choice_any: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            max_completion_tokens: true,
            developer_role: false,
            late_system: true,
            user_after_tool: true,
            assistant_prefix: false,
            array_content: true,
            files: true,
            images: true,
            images_in_tool_messages: false,
            strips_reasoning: false,
            reasoning_content_back: false,
            reasoning_details_back: false,
            thought_signatures: false,
            cache_control: false,
            stream_usage: true,
            top_k: false,
            reasoning_effort: true,
            web_search_options: false,
            json_schema: true,
            safety_identifier: true,
            repeated_roles: true,
            tool_id_bytes_max: 40,
            stop_max: 4,
            url_sources: true,
            tool_choice_any: false,
        }
    }
}

impl Dialect {
    /// Where most OpenAI-compatible servers stand: the older names, nothing new.
    #[must_use]
    pub fn compatible() -> Self {
        Self {
            max_completion_tokens: false,
            late_system: false,
            files: false,
            top_k: true,
            safety_identifier: false,
            ..Self::default()
        }
    }
}
