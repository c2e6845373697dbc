//! From one wire to the other, end to end: what the program adds to the translators' own tests.
//!
//! Statuses, heads, notes and the wishes that a head carries; bodies are judged by their meaning.

use ringway::wire::kind::Wire;
use serde_json::{Value, json};

use crate::support::client::{Answer, End};
use crate::support::directions::{CROSSED, Direction, Driver, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, answer, post, stream};
use crate::support::provider::Provider;
use crate::support::wires::{WIRES, chat, error_body, events, path, told, whole};

fn ask(gateway: &Gateway, wire: Wire, fields: &str, body: impl AsRef<[u8]>) -> Answer {
    gateway.client().ask(post(path(wire), fields, body))
}

/// What the provider read.
fn sent(provider: &Provider) -> Value {
    serde_json::from_slice(&provider.wait_requests(1)[0].body).unwrap()
}

#[test]
fn to8_lg8_each_wires_client_gets_whole_answers_of_the_other_wires_provider() {
    each_way(&CROSSED, |driver, direction| {
        let provider = Provider::answering(http::json(whole(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let got = ask(
            &gateway,
            direction.client,
            "",
            chat(direction.client, MODEL, false),
        );
        assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
        assert_eq!(got.field("content-type"), Some("application/json"));
        let body = got.json();
        match direction.client {
            Wire::OpenAiChat => {
                assert_eq!(body["object"], "chat.completion");
                assert_eq!(body["choices"][0]["message"]["content"], "Hello");
                assert_eq!(body["choices"][0]["finish_reason"], "stop");
                assert_eq!(body["usage"]["prompt_tokens"], 9);
            }
            Wire::AnthropicMessages => {
                assert_eq!(
                    (&body["type"], &body["role"]),
                    (&json!("message"), &json!("assistant"))
                );
                assert_eq!(body["content"][0], json!({"type": "text", "text": "Hello"}));
                assert_eq!(body["stop_reason"], "end_turn");
                assert_eq!(body["usage"]["input_tokens"], 9);
            }
        }
        let line = provider.only_request().head.line;
        assert_eq!(line, format!("POST {} HTTP/1.1", path(direction.upstream)));
        assert_eq!(sent(&provider)["model"], "up-model");
    });
}

#[test]
fn lg3_c1_streams_of_the_other_wire_are_whole_streams_of_the_clients() {
    each_way(&CROSSED, |driver, direction| {
        let provider = Provider::answering(stream(events(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let got = ask(
            &gateway,
            direction.client,
            "",
            chat(direction.client, MODEL, true),
        );
        assert_eq!((got.status, got.end), (200, End::Whole));
        let kind = got.field("content-type").unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        let named: Vec<&str> = got
            .text()
            .lines()
            .filter_map(|l| l.strip_prefix("event: "))
            .collect();
        match direction.client {
            Wire::OpenAiChat => {
                assert!(named.is_empty());
                assert!(got.text().ends_with("data: [DONE]\n\n"), "{}", got.text());
                assert!(got.text().contains("\"finish_reason\":\"stop\""));
                assert!(
                    !got.text().contains("\"usage\":{"),
                    "C7: nobody asked for it"
                );
            }
            Wire::AnthropicMessages => {
                let order = [
                    "message_start",
                    "content_block_start",
                    "content_block_delta",
                    "content_block_delta",
                    "content_block_stop",
                    "message_delta",
                    "message_stop",
                ];
                assert_eq!(named, order, "{}", got.text());
            }
        }
    });
}

/// Status and body of a provider of the other wire, and what the client gets.
type Row = (&'static str, &'static str, u16, &'static str);

const FROM_ANTHROPIC: [Row; 7] = [
    (
        "400 Bad Request",
        "invalid_request_error",
        400,
        "invalid_request_error",
    ),
    (
        "401 Unauthorized",
        "authentication_error",
        401,
        "invalid_request_error",
    ),
    ("403 Forbidden", "permission_error", 403, "permission_error"),
    (
        "404 Not Found",
        "not_found_error",
        404,
        "invalid_request_error",
    ),
    (
        "429 Too Many Requests",
        "rate_limit_error",
        429,
        "rate_limit_error",
    ),
    (
        "500 Internal Server Error",
        "api_error",
        500,
        "server_error",
    ),
    ("529 Overloaded", "overloaded_error", 529, "server_error"),
];

const FROM_OPENAI: [Row; 7] = [
    (
        "400 Bad Request",
        "invalid_request_error",
        400,
        "invalid_request_error",
    ),
    (
        "401 Unauthorized",
        "invalid_request_error",
        401,
        "authentication_error",
    ),
    ("403 Forbidden", "permission_error", 403, "permission_error"),
    (
        "404 Not Found",
        "invalid_request_error",
        404,
        "not_found_error",
    ),
    ("429 Too Many Requests", "requests", 429, "rate_limit_error"),
    (
        "500 Internal Server Error",
        "server_error",
        500,
        "api_error",
    ),
    (
        "503 Service Unavailable",
        "server_error",
        503,
        "overloaded_error",
    ),
];

#[test]
fn f2_f4_f6_f7_d10_errors_keep_their_status_and_change_their_wire() {
    each_way(&CROSSED, |driver, direction| {
        let rows = match direction.upstream {
            Wire::AnthropicMessages => FROM_ANTHROPIC,
            Wire::OpenAiChat => FROM_OPENAI,
        };
        for (status, kind, expected, expected_kind) in rows {
            let body = error_body(direction.upstream, kind, "the provider's own words");
            let fields = "content-type: application/json\r\nretry-after: 7\r\n\
                          retry-after-ms: 7000\r\nx-should-retry: false\r\n";
            let provider = Provider::answering(answer(status, fields, body));
            let gateway = Gateway::on(driver, direction, &provider);
            for streamed in [false, true] {
                let body = chat(direction.client, MODEL, streamed);
                let got = ask(&gateway, direction.client, "", body);
                assert_eq!(got.status, expected, "{status}: {}", got.text());
                let told = told(direction.client, &got);
                assert_eq!(
                    (&*told.kind, &*told.message),
                    (expected_kind, "the provider's own words")
                );
                assert_eq!(got.field("retry-after"), Some("7"), "F1");
                assert_eq!(got.field("retry-after-ms"), Some("7000"));
            }
        }
    });
}

#[test]
fn d10_errors_that_are_no_json_are_told_in_the_wire_with_their_status() {
    each_way(&CROSSED, |driver, direction| {
        let pages = [
            ("text/html", "<html>busy</html>"),
            ("text/plain", "busy"),
            ("application/json", ""),
            ("application/json", "{\"detail\":\"busy\"}"),
        ];
        for (kind, page) in pages {
            let fields = format!("content-type: {kind}\r\n");
            let provider = Provider::answering(answer("503 Service Unavailable", &fields, page));
            let gateway = Gateway::on(driver, direction, &provider);
            let got = ask(
                &gateway,
                direction.client,
                "",
                chat(direction.client, MODEL, true),
            );
            assert_eq!(got.status, 503, "{page}");
            assert!(!told(direction.client, &got).message.is_empty());
        }
    });
}

#[test]
fn l1_compressed_errors_keep_their_status_and_lose_their_label() {
    each_way(&CROSSED, |driver, direction| {
        let fields = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
        let gzip = b"\x1f\x8b\x08\x00not really";
        let provider = Provider::answering(answer("429 Too Many Requests", fields, gzip));
        let gateway = Gateway::on(driver, direction, &provider);
        let got = ask(
            &gateway,
            direction.client,
            "",
            chat(direction.client, MODEL, false),
        );
        assert_eq!((got.status, got.field("content-encoding")), (429, None));
        told(direction.client, &got);
    });
}

#[test]
fn example_5_insufficient_quota_is_402_and_not_to_be_retried() {
    each(|driver| {
        let error = r#"{"error":{"message":"out","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
        let fields = "content-type: application/json\r\n";
        let provider = Provider::answering(answer("429 Too Many Requests", fields, error));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let wire = Wire::AnthropicMessages;
        let got = ask(&gateway, wire, "", chat(wire, MODEL, false));
        assert_eq!(got.status, 402);
        assert_eq!(told(wire, &got).kind, "billing_error");
    });
}

#[test]
fn successes_that_report_an_error_are_told_in_the_providers_words() {
    each_way(&CROSSED, |driver, direction| {
        let error = match direction.upstream {
            Wire::OpenAiChat => r#"{"error":{"message":"its own words","code":429}}"#.to_owned(),
            Wire::AnthropicMessages => {
                error_body(direction.upstream, "rate_limit_error", "its own words")
            }
        };
        let provider = Provider::answering(http::json(error));
        let gateway = Gateway::on(driver, direction, &provider);
        for streamed in [false, true] {
            let body = chat(direction.client, MODEL, streamed);
            let got = ask(&gateway, direction.client, "", body);
            assert_eq!(got.status, 502, "{}", got.text());
            let told = told(direction.client, &got);
            assert_eq!(
                (&*told.kind, &*told.message),
                ("rate_limit_error", "its own words")
            );
        }
        let lines = gateway.lines(2);
        assert_eq!(lines[0]["fault"], "not_an_answer");
        assert_eq!(lines[1]["fault"], "content_type");
    });
}

#[test]
fn successes_that_are_neither_answer_nor_error_are_told_in_ours() {
    each_way(&CROSSED, |driver, direction| {
        // As much as is read of an error in place of a stream, and one byte more.
        let words = "x".repeat(65_536 - r#"{"message":""}"#.len());
        let error = format!(r#"{{"message":"{words}"}}"#);
        let no_stream = "upstream sent no answer of the kind that was asked for";
        for (streamed, body, message) in [
            (false, "{}".to_owned(), "upstream sent a malformed answer"),
            (true, "{}".to_owned(), no_stream),
            (true, error.clone(), &words),
            (true, error + " ", no_stream),
        ] {
            let provider = Provider::answering(http::json(body));
            let gateway = Gateway::on(driver, direction, &provider);
            let body = chat(direction.client, MODEL, streamed);
            let got = ask(&gateway, direction.client, "", body);
            assert_eq!(got.status, 502, "{}", got.text());
            assert_eq!(told(direction.client, &got).message, message);
        }
    });
}

#[test]
fn f1_whether_to_retry_is_said_once() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        // A limit that names no time is a spend cap.
        for (limit, expected) in [("", "false"), ("retry-after: 7\r\n", "true")] {
            let fields =
                format!("content-type: application/json\r\nx-should-retry: true\r\n{limit}");
            let body = error_body(Wire::AnthropicMessages, "rate_limit_error", "spent");
            let provider = Provider::answering(answer("429 Too Many Requests", &fields, body));
            let gateway = to_anthropic(driver, &provider);
            let got = ask(&gateway, wire, "", chat(wire, MODEL, false));
            assert_eq!(got.status, 429);
            assert_eq!(got.field("x-should-retry"), Some(expected), "{limit}");
        }
    });
}

#[test]
fn heads_across_the_wires_carry_what_has_a_meaning_there() {
    each_way(&CROSSED, |driver, direction| {
        let fields = "content-type: application/json\r\n\
            x-request-id: req-o\r\nrequest-id: req-a\r\n\
            x-ratelimit-limit-requests: 10\r\nx-ratelimit-remaining-tokens: 99\r\n\
            anthropic-ratelimit-requests-limit: 20\r\nanthropic-ratelimit-tokens-remaining: 88\r\n\
            x-vendor: 1\r\nset-cookie: a=b\r\n";
        let provider = Provider::answering(answer("200 OK", fields, whole(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let got = ask(
            &gateway,
            direction.client,
            "",
            chat(direction.client, MODEL, false),
        );
        let id = got.field("x-ringway-request-id").unwrap();
        assert_eq!(
            (got.field("x-request-id"), got.field("request-id")),
            (Some(id), Some(id))
        );
        let (theirs, limits) = match direction.upstream {
            Wire::AnthropicMessages => (
                "req-a",
                [
                    ("x-ratelimit-limit-requests", "20"),
                    ("x-ratelimit-remaining-tokens", "88"),
                ],
            ),
            Wire::OpenAiChat => (
                "req-o",
                [
                    ("anthropic-ratelimit-requests-limit", "10"),
                    ("anthropic-ratelimit-tokens-remaining", "99"),
                ],
            ),
        };
        assert_eq!(got.field("x-ringway-upstream-request-id"), Some(theirs));
        for (name, value) in limits {
            assert_eq!(got.field(name), Some(value), "{name}");
        }
        for name in ["x-vendor", "set-cookie"] {
            assert_eq!(got.field(name), None, "{name}");
        }
    });
}

#[test]
fn requests_across_the_wires_carry_no_field_of_the_clients_wire() {
    each_way(&CROSSED, |driver, direction| {
        let provider = Provider::answering(http::json(whole(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let fields = "accept: text/event-stream\r\nopenai-beta: a\r\nopenai-organization: o\r\n\
            x-stainless-lang: python\r\nidempotency-key: i\r\ntraceparent: t\r\nuser-agent: sdk\r\n";
        let got = ask(
            &gateway,
            direction.client,
            fields,
            chat(direction.client, MODEL, false),
        );
        assert_eq!(got.status, 200);
        let head = provider.only_request().head;
        for (name, value) in [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("idempotency-key", "i"),
            ("traceparent", "t"),
            ("user-agent", "sdk"),
            ("accept-encoding", "identity"),
        ] {
            assert_eq!(head.field(name), Some(value), "{name}");
        }
        for name in ["openai-beta", "openai-organization", "x-stainless-lang"] {
            assert_eq!(head.field(name), None, "{name}");
        }
        let version = (direction.upstream == Wire::AnthropicMessages).then_some("2023-06-01");
        assert_eq!(head.field("anthropic-version"), version);
    });
}

/// A gateway before an Anthropic provider for OpenAI clients.
fn to_anthropic(driver: Driver, provider: &Provider) -> Gateway {
    let direction = CROSSED[0];
    assert!(
        direction
            == Direction {
                client: Wire::OpenAiChat,
                upstream: Wire::AnthropicMessages
            }
    );
    Setup::upstream(driver, direction.upstream, provider).start()
}

const SEEDED: &str = r#"{"model":"m","seed":7,"n":1,"logit_bias":{"1":2},"messages":[{"role":"user","content":"x"}]}"#;

#[test]
fn part3_losses_are_named_in_a_header_and_refused_on_request() {
    each(|driver| {
        let provider = Provider::answering(http::json(whole(Wire::AnthropicMessages)));
        let gateway = to_anthropic(driver, &provider);
        let got = ask(&gateway, Wire::OpenAiChat, "", SEEDED);
        assert_eq!(got.status, 200, "{}", got.text());
        let notes = got.field("x-ringway-translation").unwrap();
        assert!(
            notes.contains("seed") && notes.contains("logit_bias"),
            "{notes}"
        );
        assert_eq!(gateway.only_line()["losses"], notes);
        assert!(gateway.metric("ringway_translation_losses_total") >= 2.0);
        let got = ask(
            &gateway,
            Wire::OpenAiChat,
            "x-ringway-strict: 1\r\n",
            SEEDED,
        );
        assert_eq!(got.status, 400);
        let told = told(Wire::OpenAiChat, &got);
        assert!(
            told.message.contains("seed") || told.message.contains("logit_bias"),
            "{told:?}"
        );
        assert_eq!(provider.requests().len(), 1, "nothing lossy was sent");
    });
}

#[test]
fn part3_losses_of_a_whole_answer_join_those_of_its_request() {
    each(|driver| {
        let citation = json!({"type": "char_location", "document_index": 0, "cited_text": "x"});
        let block = json!({"type": "text", "text": "x", "citations": [citation]});
        let answer = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [block], "stop_reason": null,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        });
        let provider = Provider::answering(http::json(answer.to_string()));
        let gateway = to_anthropic(driver, &provider);
        let body = SEEDED.replacen('{', "{\"max_tokens\":9,", 1);
        let got = ask(&gateway, Wire::OpenAiChat, "", body);
        assert_eq!(got.status, 200, "{}", got.text());
        let notes = "dropped=citations,logit_bias,seed; changed=stop_reason";
        assert_eq!(got.field("x-ringway-translation"), Some(notes));
        assert_eq!(gateway.only_line()["losses"], notes);
        assert!(gateway.metric("ringway_translation_losses_total") >= 4.0);
    });
}

#[test]
fn part3_beta_flags_of_the_head_are_losses_towards_the_other_wire() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let provider = Provider::answering(http::json(whole(Wire::OpenAiChat)));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        for field in ["anthropic-beta", "x-portkey-anthropic-beta"] {
            let fields = format!("{field}: b-1\r\n");
            let got = ask(&gateway, wire, &fields, chat(wire, MODEL, false));
            assert_eq!(got.status, 200, "{}", got.text());
            let notes = Some("dropped=anthropic-beta");
            assert_eq!(got.field("x-ringway-translation"), notes, "{field}");
        }
    });
}

#[test]
fn pk11_beta_in_the_body_becomes_the_header() {
    each(|driver| {
        let provider = Provider::answering(http::json(whole(Wire::AnthropicMessages)));
        let gateway = to_anthropic(driver, &provider);
        let body = r#"{"model":"m","anthropic_beta":["b-1","b-2"],"messages":[{"role":"user","content":"x"}]}"#;
        let got = ask(
            &gateway,
            Wire::OpenAiChat,
            "x-portkey-anthropic-beta: b-3\r\n",
            body,
        );
        assert_eq!(got.status, 200, "{}", got.text());
        let head = provider.only_request().head;
        let betas: Vec<&str> = head.field("anthropic-beta").unwrap().split(',').collect();
        for beta in ["b-1", "b-2", "b-3"] {
            assert!(betas.contains(&beta), "{betas:?}");
        }
        assert!(sent(&provider).get("anthropic_beta").is_none());
    });
}

#[test]
fn lg9_pk13_max_tokens_is_set_where_the_other_wire_wants_it() {
    each(|driver| {
        let provider = Provider::answering(http::json(whole(Wire::AnthropicMessages)));
        let gateway = to_anthropic(driver, &provider);
        let got = ask(
            &gateway,
            Wire::OpenAiChat,
            "",
            chat(Wire::OpenAiChat, MODEL, false),
        );
        assert_eq!(got.status, 200);
        assert!(sent(&provider)["max_tokens"].as_u64().unwrap() >= 4_096);
    });
}

#[test]
fn ni12_members_of_ours_do_not_count_as_lost_across_the_wires() {
    each_way(&CROSSED, |driver, direction| {
        let provider = Provider::answering(http::json(whole(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        // A limit of its own: the default for a model that wants one would be a change.
        let own = "\"max_tokens\":64,\"allow_fallbacks\":true,\"routing\":\"price\",";
        let bare = chat(direction.client, MODEL, false).replace("\"max_tokens\":64,", "");
        let body = bare.replacen('{', &format!("{{{own}"), 1);
        let got = ask(&gateway, direction.client, "x-ringway-strict: 1\r\n", body);
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.field("x-ringway-translation"), None);
        let sent = sent(&provider);
        assert!(
            sent.get("allow_fallbacks").is_none() && sent.get("routing").is_none(),
            "{sent}"
        );
    });
}

#[test]
fn p15_what_a_translator_cannot_say_is_a_400_and_never_a_5xx() {
    each_way(&CROSSED, |driver, direction| {
        let provider = Provider::answering(http::json(whole(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let limit = match direction.client {
            Wire::OpenAiChat => "",
            Wire::AnthropicMessages => "\"max_tokens\":9,",
        };
        for messages in [
            "[1]",
            "[null]",
            "[{}]",
            "[{\"role\":7,\"content\":\"x\"}]",
            "[{\"role\":\"user\",\"content\":7}]",
            "[{\"role\":\"king\",\"content\":\"x\"}]",
            "[{\"role\":\"user\",\"content\":[{\"type\":\"hologram\"}]}]",
        ] {
            let body = format!("{{\"model\":\"m\",{limit}\"messages\":{messages}}}");
            let got = ask(&gateway, direction.client, "", &body);
            assert_eq!(got.status, 400, "{messages}: {}", got.text());
            told(direction.client, &got);
        }
        assert_eq!(provider.connections(), 0);
    });
}

#[test]
fn both_wires_reach_one_model_and_the_log_tells_them_apart() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(http::json(whole(wire)));
        let gateway = Gateway::before(driver, wire, &provider);
        for client in WIRES {
            let got = ask(&gateway, client, "", chat(client, MODEL, false));
            assert_eq!(got.status, 200, "{}", got.text());
        }
        let lines = gateway.lines(2);
        let wires: Vec<&str> = lines
            .iter()
            .filter_map(|line| line["client_wire"].as_str())
            .collect();
        assert_eq!(wires, ["openai", "anthropic"]);
        assert_eq!(provider.connections(), 1);
    });
}
