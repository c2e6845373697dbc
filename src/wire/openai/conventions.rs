//! What servers of the OpenAI wire have beside their bodies.

use crate::wire::common::conventions::{Conventions, Framing};
use crate::wire::openai::rate_limits::PREFIX;

/// Names and statuses of the OpenAI wire.
pub const CONVENTIONS: Conventions = Conventions {
    chat_path: "/chat/completions",
    count_path: None,
    base_has_version: true,
    version_field: None,
    usage_on_request: true,
    framing: Framing::ServerSentEvents,
    request_id: "x-request-id",
    rate_limit_prefix: PREFIX,
    rate_limit_lines: [
        [
            "x-ratelimit-limit-requests: ",
            "\r\nx-ratelimit-remaining-requests: ",
            "\r\nx-ratelimit-reset-requests: ",
        ],
        [
            "x-ratelimit-limit-tokens: ",
            "\r\nx-ratelimit-remaining-tokens: ",
            "\r\nx-ratelimit-reset-tokens: ",
        ],
    ],
    billing_status: 429,
    overloaded_status: 503,
    untimed_429_is_final: false,
};
