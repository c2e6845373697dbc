//! OpenAI's models at Azure: `https://{resource}.openai.azure.com/openai/v1`.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "azure-openai",
    wire: Wire::OpenAiChat,
    base_url: None,
    auth: AuthForm::ApiKey,
    key: KeyNeed::Wanted,
    default_ids: &[],
    dialect: Dialect::default,
};
