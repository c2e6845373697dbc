//! Any service of the Anthropic wire (several providers serve it beside their own).

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "anthropic-compatible",
    wire: Wire::AnthropicMessages,
    base_url: None,
    auth: AuthForm::XApiKey,
    key: KeyNeed::Optional,
    default_ids: &[],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        cache_control: true,
        top_k: true,
        url_sources: false,
        ..Dialect::default()
    }
}
