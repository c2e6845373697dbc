//! Paths, prefixes, model grammar, lists, relayed endpoints.

use ringway::wire::kind::Wire;
use serde_json::json;

use crate::support::certificates::Authority;
use crate::support::client::End;
use crate::support::directions::each;
use crate::support::gateway::{Gateway, MODEL, Setup, UPSTREAM_KEY};
use crate::support::http::{self, answer, chunk, post, request};
use crate::support::provider::Provider;
use crate::support::script::{Step, always, then};
use crate::support::wires::{WIRES, chat, path, told, whole};

const VERSION: &str = "anthropic-version: 2023-06-01\r\n";

/// Two providers, one of each wire, `oai` and `ant`.
fn two(setup: Setup, openai: &Provider, anthropic: &Provider) -> Setup {
    setup
        .provider("oai", Wire::OpenAiChat, openai, "")
        .provider("ant", Wire::AnthropicMessages, anthropic, "")
}

fn both() -> (Provider, Provider) {
    (
        Provider::answering(http::json(whole(Wire::OpenAiChat))),
        Provider::answering(http::json(whole(Wire::AnthropicMessages))),
    )
}

/// The model that the last request asked for.
fn asked_model(provider: &Provider) -> String {
    let body = provider.requests().last().unwrap().body.clone();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    body["model"].as_str().unwrap().to_owned()
}

#[test]
fn ni1_pk1_to1_both_wires_are_served_with_no_single_and_doubled_v1() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(http::json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let rest = path(wire).strip_prefix("/v1").unwrap();
            for prefix in ["", "/v1", "/v1/v1", "/", "//v1"] {
                let target = if prefix == "/" {
                    format!("/{rest}")
                } else {
                    format!("{prefix}{rest}")
                };
                let got = gateway
                    .client()
                    .ask(post(&target, "", chat(wire, MODEL, false)));
                assert_eq!((got.status, got.text()), (200, whole(wire)), "{target}");
            }
            for request in provider.requests() {
                assert_eq!(request.head.line, format!("POST {} HTTP/1.1", path(wire)));
            }
            assert_eq!(gateway.metric("ringway_doubled_prefix_total"), 1.0);
        }
    });
}

#[test]
fn part3_anthropic_version_on_the_openai_path_changes_nothing() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(http::json(whole(wire)));
        let gateway = Gateway::before(driver, wire, &provider);
        let got = gateway
            .client()
            .ask(post(path(wire), VERSION, chat(wire, MODEL, false)));
        assert_eq!((got.status, got.text()), (200, whole(wire)));
    });
}

#[test]
fn ni4_ni5_lg1_lg2_pk3_models_resolve_in_order_and_nothing_is_guessed() {
    each(|driver| {
        let (openai, anthropic) = both();
        let gateway = two(Setup::new(driver), &openai, &anthropic)
            .model("bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global", &["ant/haiku"])
            .model("vertex_ai/gemini-2.5-pro-ca", &["oai/gemini"])
            .model("@anthropic/claude-sonnet-4-5-20250929", &["ant/sonnet"])
            .model("oai/exact", &["ant/outranks-the-provider"])
            .text("[[model]]\nid = \"fast\"\nalias = [\"claude-haiku-4-5-20251015\"]\ntargets = [\"ant/fast-one\"]\n")
            .start();
        let mut client = gateway.client();
        // Each wire for its own provider: what is asked is what is sent.
        for (asked, provider, sent) in [
            (
                "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global",
                &anthropic,
                "haiku",
            ),
            (
                "@anthropic/claude-sonnet-4-5-20250929",
                &anthropic,
                "sonnet",
            ),
            ("oai/exact", &anthropic, "outranks-the-provider"),
            ("claude-haiku-4-5-20251015", &anthropic, "fast-one"),
            ("@ant/any/thing:1", &anthropic, "any/thing:1"),
            ("ant/claude-x", &anthropic, "claude-x"),
            (
                "claude-3-5-sonnet-20241022",
                &anthropic,
                "claude-3-5-sonnet-20241022",
            ),
            ("vertex_ai/gemini-2.5-pro-ca", &openai, "gemini"),
            ("oai/gpt-4o", &openai, "gpt-4o"),
            ("@oai/gpt-4o", &openai, "gpt-4o"),
            ("gpt-4o", &openai, "gpt-4o"),
        ] {
            let wire = if core::ptr::eq(provider, &openai) {
                Wire::OpenAiChat
            } else {
                Wire::AnthropicMessages
            };
            let got = client.ask(post(path(wire), "", chat(wire, asked, false)));
            assert_eq!(got.status, 200, "{asked}: {}", got.text());
            assert_eq!(asked_model(provider), sent, "{asked}");
        }
        for asked in [
            "bedrock/else",
            "@nobody/gpt-4o",
            "gemini",
            "fas",
            "ant/",
            "llama-3",
        ] {
            for wire in WIRES {
                let got = client.ask(post(path(wire), "", chat(wire, asked, false)));
                assert_eq!(got.status, 404, "{asked}: {}", got.text());
                let message = told(wire, &got).message;
                assert!(message.contains(&format!("`{asked}`")), "{message}");
            }
        }
    });
}

#[test]
fn pk3_the_provider_header_counts_for_bare_models() {
    each(|driver| {
        let (openai, anthropic) = both();
        let gateway = two(Setup::new(driver), &openai, &anthropic).start();
        for (field, value) in [
            ("x-portkey-provider", "ant"),
            ("x-portkey-provider", "@ant"),
            ("x-ringway-provider", "ant"),
        ] {
            let wire = Wire::AnthropicMessages;
            let fields = format!("{field}: {value}\r\n");
            let got =
                gateway
                    .client()
                    .ask(post(path(wire), &fields, chat(wire, "my-model", false)));
            assert_eq!(got.status, 200, "{}", got.text());
            assert_eq!(asked_model(&anthropic), "my-model");
        }
        let wire = Wire::OpenAiChat;
        let fields = "x-portkey-provider: nobody\r\n";
        let got = gateway
            .client()
            .ask(post(path(wire), fields, chat(wire, "gpt-4o", false)));
        assert_eq!(got.status, 400);
        told(wire, &got);
        assert_eq!(openai.connections(), 0);
    });
}

#[test]
fn lg10_o7_bodies_of_the_other_wire_are_400_and_name_the_right_endpoint() {
    each(|driver| {
        let (openai, anthropic) = both();
        let gateway = two(Setup::new(driver), &openai, &anthropic)
            .model(MODEL, &["oai/x", "ant/x"])
            .start();
        let openai_shaped = [
            r#"{"model":"m","messages":[{"role":"developer","content":"x"}]}"#,
            r#"{"model":"m","messages":[{"role":"tool","tool_call_id":"a","content":"x"}]}"#,
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[]}]}"#,
            r#"{"model":"m","max_completion_tokens":9,"messages":[{"role":"user","content":"x"}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}]}"#,
        ];
        let anthropic_shaped = [
            r#"{"model":"m","system":"x","messages":[{"role":"user","content":"x"}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}"#,
            r#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{}}]}"#,
        ];
        let rows = [
            (
                Wire::AnthropicMessages,
                &openai_shaped[..],
                "/v1/chat/completions",
            ),
            (Wire::OpenAiChat, &anthropic_shaped[..], "/v1/messages"),
        ];
        for (wire, bodies, names) in rows {
            for body in bodies {
                let got = gateway.client().ask(post(path(wire), "", body));
                assert_eq!(got.status, 400, "{body}");
                let message = told(wire, &got).message;
                assert!(message.contains(names), "{body}: {message}");
            }
        }
        assert_eq!(openai.connections() + anthropic.connections(), 0);
    });
}

#[test]
fn models_are_listed_in_the_clients_shape_and_only_what_the_key_may_use() {
    each(|driver| {
        let (openai, anthropic) = both();
        let gateway = two(Setup::new(driver), &openai, &anthropic)
            .model("a/one", &["oai/x"])
            .model("b:two", &["ant/x"])
            .key("key-1", "one", Some(&["a*"]))
            .key("key-2", "two", None)
            .start();
        let list = |fields: &str| {
            let got = gateway
                .client()
                .ask(request("GET", "/v1/models", fields, ""));
            assert_eq!(got.status, 200);
            got.json()
        };
        let ids = |list: &serde_json::Value| -> Vec<String> {
            let data = list["data"].as_array().unwrap().iter();
            data.map(|one| one["id"].as_str().unwrap().to_owned())
                .collect()
        };
        let all = list("authorization: Bearer key-2\r\n");
        assert_eq!(
            (&all["object"], ids(&all)),
            (&json!("list"), vec!["a/one".into(), "b:two".into()])
        );
        assert_eq!(all["data"][0]["object"], "model");
        assert!(all["data"][0]["created"].is_u64() && all["data"][0]["owned_by"].is_string());
        let own = list(&format!("x-api-key: key-1\r\n{VERSION}"));
        assert_eq!(ids(&own), ["a/one"]);
        assert_eq!(
            (&own["has_more"], &own["first_id"], &own["last_id"]),
            (&json!(false), &json!("a/one"), &json!("a/one"))
        );
        assert_eq!(own["data"][0]["type"], "model");
        assert!(
            own["data"][0]["display_name"].is_string() && own["data"][0]["created_at"].is_string()
        );
        let one = |id: &str, key: &str| {
            let fields = format!("x-api-key: {key}\r\n");
            gateway
                .client()
                .ask(request("GET", &format!("/v1/models/{id}"), &fields, ""))
        };
        assert_eq!(one("a/one", "key-1").json()["id"], "a/one");
        assert_eq!(one("a%2fone", "key-1").json()["id"], "a/one");
        assert_eq!(one("b:two", "key-2").json()["id"], "b:two");
        let (unknown, forbidden) = (one("b:three", "key-1"), one("b:two", "key-1"));
        assert_eq!((unknown.status, forbidden.status), (404, 404));
        let neutral = |text: &str| text.replace("b:three", "X").replace("b:two", "X");
        assert_eq!(neutral(unknown.text()), neutral(forbidden.text()));
        let got = gateway.client().ask(request("GET", "/v1/models", "", ""));
        assert_eq!(got.status, 401);
        assert_eq!(openai.connections() + anthropic.connections(), 0);
    });
}

#[test]
fn pk12_count_tokens_goes_to_its_provider_and_is_an_estimate_elsewhere() {
    each(|driver| {
        let openai = Provider::answering(http::json("{}"));
        let counted = "{\"input_tokens\": 14}";
        let anthropic = Provider::answering(http::json(counted));
        let gateway = two(Setup::new(driver), &openai, &anthropic).start();
        let wire = Wire::AnthropicMessages;
        let body = chat(wire, "MODEL", false).replace(",\"stream\":false", "");
        let ask = |target: &str, model: &str| {
            gateway
                .client()
                .ask(post(target, VERSION, body.replace("MODEL", model)))
        };
        let got = ask("/v1/messages/count_tokens?beta=true", "claude-x");
        assert_eq!(
            (got.status, got.text(), got.field("x-ringway-estimate")),
            (200, counted, None)
        );
        let seen = anthropic.only_request();
        assert_eq!(
            seen.head.line,
            "POST /v1/messages/count_tokens?beta=true HTTP/1.1"
        );
        assert_eq!(seen.body, body.replace("MODEL", "claude-x").as_bytes());
        for target in ["/v1/v1/messages/count_tokens", "/messages/count_tokens"] {
            let got = ask(target, "gpt-4o");
            assert_eq!(
                (got.status, got.field("x-ringway-estimate")),
                (200, Some("1")),
                "{}",
                got.text()
            );
            assert!(got.json()["input_tokens"].as_u64().unwrap() > 0);
        }
        assert_eq!(openai.connections(), 0);
        let got = ask("/v1/messages/count_tokens", "nothing-known");
        assert_eq!(got.status, 404);
        told(wire, &got);
    });
}

#[test]
fn health_is_bare_on_the_client_listener_and_needs_no_key() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let setup = Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let gateway = setup.key("key-1", "one", None).start();
        for target in ["/healthz", "/readyz"] {
            let got = gateway.client().ask(request("GET", target, "", ""));
            assert_eq!((got.status, got.text()), (200, "ok\n"), "{target}");
            assert_eq!(
                gateway.admin().ask(request("GET", target, "", "")).status,
                200
            );
        }
        let got = gateway.client().ask(request("GET", "/metrics", "", ""));
        assert_eq!(got.status, 404, "P22: metrics are the admin listener's");
        told(Wire::OpenAiChat, &got);
    });
}

#[test]
fn pk10_relayed_endpoints_pass_bytes_both_ways_with_method_query_and_content_type() {
    each(|driver| {
        let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let kind = "content-type: application/octet-stream\r\nx-a: b\r\ncontent-disposition: attachment\r\n";
        let provider = Provider::answering(answer("201 Created", kind, &binary));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let mut client = gateway.client();
        for (number, (method, target, body)) in [
            (
                "POST",
                "/v1/files?purpose=x%20y&a=b",
                &b"--b\r\ncontent-type: x\r\n\r\n\0\xff\r\n--b--\r\n"[..],
            ),
            ("GET", "/v1/files/file-1/content?after=7", b""),
            ("PUT", "/v1/uploads/u/parts", b"\0\x01\x02"),
            ("PATCH", "/v1/x", b"p"),
            ("DELETE", "/v1/files/file-1", b""),
        ]
        .into_iter()
        .enumerate()
        {
            let fields =
                "content-type: multipart/form-data; boundary=b\r\nauthorization: Bearer x\r\n";
            let got = client.ask(request(method, target, fields, body));
            assert_eq!(
                (got.status, got.end),
                (201, End::Whole),
                "{method} {target}"
            );
            assert!(got.body == binary, "{method} {target}");
            assert_eq!(got.field("x-a"), Some("b"));
            assert_eq!(got.field("content-disposition"), Some("attachment"));
            let seen = provider.requests()[number].clone();
            assert_eq!(seen.head.line, format!("{method} {target} HTTP/1.1"));
            assert_eq!(seen.body, body);
            assert_eq!(
                seen.head.field("content-type"),
                Some("multipart/form-data; boundary=b")
            );
            assert_eq!(
                seen.head.field("authorization"),
                Some(&*format!("Bearer {UPSTREAM_KEY}"))
            );
        }
        // A body that passes through cannot be sent twice: it goes out on a fresh connection, which
        // no stale one can spoil. The three uploads have one each, the others use what is there.
        assert_eq!(provider.connections(), 3);
    });
}

#[test]
fn relayed_requests_find_their_provider_by_model_header_and_wire() {
    each(|driver| {
        let (openai, anthropic) = both();
        let other = Provider::answering(http::json("{}"));
        let gateway = two(Setup::new(driver), &openai, &anthropic)
            .provider("other", Wire::OpenAiChat, &other, "")
            .model("emb", &["other/real-emb"])
            .start();
        let count = |provider: &Provider| provider.requests().len();
        let ask = |target: &str, fields: &str, body: &str| {
            let got = gateway.client().ask(post(target, fields, body));
            assert_eq!(got.status, 200, "{target}: {}", got.text());
        };
        ask(
            "/v1/embeddings",
            "",
            r#"{ "input":"x", "mod\u0065l": "emb" }"#,
        );
        assert_eq!(count(&other), 1);
        assert_eq!(
            other.requests()[0].body,
            br#"{ "input":"x", "mod\u0065l": "real-emb" }"#
        );
        ask("/v1/responses", "", r#"{"model":"gpt-4o","input":1e400}"#);
        assert_eq!((count(&openai), openai.requests()[0].body.len()), (1, 32));
        ask("/v1/files", "x-ringway-provider: other\r\n", "{}");
        assert_eq!(count(&other), 2);
        ask("/v1/files", "x-portkey-provider: @ant\r\n", "{}");
        assert_eq!(count(&anthropic), 1);
        ask("/v1/files", VERSION, "{}");
        assert_eq!(count(&anthropic), 2);
        assert_eq!(
            anthropic.requests()[1].head.field("x-api-key"),
            Some(UPSTREAM_KEY)
        );
        ask("/v1/messages/batches", "", "{}");
        assert_eq!(count(&anthropic), 3);
        assert_eq!(
            anthropic.requests()[2].head.field("anthropic-version"),
            Some("2023-06-01")
        );
        ask("/v1/files", "", "{}");
        assert_eq!(count(&openai), 2);
        let got = gateway
            .client()
            .ask(post("/v1/embeddings", "", r#"{"model":"nope"}"#));
        assert_eq!(got.status, 404);
        told(Wire::OpenAiChat, &got);
    });
}

#[test]
fn relayed_bodies_are_streamed_both_ways_before_they_end() {
    each(|driver| {
        let provider = Provider::all(vec![
            Step::Head,
            Step::Gate,
            Step::Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
            Step::Send(chunk("first")),
            Step::Gate,
            Step::Send(chunk("second")),
            Step::Send(b"0\r\n\r\n".to_vec()),
        ]);
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let mut client = gateway.client();
        client.send(
            "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: a\r\n\
             content-type: multipart/form-data\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        client.send(chunk("half"));
        // The provider has the head while the client still has the other half of the body.
        let seen = provider.only_request();
        assert_eq!(seen.head.field("transfer-encoding"), Some("chunked"));
        client.send(chunk("rest"));
        client.send("0\r\n\r\n");
        provider.open();
        let mut got = client.head();
        client.until(&mut got, "first");
        assert_eq!(got.end, End::Open);
        provider.open();
        client.finish(&mut got);
        assert_eq!((got.text(), got.end), ("firstsecond", End::Whole));
    });
}

/// Head and body come apart, as most clients send uploads: the body comes while the provider is
/// being connected to, which TLS makes long, and the client is watched for leaving.
#[test]
fn relayed_body_that_comes_while_connecting_is_body_and_no_next_request() {
    each(|driver| {
        let authority = Authority::new();
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
        let tls = authority.server("127.0.0.1", 4000);
        let provider = Provider::start_tls(vec![always(answer)], tls);
        let setup = Setup::new(driver);
        let trusted = setup.folder().join("ca.pem");
        std::fs::write(&trusted, authority.pem()).unwrap();
        let origin = format!("https://{}", provider.address());
        let extra = format!("key_env = \"UPSTREAM_KEY\"\nca_file = {trusted:?}");
        let gateway = setup
            .provider_at("up", Wire::OpenAiChat, &origin, &extra)
            .start();
        for round in 0..20 {
            let mut client = gateway.client();
            client.send(
                "POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data\r\n\
                 content-length: 5\r\n\r\n",
            );
            client.send("helloGET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
            assert_eq!(client.answer().text(), "ok", "round {round}");
            assert_eq!(client.answer().text(), "ok\n", "round {round}");
        }
        let bodies = provider.requests().into_iter().map(|request| request.body);
        assert!(bodies.into_iter().all(|body| body == b"hello"));
    });
}

#[test]
fn p10_relayed_redirects_are_502_and_breaks_are_cut() {
    each(|driver| {
        let moved = answer("307 Temporary Redirect", "location: http://a/\r\n", "");
        let short = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        let provider = Provider::start(vec![
            then(moved, Step::Close),
            then(short, Step::Close),
            then("", Step::Reset),
        ]);
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let ask = || gateway.client().ask(request("GET", "/v1/files/f", "", ""));
        let got = ask();
        assert_eq!((got.status, got.field("location")), (502, None));
        told(Wire::OpenAiChat, &got);
        let got = ask();
        assert_eq!((got.status, got.text(), got.end), (200, "half", End::Cut));
        let got = ask();
        assert_eq!(got.status, 502);
        let ends: Vec<String> = gateway
            .lines(3)
            .iter()
            .map(|line| line["end"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ends, ["refused", "truncated", "refused"]);
    });
}

#[test]
fn relayed_bodies_have_a_limit_of_their_own() {
    each(|driver| {
        let provider = Provider::all(always(answer("200 OK", "", "ok")));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .limit("relay_body_bytes_max", 4_096)
            .start();
        let kind = "content-type: application/octet-stream\r\n";
        let got = gateway
            .client()
            .ask(request("POST", "/v1/files", kind, vec![0; 4_096]));
        assert_eq!(got.status, 200);
        let mut client = gateway.client();
        let got = client.ask(request("POST", "/v1/files", kind, vec![0; 4_097]));
        assert_eq!(got.status, 413);
        told(Wire::OpenAiChat, &got);
        assert!(client.is_closed());
        assert_eq!(provider.requests().len(), 1);
    });
}
