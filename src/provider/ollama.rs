//! Ollama on this host; takes no key.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "ollama",
    wire: Wire::OpenAiChat,
    base_url: Some("http://127.0.0.1:11434/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Optional,
    default_ids: &[],
    dialect,
};

fn dialect() -> Dialect {
    Dialect {
        top_k: false,
        ..Dialect::compatible()
    }
}
