//! Requests whose wire the target speaks: byte-exact but for the spans that the route owns.

use ringway::wire::kind::Wire;

use crate::support::directions::each;
use crate::support::gateway::{Gateway, MODEL, Setup, UPSTREAM_KEY};
use crate::support::http::{json, post, request};
use crate::support::provider::{Provider, Request};
use crate::support::wires::{WIRES, chat, path, whole};

/// Bodies as clients might write them, and what the provider must read. `M` stands for the model
/// that is renamed.
const OPENAI: [(&str, &str, &str); 12] = [
    (
        "odd whitespace survives",
        "\t{ \"messages\" :\r\n[ {\"role\":\"user\" , \"content\" : \"x\" } ]\n,\"model\"\t:\n \"m\" }  \r\n",
        "\t{ \"messages\" :\r\n[ {\"role\":\"user\" , \"content\" : \"x\" } ]\n,\"model\"\t:\n \"up-model\" }  \r\n",
    ),
    (
        "an escaped key is seen and stays escaped",
        r#"{"mod\u0065l":"\u006d","messages":[{"role":"user","content":"x"}]}"#,
        r#"{"mod\u0065l":"up-model","messages":[{"role":"user","content":"x"}]}"#,
    ),
    (
        "numbers keep their digits",
        r#"{"model":"m","seed":9007199254740993,"temperature":1.0e+0,"top_p":0.10000000000000000001,"x":[1E400,-0,-0.0],"messages":[1]}"#,
        r#"{"model":"up-model","seed":9007199254740993,"temperature":1.0e+0,"top_p":0.10000000000000000001,"x":[1E400,-0,-0.0],"messages":[1]}"#,
    ),
    (
        "escapes and lone surrogates survive",
        r#"{"model":"m","messages":[{"role":"user","content":"\ud83d \/ \u00e9 é 😀 \ud83d\ude00 \u0000"}]}"#,
        r#"{"model":"up-model","messages":[{"role":"user","content":"\ud83d \/ \u00e9 é 😀 \ud83d\ude00 \u0000"}]}"#,
    ),
    (
        "duplicate inner members survive",
        r#"{"model":"m","messages":[{"role":"user","role":"user","content":"x","model":"m","model":"n"}]}"#,
        r#"{"model":"up-model","messages":[{"role":"user","role":"user","content":"x","model":"m","model":"n"}]}"#,
    ),
    (
        "unknown members pass, duplicates of them too",
        r#"{"x_new":{"a":1},"model":"m","messages":[1],"x_new":null,"":0}"#,
        r#"{"x_new":{"a":1},"model":"up-model","messages":[1],"x_new":null,"":0}"#,
    ),
    (
        "members of ours are taken out",
        r#"{"allow_fallbacks":false,"model":"m","routing":"price","messages":[1],"pii_substitution":false}"#,
        r#"{"model":"up-model","messages":[1]}"#,
    ),
    (
        "an escaped member of ours is taken out with its whitespace",
        "{\"model\":\"m\" ,\n \"all\\u006fw_fallbacks\" : true , \"messages\":[1]}",
        "{\"model\":\"up-model\" , \"messages\":[1]}",
    ),
    (
        "usage is asked for where the client streams without it",
        r#"{"model":"m","stream":true,"messages":[1]}"#,
        r#"{"model":"up-model","stream":true,"messages":[1],"stream_options":{"include_usage":true}}"#,
    ),
    (
        "usage is added to the client's own stream options",
        r#"{"model":"m","stream":true,"stream_options":{"x":1},"messages":[1]}"#,
        r#"{"model":"up-model","stream":true,"stream_options":{"x":1,"include_usage":true},"messages":[1]}"#,
    ),
    (
        "usage that the client asked for stays as it is",
        r#"{"model":"m","stream":true,"stream_options":{"include_usage" : true},"messages":[1]}"#,
        r#"{"model":"up-model","stream":true,"stream_options":{"include_usage" : true},"messages":[1]}"#,
    ),
    (
        "usage is not asked for where the client does not stream",
        r#"{"model":"m","stream":false,"messages":[1]}"#,
        r#"{"model":"up-model","stream":false,"messages":[1]}"#,
    ),
];

const ANTHROPIC: [(&str, &str, &str); 6] = [
    (
        "odd whitespace and escapes survive",
        "{ \"max_tokens\" : 64,\"mod\\u0065l\":\"\\u006d\" ,\n\"messages\":[ {\"role\":\"user\",\"content\":\"\\ud83d é\"} ] }",
        "{ \"max_tokens\" : 64,\"mod\\u0065l\":\"up-model\" ,\n\"messages\":[ {\"role\":\"user\",\"content\":\"\\ud83d é\"} ] }",
    ),
    (
        "b6 ni17 thinking and its signature survive byte for byte",
        r#"{"model":"m","max_tokens":64,"messages":[{"role":"assistant","content":[{"type":"thinking", "thinking":"h\u00e9\/","signature":"AbC=="},{"type":"redacted_thinking","data":"x"}]}]}"#,
        r#"{"model":"up-model","max_tokens":64,"messages":[{"role":"assistant","content":[{"type":"thinking", "thinking":"h\u00e9\/","signature":"AbC=="},{"type":"redacted_thinking","data":"x"}]}]}"#,
    ),
    (
        "lg6 to5 block arrays with cache marks survive",
        r#"{"model":"m","max_tokens":64,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"messages":[1]}"#,
        r#"{"model":"up-model","max_tokens":64,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"messages":[1]}"#,
    ),
    (
        "lg4 tool schemas survive",
        r##"{"model":"m","max_tokens":64,"tools":[{"name":"t","input_schema":{"$defs":{"a":{"type":"string"}},"additionalProperties":false,"properties":{"b":{"$ref":"#/$defs/a"}}}}],"messages":[1]}"##,
        r##"{"model":"up-model","max_tokens":64,"tools":[{"name":"t","input_schema":{"$defs":{"a":{"type":"string"}},"additionalProperties":false,"properties":{"b":{"$ref":"#/$defs/a"}}}}],"messages":[1]}"##,
    ),
    (
        "members of ours are taken out, nothing is added to a stream",
        r#"{"model":"m","max_tokens":64,"stream":true,"allow_fallbacks":true,"messages":[1]}"#,
        r#"{"model":"up-model","max_tokens":64,"stream":true,"messages":[1]}"#,
    ),
    (
        "pk9 the web search tool of another gateway is put right",
        r#"{"model":"m","max_tokens":64,"tools":[{"type":"web_search","web_search":{"name":"web_search_20250305","max_uses":2}}],"messages":[1]}"#,
        r#"{"model":"up-model","max_tokens":64,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":2}],"messages":[1]}"#,
    ),
];

fn table(wire: Wire) -> &'static [(&'static str, &'static str, &'static str)] {
    match wire {
        Wire::OpenAiChat => &OPENAI,
        Wire::AnthropicMessages => &ANTHROPIC,
    }
}

#[test]
fn m5_u1_bodies_reach_the_provider_byte_for_byte_but_for_what_the_route_owns() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let mut client = gateway.client();
            for (number, (row, sent, expected)) in table(wire).iter().enumerate() {
                let got = client.ask(post(path(wire), "", sent));
                assert_eq!(got.status, 200, "{row}: {}", got.text());
                let seen = &provider.requests()[number];
                let text = String::from_utf8_lossy(&seen.body);
                assert_eq!(text, *expected, "{row}");
            }
            assert_eq!(
                provider.connections(),
                1,
                "pooled connections are used again"
            );
        }
    });
}

#[test]
fn bodies_without_renaming_reach_the_provider_untouched() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Setup::new(driver)
                .provider("up", wire, &provider, "usage = \"observe\"")
                .model("m", &["up/m"])
                .start();
            for (number, stream) in [false, true].into_iter().enumerate() {
                let body = chat(wire, MODEL, stream);
                gateway.client().ask(post(path(wire), "", &body));
                assert_eq!(provider.requests()[number].body, body.as_bytes());
            }
        }
    });
}

#[test]
fn e1_three_equal_requests_are_three_equal_requests_upstream() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            for _ in 0..3 {
                let body = chat(wire, MODEL, true);
                gateway.client().ask(post(path(wire), "", &body));
            }
            let seen = provider.requests();
            assert_eq!(seen.len(), 3);
            assert!(seen.iter().all(|one| one.body == seen[0].body));
            assert!(
                seen.iter()
                    .all(|one| one.head.fields == seen[0].head.fields)
            );
        }
    });
}

#[test]
fn m2_m3_a_large_body_is_taken_whole_and_passes_unread() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let image = "iVBORw0KGgo+/".repeat(100_000);
            let body = chat(wire, MODEL, false).replace("Say hello.", &image);
            let got = gateway.client().ask(post(path(wire), "", &body));
            assert_eq!(got.status, 200, "{}", got.text());
            let seen = provider.only_request();
            assert!(seen.body == body.replace("\"m\"", "\"up-model\"").as_bytes());
        }
    });
}

fn names(request: &Request) -> Vec<&str> {
    let mut names: Vec<&str> = request
        .head
        .fields
        .iter()
        .map(|(name, _)| &**name)
        .collect();
    names.sort_unstable();
    names
}

/// Everything that a client might send along.
const FIELDS: &str = "accept: text/event-stream\r\n\
    user-agent: sdk/1.0\r\n\
    X-Stainless-Lang: python\r\n\
    idempotency-key: idem-1\r\n\
    traceparent: 00-11-22-01\r\n\
    tracestate: a=b\r\n\
    x-client-request-id: c-1\r\n\
    openai-beta: assistants=v2\r\n\
    openai-organization: org-1\r\n\
    anthropic-beta: b-1,b-2\r\n\
    anthropic-version: 2026-10-21\r\n\
    anthropic-dangerous-direct-browser-access: true\r\n\
    accept-encoding: gzip, br\r\n\
    cookie: session=1\r\n\
    connection: keep-alive, x-named\r\n\
    keep-alive: timeout=5\r\n\
    x-named: 1\r\n\
    te: trailers\r\n\
    upgrade: h2c\r\n\
    proxy-authorization: Basic eDp5\r\n\
    x-forwarded-for: 10.0.0.1\r\n\
    forwarded: for=10.0.0.1\r\n\
    via: 1.1 proxy\r\n\
    x-goog-api-key: goog\r\n\
    x-internal-tenant: 7\r\n\
    x-ringway-strict: 1\r\n\
    x-portkey-provider: up\r\n\
    referer: http://a/\r\n\
    authorization: Bearer client-key\r\n";

#[test]
fn p7_k2_k3_k5_k7_heads_upstream_are_built_from_the_allow_list() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let setup = Setup::upstream(driver, wire, &provider);
            let gateway = setup.key("client-key", "one", None).start();
            let target = format!("{}?beta=true&user=bob", path(wire));
            let got = gateway
                .client()
                .ask(post(&target, FIELDS, chat(wire, MODEL, false)));
            assert_eq!(got.status, 200, "{}", got.text());
            let seen = provider.only_request();
            let head = &seen.head;
            let mut expected = vec![
                "accept",
                "accept-encoding",
                "content-length",
                "content-type",
                "host",
                "idempotency-key",
                "openai-beta",
                "openai-organization",
                "traceparent",
                "tracestate",
                "user-agent",
                "x-client-request-id",
                "x-stainless-lang",
            ];
            expected.push("anthropic-dangerous-direct-browser-access");
            match wire {
                Wire::OpenAiChat => {
                    expected.push("authorization");
                    let bearer = format!("Bearer {UPSTREAM_KEY}");
                    assert_eq!(head.field("authorization"), Some(&*bearer));
                    assert_eq!(head.line, "POST /v1/chat/completions HTTP/1.1");
                }
                Wire::AnthropicMessages => {
                    expected.extend(["x-api-key", "anthropic-version", "anthropic-beta"]);
                    assert_eq!(head.field("x-api-key"), Some(UPSTREAM_KEY));
                    assert_eq!(head.field("anthropic-version"), Some("2026-10-21"));
                    assert_eq!(head.field("anthropic-beta"), Some("b-1,b-2"));
                }
            }
            expected.sort_unstable();
            assert_eq!(names(&seen), expected);
            assert_eq!(head.field("host"), Some(&*provider.address().to_string()));
            assert_eq!(head.field("accept-encoding"), Some("identity"));
            assert_eq!(head.field("user-agent"), Some("sdk/1.0"));
        }
    });
}

#[test]
fn p14_a_chat_goes_on_as_json_whatever_its_client_calls_it() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let body = chat(wire, MODEL, false);
            // Read as a form the same bytes may name another model, read as UTF-7 too.
            for label in [
                "",
                "content-type: application/x-www-form-urlencoded\r\n",
                "content-type: multipart/form-data; boundary=x\r\n",
                "content-type: application/json; charset=utf-7\r\n",
                "content-type: application/json\r\ncontent-type: text/plain\r\n",
            ] {
                let asked = request("POST", path(wire), label, &body);
                assert_eq!(gateway.client().ask(asked).status, 200);
                let seen = provider.requests().pop().unwrap();
                assert_eq!(seen.head.field("content-type"), Some("application/json"));
                let mut labels = names(&seen);
                labels.retain(|&name| name == "content-type");
                assert_eq!(labels.len(), 1, "{label}");
            }
        }
    });
}

#[test]
fn k4_a_provider_that_wants_more_headers_gets_them_and_its_fixed_ones() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        // A pattern that fits more than it should does not open the way for what never goes on.
        let extra = "forward_headers = [\"x-vendor-*\", \"*o*\"]\n\
                     headers = { \"x-team\" = \"blue\", \"user-agent\" = \"ours\" }";
        let gateway = Setup::new(driver)
            .provider("up", wire, &provider, extra)
            .model(MODEL, &["up/x"])
            .start();
        let fields = "x-vendor-a: 1\r\nx-team: red\r\nuser-agent: sdk\r\ncookie: a=b\r\n\
                      authorization: Bearer other\r\nproxy-authorization: x\r\nx-forwarded-for: 1\r\n";
        gateway
            .client()
            .ask(post(path(wire), fields, chat(wire, MODEL, false)));
        let head = provider.only_request().head;
        assert_eq!(head.field("x-vendor-a"), Some("1"));
        assert_eq!(head.field("x-team"), Some("blue"));
        assert_eq!(head.field("user-agent"), Some("ours"));
        for name in [
            "cookie",
            "x-forwarded-for",
            "connection",
            "proxy-authorization",
        ] {
            assert_eq!(head.field(name), None, "{name}");
        }
        let bearer = format!("Bearer {UPSTREAM_KEY}");
        assert_eq!(head.field("authorization"), Some(&*bearer));
    });
}

#[test]
fn ni3_anthropic_version_is_the_default_where_absent_and_beta_the_only_query() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Gateway::before(driver, wire, &provider);
        let mut client = gateway.client();
        for (number, (query, expected)) in [
            ("", "/v1/messages"),
            ("?beta=true", "/v1/messages?beta=true"),
            ("?beta=false", "/v1/messages"),
            ("?beta=true&x=1", "/v1/messages"),
            ("?user=bob", "/v1/messages"),
        ]
        .into_iter()
        .enumerate()
        {
            let target = format!("{}{query}", path(wire));
            let got = client.ask(post(&target, "", chat(wire, MODEL, false)));
            assert_eq!(got.status, 200);
            let head = &provider.requests()[number].head;
            assert_eq!(head.line, format!("POST {expected} HTTP/1.1"), "{query}");
            assert_eq!(head.field("anthropic-version"), Some("2023-06-01"));
            assert_eq!(head.field("anthropic-beta"), None);
        }
    });
}

#[test]
fn pk11_beta_headers_of_another_gateway_count_as_anthropics_own() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let provider = Provider::answering(json(whole(wire)));
        let extra = "drop_beta = [\"old-*\"]\nrename_beta = { \"b-2\" = \"b-two\" }";
        let gateway = Setup::new(driver)
            .provider("up", wire, &provider, extra)
            .model(MODEL, &["up/x"])
            .start();
        let fields = "anthropic-beta: b-1, old-1\r\nx-portkey-anthropic-beta: b-2,b-1\r\n";
        gateway
            .client()
            .ask(post(path(wire), fields, chat(wire, MODEL, false)));
        let head = provider.only_request().head;
        assert_eq!(
            head.field("anthropic-beta"),
            Some("b-1,b-two"),
            "K6: per-provider map"
        );
    });
}

#[test]
fn p30_of_many_beta_values_all_go_on_and_the_first_alone_are_looked_for_again() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Gateway::before(driver, wire, &provider);
        let values = (0..65).map(|number| format!("b-{number}"));
        let values = values.collect::<Vec<_>>().join(",");
        let fields = format!("anthropic-beta: {values}\r\nanthropic-beta: b-0,b-63,b-64\r\n");
        let got = gateway
            .client()
            .ask(post(path(wire), &fields, chat(wire, MODEL, false)));
        assert_eq!(got.status, 200);
        let expected = format!("{values},b-64");
        let head = provider.only_request().head;
        assert_eq!(head.field("anthropic-beta"), Some(&*expected));
    });
}

#[test]
fn p7_lines_of_a_body_do_not_become_a_head() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Gateway::before(driver, wire, &provider);
        let model = "a\\r\\nx-injected: 1\\r\\n\\r\\n";
        let got = gateway
            .client()
            .ask(post(path(wire), "", chat(wire, model, false)));
        assert_eq!(got.status, 404);
        assert_eq!(got.field("x-injected"), None);
        let got = gateway
            .client()
            .ask(request("GET", "/v1/models/a%0d%0ax:y", "", ""));
        assert_eq!(got.status, 404);
        assert_eq!(got.field("x"), None);
        assert_eq!(provider.connections(), 0);
    });
}
