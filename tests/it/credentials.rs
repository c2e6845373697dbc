//! Several credentials of one provider: which of them is sent, and what a failure says of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use ringway::wire::kind::Wire;

use crate::support::directions::{DIRECTIONS, Direction, Driver, each, each_way};
use crate::support::gateway::{MODEL, Setup, UPSTREAM_KEY};
use crate::support::http::{answer, post, request};
use crate::support::provider::{Provider, Request};
use crate::support::routes::{ask, failing, good, routing, words};
use crate::support::script::always;
use crate::support::wires::{WIRES, chat, error_body, path};

const FIRST_KEY: &str = "sk-first-0123456789";

/// The credential that a request carried.
fn key_of(request: &Request) -> String {
    let bearer = request.head.field("authorization");
    let key = bearer.or_else(|| request.head.field("x-api-key"));
    key.unwrap().trim_start_matches("Bearer ").to_owned()
}

fn keys_of(provider: &Provider) -> Vec<String> {
    provider.requests().iter().map(key_of).collect()
}

/// A gateway with two credentials, of a file and of a variable, for one provider, `p0`.
fn two_keys(driver: Driver, wire: Wire, provider: &Provider) -> Setup {
    let setup = Setup::new(driver);
    let file = setup.folder().join("first");
    fs::write(&file, format!("{FIRST_KEY}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let keys = "keys = [{ file = \"first\" }, { env = \"UPSTREAM_KEY\" }]";
    let origin = format!("http://{}", provider.address());
    setup.provider_at("p0", wire, &origin, keys)
}

#[test]
fn lg10_a_credential_that_is_refused_or_used_up_gives_way_to_the_next_at_the_same_target() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        for status in [
            "401 Unauthorized",
            "402 Payment Required",
            "403 Forbidden",
            "429 Too Many Requests",
        ] {
            let provider = Provider::start(vec![failing(status, "", upstream), good(upstream)]);
            let gateway = two_keys(driver, upstream, &provider)
                .model(MODEL, &["p0/up"])
                .limit("cooldown_ms", 60_000)
                .start();
            for _ in 0..2 {
                let got = ask(&gateway, client, "", "");
                assert_eq!(got.status, 200, "{status}: {}", got.text());
            }
            // The second request knows better.
            assert_eq!(
                keys_of(&provider),
                [FIRST_KEY, UPSTREAM_KEY, UPSTREAM_KEY],
                "{status}"
            );
            let lines = gateway.lines(2);
            assert_eq!(words(&lines[0]), ["rotated"], "{status}");
            assert_eq!(words(&lines[1]), ["skipped:credential"], "{status}");
            let attempts = lines[0]["attempts"].as_array().unwrap();
            assert_eq!(attempts.len(), 2, "{status}: {attempts:?}");
            assert_eq!(gateway.metric("ringway_credential_rotations_total"), 1.0);
            assert_eq!(gateway.metric("ringway_fallbacks_total"), 0.0);
            assert_eq!(gateway.metric("ringway_circuits_opened_total"), 1.0);
        }
    });
}

#[test]
fn lg10_what_is_no_fault_of_a_credential_goes_to_the_next_target() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        for status in ["500 Oops", "503 Service Unavailable"] {
            let first = Provider::all(failing(status, "", wire));
            let second = Provider::all(good(wire));
            let gateway = two_keys(driver, wire, &first)
                .provider("p1", wire, &second, "")
                .model(MODEL, &["p0/up", "p1/up"])
                .start();
            assert_eq!(ask(&gateway, wire, "", "").status, 200);
            assert_eq!(keys_of(&first), [FIRST_KEY], "{status}");
            assert_eq!(second.requests().len(), 1);
        }
    });
}

#[test]
fn lg10_a_status_of_the_requests_own_stays_with_it_where_no_credential_is_left() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        // 403 is no reason for another target, and no reason for a third attempt.
        let first = Provider::all(failing("403 Forbidden", "", wire));
        let second = Provider::all(good(wire));
        let gateway = two_keys(driver, wire, &first)
            .provider("p1", wire, &second, "")
            .model(MODEL, &["p0/up", "p1/up"])
            .start();
        let got = ask(&gateway, wire, "", "");
        assert_eq!(got.status, 403);
        assert!(got.text().contains("no luck"));
        assert_eq!(keys_of(&first), [FIRST_KEY, UPSTREAM_KEY]);
        assert_eq!(second.connections(), 0);
    });
}

#[test]
fn lg10_the_last_credential_is_never_withheld_and_its_answer_goes_back_as_sent() {
    each(|driver| {
        for wire in WIRES {
            for status in ["401 Unauthorized", "429 Too Many Requests"] {
                let provider = Provider::all(failing(status, "retry-after: 9\r\n", wire));
                let gateway = two_keys(driver, wire, &provider)
                    .model(MODEL, &["p0/up"])
                    .limit("cooldown_ms", 60_000)
                    .start();
                for round in 1..=3 {
                    let got = ask(&gateway, wire, "", "");
                    assert!(status.starts_with(&got.status.to_string()));
                    assert!(got.text().contains("no luck"), "{}", got.text());
                    assert_eq!(got.field("retry-after"), Some("9"));
                    // While both cool down, one attempt is enough: neither is known to be well.
                    assert_eq!(keys_of(&provider).len(), 1 + round);
                }
                assert_eq!(words(&gateway.lines(3)[2]), ["all:cooling"]);
            }
        }
    });
}

#[test]
fn lg10_a_credential_that_may_do_is_never_hidden_by_one_that_will_not() {
    const LIMITED: &str = "429 Too Many Requests";
    const GOOD: &str = "200 OK";
    let [first, second] = [FIRST_KEY, UPSTREAM_KEY];
    each(|driver| {
        for wire in WIRES {
            for (answers, statuses, keys) in [
                // One is refused for good and one is limited for a while: that one may do again.
                (
                    &["401 Unauthorized", LIMITED, GOOD][..],
                    [429, 200],
                    &[first, second, second][..],
                ),
                (
                    &["402 Payment Required", LIMITED, GOOD],
                    [429, 200],
                    &[first, second, second],
                ),
                (
                    &["403 Forbidden", LIMITED, "403 Forbidden", GOOD],
                    [429, 200],
                    &[first, second, first, second],
                ),
                // What steps back is the target, and one of its credentials has done nothing.
                (
                    &["500 Oops", LIMITED, GOOD],
                    [500, 200],
                    &[first, first, second],
                ),
            ] {
                for id in [MODEL, "p0/up"] {
                    let fields = "connection: close\r\nretry-after: 600\r\n";
                    let script = |status: &&str| match *status {
                        GOOD => good(wire),
                        status => failing(status, fields, wire),
                    };
                    let provider = Provider::start(answers.iter().map(script).collect());
                    let gateway = two_keys(driver, wire, &provider)
                        .model(MODEL, &["p0/up"])
                        .start();
                    for status in statuses {
                        let body = chat(wire, id, false);
                        let got = gateway.client().ask(post(path(wire), "", body));
                        assert_eq!(got.status, status, "{answers:?} {id}: {}", got.text());
                    }
                    assert_eq!(keys_of(&provider), keys, "{answers:?} {id}");
                }
            }
        }
    });
}

#[test]
fn lg10_a_limit_belongs_to_a_model_and_a_refused_key_to_all_of_them() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        for (status, expected) in [
            ("429 Too Many Requests", FIRST_KEY),
            ("401 Unauthorized", UPSTREAM_KEY),
        ] {
            let provider = Provider::start(vec![failing(status, "", wire), good(wire)]);
            let gateway = two_keys(driver, wire, &provider)
                .model(MODEL, &["p0/one"])
                .model("other", &["p0/two"])
                .limit("cooldown_ms", 60_000)
                .start();
            assert_eq!(ask(&gateway, wire, "", "").status, 200);
            let body = chat(wire, "other", false);
            assert_eq!(gateway.client().ask(post(path(wire), "", body)).status, 200);
            assert_eq!(keys_of(&provider)[2], expected, "{status}");
        }
    });
}

#[test]
fn lg10_retry_after_keeps_its_credential_away_longer_than_its_cool_down() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        // A date is held against the provider's own clock, whatever that says.
        for fields in [
            "retry-after: 600\r\n",
            "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             retry-after: Sun, 06 Nov 1994 08:59:37 GMT\r\n",
        ] {
            let limited = failing("429 Too Many Requests", fields, wire);
            let provider = Provider::start(vec![limited, good(wire)]);
            let gateway = two_keys(driver, wire, &provider)
                .admin_api()
                .model(MODEL, &["p0/up"])
                .limit("cooldown_ms", 1)
                .start();
            for _ in 0..2 {
                assert_eq!(ask(&gateway, wire, "", "").status, 200);
            }
            let shown = routing(&gateway);
            let lane = &shown["models"][0]["targets"][0]["credentials"][0];
            assert_eq!(
                (&lane["state"], &lane["failures"]),
                (&"open".into(), &1.into())
            );
            assert!(lane["left_ms"].as_u64().unwrap() > 500_000, "{shown}");
            assert_eq!(keys_of(&provider)[2], UPSTREAM_KEY);
            assert_eq!(
                gateway.metric("ringway_circuits{scope=\"target_credential\",state=\"open\"}"),
                1.0
            );
            // No credential is shown.
            assert!(!shown.to_string().contains("sk-"), "{shown}");
        }
    });
}

#[test]
fn p24_every_credential_of_a_provider_is_scrubbed_whichever_was_sent() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let told = format!("your keys {FIRST_KEY} and {UPSTREAM_KEY}");
        let body = error_body(upstream, "some_error", &told);
        let fields = format!("content-type: application/json\r\nx-key: {UPSTREAM_KEY}\r\n");
        let provider = Provider::all(always(answer("400 Bad Request", &fields, body)));
        let gateway = two_keys(driver, upstream, &provider)
            .model(MODEL, &["p0/up"])
            .start();
        let got = ask(&gateway, client, "", "");
        assert_eq!(got.status, 400);
        assert!(got.text().contains("your keys"), "{}", got.text());
        assert_eq!(got.field("x-key"), None);
        for key in [FIRST_KEY, UPSTREAM_KEY] {
            assert!(!got.text().contains(key), "{}", got.text());
        }
    });
}

#[test]
fn lg10_relayed_requests_go_with_the_first_credential_always() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::all(failing("401 Unauthorized", "", wire));
        let gateway = two_keys(driver, wire, &provider).start();
        for _ in 0..2 {
            let got = gateway
                .client()
                .ask(request("GET", "/v1/files/file-1", "", ""));
            assert_eq!(got.status, 401);
        }
        assert_eq!(keys_of(&provider), [FIRST_KEY, FIRST_KEY]);
        gateway.wait_metric("ringway_credential_refused_total", 2.0);
        for line in gateway.lines(2) {
            assert_eq!(line["fault"], "credential", "{line}");
        }
    });
}
