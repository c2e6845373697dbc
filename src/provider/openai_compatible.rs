//! Any service of the OpenAI wire: the older names, nothing new; the rest by flags.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "openai-compatible",
    wire: Wire::OpenAiChat,
    base_url: None,
    auth: AuthForm::Bearer,
    key: KeyNeed::Optional,
    default_ids: &[],
    dialect: Dialect::compatible,
};
