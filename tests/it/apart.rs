//! What one tenant sees of another: nothing. Each surface that could tell.

use ringway::wire::kind::Wire;
use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::directions::{DIRECTIONS, Direction, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::governed::{ADMIN_KEY, api, gateway, made, secret_of};
use crate::support::http::{answer, json, post, request};
use crate::support::provider::{ClosedPort, Provider};
use crate::support::stores::{Database, Kind};
use crate::support::wires::{WIRES, chat, error_body, path, told, whole};

const OPENAI: Wire = Wire::OpenAiChat;

fn ask(gateway: &Gateway, wire: Wire, key: &str, model: &str) -> Answer {
    let fields = format!("x-api-key: {key}\r\n");
    gateway
        .client()
        .ask(post(path(wire), &fields, chat(wire, model, false)))
}

/// An answer without what is its own: its ids, times, and the words that were asked with.
fn likeness(answer: &Answer, words: &[&str]) -> (u16, Vec<(String, String)>, String) {
    let id = answer.field("x-ringway-request-id").unwrap().to_owned();
    let same = |text: &str| {
        let text = text.replace(&id, "ID");
        words
            .iter()
            .fold(text, |text, word| text.replace(word, "W"))
    };
    let fields = answer.head.fields.iter();
    let fields =
        fields.filter(|(name, _)| !["date", "content-length", "server-timing"].contains(&&**name));
    let fields = fields.map(|(name, value)| (name.to_string(), same(value)));
    (answer.status, fields.collect(), same(answer.text()))
}

#[test]
fn p19_p21_unknown_revoked_expired_and_nearly_right_keys_get_the_same_answer() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(json(whole(OPENAI)));
    let gateway = gateway(&database, &provider, "one");
    let (good, _) = made(&gateway, json!({"tenant": "blue"}));
    let (revoked, id) = made(&gateway, json!({"tenant": "blue"}));
    let (expired, _) = made(&gateway, json!({"tenant": "red", "expires": "2999-01-01"}));
    database.edit("UPDATE keys SET expires = 1 WHERE expires IS NOT NULL");
    let (rotated, rotated_id) = made(&gateway, json!({"tenant": "red"}));
    let target = format!("/api/keys/{rotated_id}/rotate");
    let next = secret_of(&api(&gateway, "POST", &target, "").json()).0;
    api(&gateway, "DELETE", &format!("/api/keys/{id}"), "");
    let flipped = |at: usize| {
        let mut text = good.clone().into_bytes();
        text[at] = if text[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(text).unwrap()
    };
    let wrong = [
        "rw_live_nobody".to_owned(),
        revoked,
        expired,
        rotated,
        flipped(8),
        flipped(good.len() - 1),
        good[..good.len() - 1].to_owned(),
        format!("{good}0"),
        good.to_uppercase(),
        // What stands in the store lets nobody in.
        id,
        "admin-0123456789abcdef".to_owned(),
    ];
    for wire in WIRES {
        let first = likeness(&ask(&gateway, wire, "x", MODEL), &[]);
        assert_eq!(first.0, 401);
        for key in &wrong {
            let got = ask(&gateway, wire, key, MODEL);
            assert_eq!(likeness(&got, &[]), first, "{key}");
        }
    }
    for key in [good, next] {
        assert_eq!(ask(&gateway, OPENAI, &key, MODEL).status, 200);
    }
}

#[test]
fn p20_p21_lists_of_models_and_what_is_said_of_each_are_the_keys_own() {
    each(|driver| {
        let provider = Provider::answering("");
        let gateway = Setup::upstream(driver, OPENAI, &provider)
            .model("blue-model", &["up/x"])
            .model("red-model", &["up/y"])
            .key("blue-key", "blue", Some(&["blue-*"]))
            .key("red-key", "red", Some(&["red-*"]))
            .start();
        for version in ["", "anthropic-version: 2023-06-01\r\n"] {
            let get = |key: &str, target: &str| {
                let fields = format!("x-api-key: {key}\r\n{version}");
                gateway.client().ask(request("GET", target, &fields, ""))
            };
            for (key, own, foreign) in [
                ("blue-key", "blue-model", "red-model"),
                ("red-key", "red-model", "blue-model"),
            ] {
                let listed = get(key, "/v1/models");
                assert!(listed.text().contains(own), "{}", listed.text());
                assert!(!listed.text().contains(foreign), "{}", listed.text());
                assert_eq!(get(key, &format!("/v1/models/{own}")).status, 200);
                let absent = foreign.replace("model", "madel");
                let of = |id: &str| likeness(&get(key, &format!("/v1/models/{id}")), &[id]);
                assert_eq!(of(foreign).0, 404);
                assert_eq!(of(foreign), of(&absent));
            }
        }
        assert_eq!(provider.connections(), 0);
    });
}

#[test]
fn p21_rates_and_budgets_told_to_one_tenant_do_not_move_by_what_another_does() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        // What the provider tells of its account is every tenant's.
        let theirs = "x-ratelimit-remaining-requests: 77\r\nx-ratelimit-remaining-tokens: 7777\r\n\
                      anthropic-ratelimit-requests-remaining: 77\r\n\
                      anthropic-ratelimit-input-tokens-remaining: 7777\r\n\
                      anthropic-ratelimit-output-tokens-remaining: 7777\r\n";
        let head = format!("content-type: application/json\r\n{theirs}");
        let provider = Provider::answering(answer("200 OK", &head, whole(upstream)));
        let bounds = "requests_per_minute = 100\ntokens_per_minute = 100000\nconcurrent = 1\n\
                      budget_day = \"5\"\n";
        let gateway = Setup::upstream(driver, upstream, &provider)
            .text("[prices.\"up/*\"]\ninput = 10000\noutput = 10000\n")
            .text("[budgets]\noutput_tokens_reserved = 10\n")
            .key("blue-key", "blue", None)
            .text(bounds)
            .key("red-key", "red", None)
            .text(bounds)
            .start();
        let rates = |key: &str| {
            let got = ask(&gateway, client, key, MODEL);
            let fields = got.head.fields.iter();
            let rates = fields.filter(|(name, _)| name.contains("ratelimit"));
            let rates = rates.filter(|(name, _)| name.contains("remaining"));
            let rates: Vec<String> = rates
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            (got.status, rates)
        };
        let (status, before) = rates("red-key");
        assert_eq!((status, before.len()), (200, 2), "ours alone: {before:?}");
        let mut spent = 1;
        while rates("blue-key").0 == 200 {
            spent += 1;
        }
        assert!(spent > 5, "blue has spent its budget");
        gateway.lines(spent + 1);
        let (status, after) = rates("red-key");
        let requests = after.iter().find(|rate| rate.contains("requests")).unwrap();
        assert!(requests.ends_with(": 98"), "{after:?}");
        assert_eq!(status, 200);
    });
}

#[test]
fn p21_one_connection_serves_keys_of_two_tenants_apart() {
    each(|driver| {
        let folder = tempfile::tempdir().unwrap();
        let provider = Provider::answering(json(whole(OPENAI)));
        let gateway = Setup::upstream(driver, OPENAI, &provider)
            .text(&format!(
                "[usage]\njournal = \"{}\"",
                folder.path().display()
            ))
            .model("blue-model", &["up/x"])
            .key("blue-key", "blue", Some(&["blue-*", MODEL]))
            .key("red-key", "red", Some(&[MODEL]))
            .start();
        let mut shared = gateway.client();
        let mut ids: Vec<(&str, String)> = Vec::new();
        for (key, model, status) in [
            ("blue-key", "blue-model", 200),
            ("red-key", "blue-model", 404),
            ("red-key", MODEL, 200),
            ("none", MODEL, 401),
        ] {
            let fields = format!("x-api-key: {key}\r\n");
            let got = shared.ask(post(path(OPENAI), &fields, chat(OPENAI, model, false)));
            assert_eq!(got.status, status, "{key} {model}: {}", got.text());
            let id = got.field("x-ringway-request-id").unwrap().to_owned();
            ids.push((key, id));
        }
        let mut reader = gateway.client();
        for (owner, id) in &ids[..3] {
            for key in ["blue-key", "red-key"] {
                let fields = format!("x-api-key: {key}\r\n");
                let target = format!("/api/usage/custody/{id}");
                let got = reader.ask(request("GET", &target, &fields, ""));
                let expected = if key == *owner { 200 } else { 404 };
                assert_eq!(got.status, expected, "{key} {id}: {}", got.text());
            }
        }
        let tenants: Vec<Value> = gateway.lines(ids.len()).into_iter().take(3).collect();
        let tenants: Vec<&Value> = tenants.iter().map(|line| &line["tenant"]).collect();
        assert_eq!(tenants, ["blue", "red", "red"]);
    });
}

#[test]
fn p21_what_lies_at_the_provider_is_the_same_403_whether_it_is_there_or_not() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(json("{}"));
    let gateway = gateway(&database, &provider, "one");
    let (blue, _) = made(&gateway, json!({"tenant": "blue", "relay": ["files"]}));
    let (red, _) = made(&gateway, json!({"tenant": "red"}));
    let get = |key: &str, target: &str, method: &str| {
        let fields = format!("x-api-key: {key}\r\n");
        gateway.client().ask(request(method, target, &fields, ""))
    };
    assert_eq!(get(&blue, "/v1/files/file-blue", "GET").status, 200);
    let asked = provider.requests().len();
    for method in ["GET", "DELETE"] {
        let first = likeness(&get(&red, "/v1/files/file-none", method), &[]);
        assert_eq!(first.0, 403);
        for target in [
            "/v1/files/file-blue",
            "/v1/files/file-blue/content",
            "/v1/files",
        ] {
            assert_eq!(likeness(&get(&red, target, method), &[]), first, "{target}");
        }
    }
    assert_eq!(provider.requests().len(), asked, "nobody was asked");
}

#[test]
fn p21_where_a_session_goes_tells_nothing_of_sessions_of_others() {
    each(|driver| {
        let provider = Provider::answering(json(whole(OPENAI)));
        let start = || {
            Setup::new(driver)
                .provider("p0", OPENAI, &provider, "")
                .provider("p1", OPENAI, &provider, "")
                .text("[[model]]\nid = \"m\"\norder = \"weighted\"\ntargets = [\"p0/a\", \"p1/b\"]")
                .key("blue-key", "blue", None)
                .key("red-key", "red", None)
                .start()
        };
        let went = |gateway: &Gateway, key: &str, session: usize| {
            let fields = format!("x-api-key: {key}\r\nx-session-id: s{session}\r\n");
            let body = chat(OPENAI, "m", false);
            let got = gateway.client().ask(post(path(OPENAI), &fields, body));
            got.field("x-ringway-model").unwrap().to_owned()
        };
        let (quiet, busy) = (start(), start());
        for session in 0..12 {
            went(&busy, "blue-key", session);
        }
        for session in 0..12 {
            let expected = went(&quiet, "red-key", session);
            assert_eq!(went(&busy, "red-key", session), expected, "{session}");
        }
    });
}

#[test]
fn p21_p22_the_clients_listener_tells_nothing_of_metrics_keys_tenants_and_standing() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(json(whole(OPENAI)));
    let gateway = gateway(&database, &provider, "one");
    let (key, _) = made(&gateway, json!({"tenant": "blue", "relay": ["*"]}));
    made(&gateway, json!({"tenant": "red-tenant", "relay": ["*"]}));
    for key in [&*key, ADMIN_KEY] {
        let fields = format!("authorization: Bearer {key}\r\n");
        for target in [
            "/metrics",
            "/api/keys",
            "/api/tenants",
            "/api/tenants/red-tenant",
            "/api/routing",
            "/api/openapi.json",
            "/api/billing/models",
        ] {
            let got = gateway.client().ask(request("GET", target, &fields, ""));
            let expected = if key == ADMIN_KEY {
                &[401, 404][..]
            } else {
                &[404]
            };
            assert!(expected.contains(&got.status), "{target}: {}", got.text());
            assert!(
                !got.text().contains("red-tenant"),
                "{target}: {}",
                got.text()
            );
        }
        for target in ["/healthz", "/readyz"] {
            let got = gateway.client().ask(request("GET", target, &fields, ""));
            assert!(got.text().len() < 16, "a bare word: {}", got.text());
        }
    }
    assert_eq!(provider.connections(), 0);
}

/// Words that no refusal may show.
const HIDDEN: [&str; 6] = [
    "hidden-tenant",
    "hidden-key",
    "hidden-id",
    "hidden-upstream",
    "127.0.0.1",
    "/hidden/base",
];

#[test]
fn p20_refusals_of_every_kind_name_no_key_tenant_upstream_address_or_path() {
    each(|driver| {
        for wire in WIRES {
            let closed = ClosedPort::bind();
            let odd = Provider::answering(answer("200 OK", "", "<html>"));
            let failing = {
                let fields = "content-type: application/json\r\n";
                let body = error_body(wire, "api_error", "no luck");
                Provider::answering(answer("500 Internal Server Error", fields, body))
            };
            let gateway = Setup::new(driver)
                .provider_at("gone", wire, &format!("{}/hidden/base", closed.origin()), "key = \"none\"\ntier = \"a\"\n")
                .provider("odd", wire, &odd, "tier = \"a\"\n")
                .provider("failing", wire, &failing, "tier = \"b\"\njurisdiction = \"US\"\n")
                .model("gone", &["gone/hidden-upstream"])
                .model("odd", &["odd/hidden-upstream"])
                .model("far", &["failing/hidden-upstream"])
                .text("[prices.\"odd/*\"]\ninput = 1\noutput = 1\n")
                .key("hidden-key-1", "hidden-tenant", None)
                .text("id = \"hidden-id\"\ntiers = [\"a\"]\ntokens_per_minute = 5000\nrelay = []\n")
                .key("hidden-key-2", "hidden-tenant", None)
                .text("id = \"hidden-id-2\"\nbudget_day = \"0\"\nresidency = { jurisdictions = [\"CA\"] }\n")
                .key("hidden-key-3", "hidden-tenant", None)
                .text("id = \"hidden-id-3\"\nbudget_day = \"0\"\n")
                .start();
            let long = "hello ".repeat(5_000);
            for (key, model, members, status) in [
                ("hidden-key-0", "odd", "", 401),
                ("hidden-key-1", "nobody", "", 404),
                ("hidden-key-1", "far", "", 403),
                ("hidden-key-1", "odd", "\"privacy_tier\":\"b\",", 403),
                ("hidden-key-1", "odd", "\"privacy_tier\":\"c\",", 400),
                ("hidden-key-1", "gone", "", 502),
                ("hidden-key-1", "odd", "", 502),
                ("hidden-key-1", "odd", "LONG", 429),
                ("hidden-key-2", "far", "", 403),
                ("hidden-key-3", "far", "", 403),
            ] {
                let mut body = chat(wire, model, false);
                if members == "LONG" {
                    body = body.replace("hello", &long);
                } else {
                    body = body.replacen('{', &format!("{{{members}"), 1);
                }
                let fields = format!("x-api-key: {key}\r\n");
                let got = gateway.client().ask(post(path(wire), &fields, body));
                assert_eq!(
                    got.status,
                    status,
                    "{key} {model} {members}: {}",
                    got.text()
                );
                told(wire, &got);
                for word in HIDDEN {
                    assert!(!got.text().contains(word), "{word}: {}", got.text());
                }
            }
            let fields = "x-api-key: hidden-key-1\r\nx-ringway-provider: gone\r\n";
            let relayed = gateway
                .client()
                .ask(request("GET", "/v1/files", fields, ""));
            assert_eq!(relayed.status, 403, "{}", relayed.text());
            for word in HIDDEN {
                assert!(!relayed.text().contains(word), "{word}: {}", relayed.text());
            }
        }
    });
}
