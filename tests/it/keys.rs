//! Whose keys go where: the client's to us, ours to the provider, the caller's own in its mode.

use ringway::wire::kind::Wire;

use crate::support::directions::{CROSSED, DIRECTIONS, Direction, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup, UPSTREAM_KEY};
use crate::support::http::{answer, find, json, post, request};
use crate::support::program::Program;
use crate::support::provider::{Provider, Request};
use crate::support::script::{Step, always};
use crate::support::wires::{WIRES, chat, error_body, path, told, whole};

/// A chat of the model `mine` with further members.
fn own_chat(wire: Wire, members: &str) -> String {
    let body = chat(wire, "mine", false);
    let start = body.strip_suffix('}').unwrap();
    format!("{start},{members}}}")
}

#[test]
fn a_limited_keys_chat_names_no_other_model_as_fallback_or_for_a_tool() {
    each(|driver| {
        for Direction { client, upstream } in DIRECTIONS {
            let provider = Provider::answering(json(whole(upstream)));
            let gateway = Setup::new(driver)
                .provider("up", upstream, &provider, "")
                .model("mine", &["up/real"])
                .key("few", "two", Some(&["mine", "also-*"]))
                .key("all", "one", None)
                .start();
            let ask = |key: &str, members: &str| {
                let fields = format!("x-api-key: {key}\r\n");
                let body = own_chat(client, members);
                gateway.client().ask(post(path(client), &fields, body))
            };
            for members in [
                r#""models":["also-1","other"]"#,
                r#""fallbacks":[{"model":"other"}]"#,
                r#""tools":[{"type":"advisor_20260301","name":"advisor","model":"other"}]"#,
            ] {
                let got = ask("few", members);
                assert_eq!(got.status, 404, "{members}: {}", got.text());
                let error = told(client, &got);
                assert!(error.message.contains("other"), "{}", error.message);
            }
            assert_eq!(provider.requests().len(), 0);
            let said = r#""models":["also-1","mine"],"metadata":{"user_id":"other"}"#;
            for (key, members) in [("few", said), ("all", r#""models":["other"]"#)] {
                let got = ask(key, members);
                assert_eq!(got.status, 200, "{members}: {}", got.text());
            }
        }
    });
}

/// Everything that the provider could read of a request's head.
fn head_text(request: &Request) -> String {
    let fields = request.head.fields.iter();
    let lines: Vec<String> = fields
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.join("\n")
}

#[test]
fn ni2_k2_a_key_counts_in_every_carrier_on_every_path_and_never_travels_on() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let setup = Setup::upstream(driver, wire, &provider);
            let gateway = setup.key("client-key-1", "one", None).start();
            let carriers = [
                "authorization: Bearer client-key-1\r\n",
                "authorization: bEARER   client-key-1  \r\n",
                "x-api-key: client-key-1\r\n",
                "api-key: client-key-1\r\n",
                "X-API-KEY: client-key-1\r\nauthorization: Bearer client-key-1\r\n",
            ];
            for fields in carriers {
                let got = gateway
                    .client()
                    .ask(post(path(wire), fields, chat(wire, MODEL, false)));
                assert_eq!(got.status, 200, "{fields}: {}", got.text());
                let kind = "content-type: application/octet-stream\r\n";
                let fields = format!("{fields}{kind}x-ringway-provider: up\r\n");
                let got = gateway
                    .client()
                    .ask(request("POST", "/v1/files", &fields, "x"));
                assert_eq!(got.status, 200, "{fields}");
            }
            for seen in provider.requests() {
                let text = head_text(&seen);
                assert!(!text.contains("client-key"), "{text}");
                assert_eq!(text.matches(UPSTREAM_KEY).count(), 1, "{text}");
            }
            assert_eq!(provider.requests().len(), 2 * carriers.len());
            assert!(
                !gateway.end().contains("client-key"),
                "P25: no keys in the log"
            );
        }
    });
}

#[test]
fn pk2_k5_the_gateway_key_header_outranks_and_silences_the_others() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Setup::upstream(driver, wire, &provider)
                .server("gateway_key_header = \"x-portkey-api-key\"")
                .key("pk-1", "one", None)
                .start();
            let ask = |fields: &str| {
                gateway
                    .client()
                    .ask(post(path(wire), fields, chat(wire, MODEL, false)))
                    .status
            };
            let junk = "authorization: Bearer OPENAI_API_KEY\r\nx-api-key: other\r\n";
            assert_eq!(ask(&format!("{junk}x-portkey-api-key: pk-1\r\n")), 200);
            assert_eq!(ask(&format!("{junk}x-portkey-api-key: pk-2\r\n")), 401);
            assert_eq!(
                ask("authorization: Bearer pk-1\r\nx-portkey-api-key: pk-2\r\n"),
                401
            );
            assert_eq!(
                ask("authorization: Bearer pk-1\r\n"),
                200,
                "absent, it silences nothing"
            );
            for seen in provider.requests() {
                let text = head_text(&seen);
                assert!(
                    !text.contains("OPENAI_API_KEY") && !text.contains("pk-1"),
                    "{text}"
                );
            }
        }
    });
}

/// One provider of each wire, `oai` and `ant`; how each gets its key is up to the test.
fn two(setup: Setup, providers: [&Provider; 2], keys: [&str; 2]) -> Setup {
    let [openai, anthropic] = providers.map(|one| format!("http://{}", one.address()));
    setup
        .provider_at("oai", Wire::OpenAiChat, &openai, keys[0])
        .provider_at("ant", Wire::AnthropicMessages, &anthropic, keys[1])
}

const CALLER: &str = "key = \"caller\"";
const OURS: &str = "key_env = \"UPSTREAM_KEY\"";

fn both() -> [Provider; 2] {
    WIRES.map(|wire| Provider::answering(json(whole(wire))))
}

#[test]
fn to2_the_callers_key_goes_to_the_provider_of_its_own_wire_in_that_providers_form() {
    each(|driver| {
        let [openai, anthropic] = both();
        let gateway = two(Setup::new(driver), [&openai, &anthropic], [CALLER, CALLER]).start();
        let ask = |wire: Wire, model: &str, fields: &str| {
            let got = gateway
                .client()
                .ask(post(path(wire), fields, chat(wire, model, false)));
            assert_eq!(got.status, 200, "{}", got.text());
        };
        ask(Wire::OpenAiChat, "gpt-4o", "x-api-key: sk-callers-own\r\n");
        let seen = openai.only_request();
        assert_eq!(
            seen.head.field("authorization"),
            Some("Bearer sk-callers-own")
        );
        assert_eq!(seen.head.field("x-api-key"), None);
        ask(
            Wire::AnthropicMessages,
            "claude-x",
            "authorization: Bearer sk-ant-api-1\r\n",
        );
        let seen = &anthropic.requests()[0];
        assert_eq!(seen.head.field("x-api-key"), Some("sk-ant-api-1"));
        assert_eq!(seen.head.field("authorization"), None);
        // An OAuth token is good in the form in which it came alone.
        ask(
            Wire::AnthropicMessages,
            "claude-x",
            "authorization: Bearer sk-ant-oat-1\r\n",
        );
        let seen = &anthropic.requests()[1];
        assert_eq!(
            seen.head.field("authorization"),
            Some("Bearer sk-ant-oat-1")
        );
        assert_eq!(seen.head.field("x-api-key"), None);
    });
}

#[test]
fn to2_the_callers_key_never_crosses_the_wires() {
    each_way(&CROSSED, |driver, direction| {
        let [openai, anthropic] = both();
        let model = match direction.upstream {
            Wire::OpenAiChat => "gpt-4o",
            Wire::AnthropicMessages => "claude-x",
        };
        let body = chat(direction.client, model, false);
        let fields = "authorization: Bearer sk-callers-own\r\n";
        // Without a key of ours for it: a clear 401, and nothing is sent.
        let gateway = two(Setup::new(driver), [&openai, &anthropic], [CALLER, CALLER]).start();
        let got = gateway
            .client()
            .ask(post(path(direction.client), fields, &body));
        assert_eq!(got.status, 401, "{}", got.text());
        let message = told(direction.client, &got).message;
        assert!(message.contains("no credential for provider"), "{message}");
        assert_eq!(openai.connections() + anthropic.connections(), 0);
        // With one: ours goes, the caller's stays.
        let gateway = two(Setup::new(driver), [&openai, &anthropic], [OURS, OURS]).start();
        let got = gateway
            .client()
            .ask(post(path(direction.client), fields, &body));
        assert_eq!(got.status, 200, "{}", got.text());
        for seen in [openai.requests(), anthropic.requests()].concat() {
            let text = head_text(&seen);
            assert!(
                text.contains(UPSTREAM_KEY) && !text.contains("sk-callers-own"),
                "{text}"
            );
        }
    });
}

/// The other wire.
const fn other(wire: Wire) -> Wire {
    match wire {
        Wire::OpenAiChat => Wire::AnthropicMessages,
        Wire::AnthropicMessages => Wire::OpenAiChat,
    }
}

#[test]
fn p7_the_callers_key_is_not_sent_after_a_fallback_and_the_first_targets_answer_stands() {
    each(|driver| {
        for wire in WIRES {
            let fields = "content-type: application/json\r\nretry-after: 9\r\n";
            let error = error_body(wire, "api_error", "no luck");
            let first = Provider::all(always(answer("529 Overloaded", fields, &error)));
            let own = Provider::answering(json(whole(wire)));
            let foreign = Provider::answering(json(whole(other(wire))));
            let origin = |one: &Provider| format!("http://{}", one.address());
            // Ours first; then a target of the caller's own wire and one of the other, which both
            // would need the caller's key.
            let gateway = Setup::new(driver)
                .provider_at("first", wire, &origin(&first), OURS)
                .provider_at("own", wire, &origin(&own), CALLER)
                .provider_at("foreign", other(wire), &origin(&foreign), CALLER)
                .model(MODEL, &["first/x", "own/x", "foreign/x"])
                .start();
            let key = "x-api-key: sk-callers-own\r\n";
            let got = gateway
                .client()
                .ask(post(path(wire), key, chat(wire, MODEL, false)));
            assert_eq!((got.status, got.text()), (529, &*error));
            assert_eq!(got.field("retry-after"), Some("9"));
            assert_eq!(first.requests().len(), 1);
            assert_eq!(own.connections() + foreign.connections(), 0);
            let line = gateway.only_line();
            let faults: Vec<&str> = line["attempts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["fault"].as_str().unwrap_or("none"))
                .collect();
            assert_eq!(faults, ["none", "no_credential", "no_credential"], "{line}");
            assert_eq!(line["provider"], "first");
        }
    });
}

#[test]
fn p7_a_target_that_has_no_credential_is_passed_over_and_401_is_told_when_none_has() {
    each(|driver| {
        for wire in WIRES {
            let foreign = Provider::answering(json(whole(other(wire))));
            let own = Provider::answering(json(whole(wire)));
            let origin = |one: &Provider| format!("http://{}", one.address());
            let gateway = Setup::new(driver)
                .provider_at("foreign", other(wire), &origin(&foreign), CALLER)
                .provider_at("own", wire, &origin(&own), CALLER)
                .model(MODEL, &["foreign/x", "own/x"])
                .model("none", &["foreign/x"])
                .start();
            let ask = |model: &str, fields: &str| {
                let body = chat(wire, model, false);
                gateway.client().ask(post(path(wire), fields, body))
            };
            // Nothing was sent before it: the caller's key goes to the provider of its own wire.
            let got = ask(MODEL, "x-api-key: sk-callers-own\r\n");
            assert_eq!(got.status, 200, "{}", got.text());
            assert!(head_text(&own.only_request()).contains("sk-callers-own"));
            for (model, fields) in [("none", "x-api-key: sk-callers-own\r\n"), (MODEL, "")] {
                let got = ask(model, fields);
                assert_eq!(got.status, 401, "{}", got.text());
                let message = told(wire, &got).message;
                assert!(message.contains("`foreign`"), "{message}");
            }
            assert_eq!((foreign.connections(), own.requests().len()), (0, 1));
            assert_eq!(gateway.lines(3)[1]["fault"], "no_credential");
        }
    });
}

#[test]
fn to2_without_a_callers_key_the_request_is_a_401_and_nothing_is_sent() {
    each(|driver| {
        for wire in WIRES {
            let [openai, anthropic] = both();
            let setup = two(Setup::new(driver), [&openai, &anthropic], [CALLER, CALLER]);
            let gateway = setup.model(MODEL, &["oai/x", "ant/x"]).start();
            let model = match wire {
                Wire::OpenAiChat => "gpt-4o",
                Wire::AnthropicMessages => "claude-x",
            };
            let got = gateway
                .client()
                .ask(post(path(wire), "", chat(wire, model, false)));
            assert_eq!(got.status, 401);
            told(wire, &got);
            assert_eq!(openai.connections() + anthropic.connections(), 0);
        }
    });
}

#[test]
fn relayed_paths_get_the_callers_key_only_at_the_provider_of_their_wire() {
    each(|driver| {
        let [openai, anthropic] = both();
        let gateway = two(Setup::new(driver), [&openai, &anthropic], [CALLER, CALLER]).start();
        let ask = |fields: &str| {
            let fields = format!("authorization: Bearer sk-callers-own\r\n{fields}");
            gateway
                .client()
                .ask(request("GET", "/v1/files", &fields, ""))
                .status
        };
        assert_eq!(ask(""), 200);
        assert_eq!(
            openai.requests()[0].head.field("authorization"),
            Some("Bearer sk-callers-own")
        );
        assert_eq!(ask("anthropic-version: 2023-06-01\r\n"), 200);
        assert_eq!(
            anthropic.requests()[0].head.field("x-api-key"),
            Some("sk-callers-own")
        );
        assert_eq!(
            ask("x-ringway-provider: ant\r\n"),
            401,
            "an OpenAI client's key is not for it"
        );
        assert_eq!(anthropic.requests().len(), 1);
    });
}

#[test]
fn p24_p25_the_callers_key_is_blanked_in_what_comes_back_and_absent_from_the_log() {
    each(|driver| {
        for wire in WIRES {
            let error = error_body(wire, "authentication_error", "bad key sk-callers-own!");
            let fields = "content-type: application/json\r\nx-key: sk-callers-own\r\n";
            let provider = Provider::answering(answer("401 Unauthorized", fields, error));
            let origin = format!("http://{}", provider.address());
            let gateway = Setup::new(driver)
                .provider_at("up", wire, &origin, CALLER)
                .model(MODEL, &["up/x"])
                .start();
            let key = "authorization: Bearer sk-callers-own\r\n";
            let got = gateway
                .client()
                .ask(post(path(wire), key, chat(wire, MODEL, false)));
            assert_eq!(got.status, 401, "the provider's own answer");
            assert!(
                got.text().contains("bad key **************!"),
                "{}",
                got.text()
            );
            assert_eq!(got.field("x-key"), None);
            assert!(!gateway.end().contains("sk-callers-own"));
        }
    });
}

#[test]
fn f9_a_refused_credential_of_ours_is_passed_on_and_counted() {
    each_way(&DIRECTIONS, |driver, direction| {
        let Direction {
            client: wire,
            upstream,
        } = direction;
        let error = error_body(upstream, "authentication_error", "invalid x-api-key");
        let fields = "content-type: application/json\r\n";
        let provider = Provider::answering(answer("401 Unauthorized", fields, &error));
        let gateway = Gateway::before(driver, upstream, &provider);
        let got = gateway
            .client()
            .ask(post(path(wire), "", chat(wire, MODEL, false)));
        assert_eq!(got.status, 401);
        match direction.is_translated() {
            true => assert!(got.text().contains("invalid x-api-key"), "{}", got.text()),
            false => assert_eq!(got.text(), error),
        }
        gateway.wait_metric("ringway_credential_refused_total", 1.0);
        assert_eq!(gateway.only_line()["fault"], "credential");
    });
}

#[test]
fn to2_a_start_without_configuration_uses_our_keys_and_the_callers_where_we_have_none() {
    let [openai, anthropic] = both();
    let urls = [
        format!("http://{}/v1", openai.address()),
        format!("http://{}", anthropic.address()),
    ];
    let program = Program::serve_environment(&[
        ("OPENAI_BASE_URL", &urls[0]),
        ("OPENAI_API_KEY", "sk-ours-for-openai"),
        ("ANTHROPIC_BASE_URL", &urls[1]),
    ]);
    // The kernel shows it to root at most; what it shows holds no key.
    if let Some(shown) = program.environment() {
        assert!(find(&shown, b"OPENAI_BASE_URL").is_some());
        assert_eq!(find(&shown, b"sk-ours-for-openai"), None);
    }
    let key = "authorization: Bearer sk-callers-own\r\n";
    let ask = |wire: Wire, model: &str| {
        program
            .client()
            .ask(post(path(wire), key, chat(wire, model, false)))
    };
    // Ours, from either wire.
    assert_eq!(ask(Wire::OpenAiChat, "gpt-4o").status, 200);
    assert_eq!(ask(Wire::AnthropicMessages, "gpt-4o").status, 200);
    for seen in openai.requests() {
        assert_eq!(
            seen.head.field("authorization"),
            Some("Bearer sk-ours-for-openai")
        );
        assert!(!head_text(&seen).contains("sk-callers-own"));
    }
    // The caller's, from its own wire alone.
    assert_eq!(ask(Wire::AnthropicMessages, "claude-x").status, 200);
    assert_eq!(
        anthropic.only_request().head.field("x-api-key"),
        Some("sk-callers-own")
    );
    let got = ask(Wire::OpenAiChat, "claude-x");
    assert_eq!(got.status, 401, "{}", got.text());
    told(Wire::OpenAiChat, &got);
    assert_eq!(anthropic.requests().len(), 1);
}

#[test]
fn a_key_past_its_end_is_as_unknown_as_any_other() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Setup::upstream(driver, wire, &provider)
                .key("old", "one", None)
                .text("expires = \"2020-01-31T08:30:00Z\"")
                .key("new", "one", None)
                .text("expires = \"2999-01-31\"")
                .start();
            let ask = |key: &str| {
                let fields = format!("x-api-key: {key}\r\n");
                gateway
                    .client()
                    .ask(post(path(wire), &fields, chat(wire, MODEL, false)))
            };
            assert_eq!(ask("new").status, 200);
            let (old, none) = (ask("old"), ask("none"));
            assert_eq!((old.status, none.status), (401, 401));
            assert_eq!(told(wire, &old).message, told(wire, &none).message);
            let lines = gateway.lines(3);
            assert_eq!(lines[1]["fault"], "key_expired");
            assert_eq!(lines[2]["fault"], "key");
        }
    });
}

/// The configuration below a heading of docs/KEYS.md.
fn worked_example(heading: &str) -> &'static str {
    let page = include_str!("../../docs/KEYS.md");
    let (_, below) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, block) = below.split_once("```toml\n").unwrap();
    block.split_once("```").unwrap().0
}

#[test]
fn to2_ni6_the_worked_example_of_callers_own_keys_sends_them_to_their_provider_alone() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let failing = {
            let body = error_body(wire, "api_error", "no luck");
            let fields = "content-type: application/json\r\n";
            answer("503 Service Unavailable", fields, body)
        };
        let direct = Provider::start(vec![
            vec![Step::Request, Step::Send(json(whole(wire))), Step::Close],
            vec![Step::Request, Step::Send(failing), Step::Close],
        ]);
        let canada = Provider::answering(json(whole(wire)));
        let kind = "kind = \"anthropic\"\n";
        let at = format!("{kind}base_url = \"http://{}\"\n", direct.address());
        let text = worked_example("Callers' own keys")
            .replace(kind, &at)
            .replace(
                "https://bedrock.ca.example/anthropic",
                &format!("http://{}", canada.address()),
            )
            .replace("BEDROCK_KEY", "UPSTREAM_KEY");
        let gateway = Setup::new(driver).text(&text).start();
        let ask = |fields: &str| {
            let body = chat(wire, "claude-haiku-4-5", false);
            let got = gateway.client().ask(post(path(wire), fields, body));
            assert_eq!(got.status, 200, "{}", got.text());
            got.field("x-ringway-credential-source").unwrap().to_owned()
        };
        let own = "x-api-key: sk-callers-own\r\n";
        let tier = format!("{own}x-privacy-tier: managed_canadian_cloud\r\n");
        assert_eq!(ask(own), "caller");
        assert_eq!(ask(&tier), "platform");
        assert_eq!(ask(own), "platform", "after a fallback");
        let sent = direct.requests();
        assert_eq!(sent.len(), 2);
        for request in &sent {
            assert_eq!(request.head.field("x-api-key"), Some("sk-callers-own"));
        }
        for request in &canada.requests() {
            let text = head_text(request);
            assert!(text.contains(UPSTREAM_KEY), "{text}");
            assert!(!text.contains("sk-callers-own"), "{text}");
        }
    });
}

#[test]
fn what_tenants_left_at_a_provider_is_closed_to_others_without_a_store_too() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json("{}"));
        let start = |second: &str, relay: &str| {
            Setup::upstream(driver, wire, &provider)
                .key("key-of-the-first", "one", None)
                .key("key-of-the-second", second, None)
                .text(relay)
                .start()
        };
        let ask = |gateway: &Gateway, key: &str, line: &str| {
            let fields = format!("authorization: Bearer {key}\r\n");
            let (method, target) = line.split_once(' ').unwrap();
            gateway.client().ask(request(method, target, &fields, ""))
        };
        let gateway = start("two", "relay = [\"files\"]");
        let refused = ask(&gateway, "key-of-the-first", "GET /v1/files");
        assert_eq!(refused.status, 403, "{}", refused.text());
        let error = told(wire, &refused);
        assert_eq!(error.code.as_deref(), Some("relay_not_allowed"));
        assert!(
            error.message.contains("relay = [\"files\"]"),
            "{}",
            error.message
        );
        let refused = ask(&gateway, "key-of-the-second", "GET /v1/batches");
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert_eq!(provider.requests().len(), 0, "nobody was asked");
        for (key, request) in [
            ("key-of-the-second", "GET /v1/files"),
            ("key-of-the-first", "POST /v1/moderations"),
        ] {
            assert_eq!(ask(&gateway, key, request).status, 200, "{request}");
        }
        let gateway = start("one", "");
        assert_eq!(
            ask(&gateway, "key-of-the-first", "GET /v1/files").status,
            200
        );
    });
}
