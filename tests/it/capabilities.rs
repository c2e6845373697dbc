//! What models can do: told in the catalogues, and kept to when a request is sent on.

use ringway::wire::kind::Wire;
use serde_json::{Value, json};

use crate::support::directions::{DIRECTIONS, Direction, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, post, request};
use crate::support::provider::Provider;
use crate::support::wires::{WIRES, path, told, whole};

const VERSION: &str = "anthropic-version: 2023-06-01\r\n";
/// Models of every sort: `seeing` has all that the gate looks after, `blind` has none of it.
const FACTS: &str = "[model_facts.\"seeing\"]\nvision = true\npdf = true\naudio = true\ntools = true\n\
                     [model_facts.\"blind\"]\nvision = false\npdf = false\naudio = false\n\
                     tools = false\n";

fn list(gateway: &Gateway, fields: &str) -> Value {
    let got = gateway
        .client()
        .ask(request("GET", "/v1/models", fields, ""));
    assert_eq!(got.status, 200, "{}", got.text());
    got.json()
}

/// A chat whose content needs something, what that is, and the field that needs it.
fn needy(wire: Wire) -> Vec<(String, &'static str, &'static str)> {
    let said = |parts: &str| {
        format!(
            r#"{{"model":"{MODEL}","max_tokens":9,"messages":[{{"role":"user","content":[{parts}]}}]}}"#
        )
    };
    let tools = |tool: &str| {
        format!(
            r#"{{"model":"{MODEL}","max_tokens":9,"tools":[{tool}],"messages":[{{"role":"user","content":"x"}}]}}"#
        )
    };
    let content = "messages[0].content";
    match wire {
        Wire::OpenAiChat => vec![
            (
                said(
                    r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}"#,
                ),
                "images",
                content,
            ),
            (
                said(
                    r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}"#,
                ),
                "PDF documents",
                content,
            ),
            (
                tools(
                    r#"{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}"#,
                ),
                "tools",
                "tools",
            ),
        ],
        Wire::AnthropicMessages => vec![
            (
                said(
                    r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}"#,
                ),
                "images",
                content,
            ),
            (
                said(
                    r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}"#,
                ),
                "PDF documents",
                content,
            ),
            (
                tools(r#"{"name":"f","input_schema":{"type":"object"}}"#),
                "tools",
                "tools",
            ),
        ],
    }
}

const AUDIO: &str = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}]}"#;

#[test]
fn ni14_a_model_without_the_capability_is_400_in_both_wires_and_nothing_is_sent() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let provider = Provider::answering(http::json(whole(upstream)));
        let gateway = Setup::new(driver)
            .provider("up", upstream, &provider, "")
            .model(MODEL, &["up/blind"])
            .text(FACTS)
            .start();
        let mut asked = needy(client);
        if client == Wire::OpenAiChat {
            asked.push((AUDIO.to_owned(), "audio input", "messages[0].content"));
        }
        let mut paths = vec![path(client)];
        if client == Wire::AnthropicMessages {
            paths.push("/v1/messages/count_tokens");
        }
        for (body, what, field) in asked {
            for target in &paths {
                let got = gateway.client().ask(post(target, "", &body));
                assert_eq!(got.status, 400, "{target} {body}: {}", got.text());
                assert_eq!(got.field("x-should-retry"), Some("false"));
                let message = told(client, &got).message;
                // The catalogues tell nothing of audio.
                let which = match what {
                    "audio input" => "it",
                    _ => "them (GET /v1/models tells)",
                };
                assert_eq!(
                    message,
                    format!(
                        "{field}: this model takes no {what}; send it without, or ask for a model \
                         that takes {which}"
                    )
                );
                if client == Wire::OpenAiChat {
                    assert_eq!(got.json()["error"]["param"], field);
                }
            }
        }
        let line = gateway.lines(1).remove(0);
        assert_eq!(line["fault"], "lacks_capability", "{line}");
        assert_eq!(line["attempts"][0]["fault"], "lacks_capability", "{line}");
        assert_eq!(provider.connections(), 0);
    });
}

#[test]
fn ni16_a_models_own_residency_narrows_what_the_catalogues_say_of_it() {
    each(|driver| {
        let provider = Provider::answering(http::json(whole(Wire::OpenAiChat)));
        let gateway = Setup::new(driver)
            .server("public_catalogue = true")
            .provider("here", Wire::OpenAiChat, &provider, "tier = \"own\"\njurisdiction = \"CA\"")
            .provider("there", Wire::OpenAiChat, &provider, "tier = \"far\"\njurisdiction = \"US\"")
            .text(&format!(
                "{FACTS}[prices.\"*\"]\ninput = 1\noutput = 1\n\
                 [[model]]\nid = \"free\"\ntargets = [\"here/blind\", \"there/seeing\"]\n\
                 [[model]]\nid = \"bound\"\nalias = [\"also\"]\ntargets = [\"here/blind\", \"there/seeing\"]\n\
                 residency = {{ jurisdictions = [\"CA\"] }}"
            ))
            .start();
        let vision = |fields: &str, path: &str| -> Vec<(String, Value)> {
            let shown = list(&gateway, fields);
            let entries = shown["data"].as_array().unwrap().iter();
            let told = entries.map(|it| {
                let id = it["id"].as_str().unwrap().to_owned();
                (id, it["capabilities"].pointer(path).unwrap().clone())
            });
            told.collect()
        };
        let told = [("free", true), ("bound", false), ("also", false)];
        for (fields, path) in [("", "/vision"), (VERSION, "/image_input/supported")] {
            let mut found = vision(fields, path);
            found.sort_by_key(|(id, _)| told.iter().position(|(known, _)| known == id));
            let expected = told.map(|(id, sees)| (id.to_owned(), json!(sees)));
            assert_eq!(found, expected, "{fields}");
        }
        let one = request("GET", "/v1/models/also", "", "");
        let got = gateway.client().ask(one).json();
        assert_eq!(got["capabilities"]["vision"], false);
        let public = request("GET", "/api/billing/models", "", "");
        let got = gateway.client().ask(public).json();
        for model in got["models"].as_array().unwrap() {
            let is_free = model["model_id"] == "free";
            assert_eq!(model["capabilities"]["vision"], is_free, "{model}");
            let tiers = if is_free {
                json!(["own", "far"])
            } else {
                json!(["own"])
            };
            assert_eq!(model["tiers"], tiers, "{model}");
            assert_eq!(
                model["prices"].as_array().unwrap().len(),
                if is_free { 2 } else { 1 }
            );
        }
    });
}

#[test]
fn ni14_a_capable_target_of_the_same_model_is_picked_and_the_order_kept() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        for pinned in [false, true] {
            let blind = Provider::answering(http::json(whole(upstream)));
            let first = Provider::answering(http::json(whole(upstream)));
            let second = Provider::answering(http::json(whole(client)));
            let gateway = Setup::new(driver)
                .provider("blind", upstream, &blind, "")
                .provider("first", upstream, &first, "")
                .provider("second", client, &second, "")
                .model(MODEL, &["blind/blind", "first/unknown", "second/seeing"])
                .text(FACTS)
                .start();
            for (body, what, _) in needy(client) {
                let body = match pinned {
                    true => body.replacen('{', r#"{"allow_fallbacks":false,"#, 1),
                    false => body,
                };
                let got = gateway.client().ask(post(path(client), "", &body));
                assert_eq!(got.status, 200, "{what}: {}", got.text());
            }
            let asked = needy(client).len();
            let reached = [&blind, &first, &second].map(|it| it.requests().len());
            assert_eq!(reached, [0, asked, 0]);
            let plain =
                r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
            let got = gateway.client().ask(post(path(client), "", plain));
            assert_eq!((got.status, blind.requests().len()), (200, 1));
            let line = gateway.lines(1).remove(0);
            assert_eq!(line["attempts"][0]["fault"], "lacks_capability", "{line}");
            assert_eq!(line["attempts"][1]["provider"], "first", "{line}");
            assert_eq!(gateway.metric("ringway_fallbacks_total"), 0.0);
        }
    });
}

#[test]
fn ni14_no_order_and_no_circuit_brings_content_where_it_is_not_taken() {
    each(|driver| {
        for wire in WIRES {
            for order in ["priority", "weighted", "latency", "throughput", "cost"] {
                let blind = Provider::answering(http::answer("500 Oops", "", ""));
                let seeing = Provider::answering(http::json(whole(wire)));
                let gateway = Setup::new(driver)
                    .limit("cooldown_ms", 1)
                    .provider("blind", wire, &blind, "")
                    .provider("seeing", wire, &seeing, "")
                    .text(&format!(
                        "{FACTS}[[model]]\nid = {MODEL:?}\norder = {order:?}\n\
                         targets = [{{ model = \"blind/blind\", weight = 99 }}, \"seeing/seeing\"]"
                    ))
                    .start();
                // The circuit of the blind one opens, or nearly so: it is not asked to see.
                let plain =
                    r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
                let by_list = "x-ringway-routing: priority\r\n";
                let got = gateway.client().ask(post(path(wire), by_list, plain));
                assert_eq!((got.status, blind.requests().len()), (200, 1));
                let probes = gateway.metric("ringway_probes_total");
                for (body, what, _) in needy(wire) {
                    for _ in 0..4 {
                        let got = gateway.client().ask(post(path(wire), "", &body));
                        assert_eq!(got.status, 200, "{order} {what}: {}", got.text());
                    }
                }
                assert_eq!(blind.requests().len(), 1, "{order}");
                assert_eq!(gateway.metric("ringway_probes_total"), probes, "{order}");
            }
        }
    });
}

#[test]
fn ni14_the_gate_is_off_where_that_is_said_and_never_shuts_on_what_is_not_known() {
    each(|driver| {
        for wire in WIRES {
            for (line, model, passes) in [
                ("", "blind", false),
                ("capability_gate = false", "blind", true),
                ("", "nobody-knows-it", true),
            ] {
                let provider = Provider::answering(http::json(whole(wire)));
                let gateway = Setup::new(driver)
                    .server(line)
                    .provider("up", wire, &provider, "")
                    .model(MODEL, &[&format!("up/{model}")])
                    .text(FACTS)
                    .start();
                for (body, what, _) in needy(wire) {
                    let got = gateway.client().ask(post(path(wire), "", &body));
                    let expected = if passes { 200 } else { 400 };
                    assert_eq!(got.status, expected, "{model} {what}: {}", got.text());
                }
                let count = if passes { needy(wire).len() } else { 0 };
                assert_eq!(provider.requests().len(), count, "{model}");
                for (request, (body, ..)) in provider.requests().iter().zip(needy(wire)) {
                    let sent = body.replace(&format!("\"{MODEL}\""), &format!("\"{model}\""));
                    assert_eq!(request.body, sent.into_bytes());
                }
            }
        }
    });
}

#[test]
fn ni16_the_catalogue_tells_what_is_known_in_both_shapes() {
    each(|driver| {
        let (openai, anthropic) = (
            Provider::answering(http::json(whole(Wire::OpenAiChat))),
            Provider::answering(http::json(whole(Wire::AnthropicMessages))),
        );
        let gateway = Setup::new(driver)
            .provider("oai", Wire::OpenAiChat, &openai, "")
            .provider("ant", Wire::AnthropicMessages, &anthropic, "")
            .model("haiku", &["ant/claude-haiku-4-5"])
            .model("newest", &["ant/claude-opus-5"])
            .model("old", &["oai/gpt-3.5-turbo"])
            .model("mine", &["oai/nobody-knows-it"])
            .model("both", &["oai/gpt-3.5-turbo", "ant/claude-haiku-4-5"])
            .model("partly", &["ant/claude-haiku-4-5", "oai/nobody-knows-it"])
            .start();
        let shown = list(&gateway, "");
        let of = |place: usize| {
            let one = &shown["data"][place];
            (one["supports_vision"].clone(), one["capabilities"].clone())
        };
        let haiku = json!({"vision": true, "pdf": true, "tools": true, "thinking": true,
            "structured_outputs": true, "context_window": 200_000, "max_output_tokens": 64_000});
        let old = json!({"vision": false, "pdf": false, "tools": true, "thinking": false,
            "structured_outputs": false, "context_window": 16_385, "max_output_tokens": 4096});
        assert_eq!(of(0), (json!(true), haiku.clone()));
        assert_eq!(of(2), (json!(false), old));
        assert_eq!(of(3), (json!(false), json!({})));
        let both = json!({"vision": true, "pdf": true, "tools": true, "thinking": false,
            "structured_outputs": false, "context_window": 16_385, "max_output_tokens": 4096});
        assert_eq!(of(4), (json!(true), both));
        let partly = json!({"vision": true, "pdf": true, "tools": true});
        assert_eq!(of(5), (json!(true), partly));

        let shown = list(&gateway, VERSION);
        let of = |place: usize| {
            let one = &shown["data"][place];
            let limits = (one["max_input_tokens"].clone(), one["max_tokens"].clone());
            (limits, one["capabilities"].clone())
        };
        let (yes, no) = (json!({"supported": true}), json!({"supported": false}));
        let (limits, newest) = of(1);
        assert_eq!(limits, (json!(1_000_000), json!(128_000)));
        assert_eq!(
            newest,
            json!({"image_input": yes, "pdf_input": yes, "structured_outputs": yes,
                "thinking": {"supported": true, "types": {"adaptive": yes, "disabled": yes}},
                "effort": {"supported": true, "low": yes, "medium": yes, "high": yes,
                    "xhigh": yes, "max": yes}})
        );
        let (limits, haiku_shown) = of(0);
        assert_eq!(limits, (json!(200_000), json!(64_000)));
        assert_eq!(
            haiku_shown["thinking"],
            json!({"supported": true,
                "types": {"adaptive": no, "disabled": yes, "enabled": yes}})
        );
        assert_eq!(haiku_shown["effort"]["supported"], false);
        assert_eq!(of(3), ((Value::Null, Value::Null), json!({})));
        let (_, both) = of(4);
        assert_eq!(both["thinking"], json!({"supported": false}));

        let one = |id: &str, fields: &str| {
            let target = format!("/v1/models/{id}");
            let asked = request("GET", &target, fields, "");
            gateway.client().ask(asked).json()
        };
        assert_eq!(one("haiku", "")["capabilities"], haiku);
        assert_eq!(one("ant/claude-haiku-4-5", "")["capabilities"], haiku);
        assert_eq!(one("haiku", VERSION)["capabilities"], haiku_shown);
        assert_eq!(openai.connections() + anthropic.connections(), 0);
    });
}

#[test]
fn ni16_with_the_gate_off_a_model_has_what_all_of_its_targets_have() {
    each(|driver| {
        let provider = Provider::answering("");
        let gateway = Setup::new(driver)
            .server("capability_gate = false")
            .provider("up", Wire::OpenAiChat, &provider, "")
            .model("both", &["up/seeing", "up/blind"])
            .text(FACTS)
            .start();
        let shown = list(&gateway, "");
        assert_eq!(shown["data"][0]["supports_vision"], false);
        assert_eq!(
            shown["data"][0]["capabilities"],
            json!({"vision": false, "pdf": false, "tools": false})
        );
    });
}

#[test]
fn ni16_a_key_sees_what_the_targets_can_do_that_are_open_to_it() {
    each(|driver| {
        let provider = Provider::answering("");
        let digest = |key: &str| -> String {
            let digest = ringway::route::plan::client_key::digest_of(key.as_bytes());
            digest.map(|byte| format!("{byte:02x}")).concat()
        };
        let gateway = Setup::new(driver)
            .provider("up", Wire::OpenAiChat, &provider, "")
            .text(
                "[[model]]\nid = \"both\"\ntargets = [{ model = \"up/seeing\", tier = \"far\" }, \
                 { model = \"up/blind\", tier = \"near\" }]",
            )
            .text("[[model]]\nid = \"away\"\ntargets = [{ model = \"up/seeing\", tier = \"far\" }]")
            .text(&format!(
                "[[key]]\nsha256 = \"{}\"\ntiers = [\"near\"]",
                digest("one")
            ))
            .text(&format!("[[key]]\nsha256 = \"{}\"", digest("all")))
            .text(FACTS)
            .start();
        for (key, expected) in [("one", false), ("all", true)] {
            let shown = list(&gateway, &format!("x-api-key: {key}\r\n"));
            assert_eq!(shown["data"][0]["supports_vision"], expected, "{key}");
            let caps = &shown["data"][0]["capabilities"];
            assert_eq!(caps["vision"], expected, "{key}");
            // What no target is open of is not shown, by its id either.
            let ids = shown["data"].as_array().unwrap().iter();
            let ids: Vec<&Value> = ids.map(|it| &it["id"]).collect();
            assert_eq!(ids.contains(&&json!("away")), expected, "{key}: {ids:?}");
            let fields = format!("x-api-key: {key}\r\n");
            let one = request("GET", "/v1/models/away", &fields, "");
            let status = if expected { 200 } else { 403 };
            assert_eq!(gateway.client().ask(one).status, status, "{key}");
        }
    });
}

#[test]
fn ni15_the_public_catalogue_is_off_unless_it_is_asked_for_and_needs_no_key() {
    each(|driver| {
        let provider = Provider::answering("");
        for is_public in [false, true] {
            let gateway = Setup::new(driver)
                .server(&format!("public_catalogue = {is_public}"))
                .provider("up", Wire::AnthropicMessages, &provider, "")
                .text("[[model]]\nid = \"haiku\"\nalias = [\"h\"]\ntargets = [\"up/claude-haiku-4-5\"]")
                .text(
                    "[[model]]\nid = \"mine\"\ntargets = [\"up/nobody-knows-it\", \
                     { model = \"up/a\", tier = \"sovereign\" }, \
                     { model = \"up/b\", tier = \"managed\" }, \
                     { model = \"up/c\", tier = \"sovereign\" }]",
                )
                .key("secret", "one", None)
                .start();
            let ask =
                |method: &str, target: &str| gateway.client().ask(request(method, target, "", ""));
            let got = ask("GET", "/api/billing/models");
            if !is_public {
                assert_eq!(got.status, 404);
                told(Wire::OpenAiChat, &got);
                continue;
            }
            assert_eq!(got.status, 200);
            assert_eq!(got.field("content-type"), Some("application/json"));
            let shown = got.json();
            let models = shown["models"].as_array().unwrap();
            let ids: Vec<&Value> = models.iter().map(|model| &model["model_id"]).collect();
            assert_eq!(ids, ["haiku", "h", "mine"]);
            assert_eq!(
                models[0]["capabilities"],
                json!({"vision": true, "pdf": true, "tools": true, "thinking": true,
                    "structured_outputs": true, "context_window": 200_000,
                    "max_output_tokens": 64_000})
            );
            assert_eq!(models[0]["tiers"], json!([]));
            assert_eq!(
                models[0]["prices"],
                json!([{"input": "1.00", "cached": "0.10", "cache_write": "1.25",
                    "cache_write_hour": "2.00", "output": "5.00", "reasoning": "5.00",
                    "audio_input": "1.00", "audio_output": "5.00", "web_search": "10.00"}])
            );
            assert_eq!(models[2]["prices"], json!([]));
            assert_eq!(models[2]["capabilities"], json!({}));
            assert_eq!(models[2]["tiers"], json!(["sovereign", "managed"]));
            assert!(!got.text().contains("up/") && !got.text().contains("nobody-knows"));
            let mut client = gateway.client();
            client.send(request("HEAD", "/api/billing/models?x=1", "", ""));
            let head = client.answer_to_head();
            assert_eq!((head.status, head.text()), (200, ""));
            let wrong = ask("POST", "/api/billing/models");
            assert_eq!(wrong.status, 405);
            assert_eq!(wrong.field("allow"), Some("GET, HEAD, OPTIONS"));
            for closed in ["/v1/models", "/v1/api/billing/models"] {
                assert_eq!(ask("GET", closed).status, 401, "{closed}");
            }
        }
        assert_eq!(provider.connections(), 0);
    });
}
