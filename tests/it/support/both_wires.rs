//! Gateways before two providers, one of each wire.

use ringway::wire::kind::Wire;

use crate::support::gateway::Setup;
use crate::support::http::json;
use crate::support::provider::Provider;
use crate::support::wires::whole;

/// The field by which a client of the Anthropic wire is known.
pub(crate) const VERSION: &str = "anthropic-version: 2023-06-01\r\n";

/// Two providers, one of each wire, `oai` and `ant`.
pub(crate) fn two(setup: Setup, openai: &Provider, anthropic: &Provider) -> Setup {
    setup
        .provider("oai", Wire::OpenAiChat, openai, "")
        .provider("ant", Wire::AnthropicMessages, anthropic, "")
}

/// Providers that answer whole: of the OpenAI wire, and of the Anthropic wire.
pub(crate) fn both() -> (Provider, Provider) {
    (
        Provider::answering(json(whole(Wire::OpenAiChat))),
        Provider::answering(json(whole(Wire::AnthropicMessages))),
    )
}
