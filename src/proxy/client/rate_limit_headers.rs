//! Rates of the gateway's own on heads of answers, in the client's wire: where a key or tenant has a
//! limit of a kind, the provider's fields of that kind are ours instead.

use crate::govern::account::usage::RateStatuses;
use crate::json::write::number_into;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// Which kinds of rates are the gateway's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnLimits {
    /// Requests per minute.
    pub requests: bool,
    /// Tokens per minute.
    pub tokens: bool,
}

impl OwnLimits {
    /// Whether a provider's field tells of a rate that is the gateway's here.
    #[must_use]
    pub fn replaces(self, name: &[u8]) -> bool {
        (self.requests || self.tokens)
            && STARTS.iter().any(|start| starts_with(name, start))
            && (self.requests && has(name, b"requests") || self.tokens && has(name, b"tokens"))
    }
}

/// Appends how the rates stand, as providers of the wire tell theirs.
pub fn write(wire: Wire, standings: &RateStatuses, unix_ms: u64, out: &mut Vec<u8>) {
    let [requests, tokens] = codec::conventions(wire).rate_limit_lines;
    for ([limit, left, reset], standing) in
        [(requests, standings.requests), (tokens, standings.tokens)]
    {
        let Some(standing) = standing else {
            continue;
        };
        out.extend_from_slice(limit.as_bytes());
        number_into(standing.limit, out);
        out.extend_from_slice(left.as_bytes());
        number_into(standing.remaining, out);
        out.extend_from_slice(reset.as_bytes());
        let reset_ms = standing.reset.div_ceil(NANOS_PER_MS);
        codec::write_reset(wire, reset_ms, unix_ms, out);
        out.extend_from_slice(b"\r\n");
    }
}

fn starts_with(name: &[u8], start: &[u8]) -> bool {
    let head = name.get(..start.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn has(name: &[u8], word: &[u8]) -> bool {
    let mut windows = name.windows(word.len());
    windows.any(|part| part.eq_ignore_ascii_case(word))
}

const STARTS: [&[u8]; 2] = [b"x-ratelimit-", b"anthropic-ratelimit-"];
const NANOS_PER_MS: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::{OwnLimits, write};
    use crate::govern::account::usage::{RateStatus, RateStatuses};
    use crate::wire::kind::Wire;

    #[test]
    fn only_fields_of_a_kind_that_is_ours_are_replaced() {
        let requests = OwnLimits {
            requests: true,
            tokens: false,
        };
        let both = OwnLimits {
            requests: true,
            tokens: true,
        };
        for (name, by_requests, by_both) in [
            ("x-ratelimit-limit-requests", true, true),
            ("X-RateLimit-Reset-Requests", true, true),
            ("x-ratelimit-remaining-tokens", false, true),
            ("anthropic-ratelimit-requests-reset", true, true),
            ("anthropic-ratelimit-input-tokens-limit", false, true),
            ("anthropic-ratelimit-unified-status", false, false),
            ("retry-after", false, false),
            ("x-requests", false, false),
        ] {
            assert_eq!(requests.replaces(name.as_bytes()), by_requests, "{name}");
            assert_eq!(both.replaces(name.as_bytes()), by_both, "{name}");
            assert!(!OwnLimits::default().replaces(name.as_bytes()));
        }
    }

    #[test]
    fn each_wire_tells_its_own_way() {
        let standings = RateStatuses {
            requests: Some(RateStatus {
                limit: 60,
                remaining: 0,
                reset: 61_000_000_000,
            }),
            tokens: None,
        };
        let told = |wire| {
            let mut out = Vec::new();
            write(wire, &standings, 1_000, &mut out);
            String::from_utf8(out).unwrap()
        };
        let openai = "x-ratelimit-limit-requests: 60\r\nx-ratelimit-remaining-requests: 0\r\n\
                      x-ratelimit-reset-requests: 1m1s\r\n";
        assert_eq!(told(Wire::OpenAiChat), openai);
        let anthropic = "anthropic-ratelimit-requests-limit: 60\r\n\
                         anthropic-ratelimit-requests-remaining: 0\r\n\
                         anthropic-ratelimit-requests-reset: 1970-01-01T00:01:02Z\r\n";
        assert_eq!(told(Wire::AnthropicMessages), anthropic);
    }
}
