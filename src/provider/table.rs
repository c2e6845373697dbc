//! All kinds of upstream service.

use crate::provider::spec::Kind;
use crate::provider::{
    anthropic, anthropic_compatible, azure_openai, deepseek, gemini, groq, mistral, ollama, openai,
    openai_compatible, openrouter, together, vllm, xai,
};

/// Every kind, the two that the wires are named for first.
pub const KINDS: [Kind; 14] = [
    openai::KIND,
    anthropic::KIND,
    openai_compatible::KIND,
    anthropic_compatible::KIND,
    azure_openai::KIND,
    deepseek::KIND,
    gemini::KIND,
    groq::KIND,
    mistral::KIND,
    ollama::KIND,
    openrouter::KIND,
    together::KIND,
    vllm::KIND,
    xai::KIND,
];

/// A kind by its name in the configuration.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Names of all kinds.
#[must_use]
pub fn names() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.name).collect()
}

#[cfg(test)]
mod tests {
    use super::{KINDS, find, names};
    use crate::wire::kind::Wire;

    #[test]
    fn kinds_have_names_of_their_own_and_are_found_by_them() {
        let mut sorted = names();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), KINDS.len());
        for name in sorted {
            assert_eq!(find(name).unwrap().name, name);
        }
        assert!(find("OpenAI").is_none());
    }

    #[test]
    fn kinds_with_an_address_follow_the_base_url_rule_of_their_wire() {
        for kind in &KINDS {
            let Some(url) = kind.base_url else { continue };
            assert!(!url.ends_with('/'), "{url}");
            let versioned = url.contains("/v1");
            assert_eq!(versioned, kind.wire == Wire::OpenAiChat, "{url}");
        }
    }
}
