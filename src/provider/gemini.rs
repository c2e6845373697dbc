//! Gemini by its OpenAI endpoint; the version stands inside its path.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "gemini",
    wire: Wire::OpenAiChat,
    base_url: Some("https://generativelanguage.googleapis.com/v1beta/openai"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Wanted,
    default_ids: &["gemini-*"],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        thought_signatures: true,
        top_k: false,
        ..Dialect::compatible()
    }
}
