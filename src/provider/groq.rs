//! Groq: refuses members that it does not know in messages.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "groq",
    wire: Wire::OpenAiChat,
    base_url: Some("https://api.groq.com/openai/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Wanted,
    default_ids: &[],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        max_completion_tokens: true,
        strips_reasoning: true,
        top_k: false,
        ..Dialect::compatible()
    }
}
