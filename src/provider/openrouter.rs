//! OpenRouter: takes `cache_control`, wants reasoning back as `reasoning_details`.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "openrouter",
    wire: Wire::OpenAiChat,
    base_url: Some("https://openrouter.ai/api/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Wanted,
    default_ids: &[],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        files: true,
        reasoning_details_back: true,
        cache_control: true,
        ..Dialect::compatible()
    }
}
