//! vLLM, SGLang and the llama.cpp server on a host of one's own; a key is optional.

use crate::provider::spec::{AuthForm, KeyNeed, Kind};
use crate::wire::kind::{Dialect, Wire};

/// The kind.
pub const KIND: Kind = Kind {
    name: "vllm",
    wire: Wire::OpenAiChat,
    base_url: Some("http://127.0.0.1:8000/v1"),
    auth: AuthForm::Bearer,
    key: KeyNeed::Optional,
    default_ids: &[],
    dialect: Dialect::compatible,
};
