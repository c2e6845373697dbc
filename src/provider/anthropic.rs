//! Anthropic itself.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "anthropic",
    wire: Wire::AnthropicMessages,
    base_url: Some("https://api.anthropic.com"),
    auth: AuthForm::XApiKey,
    key: KeyNeed::Wanted,
    default_ids: &["claude-*"],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        strips_reasoning: true,
        cache_control: true,
        top_k: true,
        ..Dialect::default()
    }
}
