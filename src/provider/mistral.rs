//! Mistral: 9-character tool ids, `any` for a forced tool, usage unasked on the last chunk; refuses
//! members that it does not know, the user right behind a tool, and a last message of the assistant
//! that is not marked as the answer's beginning.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "mistral",
    wire: Wire::OpenAiChat,
    base_url: Some("https://api.mistral.ai/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Wanted,
    default_ids: &[
        "mistral-*",
        "ministral-*",
        "magistral-*",
        "codestral-*",
        "devstral-*",
        "pixtral-*",
    ],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        strips_reasoning: true,
        stream_usage: false,
        user_after_tool: false,
        assistant_prefix: true,
        top_k: false,
        reasoning_effort: false,
        tool_id_bytes_max: 9,
        tool_choice_any: true,
        ..Dialect::compatible()
    }
}
