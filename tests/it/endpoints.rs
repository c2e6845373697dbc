//! Paths, prefixes, model grammar, lists, counts, health.

use ringway::wire::kind::Wire;
use serde_json::json;

use crate::support::both_wires::{VERSION, both, two};
use crate::support::directions::each;
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, post, request};
use crate::support::provider::Provider;
use crate::support::wires::{WIRES, chat, path, told, whole};

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
fn one_model_is_known_where_a_chat_would_be_sent_on() {
    each(|driver| {
        let (openai, anthropic) = both();
        let gateway = two(Setup::new(driver), &openai, &anthropic)
            .text("[[model]]\nid = \"fast\"\nalias = [\"quick\"]\ntargets = [\"ant/x\"]")
            .key("all", "one", None)
            .key("few", "two", Some(&["claude-*", "@oai/*"]))
            .start();
        let one = |id: &str, fields: &str| {
            let target = format!("/v1/models/{id}");
            let got = gateway.client().ask(request("GET", &target, fields, ""));
            let owner = match got.status {
                200 => got.json()["owned_by"].as_str().map(str::to_owned),
                _ => {
                    told(Wire::OpenAiChat, &got);
                    None
                }
            };
            (got.status, owner)
        };
        let found = |owner: &str| (200, Some(owner.to_owned()));
        let all = "x-api-key: all\r\n";
        for (id, owner) in [
            ("fast", "ant"),
            ("quick", "ant"),
            ("claude-x", "ant"),
            ("gpt-4o", "oai"),
            ("oai/some/thing", "oai"),
            ("@ant/claude-x", "ant"),
            ("ant%2Fclaude-x", "ant"),
        ] {
            assert_eq!(one(id, all), found(owner), "{id}");
        }
        let header = "x-api-key: all\r\nx-ringway-provider: oai\r\n";
        assert_eq!(one("nothing-known", header), found("oai"));
        assert_eq!(one("nothing-known", all), (404, None));
        let nobody = "x-api-key: all\r\nx-ringway-provider: nobody\r\n";
        assert_eq!(one("gpt-4o", nobody), (400, None));
        let few = "x-api-key: few\r\n";
        assert_eq!(one("claude-x", few), found("ant"));
        assert_eq!(one("@oai/gpt-4o", few), found("oai"));
        for id in ["fast", "gpt-4o", "@ant/claude-x"] {
            assert_eq!(one(id, few), (404, None), "forbidden: {id}");
        }
        let shaped = format!("{all}{VERSION}");
        let got = gateway
            .client()
            .ask(request("GET", "/v1/models/gpt-4o", &shaped, ""));
        assert_eq!(
            (&got.json()["type"], &got.json()["id"]),
            (&json!("model"), &json!("gpt-4o"))
        );
        assert_eq!(openai.connections() + anthropic.connections(), 0);
    });
}

#[test]
fn p12_our_own_paths_are_not_relayed_under_another_spelling() {
    each(|driver| {
        let (openai, anthropic) = both();
        let gateway = two(Setup::new(driver), &openai, &anthropic).start();
        let (openai_wire, anthropic_wire) = (Wire::OpenAiChat, Wire::AnthropicMessages);
        for (target, status, wire) in [
            ("/v1/%63hat/completions", 400, openai_wire),
            ("/v1/Chat/Completions", 404, openai_wire),
            ("/v1/chat/completions;a=b", 404, openai_wire),
            ("/v1/Messages", 404, anthropic_wire),
            ("/v1/messages;a=b", 404, anthropic_wire),
            ("/v1/Models/gpt-4o", 404, openai_wire),
        ] {
            let body = chat(Wire::OpenAiChat, "gpt-4o", false);
            let got = gateway.client().ask(post(target, "", body));
            assert_eq!(got.status, status, "{target}");
            told(wire, &got);
        }
        let got = gateway.client().ask(post("/v1/CHAT/completions", "", "{}"));
        assert!(
            got.text().contains("`/v1/chat/completions`"),
            "{}",
            got.text()
        );
        assert_eq!(openai.connections() + anthropic.connections(), 0);
    });
}

#[test]
fn any_coding_among_all_content_encodings_is_415_and_none_is_none() {
    each(|driver| {
        let (openai, anthropic) = both();
        let gateway = two(Setup::new(driver), &openai, &anthropic).start();
        let line = |value: &str| format!("content-encoding: {value}\r\n");
        for (fields, status) in [
            (line("gzip"), 415),
            (line("identity, gzip"), 415),
            (line("identity") + &line("gzip"), 415),
            (line("") + &line("br"), 415),
            (line("identity") + &line("Identity"), 200),
            (line(""), 200),
        ] {
            let got = gateway.client().ask(post("/v1/files", &fields, "{}"));
            assert_eq!(got.status, status, "{fields}");
        }
        assert_eq!(openai.requests().len(), 2);
    });
}

#[test]
fn without_models_an_id_is_known_whichever_wire_its_provider_speaks() {
    each(|driver| {
        let theirs = r#"{"id":"theirs"}"#;
        let openai = Provider::answering(http::json(theirs));
        let anthropic = Provider::answering(http::json(theirs));
        let gateway = Setup::new(driver)
            .provider("oai", Wire::OpenAiChat, &openai, "")
            .provider("ant", Wire::AnthropicMessages, &anthropic, "")
            .start();
        for (id, fields, shown, asked) in [
            ("gpt-4o", "", "theirs", (1, 0)),
            ("claude-x", "", "claude-x", (1, 0)),
            ("ant/claude-x", "", "ant/claude-x", (1, 0)),
            ("oai%2Fgpt-4o", "", "oai/gpt-4o", (1, 0)),
            ("unlisted", "", "theirs", (2, 0)),
            ("claude-x", "anthropic-version: 1\r\n", "theirs", (2, 1)),
            ("gpt-4o", "anthropic-version: 1\r\n", "gpt-4o", (2, 1)),
            ("claude-x", "x-ringway-provider: oai\r\n", "theirs", (3, 1)),
        ] {
            let target = format!("/v1/models/{id}");
            let got = gateway.client().ask(request("GET", &target, fields, ""));
            assert_eq!(got.json()["id"], shown, "{id} {fields}");
            let requests = (openai.requests().len(), anthropic.requests().len());
            assert_eq!(requests, asked, "{id} {fields}");
        }
    });
}

#[test]
fn without_models_the_providers_own_list_is_for_keys_that_may_use_everything() {
    each(|driver| {
        let theirs = r#"{"object":"list","data":[{"id":"theirs"}]}"#;
        let openai = Provider::answering(http::json(theirs));
        let gateway = Setup::new(driver)
            .provider("oai", Wire::OpenAiChat, &openai, "")
            .key("all", "one", None)
            .text("relay = [\"*\"]")
            .key("few", "two", Some(&["gpt-4o", "o*"]))
            .start();
        let ask = |method: &str, target: &str, key: &str| {
            let fields = format!("x-api-key: {key}\r\n");
            gateway.client().ask(request(method, target, &fields, ""))
        };
        assert_eq!(ask("GET", "/v1/models", "all").text(), theirs);
        assert_eq!(ask("DELETE", "/v1/models/ft:x", "all").status, 200);
        assert_eq!(openai.requests().len(), 2);
        let own = ask("GET", "/v1/models", "few");
        assert_eq!(own.json()["data"].as_array().unwrap().len(), 1);
        assert_eq!(own.json()["data"][0]["id"], "gpt-4o");
        assert_eq!(ask("GET", "/v1/models/o3", "few").json()["id"], "o3");
        assert_eq!(ask("GET", "/v1/models/gpt-4.1", "few").status, 404);
        let got = ask("DELETE", "/v1/models/o3", "few");
        assert_eq!(
            (got.status, got.field("allow")),
            (405, Some("GET, HEAD, OPTIONS"))
        );
        assert_eq!(openai.requests().len(), 2, "nothing of theirs was shown");
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
