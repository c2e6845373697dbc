//! Together.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "together",
    wire: Wire::OpenAiChat,
    base_url: Some("https://api.together.xyz/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Wanted,
    default_ids: &[],
    dialect: Dialect::compatible,
};
