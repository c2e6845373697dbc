//! Tiers, residency and pins: which targets a request may go to, and what is told where none is left.

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::Answer;
use crate::support::directions::{CROSSED, Direction, Driver, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{answer, chunk, json, post, request};
use crate::support::provider::Provider;
use crate::support::wires::{WIRES, chat, error_body, path, told, whole};

const CANADA: &str =
    "tier = \"managed_canadian_cloud\"\nregion = \"ca-central-1\"\njurisdiction = \"CA\"\n";
const DIRECT: &str = "tier = \"provider_api\"\nregion = \"us-east-1\"\njurisdiction = \"US\"\n";

/// One model id at two deployments, one in Canada and one of the provider's own.
struct Two {
    canada: Provider,
    direct: Provider,
}

impl Two {
    fn answering(wire: Wire) -> Self {
        let provider = || Provider::answering(json(whole(wire)));
        Self {
            canada: provider(),
            direct: provider(),
        }
    }

    /// A gateway in front of them, with further lines.
    fn gateway(&self, driver: Driver, wire: Wire, rest: &str) -> Gateway {
        self.setup(driver, wire, rest).start()
    }

    fn setup(&self, driver: Driver, wire: Wire, rest: &str) -> Setup {
        Setup::new(driver)
            .provider("direct", wire, &self.direct, DIRECT)
            .provider("canada", wire, &self.canada, CANADA)
            .model(MODEL, &["direct/d", "canada/c"])
            .text(rest)
    }

    /// Requests that came to the one in Canada, and to the other one.
    fn asked(&self) -> (usize, usize) {
        (self.canada.requests().len(), self.direct.requests().len())
    }
}

/// A chat with further members and fields.
fn ask(gateway: &Gateway, wire: Wire, model: &str, member: &str, fields: &str) -> Answer {
    let body = chat(wire, model, false).replacen('{', &format!("{{{member}"), 1);
    gateway.client().ask(post(path(wire), fields, body))
}

#[test]
fn ni8_the_tier_picks_among_the_targets_of_one_id_and_is_taken_out_byte_for_byte() {
    each(|driver| {
        for wire in WIRES {
            let two = Two::answering(wire);
            let gateway = two.gateway(driver, wire, "");
            for (member, fields, tier) in [
                (
                    "\"privacy_tier\":\"managed_canadian_cloud\",",
                    "",
                    "managed_canadian_cloud",
                ),
                (
                    "\"privacy_tier\":\"provider_\\u0061pi\",",
                    "",
                    "provider_api",
                ),
                (
                    "",
                    "X-Privacy-Tier: managed_canadian_cloud\r\n",
                    "managed_canadian_cloud",
                ),
                (
                    "\"privacy_tier\":\"provider_api\",",
                    "x-privacy-tier: provider_api\r\nx-privacy-tier: provider_api\r\n",
                    "provider_api",
                ),
                (
                    "\"privacy_tier\":null,",
                    "x-privacy-tier: provider_api\r\n",
                    "provider_api",
                ),
            ] {
                let got = ask(&gateway, wire, MODEL, member, fields);
                assert_eq!(got.status, 200, "{member}{fields}: {}", got.text());
                assert_eq!(got.field("x-ringway-resolved-tier"), Some(tier));
                let (provider, model) = match tier {
                    "provider_api" => (&two.direct, "d"),
                    _ => (&two.canada, "c"),
                };
                let seen = provider.requests().pop().unwrap();
                assert_eq!(seen.head.field("x-privacy-tier"), None);
                let sent = String::from_utf8(seen.body).unwrap();
                assert_eq!(sent, chat(wire, model, false), "{member}{fields}");
            }
        }
    });
}

const KNOWN: &str = "known: managed_canadian_cloud, provider_api";

/// The model, further members, further fields; the param at fault, and a part of the text.
const BAD_TIERS: [(&str, &str, &str, &str, &str); 11] = [
    (
        MODEL,
        "\"privacy_tier\":\"provider_api\",",
        "x-privacy-tier: managed_canadian_cloud\r\n",
        "privacy_tier",
        "found two",
    ),
    (
        MODEL,
        "",
        "x-privacy-tier: provider_api\r\nx-privacy-tier: managed_canadian_cloud\r\n",
        "x-privacy-tier",
        "found two",
    ),
    (MODEL, "\"privacy_tier\":\"eu\",", "", "privacy_tier", KNOWN),
    (
        MODEL,
        "\"privacy_tier\":\"Provider_API\",",
        "",
        "privacy_tier",
        KNOWN,
    ),
    (MODEL, "", "x-privacy-tier: \r\n", "x-privacy-tier", KNOWN),
    (
        MODEL,
        "",
        "x-privacy-tier: a\tb\r\n",
        "x-privacy-tier",
        "`a\\tb`",
    ),
    (
        MODEL,
        "\"privacy_tier\":\"\",",
        "",
        "privacy_tier",
        "non-empty string",
    ),
    (
        MODEL,
        "\"privacy_tier\":[\"eu\"],",
        "",
        "privacy_tier",
        "non-empty string",
    ),
    (
        MODEL,
        "\"privacy_tier\":7,",
        "",
        "privacy_tier",
        "non-empty string",
    ),
    (
        MODEL,
        "\"privacy_tier\":\"provider_api\",\"privacy_tier\":\"provider_api\",",
        "",
        "privacy_tier",
        "repeated",
    ),
    (
        "one",
        "\"privacy_tier\":\"managed_canadian_cloud\",",
        "",
        "privacy_tier",
        "this model has no target of this tier",
    ),
];

#[test]
fn ni8_tiers_that_contradict_or_that_nobody_has_are_400_with_the_cure() {
    each(|driver| {
        for wire in WIRES {
            let two = Two::answering(wire);
            let setup = "[[model]]\nid = \"one\"\ntargets = [\"direct/x\"]\n";
            let gateway = two.gateway(driver, wire, setup);
            let long = format!("\"privacy_tier\":\"{}\",", "x".repeat(5_000));
            let got = ask(&gateway, wire, MODEL, &long, "");
            assert_eq!(got.status, 400);
            assert!(got.text().len() < 600, "{}", got.text());
            for (model, member, fields, param, text) in BAD_TIERS {
                let got = ask(&gateway, wire, model, member, fields);
                assert_eq!(got.status, 400, "{member}{fields}: {}", got.text());
                let told = told(wire, &got);
                assert_eq!(told.kind, "invalid_request_error");
                assert!(told.message.contains(text), "{}", told.message);
                if wire == Wire::OpenAiChat {
                    assert_eq!(told.param.as_deref(), Some(param), "{member}{fields}");
                }
                assert_eq!(got.field("x-ringway-resolved-provider"), None);
            }
            assert_eq!(two.asked(), (0, 0));
        }
    });
}

/// A key of the tenant `blue` with rules, as lines.
fn key(rules: &str) -> String {
    // SHA-256 of `foo`.
    let digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    format!("[[key]]\nsha256 = \"{digest}\"\ntenant = \"blue\"\n{rules}\n")
}

const FOO: &str = "authorization: Bearer foo\r\n";

#[test]
fn ni10_tiers_that_a_key_may_not_use_are_403_and_without_one_its_own_are_used() {
    each(|driver| {
        for wire in WIRES {
            let two = Two::answering(wire);
            let rules = key("tiers = [\"managed_canadian_cloud\"]");
            let rest = format!("[[model]]\nid = \"one\"\ntargets = [\"direct/x\"]\n{rules}");
            let gateway = two.gateway(driver, wire, &rest);
            let got = ask(&gateway, wire, MODEL, "", FOO);
            assert_eq!(got.status, 200, "{}", got.text());
            assert_eq!(two.asked(), (1, 0));
            for (model, member, param) in [
                (MODEL, "\"privacy_tier\":\"provider_api\",", "privacy_tier"),
                ("one", "", "model"),
                ("@direct/x", "", "model"),
            ] {
                let got = ask(&gateway, wire, model, member, FOO);
                assert_eq!(got.status, 403, "{model}: {}", got.text());
                let told = told(wire, &got);
                assert!(told.message.contains("tier"), "{}", told.message);
                assert_names_nobody(&told.message);
                if wire == Wire::OpenAiChat {
                    assert_eq!(told.param.as_deref(), Some(param));
                }
            }
            // What it may not use is not told either.
            let got = ask(&gateway, wire, MODEL, "\"privacy_tier\":\"eu\",", FOO);
            let told = told(wire, &got);
            let expected = "unknown tier `eu`; known: managed_canadian_cloud";
            assert_eq!((got.status, &*told.message), (400, expected));
            assert_eq!(two.asked(), (1, 0));
        }
    });
}

fn assert_names_nobody(message: &str) {
    for word in [
        "direct",
        "canada",
        "blue",
        "us-east",
        "127.0.0.1",
        "ca-central",
    ] {
        assert!(!message.contains(word), "{message}");
    }
}

#[test]
fn ni9_residency_cuts_targets_before_anything_is_sent_fallbacks_included() {
    each(|driver| {
        for wire in WIRES {
            let canada_alone = "residency = { jurisdictions = [\"CA\"] }";
            for rules in [
                key(canada_alone),
                key(&format!("[[tenant]]\nname = \"blue\"\n{canada_alone}")),
                format!("{canada_alone}\n{}", key("")),
                key("residency = { regions = [\"ca-central-1\"] }"),
                key("residency = { providers = [\"canada\"] }"),
            ] {
                let fields = "content-type: application/json\r\n";
                let error = error_body(wire, "some_error", "no luck");
                let two = Two {
                    canada: Provider::answering(answer("503 Service Unavailable", fields, error)),
                    direct: Provider::answering(json(whole(wire))),
                };
                // The model's own rule stands right behind its targets.
                let gateway = two.gateway(driver, wire, &rules);
                let got = ask(&gateway, wire, MODEL, "", FOO);
                assert_eq!(got.status, 503, "{rules}: {}", got.text());
                assert_eq!(two.asked(), (1, 0), "{rules}");
                let line = gateway.only_line();
                assert_eq!(line["attempts"].as_array().unwrap().len(), 1, "{line}");
            }
        }
    });
}

#[test]
fn p20_ni9_where_residency_leaves_nothing_the_403_names_the_policy_and_no_target() {
    each(|driver| {
        for wire in WIRES {
            let two = Two::answering(wire);
            let canada_alone = "residency = { jurisdictions = [\"CA\"] }";
            for (rules, policy, word) in [
                (key(canada_alone), "of this key", "key_residency"),
                (
                    key(&format!("[[tenant]]\nname = \"blue\"\n{canada_alone}")),
                    "of this tenant",
                    "tenant_residency",
                ),
            ] {
                let gateway = two.gateway(driver, wire, &rules);
                let mut count = 0;
                let mut check = |got: Answer| {
                    assert_eq!(got.status, 403, "{}", got.text());
                    let told = told(wire, &got);
                    let text = format!("the residency policy {policy} leaves no target");
                    assert!(told.message.contains(&text), "{}", told.message);
                    assert_names_nobody(&told.message);
                    if wire == Wire::OpenAiChat {
                        assert_eq!(told.param.as_deref(), Some("model"));
                        assert_eq!(told.code.as_deref(), Some("policy"));
                    } else {
                        assert_eq!(told.kind, "permission_error");
                    }
                    count += 1;
                    let line = &gateway.lines(count)[count - 1];
                    assert_eq!(line["fault"], word, "{line}");
                };
                for (model, fields) in [
                    ("@direct/x", ""),
                    ("direct/x", ""),
                    (MODEL, "x-ringway-provider: direct\r\n"),
                    ("bare", "x-portkey-provider: @direct\r\n"),
                ] {
                    check(ask(&gateway, wire, model, "", &format!("{FOO}{fields}")));
                }
                // Paths that are relayed, by model, by provider and by neither.
                let version = match wire {
                    Wire::OpenAiChat => "",
                    Wire::AnthropicMessages => "anthropic-version: 2023-06-01\r\n",
                };
                let fields = format!("{FOO}{version}");
                let named = format!("{fields}x-ringway-provider: direct\r\n");
                let mut client = gateway.client();
                check(client.ask(post("/v1/x", &fields, "{\"model\":\"@direct/x\"}")));
                check(client.ask(post("/v1/x", &named, "{}")));
                check(client.ask(request("GET", "/v1/files", &named, "")));
            }
            assert_eq!(two.asked(), (0, 0));
        }
    });
}

#[test]
fn ni8_ni9_relayed_requests_go_where_tier_and_residency_allow() {
    each(|driver| {
        for wire in WIRES {
            let version = match wire {
                Wire::OpenAiChat => "",
                Wire::AnthropicMessages => "anthropic-version: 2023-06-01\r\n",
            };
            let fields = format!("{FOO}{version}");
            let tier = format!("{fields}x-privacy-tier: managed_canadian_cloud\r\n");
            let limited = key("residency = { jurisdictions = [\"CA\"] }");
            let in_body = "{\"privacy_tier\":\"managed_canadian_cloud\",\"model\":\"m\"}";
            for (rules, fields, body) in [
                (key(""), &tier, "{\"model\":\"m\"}"),
                (key(""), &fields, in_body),
                (key(""), &tier, "{}"),
                (limited.clone(), &fields, "{\"model\":\"m\"}"),
                (limited, &fields, "{}"),
            ] {
                let two = Two::answering(wire);
                let gateway = two.gateway(driver, wire, &rules);
                let got = gateway.client().ask(post("/v1/x", fields, body));
                assert_eq!(got.status, 200, "{}", got.text());
                assert_eq!(two.asked(), (1, 0), "{rules}{fields}{body}");
                let sent: Value = serde_json::from_slice(&two.canada.only_request().body).unwrap();
                assert_eq!(sent.get("privacy_tier"), None);
                let known = sent.get("model").map(|model| model.as_str().unwrap());
                assert_eq!(known, body.contains("model").then_some("c"));
            }
        }
    });
}

#[test]
fn ni9_a_models_residency_holds_for_batches_that_name_it_and_for_what_is_too_long_to_be_read() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let rules = "[[model]]\nid = \"home\"\nresidency = { jurisdictions = [\"CA\"] }\n\
                     targets = [\"canada/home\"]\n";
        let batch = |models: &[&str]| {
            let requests = models.iter().map(|model| {
                format!("{{\"custom_id\":\"1\",\"params\":{{\"model\":\"{model}\"}}}}")
            });
            let requests: Vec<String> = requests.collect();
            format!("{{\"requests\":[{}]}}", requests.join(","))
        };
        let long = format!("{{\"model\":\"home\",\"a\":\"{}\"}}", "x".repeat(70_000));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let (batches, other) = ("/v1/messages/batches", "/v1/x");
        let (canada, direct) = (Some((1, 0)), Some((0, 1)));
        let cases = [
            (batches, "", batch(&[MODEL, "other"]), direct),
            (batches, "", batch(&[MODEL, "home"]), canada),
            (batches, "canada", batch(&["home"]), canada),
            (batches, "direct", batch(&["home"]), None),
            (batches, "direct", batch(&[MODEL]), direct),
            (batches, "", long.clone(), canada),
            (other, "direct", long.clone(), None),
            (other, "canada", long, canada),
            (other, "direct", deep.clone(), None),
            (other, "canada", deep, canada),
        ];
        for (target, named, body, expected) in cases {
            let version = "anthropic-version: 2023-06-01\r\n";
            let fields = match named {
                "" => version.to_owned(),
                named => format!("{version}x-ringway-provider: {named}\r\n"),
            };
            let two = Two::answering(wire);
            let gateway = two
                .setup(driver, wire, rules)
                .limit("body_bytes_max", 65_536)
                .start();
            for chunked in [false, true] {
                let sent = match chunked {
                    false => post(target, &fields, &body),
                    true => chunked_post(target, &fields, &body),
                };
                let before = two.asked();
                let got = gateway.client().ask(sent);
                let (canada, direct) = two.asked();
                let asked = (canada - before.0, direct - before.1);
                let what = format!("{target} {named} {chunked} {}", got.text());
                let Some(expected) = expected else {
                    assert_eq!((got.status, asked), (403, (0, 0)), "{what}");
                    told(wire, &got);
                    continue;
                };
                assert_eq!((got.status, asked), (200, expected), "{what}");
            }
        }
    });
}

#[test]
fn ni9_a_models_residency_holds_for_models_in_queries_and_paths_and_under_any_content_type() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let rules = "[[model]]\nid = \"kept\"\nresidency = { jurisdictions = [\"CA\"] }\n\
                     targets = [\"canada/kept\"]\n";
        let json = "application/json";
        let plain = "{\"input\":\"x\"}";
        let kept = "{\"model\":\"kept\"}";
        let form = "--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--\r\n";
        let in_parts = "multipart/form-data; boundary=b";
        for (target, label, body) in [
            ("/v1/x?model=kept", json, plain),
            ("/v1/x?a=b&mod%65l=kep%74", json, plain),
            ("/v1/deployments/kept/x", json, plain),
            ("/v1/checkpoints/kept:generate", json, plain),
            ("/v1/Engines/kept/completions", json, plain),
            ("/v1/x?model=kept", in_parts, form),
            ("/v1/checkpoints/kept:generate", "audio/mpeg", "ID3"),
            ("/v1/x", "text/plain", kept),
            ("/v1/x", "application/octet-stream", kept),
            ("/v1/x", "text/plain", "{\"model\":\"kept\",\"x\":NaN}"),
        ] {
            let two = Two::answering(wire);
            let gateway = two.gateway(driver, wire, rules);
            for (named, expected) in [("direct", None), ("canada", Some((1, 0)))] {
                let fields = format!("content-type: {label}\r\nx-ringway-provider: {named}\r\n");
                let got = gateway.client().ask(request("POST", target, &fields, body));
                let what = format!("{target} {label} {body} {named}: {}", got.text());
                match expected {
                    None => {
                        assert_eq!((got.status, two.asked()), (403, (0, 0)), "{what}");
                        told(wire, &got);
                    }
                    Some(asked) => assert_eq!((got.status, two.asked()), (200, asked), "{what}"),
                }
            }
        }
        // What no rule is about goes where it is sent, whatever it looks like.
        let lines = "{\"a\":1}\n{\"a\":2}\n";
        for (target, label, body) in [
            ("/v1/x?model=other", json, plain),
            ("/v1/x", "text/plain", "{\"model\":\"other\"}"),
            ("/v1/x", "application/jsonl", lines),
        ] {
            let two = Two::answering(wire);
            let gateway = two.gateway(driver, wire, "");
            let fields = format!("content-type: {label}\r\nx-ringway-provider: direct\r\n");
            let got = gateway.client().ask(request("POST", target, &fields, body));
            assert_eq!((got.status, two.asked()), (200, (0, 1)), "{}", got.text());
            assert_eq!(two.direct.only_request().body, body.as_bytes());
        }
    });
}

/// The same request with a body whose length nobody is told.
fn chunked_post(target: &str, fields: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{fields}\
         transfer-encoding: chunked\r\n\r\n"
    );
    [
        head.into_bytes(),
        chunk(body.as_bytes()),
        b"0\r\n\r\n".to_vec(),
    ]
    .concat()
}

#[test]
fn ni9_ni10_a_deployment_of_its_own_is_held_to_by_batches_and_what_is_too_long_to_be_read() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let own = "[[model]]\nid = \"m\"\ntargets = [{ model = \"canada/away\", \
                   tier = \"provider_api\", region = \"us-east-1\", jurisdiction = \"US\" }]\n";
        let batch =
            |name: &str| format!("{{\"requests\":[{{\"params\":{{\"model\":\"{name}\"}}}}]}}");
        let long = format!("{{\"model\":\"away\",\"a\":\"{}\"}}", "x".repeat(70_000));
        let batches = "/v1/messages/batches";
        let cases = [
            (batches, batch("away"), 403),
            (batches, batch("home"), 200),
            ("/v1/x", "{\"model\":\"away\"}".to_owned(), 403),
            ("/v1/x", "{\"model\":\"home\"}".to_owned(), 200),
            (
                "/v1/x",
                "{\"model\":\"home\",\"models\":[\"away\"]}".to_owned(),
                403,
            ),
            ("/v1/x", long, 403),
        ];
        for rule in [
            "residency = { jurisdictions = [\"CA\"] }",
            "tiers = [\"managed_canadian_cloud\"]",
        ] {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Setup::new(driver)
                .provider("canada", wire, &provider, CANADA)
                .limit("body_bytes_max", 65_536)
                .text(&format!("{own}{}", key(rule)))
                .start();
            for (target, body, status) in &cases {
                let fields =
                    format!("{FOO}anthropic-version: 2023-06-01\r\nx-ringway-provider: canada\r\n");
                let before = provider.requests().len();
                let got = gateway.client().ask(post(target, &fields, body));
                assert_eq!(got.status, *status, "{rule} {target}: {}", got.text());
                let asked = provider.requests().len() - before;
                assert_eq!(asked, usize::from(*status == 200));
            }
        }
    });
}

#[test]
fn ni9_fallbacks_that_a_chat_asks_its_provider_for_are_held_to_residency_too() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let own = "[[model]]\nid = \"m\"\ntargets = [{ model = \"up/home\", jurisdiction = \"CA\" }, \
                   { model = \"up/away\", jurisdiction = \"US\" }]\n";
        let rule = key("residency = { jurisdictions = [\"CA\"] }");
        for (member, status) in [
            ("", 200),
            ("\"models\":[\"home\"],", 200),
            ("\"models\":[\"home\",\"away\"],", 403),
            ("\"fall\\u0062acks\":[\"away\"],", 403),
            ("\"metadata\":{\"model\":\"away\"},", 200),
        ] {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Setup::new(driver)
                .provider("up", wire, &provider, "")
                .text(&format!("{own}{rule}"))
                .start();
            let got = ask(&gateway, wire, "m", member, FOO);
            assert_eq!(got.status, status, "{member}: {}", got.text());
            assert_eq!(provider.requests().len(), usize::from(status == 200));
        }
    });
}

#[test]
fn ni12_without_fallbacks_the_first_admissible_target_is_the_only_one() {
    each(|driver| {
        for wire in WIRES {
            let fields = "content-type: application/json\r\n";
            let error = error_body(wire, "some_error", "no luck");
            let failing = || {
                let status = "503 Service Unavailable";
                Provider::answering(answer(status, fields, &error))
            };
            let (first, second, third) = (failing(), failing(), failing());
            let gateway = Setup::new(driver)
                .provider("p0", wire, &first, DIRECT)
                .provider("p1", wire, &second, CANADA)
                .provider("p2", wire, &third, CANADA)
                .model(MODEL, &["p0/a", "p1/b", "p2/c"])
                .start();
            let pinned = "\"allow_fallbacks\":false,";
            let tier = "\"privacy_tier\":\"managed_canadian_cloud\",";
            let got = ask(&gateway, wire, MODEL, &format!("{pinned}{tier}"), "");
            assert_eq!(got.status, 503);
            assert_eq!(got.field("x-ringway-resolved-provider"), Some("p1"));
            let asked = [&first, &second, &third].map(|one| one.requests().len());
            assert_eq!(asked, [0, 1, 0]);
            let body = String::from_utf8(second.only_request().body).unwrap();
            assert_eq!(body, chat(wire, "b", false));
        }
    });
}

const ELSEWHERE: &str = "networks = [\"10.0.0.0/8\"]\n";
const HERE: &str = "networks = [\"127.0.0.0/8\"]\n";

/// The origin of a provider by a name: an address that its networks leave out is no configuration.
fn by_name(provider: &Provider) -> String {
    format!("http://localhost:{}", provider.address().port())
}

fn keyless(lines: &str) -> String {
    format!("key = \"none\"\n{lines}")
}

#[test]
fn addresses_outside_the_networks_of_a_target_are_not_connected_to_and_the_next_one_is() {
    each_way(&CROSSED, |driver, Direction { client, upstream }| {
        let first = Provider::answering(json(whole(client)));
        let second = Provider::answering(json(whole(upstream)));
        let gateway = Setup::new(driver)
            .provider_at("p0", client, &by_name(&first), &keyless(ELSEWHERE))
            .provider("p1", upstream, &second, HERE)
            .model(MODEL, &["p0/a", "p1/b"])
            .start();
        let got = ask(&gateway, client, MODEL, "", "");
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.field("x-ringway-resolved-provider"), Some("p1"));
        let line = gateway.only_line();
        assert_eq!(line["attempts"][0]["fault"], "network", "{line}");
        assert_eq!(line["cut"], serde_json::json!(["network"]));
        let got = ask(&gateway, client, "@p0/a", "", "");
        assert_eq!(got.status, 502, "{}", got.text());
        let told = told(client, &got);
        let text = "upstream provider is outside the networks that are allowed for it";
        assert_eq!(told.message, text);
        assert_eq!(first.connections(), 0);
    });
}

#[test]
fn names_and_relayed_bodies_are_held_to_the_networks_too() {
    each(|driver| {
        let provider = Provider::answering(json("{}"));
        for (networks, status) in [(ELSEWHERE, 502), (HERE, 200)] {
            let gateway = Setup::new(driver)
                .provider_at(
                    "p0",
                    Wire::OpenAiChat,
                    &by_name(&provider),
                    &keyless(networks),
                )
                .start();
            let mut client = gateway.client();
            for asked in [
                post("/v1/x", "", "{}"),
                request("GET", "/v1/files", "", ""),
                request("POST", "/v1/files", "content-type: text/plain\r\n", "text"),
            ] {
                let got = client.ask(asked);
                assert_eq!(got.status, status, "{networks}: {}", got.text());
                if status == 502 {
                    client = gateway.client();
                }
            }
            assert_eq!(provider.connections() > 0, status == 200);
        }
    });
}

#[test]
fn connections_that_lie_idle_serve_no_target_whose_networks_they_are_outside_of() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let target = "{ model = \"p0/b\", networks = [\"10.0.0.0/8\"] }";
        let gateway = Setup::new(driver)
            .provider_at("p0", wire, &by_name(&provider), &keyless(""))
            .model("open", &["p0/a"])
            .text(&format!("[[model]]\nid = \"shut\"\ntargets = [{target}]\n"))
            .start();
        for (model, status) in [("open", 200), ("shut", 502), ("open", 200), ("p0/b", 502)] {
            let got = ask(&gateway, wire, model, "", "");
            assert_eq!(got.status, status, "{model}: {}", got.text());
        }
        assert_eq!(provider.requests().len(), 2);
    });
}
