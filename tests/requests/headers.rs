//! Response headers across wires.

use ringway::translate::headers::map;
use ringway::wire::anthropic::betas::joined;
use ringway::wire::anthropic::rate_limits::{rfc3339, rfc3339_ms};
use ringway::wire::kind::Wire::{self, AnthropicMessages as A, OpenAiChat as C};
use ringway::wire::openai::rate_limits::{duration, duration_ms};

/// One field across.
fn across(from: Wire, to: Wire, name: &str, value: &str) -> Option<(String, String)> {
    let mut found = None;
    let fields = [(name.as_bytes(), value.as_bytes())];
    map((from, to), fields.into_iter(), NOW, |name, value| {
        found = Some((name.to_owned(), String::from_utf8_lossy(value).into_owned()));
    });
    found
}

/// 2026-11-21T12:00:00Z
const NOW: u64 = 1_795_262_400_000;

#[test]
fn rate_limits_change_form_with_the_wire() {
    for (from, to, name, value, expected) in [
        (
            A,
            C,
            "anthropic-ratelimit-requests-limit",
            "50",
            Some(("x-ratelimit-limit-requests", "50")),
        ),
        (
            A,
            C,
            "Anthropic-RateLimit-Tokens-Remaining",
            " 7 ",
            Some(("x-ratelimit-remaining-tokens", "7")),
        ),
        (
            A,
            C,
            "anthropic-ratelimit-tokens-reset",
            "2026-11-21T12:06:00Z",
            Some(("x-ratelimit-reset-tokens", "6m0s")),
        ),
        (
            A,
            C,
            "anthropic-ratelimit-tokens-reset",
            "2026-11-21T11:00:00Z",
            Some(("x-ratelimit-reset-tokens", "0ms")),
        ),
        (A, C, "anthropic-ratelimit-input-tokens-limit", "5", None),
        (A, C, "anthropic-ratelimit-tokens-limit", "many", None),
        (A, C, "anthropic-organization-id", "o", None),
        (
            C,
            A,
            "x-ratelimit-limit-tokens",
            "9",
            Some(("anthropic-ratelimit-tokens-limit", "9")),
        ),
        (
            C,
            A,
            "x-ratelimit-reset-requests",
            "8.64s",
            Some(("anthropic-ratelimit-requests-reset", "2026-11-21T12:00:09Z")),
        ),
        (C, A, "x-ratelimit-reset-requests", "soon", None),
        (C, A, "openai-processing-ms", "3", None),
    ] {
        let found = across(from, to, name, value);
        let found = found
            .as_ref()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(found, expected, "{name}: {value}");
    }
}

#[test]
fn f1_retry_hints_cross_as_they_are() {
    for (name, value) in [
        ("Retry-After", "30"),
        ("retry-after-ms", "1500"),
        ("x-should-retry", "false"),
    ] {
        for (from, to) in [(A, C), (C, A)] {
            let found = across(from, to, name, value).unwrap();
            assert_eq!(found, (name.to_ascii_lowercase(), value.to_owned()));
        }
    }
}

#[test]
fn durations_and_times_survive_a_round_trip() {
    for (ms, text) in [
        (0, "0ms"),
        (12, "12ms"),
        (8640, "8.64s"),
        (360_000, "6m0s"),
        (3_723_004, "1h2m3.004s"),
    ] {
        assert_eq!(duration(ms), text);
        assert_eq!(duration_ms(text), Some(ms));
    }
    for text in ["", "5", "s", "1x", "-1s", "1e9s", "9999999999999h"] {
        assert_eq!(duration_ms(text), None, "{text}");
    }
    for (text, ms) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2026-11-21T12:00:00Z", Some(NOW)),
        ("2026-11-21T13:30:00.5+01:30", Some(NOW + 500)),
        ("2024-02-29T23:59:59Z", Some(1_709_251_199_000)),
        ("2026-13-01T00:00:00Z", None),
        ("2026-11-21", None),
        ("2026-11-21T12:00Z", None),
        ("tomorrow", None),
    ] {
        assert_eq!(rfc3339_ms(text), ms, "{text}");
    }
    for day in 0..40_000u64 {
        let ms = day * 86_400_000 + 1000;
        assert_eq!(rfc3339_ms(&rfc3339(ms)), Some(ms), "{day}");
    }
}

#[test]
fn k6_betas_are_joined_once_and_what_is_no_flag_left_out() {
    let values = ["a-1, b-2", "c-3,a-1,,", "d 4"];
    assert_eq!(joined(values), Some("a-1,b-2,c-3".into()));
    assert_eq!(joined(["", "d 4"]), None);
}
