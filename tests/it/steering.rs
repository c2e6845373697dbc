//! What clients say to the gateway itself: headers that steer it, promises, plain manners.

use ringway::wire::kind::Wire;

use crate::support::directions::each;
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, post, request};
use crate::support::provider::Provider;
use crate::support::wires::{WIRES, chat, path, told, whole};

#[test]
fn headers_that_steer_with_a_wrong_value_are_400_whichever_the_target() {
    each(|driver| {
        for upstream in WIRES {
            let provider = Provider::answering(http::json(whole(upstream)));
            let gateway = Gateway::before(driver, upstream, &provider);
            let mut client = gateway.client();
            for wire in WIRES {
                for field in [
                    "x-ringway-reasoning: loud",
                    "x-ringway-reasoning: ",
                    "x-ringway-strict: yes",
                    "X-Privacy-Tier: provider_api",
                    "X-Privacy-Tier: ",
                ] {
                    let fields = format!("{field}\r\n");
                    let got = client.ask(post(path(wire), &fields, chat(wire, MODEL, false)));
                    assert_eq!(got.status, 400, "{field}: {}", got.text());
                    told(wire, &got);
                }
            }
            assert_eq!(provider.connections(), 0);
            for field in ["x-ringway-reasoning: text", "x-ringway-strict: false"] {
                let fields = format!("{field}\r\n");
                let got = client.ask(post(path(upstream), &fields, chat(upstream, MODEL, false)));
                assert_eq!(got.status, 200, "{field}: {}", got.text());
            }
        }
    });
}

#[test]
fn ni8_tiers_that_nobody_knows_and_promises_are_400_on_relayed_endpoints_too() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let mut client = gateway.client();
        for (fields, body) in [
            ("x-privacy-tier: a\r\n", r#"{"model":"m"}"#),
            ("", r#"{"model":"m","privacy_tier":"a"}"#),
            ("", r#"{"model":"m","pii_\u0073ubstitution":true}"#),
        ] {
            let got = client.ask(post("/v1/responses", fields, body));
            assert_eq!(got.status, 400, "{fields}{body}: {}", got.text());
            told(Wire::OpenAiChat, &got);
        }
        assert_eq!(provider.connections(), 0);
        let plain = r#"{"model":"m","pii_substitution":false}"#;
        assert_eq!(client.ask(post("/v1/responses", "", plain)).status, 200);
    });
}

#[test]
fn pk3_provider_headers_that_contradict_each_other_are_a_400_that_names_both() {
    each(|driver| {
        let provider = Provider::answering(http::json(whole(Wire::OpenAiChat)));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .provider("two", Wire::OpenAiChat, &provider, "")
            .start();
        let mut client = gateway.client();
        let mut ask = |target: &str, fields: &str| {
            let body = chat(Wire::OpenAiChat, MODEL, false);
            let got = client.ask(post(target, fields, body));
            if got.status != 200 {
                let told = told(Wire::OpenAiChat, &got);
                for name in ["x-ringway-provider", "x-portkey-provider"] {
                    assert!(told.message.contains(name), "{}", told.message);
                }
            }
            got.status
        };
        for target in ["/v1/chat/completions", "/v1/responses"] {
            for fields in [
                "x-ringway-provider: up\r\nx-portkey-provider: two\r\n",
                "x-portkey-provider: @two\r\nx-ringway-provider: @up\r\n",
                "x-ringway-provider: up\r\nx-ringway-provider: two\r\n",
                "x-ringway-provider: up\r\nx-portkey-provider: nobody\r\n",
            ] {
                assert_eq!(ask(target, fields), 400, "{fields}");
            }
            for fields in [
                "x-ringway-provider: up\r\nx-portkey-provider: @up\r\n",
                "x-portkey-provider: up\r\nx-portkey-provider: up\r\n",
            ] {
                assert_eq!(ask(target, fields), 200, "{fields}");
            }
        }
        // A name that is no text is nobody's, and not as good as none.
        let fields = b"x-ringway-provider: \xC3\x28\r\n";
        let body = chat(Wire::OpenAiChat, MODEL, false);
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n",
            body.len()
        );
        let got = client.ask([head.as_bytes(), fields, b"\r\n", body.as_bytes()].concat());
        assert_eq!(got.status, 400, "{}", got.text());
    });
}

#[test]
fn health_takes_get_and_head_alone() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        for target in ["/healthz", "/readyz"] {
            let got = gateway.client().ask(request("DELETE", target, "", ""));
            let allow = got.field("allow").map(str::to_owned);
            assert_eq!(
                (got.status, allow.as_deref()),
                (405, Some("GET, HEAD, OPTIONS"))
            );
        }
    });
}

#[test]
fn answers_for_listed_origins_tell_caches_that_they_vary() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let setup = Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let gateway = setup
            .server("cors_origins = [\"https://a.example\"]\n")
            .start();
        let mut client = gateway.client();
        for (fields, allowed) in [
            ("", None),
            ("origin: https://b.example\r\n", None),
            ("origin: https://a.example\r\n", Some("https://a.example")),
        ] {
            let got = client.ask(request("GET", "/v1/models", fields, ""));
            assert_eq!(got.field("vary"), Some("origin"), "{fields}");
            assert_eq!(
                got.field("access-control-allow-origin"),
                allowed,
                "{fields}"
            );
        }
    });
}

#[test]
fn targets_that_cannot_be_told_the_request_are_passed_over_and_logged() {
    each(|driver| {
        let first = Provider::answering(http::json(whole(Wire::AnthropicMessages)));
        let second = Provider::answering(http::json(whole(Wire::OpenAiChat)));
        let gateway = Setup::new(driver)
            .provider("ant", Wire::AnthropicMessages, &first, "")
            .provider("oai", Wire::OpenAiChat, &second, "")
            .model(MODEL, &["ant/claude-x", "oai/gpt-x"])
            .start();
        let body = chat(Wire::OpenAiChat, MODEL, false).replacen(
            '{',
            "{\"top_logprobs\":2,\"logprobs\":true,",
            1,
        );
        let strict = "x-ringway-strict: 1\r\n";
        let got = gateway
            .client()
            .ask(post("/v1/chat/completions", strict, body));
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!((first.connections(), second.connections()), (0, 1));
        let line = gateway.only_line();
        assert_eq!(line["attempts"][0]["provider"], "ant");
        assert_eq!(line["attempts"][0]["fault"], "refused_by_translation");
        assert_eq!(line["attempts"][1]["status"], 200);
    });
}

/// Fields that steer and make no sense; a part of what is said, and whether they are taken.
const STEERING: [(&[u8], &str); 14] = [
    (b"x-ringway-routing: ", "priority, weighted"),
    (b"x-ringway-routing: fastest", "priority, weighted"),
    (b"x-ringway-routing: latency, cost", "priority, weighted"),
    (b"x-ringway-routing: \xff\xfe", "priority, weighted"),
    (
        b"x-ringway-routing: latency\r\nx-ringway-routing: cost",
        "routing: expected one value, found two",
    ),
    (
        b"x-ringway-strict: 0\r\nx-ringway-strict: 1",
        "strict: expected one value, found two",
    ),
    (
        b"x-ringway-reasoning: none\r\nx-ringway-reasoning: text",
        "reasoning: expected one value, found two",
    ),
    (b"x-privacy-tier: ", "known: near"),
    (b"x-privacy-tier: \xff\xfe", "known: near"),
    (b"x-privacy-tier: near, far", "known: near"),
    (b"x-privacy-tier: near\r\nx-privacy-tier: far", "found two"),
    (b"x-session-id: ", ""),
    (b"x-session-id: \xff\xfe", ""),
    (
        b"x-session-id: a\r\nx-session-id: b\r\nx-session-affinity: c",
        "",
    ),
];

#[test]
fn fields_of_tier_and_order_that_make_no_sense_are_400_with_the_cure_and_any_session_will_do() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(http::json(whole(wire)));
            let gateway = Setup::new(driver)
                .provider("up", wire, &provider, "tier = \"near\"\n")
                .text("[[model]]\nid = \"m\"\norder = \"weighted\"\ntargets = [\"up/a\", \"up/b\"]")
                .start();
            let body = chat(wire, "m", false);
            let long = b"x".repeat(4_000);
            let lengthened = [STEERING[0], STEERING[7], STEERING[11]]
                .into_iter()
                .map(|(fields, text)| ([fields, &long].concat(), text));
            let rows = STEERING.map(|(fields, text)| (fields.to_vec(), text));
            let mut served = 0;
            for (fields, text) in rows.into_iter().chain(lengthened) {
                let head = String::from_utf8(post(path(wire), "", &body)).unwrap();
                let (line, rest) = head.split_once("\r\n").unwrap();
                let parts = [line.as_bytes(), b"\r\n", &fields, b"\r\n", rest.as_bytes()];
                let got = gateway.client().ask(parts.concat());
                let shown = String::from_utf8_lossy(&fields);
                if text.is_empty() {
                    served += 1;
                    assert_eq!(got.status, 200, "{shown}: {}", got.text());
                    continue;
                }
                assert_eq!(got.status, 400, "{shown}: {}", got.text());
                let message = told(wire, &got).message;
                assert!(message.contains(text), "{shown}: {message}");
                assert!(message.len() < 500, "{message}");
            }
            assert_eq!(provider.requests().len(), served);
            for request in provider.requests() {
                assert_eq!(request.head.field("x-session-id"), None);
            }
        }
    });
}
