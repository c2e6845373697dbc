//! Keys that are kept in a store: made, rotated and taken away while gateways run, on both databases.

use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use ringway::wire::kind::Wire;
use serde_json::{Value, json};

use crate::support::client::End;
use crate::support::directions::drivers;
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::governed::{
    ADMIN_KEY, WIRE, api, ask, gateway, made, readiness, secret_of, setup, status, wait_status,
    wait_store,
};
use crate::support::http::{self, LAST_CHUNK, chunk, post, request, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Step, then};
use crate::support::stores::{Database, KINDS, Kind};
use crate::support::wait;
use crate::support::wires::{chat, events, finish, path, start_up, terminator, text, told, whole};

#[test]
fn a_key_counts_once_it_is_made_and_is_unknown_once_it_is_revoked_but_cuts_no_stream() {
    for kind in KINDS {
        let database = Database::new(kind);
        let begun = [start_up(WIRE), &text(WIRE, "Hel", true)].concat();
        let mut script = then([stream_head(), chunk(begun)].concat(), Step::Gate);
        let rest = [&text(WIRE, "lo", false), finish(WIRE), terminator(WIRE)].concat();
        script.push(Step::Send([chunk(rest), LAST_CHUNK.to_vec()].concat()));
        let provider = Provider::all(script);
        let gateway = gateway(&database, &provider, "one");
        assert_eq!(
            status(&gateway, "rw_live_none"),
            401,
            "closed without any key"
        );
        let (secret, id) = made(&gateway, json!({"tenant": "blue", "name": "laptop"}));
        assert!(
            secret.starts_with("rw_live_") && secret.len() == 72,
            "{secret}"
        );
        assert!(id.starts_with("key_") && id.len() == 20, "{id}");
        let fields = format!("x-api-key: {secret}\r\n");
        let mut client = gateway.client();
        client.send(post(path(WIRE), &fields, chat(WIRE, MODEL, true)));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        let gone = api(&gateway, "DELETE", &format!("/api/keys/{id}"), "");
        assert_eq!(gone.status, 200, "{}", gone.text());
        assert!(gone.json()["revoked"].is_string());
        assert_eq!(status(&gateway, &secret), 401, "at once, in this process");
        provider.open();
        client.finish(&mut got);
        assert_eq!(
            (got.text(), got.end),
            (&*events(WIRE), End::Whole),
            "{kind:?}"
        );
        let again = api(&gateway, "DELETE", &format!("/api/keys/{id}"), "");
        assert_eq!(again.status, 404);
        let log = gateway.end();
        assert!(
            log.contains("\"tenant\":\"blue\"") && !log.contains(&secret),
            "{log}"
        );
    }
}

#[test]
fn every_replica_and_every_command_tells_the_others() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let one = gateway(&database, &provider, "one");
        let two = gateway(&database, &provider, "two");
        let (first, id) = made(&one, json!({"tenant": "blue"}));
        assert_eq!(status(&one, &first), 200);
        wait_status(&two, &first, 200);
        assert_eq!(
            api(&two, "DELETE", &format!("/api/keys/{id}"), "").status,
            200
        );
        assert_eq!(status(&two, &first), 401);
        wait_status(&one, &first, 401);
        // The command is a process of its own.
        let (second, id) = secret_of(&database.done(&["create", "--tenant", "red"]));
        wait_status(&one, &second, 200);
        wait_status(&two, &second, 200);
        database.done(&["revoke", &id]);
        wait_status(&one, &second, 401);
        wait_status(&two, &second, 401);
    }
}

#[test]
fn a_change_at_one_replica_is_in_force_at_another_within_a_second() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let one = gateway(&database, &provider, "one");
        let two = gateway(&database, &provider, "two");
        wait::shortest("a new key at the other replica", SPREAD, |_| {
            let begun = Instant::now();
            let (secret, _) = made(&one, json!({"tenant": "blue"}));
            wait_status(&two, &secret, 200);
            begun.elapsed()
        });
        wait::shortest("a revoked key at the other replica", SPREAD, |_| {
            let (secret, id) = made(&one, json!({"tenant": "blue"}));
            wait_status(&two, &secret, 200);
            let begun = Instant::now();
            api(&one, "DELETE", &format!("/api/keys/{id}"), "");
            wait_status(&two, &secret, 401);
            begun.elapsed()
        });
        wait::shortest("a store that is back", BACK, |_| {
            database.stop();
            wait_store(&one, "down");
            database.start();
            let begun = Instant::now();
            wait_store(&one, "up");
            begun.elapsed()
        });
    }
}

#[test]
fn a_rotated_key_is_good_under_both_secrets_for_the_overlap_alone() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        let (first, id) = made(&gateway, json!({"tenant": "blue"}));
        let rotate = |body: &str| {
            let answer = api(&gateway, "POST", &format!("/api/keys/{id}/rotate"), body);
            assert_eq!(answer.status, 200, "{}", answer.text());
            secret_of(&answer.json()).0
        };
        let second = rotate(r#"{"overlap":"1h"}"#);
        assert_eq!(
            (status(&gateway, &first), status(&gateway, &second)),
            (200, 200)
        );
        let third = rotate("");
        assert_eq!(status(&gateway, &third), 200);
        assert_eq!(
            (status(&gateway, &first), status(&gateway, &second)),
            (401, 401)
        );
        let shown = database.done(&["rotate", &id, "--overlap", "1s"]);
        let listed = database.keys(&["list"]).stdout;
        let listed = String::from_utf8(listed).unwrap();
        assert!(listed.contains("former_until=20"), "{listed}");
        let (fourth, same) = secret_of(&shown);
        assert_eq!(same, id, "a key keeps its id");
        wait_status(&gateway, &fourth, 200);
        wait_status(&gateway, &third, 401);
        let shown = database.done(&["show", &id]);
        assert!(shown.get("key").is_none(), "shown once: {shown}");
    }
}

#[test]
fn a_store_that_is_away_at_the_start_is_replaced_by_the_snapshot_and_used_once_it_is_back() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let first = gateway(&database, &provider, "one");
        let (secret, id) = made(&first, json!({"tenant": "blue", "models": ["m"]}));
        let (gone, gone_id) = made(&first, json!({"tenant": "blue"}));
        assert_eq!(
            api(&first, "DELETE", &format!("/api/keys/{gone_id}"), "").status,
            200
        );
        drop(first);
        let mode = fs::metadata(database.snapshot("one"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let kept = fs::read_to_string(database.snapshot("one")).unwrap();
        assert!(
            kept.contains(&id) && !kept.contains(&secret),
            "digests alone"
        );
        database.stop();
        let gateway = gateway(&database, &provider, "one");
        let (code, ready) = readiness(&gateway);
        assert_eq!(
            (code, &ready["store"], &ready["keys"]),
            (200, &json!("down"), &json!("snapshot"))
        );
        assert_eq!(
            (status(&gateway, &secret), status(&gateway, &gone)),
            (200, 401)
        );
        assert!(gateway.metric("ringway_store_up") < 1.0);
        assert!(gateway.metric("ringway_store_failures_total") > 0.0);
        let refused = api(&gateway, "POST", "/api/keys", r#"{"tenant":"blue"}"#);
        assert_eq!(refused.status, 503, "{}", refused.text());
        database.start();
        wait_store(&gateway, "up");
        assert_eq!(readiness(&gateway).1["keys"], "store");
        assert_eq!(status(&gateway, &secret), 200);
        let (later, _) = made(&gateway, json!({"tenant": "red"}));
        assert_eq!(status(&gateway, &later), 200);
    }
}

#[test]
fn a_store_that_goes_away_later_leaves_the_last_keys_in_force() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        let (secret, _) = made(&gateway, json!({"tenant": "blue"}));
        database.kick();
        database.stop();
        wait_store(&gateway, "down");
        assert_eq!(
            (status(&gateway, &secret), readiness(&gateway).0),
            (200, 200)
        );
        assert_eq!(status(&gateway, "rw_live_other"), 401);
        database.start();
        wait_store(&gateway, "up");
        let (made_later, _) = secret_of(&database.done(&["create", "--tenant", "blue"]));
        wait_status(&gateway, &made_later, 200);
        assert_eq!(status(&gateway, &secret), 200);
    }
}

#[test]
fn a_store_that_hangs_with_its_connections_open_is_away_until_it_goes_on() {
    let mut database = Database::new(Kind::Postgres);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = gateway(&database, &provider, "one");
    let (secret, _) = made(&gateway, json!({"tenant": "blue"}));
    database.freeze(true);
    let refused = api(&gateway, "GET", "/api/keys", "");
    assert_eq!(refused.status, 503, "{}", refused.text());
    wait_store(&gateway, "down");
    assert_eq!(
        (status(&gateway, &secret), readiness(&gateway).0),
        (200, 200)
    );
    database.freeze(false);
    wait_store(&gateway, "up");
    let (later, _) = made(&gateway, json!({"tenant": "blue"}));
    assert_eq!(status(&gateway, &later), 200);
}

#[test]
fn without_store_and_snapshot_a_gateway_is_not_ready_and_knows_the_configurations_keys_alone() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        if kind == Kind::Sqlite {
            fs::create_dir(database.file()).unwrap();
        } else {
            database.stop();
        }
        let gateway = setup(&database, &provider, "one")
            .key("said", "one", None)
            .start();
        assert_eq!(readiness(&gateway).0, 503);
        let ready = gateway.client().ask(request("GET", "/readyz", "", ""));
        assert_eq!(ready.status, 503);
        assert_eq!(status(&gateway, "said"), 200);
        // The key may be in the store: what a client does with a 401 is for good.
        let other = ask(&gateway, "other");
        assert_eq!(other.status, 503, "{}", other.text());
        assert_eq!(other.field("retry-after"), Some("1"));
        let fields = "content-type: application/json\r\n";
        let none = post(path(WIRE), fields, chat(WIRE, MODEL, false));
        assert_eq!(gateway.client().ask(none).status, 401, "no key at all");
        if kind == Kind::Sqlite {
            fs::remove_dir(database.file()).unwrap();
        } else {
            database.start();
        }
        wait_store(&gateway, "up");
        assert_eq!(readiness(&gateway).0, 200);
        assert_eq!(
            gateway
                .client()
                .ask(request("GET", "/readyz", "", ""))
                .status,
            200
        );
        assert_eq!(
            (status(&gateway, "said"), status(&gateway, "other")),
            (200, 401)
        );
    }
}

#[test]
fn endpoints_with_state_want_leave_where_several_tenants_share_a_provider() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json("{}"));
        let gateway = gateway(&database, &provider, "one");
        let relayed = |secret: &str, target: &str| {
            let fields = format!("x-api-key: {secret}\r\n");
            gateway.client().ask(request("GET", target, &fields, ""))
        };
        let (alone, _) = made(&gateway, json!({"tenant": "blue"}));
        assert_eq!(relayed(&alone, "/v1/files").status, 200, "a single tenant");
        let files = json!({"tenant": "red", "relay": ["files"]});
        let (files, _) = made(&gateway, files);
        let (all, _) = made(&gateway, json!({"tenant": "red", "relay": ["*"]}));
        let refused = relayed(&alone, "/v1/files");
        assert_eq!(refused.status, 403, "{}", refused.text());
        let message = told(WIRE, &refused).message;
        assert!(message.contains("relay = [\"files\"]"), "{message}");
        assert_eq!(relayed(&files, "/v1/files/f1/content").status, 200);
        assert_eq!(relayed(&files, "/v1/batches").status, 403);
        assert_eq!(relayed(&all, "/v1/batches").status, 200);
        let fields = format!("x-api-key: {alone}\r\nanthropic-version: 2023-06-01\r\n");
        let batches = request("GET", "/v1/messages/batches", &fields, "");
        let refused = gateway.client().ask(batches);
        assert_eq!(refused.status, 403);
        assert_eq!(
            told(Wire::AnthropicMessages, &refused).kind,
            "permission_error"
        );
        let fields = format!("x-api-key: {alone}\r\n");
        let embedded = post("/v1/embeddings", &fields, r#"{"model":"m","input":"x"}"#);
        assert_eq!(
            gateway.client().ask(embedded).status,
            200,
            "nothing is left there"
        );
        // Red's files outlast its keys.
        for key in api(&gateway, "GET", "/api/keys?tenant=red", "").json()["keys"]
            .as_array()
            .unwrap()
        {
            let target = format!("/api/keys/{}", key["id"].as_str().unwrap());
            assert_eq!(api(&gateway, "DELETE", &target, "").status, 200);
        }
        assert_eq!(relayed(&alone, "/v1/files").status, 403);
        assert_eq!(api(&gateway, "DELETE", "/api/tenants/red", "").status, 200);
        assert_eq!(relayed(&alone, "/v1/files").status, 200);
    }
}

#[test]
fn p22_the_api_wants_its_own_credential_and_is_off_without() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = gateway(&database, &provider, "one");
    let (secret, _) = made(&gateway, json!({"tenant": "blue"}));
    for fields in [
        String::new(),
        format!("authorization: Bearer {secret}\r\n"),
        format!("x-api-key: {ADMIN_KEY}\r\n"),
        "authorization: Bearer \r\n".to_owned(),
        "authorization: Basic YTpi\r\n".to_owned(),
    ] {
        let answer = gateway
            .admin()
            .ask(request("GET", "/api/keys", &fields, ""));
        assert_eq!(answer.status, 401, "{fields}: {}", answer.text());
        assert_eq!(answer.field("www-authenticate"), Some("Bearer"));
    }
    // Nothing of it stands on the clients' listener.
    let fields = format!("authorization: Bearer {ADMIN_KEY}\r\n");
    let answer = gateway
        .client()
        .ask(request("GET", "/api/keys", &fields, ""));
    assert_eq!(answer.status, 404);
    let off = Setup::upstream(drivers()[0], WIRE, &provider)
        .text(&database.section(&database.snapshot("off")))
        .start();
    assert_eq!(
        off.admin()
            .ask(request("GET", "/api/keys", &fields, ""))
            .status,
        404
    );
}

/// Asks for a key and is refused for this member, with these words.
fn refused_member(gateway: &Gateway, body: &str, member: &str, told: &str) {
    let answer = api(gateway, "POST", "/api/keys", body);
    let error = &answer.json()["error"];
    assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    assert_eq!(
        error["param"].as_str().unwrap_or_default(),
        member,
        "{body}"
    );
    assert!(
        error["message"].as_str().unwrap().contains(told),
        "{body}: {error}"
    );
}

#[test]
fn the_api_says_which_member_is_wrong_and_makes_nothing() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        let long = "x".repeat(129);
        let text = |member: &str, value: Value| json!({"tenant": "t", member: value}).to_string();
        let cases = [
            (String::new(), "", "expected JSON"),
            ("[]".to_owned(), "", "expected an object"),
            ("{\"tenant\":\"a\"".to_owned(), "", "expected JSON"),
            ("{}".to_owned(), "tenant", "is missing"),
            (
                json!({"tenant": 5}).to_string(),
                "tenant",
                "expected a string",
            ),
            (json!({"tenant": ""}).to_string(), "tenant", "1 to 128"),
            (json!({"tenant": long}).to_string(), "tenant", "1 to 128"),
            (
                json!({"tenant": "a\u{0}b"}).to_string(),
                "tenant",
                "control",
            ),
            (text("name", json!(["a"])), "name", "expected a string"),
            (text("models", json!("gpt-*")), "models", "array"),
            (text("models", json!([1e99])), "models", "expected a string"),
            (text("tiers", json!([null])), "tiers", "expected a string"),
            (
                text("expires", json!("soon")),
                "expires",
                "such as 2027-01-31",
            ),
            (
                text("expires", json!(99_999_999_999_999_u64)),
                "expires",
                "a string",
            ),
            (text("id", json!("a b")), "id", "letters"),
            (
                text("model", json!([])),
                "model",
                "unknown member; known: tenant",
            ),
            (
                text("residency", json!({"country": ["CA"]})),
                "country",
                "known: jurisdictions",
            ),
            (text("metadata", json!({"a": {}})), "metadata", "a string"),
            (
                "{\"tenant\":\"a\",\"tenant\":\"b\"}".to_owned(),
                "tenant",
                "twice",
            ),
            ("[".repeat(10_000), "", "expected JSON"),
        ];
        for (body, member, told) in cases {
            refused_member(&gateway, &body, member, told);
        }
        let listed = api(&gateway, "GET", "/api/keys", "").json();
        assert_eq!(listed["keys"], json!([]));
    }
}

#[test]
fn the_api_says_which_path_or_parameter_is_wrong() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        let (_, id) = made(&gateway, json!({"tenant": "t", "id": "mine"}));
        assert_eq!(id, "mine");
        let again = r#"{"tenant":"t","id":"mine"}"#;
        let taken = api(&gateway, "POST", "/api/keys", again);
        assert_eq!(taken.status, 409, "{}", taken.text());
        for (method, target, body, code) in [
            ("GET", "/api/keys/none", "", 404),
            ("GET", "/api/keys/a%20b", "", 400),
            ("DELETE", "/api/keys/none", "", 404),
            ("POST", "/api/keys/mine/rotate", "{\"overlap\":5}", 400),
            ("POST", "/api/keys/mine/rotate", "{\"overlap\":\"1y\"}", 400),
            ("POST", "/api/keys/mine/rotate", "{\"over\":\"1h\"}", 400),
            ("POST", "/api/keys/none/rotate", "", 404),
            ("PUT", "/api/keys/mine", "{}", 405),
            ("GET", "/api/keys?limit=0", "", 400),
            ("GET", "/api/keys?limit=1e3", "", 400),
            ("GET", "/api/keys?tenants=t", "", 400),
            ("GET", "/api/keys?tenant=%00", "", 400),
            ("GET", "/api/none", "", 404),
        ] {
            let answer = api(&gateway, method, target, body);
            assert_eq!(answer.status, code, "{method} {target}: {}", answer.text());
        }
        let listed = api(&gateway, "GET", "/api/keys", "").json();
        assert_eq!(listed["keys"].as_array().unwrap().len(), 1, "{listed}");
    }
}

#[test]
fn the_api_lists_by_tenant_and_page_and_its_document_is_served() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        for (id, tenant) in [
            ("k1", "blue"),
            ("k2", "red & co"),
            ("k3", "blue"),
            ("k4", "blue"),
        ] {
            made(
                &gateway,
                json!({"tenant": tenant, "id": id, "metadata": {"a": "b"}}),
            );
        }
        let ids = |query: &str| {
            let page = api(&gateway, "GET", &format!("/api/keys{query}"), "").json();
            let keys = page["keys"].as_array().unwrap();
            let ids: Vec<&str> = keys.iter().map(|key| key["id"].as_str().unwrap()).collect();
            (ids.join(" "), page["next"].clone())
        };
        assert_eq!(ids(""), ("k1 k2 k3 k4".to_owned(), json!(null)));
        assert_eq!(ids("?limit=3"), ("k1 k2 k3".to_owned(), json!("k3")));
        assert_eq!(ids("?limit=2&after=k2"), ("k3 k4".to_owned(), json!(null)));
        assert_eq!(
            ids("?tenant=blue&limit=2"),
            ("k1 k3".to_owned(), json!("k3"))
        );
        assert_eq!(
            ids("?tenant=red%20%26%20co"),
            ("k2".to_owned(), json!(null))
        );
        let shown = api(&gateway, "GET", "/api/keys/k2", "").json();
        assert_eq!(
            (&shown["tenant"], &shown["metadata"]),
            (&json!("red & co"), &json!({"a": "b"}))
        );
        // Rows that make no sense are passed over, and ids stand in the order of their bytes.
        database.edit(
            "UPDATE keys SET id = 'a b' WHERE id = 'k1'; UPDATE keys SET id = 'K5' WHERE id = 'k3'; \
             UPDATE tenants SET rules = '[]' WHERE name = 'red & co'",
        );
        assert_eq!(ids("?limit=1"), ("K5".to_owned(), json!("K5")));
        assert_eq!(ids("?limit=1&after=K5"), ("k4".to_owned(), json!(null)));
        assert_eq!(ids("?limit=2"), ("K5 k4".to_owned(), json!(null)));
        let document = api(&gateway, "GET", "/api/openapi.json", "").json();
        assert_eq!(document["openapi"], "3.1.0");
    }
}

#[test]
fn the_command_prints_tables_and_json_and_says_what_is_wrong() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let created = database.keys(&[
            "create",
            "--tenant",
            "blue",
            "--model",
            "a*",
            "--expires",
            "2099-01-31",
        ]);
        let text = String::from_utf8(created.stdout).unwrap();
        assert!(
            text.starts_with("key: rw_live_") && text.contains("shown this once"),
            "{text}"
        );
        assert!(
            text.contains("blue") && text.contains("a*") && text.contains("2099-01-31T00:00:00Z")
        );
        let listed = database.done(&["list", "--tenant", "blue"]);
        assert_eq!(listed.as_array().unwrap().len(), 1);
        assert_eq!(database.done(&["list", "--tenant", "red"]), json!([]));
        let id = listed[0]["id"].as_str().unwrap();
        database.done(&["revoke", id]);
        assert_eq!(database.done(&["list"]), json!([]));
        assert_eq!(database.done(&["list", "--all"])[0]["id"], *id);
        for (arguments, code, text) in [
            (&["create"][..], 2, "--tenant"),
            (
                &["create", "--tenant", ""],
                2,
                "--tenant: expected 1 to 128 bytes",
            ),
            (&["create", "--tenant", "a\nb"], 2, "--tenant: expected"),
            (
                &["create", "--tenant", "a", "--expires", "soon"],
                2,
                "--expires: expected a day",
            ),
            (
                &["create", "--tenant", "a", "--metadata", "x"],
                2,
                "--metadata: expected NAME=WORD",
            ),
            (
                &["create", "--tenant", "a", "--id", "a b"],
                2,
                "--id: expected 1 to 64",
            ),
            (
                &["rotate", "x", "--overlap", "1y"],
                2,
                "--overlap: expected",
            ),
            (&["rotate", "none"], 1, "no key `none`"),
            (&["show", "none"], 1, "no key `none`\n"),
            (&["revoke", id], 1, "that is not revoked"),
            (&["lst"], 2, "list"),
        ] {
            let output = database.keys(arguments);
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
            assert!(told.contains(text), "{arguments:?}: {told}");
        }
        database.stop();
        let output = database.keys(&["list"]);
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("store "), "{told}");
    }
}

#[test]
fn a_sqlite_file_is_its_owners_alone() {
    let database = Database::new(Kind::Sqlite);
    database.done(&["create", "--tenant", "blue"]);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(database.file()), 0o600);
    fs::set_permissions(database.file(), fs::Permissions::from_mode(0o644)).unwrap();
    database.done(&["list"]);
    assert_eq!(mode(database.file()), 0o600);
}

/// Longest time until a change is in force everywhere.
const SPREAD: Duration = Duration::from_secs(1);
/// Longest time until a store that is back is used again.
const BACK: Duration = Duration::from_secs(2);
