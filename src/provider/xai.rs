//! xAI: takes roles in any order.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "xai",
    wire: Wire::OpenAiChat,
    base_url: Some("https://api.x.ai/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Wanted,
    default_ids: &["grok-*"],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        late_system: true,
        top_k: false,
        ..Dialect::compatible()
    }
}
