//! DeepSeek: reasoning comes and is wanted back as `reasoning_content`; JSON mode without a schema.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "deepseek",
    wire: Wire::OpenAiChat,
    base_url: Some("https://api.deepseek.com/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Wanted,
    default_ids: &["deepseek-*"],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        array_content: false,
        images: false,
        reasoning_content_back: true,
        top_k: false,
        reasoning_effort: false,
        json_schema: false,
        ..Dialect::compatible()
    }
}
