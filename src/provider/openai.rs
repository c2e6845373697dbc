//! OpenAI itself.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "openai",
    wire: Wire::OpenAiChat,
    base_url: Some("https://api.openai.com/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Wanted,
    default_ids: &[
        "gpt-*",
        "chatgpt-*",
        "o1*",
        "o3*",
        "o4*",
        "ft:gpt-*",
        "codex-*",
        "computer-use-*",
        "text-embedding-*",
        "omni-moderation-*",
        "text-moderation-*",
        "whisper-*",
        "tts-*",
        "dall-e-*",
        "sora-*",
    ],
    dialect: Dialect::default,
};
