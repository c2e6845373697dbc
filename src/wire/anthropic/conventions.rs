//! What servers of the Anthropic wire have beside their bodies.

use crate::wire::anthropic::rate_limits::PREFIX;
use crate::wire::common::conventions::{Conventions, Framing};

/// Names and statuses of the Anthropic wire.
pub const CONVENTIONS: Conventions = Conventions {
    chat_path: "/messages",
    count_path: Some("/messages/count_tokens"),
    base_has_version: false,
    version_field: Some("anthropic-version"),
    usage_on_request: false,
    framing: Framing::ServerSentEvents,
    request_id: "request-id",
    rate_limit_prefix: PREFIX,
    rate_limit_lines: [
        [
            "anthropic-ratelimit-requests-limit: ",
            "\r\nanthropic-ratelimit-requests-remaining: ",
            "\r\nanthropic-ratelimit-requests-reset: ",
        ],
        [
            "anthropic-ratelimit-tokens-limit: ",
            "\r\nanthropic-ratelimit-tokens-remaining: ",
            "\r\nanthropic-ratelimit-tokens-reset: ",
        ],
    ],
    billing_status: 402,
    overloaded_status: 529,
    untimed_429_is_final: true,
};
