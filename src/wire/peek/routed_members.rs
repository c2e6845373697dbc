//! The members of a body's outermost object that routing looks at, in one table.

/// The members of the outermost object that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// `model`
    Model,
    /// `messages`
    Messages,
    /// `stream`
    Stream,
    /// `stream_options`
    StreamOptions,
    /// `max_tokens`
    MaxTokens,
    /// `max_completion_tokens`
    MaxCompletionTokens,
    /// `anthropic_beta`
    AnthropicBeta,
    /// `tools`
    Tools,
    /// `functions`: the tools of old.
    Functions,
    /// `system`
    System,
    /// `allow_fallbacks`: the gateway's own.
    AllowFallbacks,
    /// `routing`: the gateway's own.
    Routing,
    /// `privacy_tier`: the gateway's own.
    PrivacyTier,
    /// `pii_substitution`: the gateway's own.
    PiiSubstitution,
    /// `prompt_cache_key`: names a session.
    PromptCacheKey,
    /// `user`: names one too.
    User,
    /// `metadata`, whose `user_id` does.
    Metadata,
    /// `n`: how many answers are asked for.
    N,
}

/// Members that are meant for the gateway and never sent on.
pub const OWN: [Known; 4] = [
    Known::AllowFallbacks,
    Known::Routing,
    Known::PrivacyTier,
    Known::PiiSubstitution,
];

impl Known {
    /// Every one of them.
    pub const ALL: [Self; KNOWN_COUNT] = [
        Self::Model,
        Self::Messages,
        Self::Stream,
        Self::StreamOptions,
        Self::MaxTokens,
        Self::MaxCompletionTokens,
        Self::AnthropicBeta,
        Self::Tools,
        Self::Functions,
        Self::System,
        Self::AllowFallbacks,
        Self::Routing,
        Self::PrivacyTier,
        Self::PiiSubstitution,
        Self::PromptCacheKey,
        Self::User,
        Self::Metadata,
        Self::N,
    ];

    /// The one called `name`.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"model" => Self::Model,
            b"messages" => Self::Messages,
            b"stream" => Self::Stream,
            b"stream_options" => Self::StreamOptions,
            b"max_tokens" => Self::MaxTokens,
            b"max_completion_tokens" => Self::MaxCompletionTokens,
            b"anthropic_beta" => Self::AnthropicBeta,
            b"tools" => Self::Tools,
            b"functions" => Self::Functions,
            b"system" => Self::System,
            b"allow_fallbacks" => Self::AllowFallbacks,
            b"routing" => Self::Routing,
            b"privacy_tier" => Self::PrivacyTier,
            b"pii_substitution" => Self::PiiSubstitution,
            b"prompt_cache_key" => Self::PromptCacheKey,
            b"user" => Self::User,
            b"metadata" => Self::Metadata,
            b"n" => Self::N,
            _ => return None,
        })
    }

    /// Whether a second one is refused: the gateway acts on its value, so it must have one value.
    #[must_use]
    pub const fn must_be_single(self) -> bool {
        !matches!(
            self,
            Self::Tools
                | Self::Functions
                | Self::System
                | Self::PromptCacheKey
                | Self::User
                | Self::Metadata
        )
    }

    /// The member's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Messages => "messages",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::AnthropicBeta => "anthropic_beta",
            Self::Tools => "tools",
            Self::Functions => "functions",
            Self::System => "system",
            Self::AllowFallbacks => "allow_fallbacks",
            Self::Routing => "routing",
            Self::PrivacyTier => "privacy_tier",
            Self::PiiSubstitution => "pii_substitution",
            Self::PromptCacheKey => "prompt_cache_key",
            Self::User => "user",
            Self::Metadata => "metadata",
            Self::N => "n",
        }
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// A string.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool(bool),
    /// `null`
    Null,
}

/// Count of [`Known::ALL`].
pub const KNOWN_COUNT: usize = 18;

const _: () = {
    let mut i = 0;
    while i < KNOWN_COUNT {
        assert!(Known::ALL[i] as usize == i);
        i += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn names_and_members_belong_together() {
        for known in Known::ALL {
            assert_eq!(Known::from_name(known.name().as_bytes()), Some(known));
        }
        assert_eq!(Known::from_name(b"models"), None);
        assert_eq!(Known::from_name(b""), None);
    }
}
