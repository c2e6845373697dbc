//! Bad input to what operators use: the API, the commands, and rows that were edited by hand. Each is
//! told what is wrong and how to mend it, changes nothing, and stops nobody else.

use core::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::directions::drivers;
use crate::support::gateway::{Gateway, Setup};
use crate::support::governed::{ADMIN_KEY, WIRE, api, gateway, made, status, wait_status};
use crate::support::http::{self, request};
use crate::support::provider::Provider;
use crate::support::stores::{Database, KINDS, Kind};
use crate::support::wires::whole;

/// An answer of the API that says what is wrong, as JSON; its message and member.
fn refused(answer: &Answer, code: u16, what: &str) -> (String, Option<String>) {
    assert_eq!(answer.status, code, "{what}: {}", answer.text());
    assert_eq!(
        answer.field("content-type"),
        Some("application/json"),
        "{what}"
    );
    assert!(answer.text().len() < 1_000, "{what}: {}", answer.text());
    let error = &answer.json()["error"];
    let message = error["message"].as_str().unwrap().to_owned();
    (message, error["param"].as_str().map(str::to_owned))
}

/// Rules that make no sense: the document, the member at fault, a part of the text.
fn bad_rules() -> Vec<(String, &'static str, &'static str)> {
    let many = json!({"residency": {"regions": vec!["x"; 65]}}).to_string();
    let long = json!({"residency": {"regions": ["x".repeat(129)]}}).to_string();
    let deep = format!("{{\"residency\":{}1{}}}", "[".repeat(20), "]".repeat(20));
    let mut wide = String::from("{");
    for number in 0..9_000 {
        let _ = write!(wide, "\"m{number}\":1,");
    }
    wide.push_str("\"z\":1}");
    let mut cases: Vec<(String, &str, &str)> = vec![
        (many, "regions", "64 strings at most"),
        (long, "regions", "1 to 128 bytes"),
        (deep, "", "expected JSON"),
        (wide, "", "expected JSON"),
    ];
    cases.extend(BAD_RULES.map(|(body, member, text)| (body.to_owned(), member, text)));
    cases
}

const BAD_RULES: [(&str, &str, &str); 27] = [
    ("", "", "expected JSON"),
    ("null", "", "expected an object"),
    ("[]", "", "expected an object"),
    ("{\"concurrent\":1", "", "expected JSON"),
    ("{\"concurrent\":1}}", "", "expected JSON"),
    ("{'concurrent':1}", "", "expected JSON"),
    ("concurrent=1", "", "expected JSON"),
    ("{\"concurrent\":1,\"concurrent\":2}", "concurrent", "twice"),
    (
        "{\"limits\":{}}",
        "limits",
        "unknown member; known: residency",
    ),
    (
        "{\"requests_per_minute\":0}",
        "requests_per_minute",
        "whole number from 1 to 1000000000000",
    ),
    (
        "{\"requests_per_minute\":-1}",
        "requests_per_minute",
        "whole number",
    ),
    (
        "{\"requests_per_minute\":1.5}",
        "requests_per_minute",
        "whole number",
    ),
    (
        "{\"requests_per_minute\":\"60\"}",
        "requests_per_minute",
        "whole number",
    ),
    (
        "{\"requests_per_minute\":true}",
        "requests_per_minute",
        "whole number",
    ),
    (
        "{\"tokens_per_minute\":1e300}",
        "tokens_per_minute",
        "whole number",
    ),
    (
        "{\"concurrent\":1000000000001}",
        "concurrent",
        "whole number from 1 to 1000000000000",
    ),
    ("{\"budget_day\":25}", "budget_day", "dollars as a string"),
    (
        "{\"budget_day\":\"-1\"}",
        "budget_day",
        "dollars as a string",
    ),
    (
        "{\"budget_day\":\"1,50\"}",
        "budget_day",
        "dollars as a string",
    ),
    (
        "{\"budget_day\":\"$5\"}",
        "budget_day",
        "dollars as a string",
    ),
    (
        "{\"budget_month\":\"1.0000000001\"}",
        "budget_month",
        "dollars as a string",
    ),
    (
        "{\"budget_month\":\"99999999999999999999\"}",
        "budget_month",
        "dollars as a string",
    ),
    ("{\"residency\":\"CA\"}", "residency", "expected an object"),
    ("{\"residency\":{}}", "residency", "restricts nothing"),
    (
        "{\"residency\":{\"regions\":[]}}",
        "regions",
        "would leave nothing",
    ),
    (
        "{\"residency\":{\"countries\":[\"CA\"]}}",
        "countries",
        "known: jurisdictions",
    ),
    (
        "{\"residency\":{\"jurisdictions\":[7]}}",
        "jurisdictions",
        "expected a string",
    ),
];

#[test]
fn the_api_refuses_rules_that_make_no_sense_by_name_for_keys_and_tenants_alike() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = gateway(&database, &provider, "one");
    made(&gateway, json!({"tenant": "blue"}));
    let rules = r#"{"concurrent":5}"#;
    let set = api(&gateway, "PUT", "/api/tenants/blue", rules);
    assert_eq!(set.status, 200);
    for (body, member, text) in bad_rules() {
        let mut tries = vec![("PUT", "/api/tenants/blue", body.clone())];
        if let Some(rest) = body.strip_prefix('{') {
            let key = format!("{{\"tenant\":\"blue\",{rest}");
            tries.push(("POST", "/api/keys", key));
        }
        for (method, target, body) in tries {
            let start: String = body.chars().take(80).collect();
            let what = format!("{method} {target} {start}");
            let answer = api(&gateway, method, target, &body);
            let (message, param) = refused(&answer, 400, &what);
            assert_eq!(param.unwrap_or_default(), member, "{what}: {message}");
            // A key has more members than a tenant.
            let text = text.split("; known").next().unwrap();
            assert!(message.contains(text), "{what}: {message}");
        }
    }
    let shown = api(&gateway, "GET", "/api/tenants/blue", "").json();
    assert_eq!(shown["concurrent"], 5, "what was there stays");
    let listed = api(&gateway, "GET", "/api/keys", "").json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1);
}

/// Requests that are wrong: the status, and a part of what is said.
const BAD_REQUESTS: [(&str, &str, &str, u16, &str); 26] = [
    ("GET", "/api/tenants/none", "", 404, "no tenant \"none\""),
    ("DELETE", "/api/tenants/none", "", 404, "no tenant \"none\""),
    (
        "GET",
        "/api/tenants/a%00b",
        "",
        400,
        "without control characters",
    ),
    (
        "PUT",
        "/api/tenants/a%0Ab",
        "{}",
        400,
        "without control characters",
    ),
    ("GET", "/api/tenants/%FF", "", 400, "UTF-8"),
    ("POST", "/api/tenants", "{}", 405, "GET /api/openapi.json"),
    (
        "POST",
        "/api/tenants/blue",
        "{}",
        405,
        "GET /api/openapi.json",
    ),
    (
        "PATCH",
        "/api/keys/mine",
        "{}",
        405,
        "GET /api/openapi.json",
    ),
    ("DELETE", "/api/keys", "", 405, "GET /api/openapi.json"),
    ("GET", "/api/tenant", "", 404, "unknown path"),
    ("GET", "/api/", "", 404, "unknown path"),
    ("GET", "/api/tenants?limit=0", "", 400, "from 1 to 1000"),
    ("GET", "/api/tenants?limit=1001", "", 400, "from 1 to 1000"),
    ("GET", "/api/tenants?limit=", "", 400, "from 1 to 1000"),
    ("GET", "/api/tenants?limit=-1", "", 400, "from 1 to 1000"),
    ("GET", "/api/tenants?after=", "", 400, "1 to 128 bytes"),
    ("GET", "/api/tenants?after=%0d", "", 400, "control"),
    (
        "GET",
        "/api/tenants?tenant=blue",
        "",
        400,
        "known: after, limit",
    ),
    ("GET", "/api/keys?after=a/b", "", 400, "letters, digits"),
    ("GET", "/api/keys?after=", "", 400, "letters, digits"),
    ("GET", "/api/keys?tenant=", "", 400, "1 to 128 bytes"),
    ("GET", "/api/usage?tenant=", "", 400, "1 to 128 bytes"),
    ("GET", "/api/usage?key=", "", 400, "found none"),
    (
        "POST",
        "/api/keys",
        "{\"tenant\":\"blue\",\"expires\":\"2020-01-31\"}",
        400,
        "expires: expected a moment to come, found 2020-01-31T00:00:00Z",
    ),
    ("GET", "/api/keys?limit=1&limit=2", "", 400, "twice"),
    (
        "GET",
        "/api/keys?%6cimit=1",
        "",
        400,
        "known: tenant, after, limit",
    ),
];

/// Whether the document says that a call may get this status; nothing where it has no such call.
fn documented(document: &Value, method: &str, target: &str, code: u16) -> Option<bool> {
    let path: Vec<&str> = target.split('?').next()?.split('/').collect();
    let fits = |known: &str| {
        let known: Vec<&str> = known.split('/').collect();
        let mut steps = known.iter().zip(&path);
        known.len() == path.len()
            && steps.all(|(known, step)| known.starts_with('{') || known == step)
    };
    let mut paths = document["paths"].as_object()?.iter();
    let (_, calls) = paths.find(|(known, _)| fits(known))?;
    let call = calls.get(method.to_lowercase())?;
    Some(call["responses"].get(code.to_string()).is_some())
}

#[test]
fn the_api_says_what_is_wrong_with_paths_queries_methods_and_sizes() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        made(&gateway, json!({"tenant": "blue", "id": "mine"}));
        let long = format!("/api/tenants/{}", "x".repeat(129));
        let over = " ".repeat(600 * 1024);
        let large = [
            ("PUT", &*long, "{}", 400, "1 to 128 bytes"),
            (
                "PUT",
                "/api/tenants/blue",
                &over,
                413,
                "limit of 524288 bytes",
            ),
            ("POST", "/api/keys", &over, 413, "limit of 524288 bytes"),
            (
                "POST",
                "/api/keys/mine/rotate",
                &over,
                413,
                "limit of 524288 bytes",
            ),
            ("DELETE", "/api/tenants/a%00b", "", 400, "control"),
        ];
        let document = api(&gateway, "GET", "/api/openapi.json", "").json();
        for (method, target, body, code, text) in BAD_REQUESTS.into_iter().chain(large) {
            let what = format!("{method} {target}");
            assert_ne!(
                documented(&document, method, target, code),
                Some(false),
                "{what}"
            );
            let (message, _) = refused(&api(&gateway, method, target, body), code, &what);
            assert!(message.contains(text), "{what}: {message}");
        }
        let taken = r#"{"tenant":"new","id":"mine"}"#;
        let answer = api(&gateway, "POST", "/api/keys", taken);
        let (message, _) = refused(&answer, 409, taken);
        assert!(message.contains("is there already"), "{message}");
        // A cursor that no row has is a place all the same.
        let page = api(&gateway, "GET", "/api/keys?after=aaa", "").json();
        assert_eq!(page["keys"][0]["id"], "mine");
        let listed = api(&gateway, "GET", "/api/tenants", "").json();
        assert_eq!(listed["tenants"].as_array().unwrap().len(), 1, "{listed}");
    }
}

#[test]
fn without_a_store_keys_and_tenants_are_a_404_that_the_document_has() {
    let provider = Provider::answering(http::json(whole(WIRE)));
    let setup = Setup::upstream(drivers()[0], WIRE, &provider);
    let setup = setup.server("admin_key_file = \"admin.key\"");
    let file = setup.folder().join("admin.key");
    fs::write(&file, ADMIN_KEY).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let gateway = setup.start();
    let document = api(&gateway, "GET", "/api/openapi.json", "").json();
    for (method, target, body) in [
        ("GET", "/api/keys", ""),
        ("POST", "/api/keys", r#"{"tenant":"blue"}"#),
        ("GET", "/api/keys/mine", ""),
        ("DELETE", "/api/keys/mine", ""),
        ("POST", "/api/keys/mine/rotate", ""),
        ("GET", "/api/tenants", ""),
        ("GET", "/api/tenants/blue", ""),
        ("PUT", "/api/tenants/blue", "{}"),
        ("DELETE", "/api/tenants/blue", ""),
    ] {
        let what = format!("{method} {target}");
        let (message, _) = refused(&api(&gateway, method, target, body), 404, &what);
        assert!(message.starts_with("no [store]"), "{what}: {message}");
        assert_eq!(
            documented(&document, method, target, 404),
            Some(true),
            "{what}"
        );
    }
}

#[test]
fn p22_without_the_credential_every_path_of_the_api_is_the_same_401() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = gateway(&database, &provider, "one");
    let document = api(&gateway, "GET", "/api/openapi.json", "").json();
    let long = format!("authorization: Bearer {}\r\n", "x".repeat(4_000));
    let twice = format!("authorization: Bearer x\r\nauthorization: Bearer {ADMIN_KEY}\r\n");
    for target in document["paths"].as_object().unwrap().keys() {
        let target = target.replace("{id}", "none").replace("{name}", "none");
        let mut texts = Vec::new();
        for method in ["GET", "POST", "PUT", "DELETE"] {
            for fields in ["", "authorization: Bearer wrong\r\n", &long, &twice] {
                let answer = gateway
                    .admin()
                    .ask(request(method, &target, fields, "not even JSON"));
                texts.push(refused(&answer, 401, &target).0);
            }
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
    }
}

/// Arguments that are wrong, and what has to be said of them.
const BAD_ARGUMENTS: [(&str, &[&str], &str); 30] = [
    ("keys", &[], "create"),
    ("keys", &["create"], "--tenant <TENANT>"),
    (
        "keys",
        &["create", "--tenant", ""],
        "--tenant: expected 1 to 128 bytes",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--name", "a\tb"],
        "--name: expected",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--id", ""],
        "--id: expected 1 to 64",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--model", ""],
        "--model: expected 1 to",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--tier", ""],
        "--tier: expected 1 to",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--relay", ""],
        "--relay: expected 1 to",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--jurisdiction", ""],
        "--jurisdiction: expected 1",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--region", "\u{7}"],
        "--region: expected 1",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--provider", ""],
        "--provider: expected 1",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--requests-per-minute", "0"],
        "--requests-per-minute",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--tokens-per-minute", "many"],
        "--tokens-per-minute",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--concurrent", "1.5"],
        "--concurrent",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--budget-day", "ten"],
        "--budget-day: expected dollars",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--budget-month", "-1"],
        "--budget-month",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--expires", "2020-01-31"],
        "--expires: expected a moment to come",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--expires", "31.1.2027"],
        "--expires: expected a day",
    ),
    (
        "keys",
        &["create", "--tenant", "a", "--metadata", "a"],
        "--metadata: expected NAME=WORD",
    ),
    (
        "keys",
        &[
            "create",
            "--tenant",
            "a",
            "--metadata",
            "a=1",
            "--metadata",
            "a=2",
        ],
        "--metadata: \"a\" stands twice",
    ),
    (
        "keys",
        &["list", "--format", "csv"],
        "possible values: table, json",
    ),
    ("keys", &["list", "--limit", "5"], "--limit"),
    ("keys", &["rotate", "a", "--overlap", "-1h"], "--overlap"),
    ("tenants", &[], "list"),
    ("tenants", &["set"], "<NAME>"),
    ("tenants", &["set", ""], "NAME: expected 1 to 128 bytes"),
    (
        "tenants",
        &["set", "a", "--budget-month", "1.5.5"],
        "--budget-month: expected dollars",
    ),
    (
        "tenants",
        &["set", "a", "--concurrent", "99999999999999"],
        "--concurrent",
    ),
    (
        "tenants",
        &["set", "a", "--jurisdiction", ""],
        "--jurisdiction: expected 1 to",
    ),
    ("tenants", &["set", "a", "--model", "x"], "--model"),
];

#[test]
fn the_commands_name_the_argument_that_is_wrong_and_end_with_2() {
    let database = Database::new(Kind::Sqlite);
    for (command, arguments, text) in BAD_ARGUMENTS {
        let output = database.command(command, arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{command} {arguments:?}: {told}"
        );
        assert!(told.contains(text), "{command} {arguments:?}: {told}");
        assert!(output.stdout.is_empty(), "{command} {arguments:?}");
    }
    assert!(!database.file().exists(), "nothing was made");
    // No store, a wrong one, or one that is not there.
    for (arguments, code, text) in [
        (&["tenants", "list"][..], 2, "--config FILE, or --store URL"),
        (
            &["keys", "list", "--store", "mysql://x"],
            2,
            "--store: expected sqlite:",
        ),
        (
            &["tenants", "list", "--store", "sqlite:"],
            2,
            "--store: expected a path",
        ),
        (
            &["tenants", "list", "--config", "/nowhere/r.toml"],
            2,
            "/nowhere/r.toml",
        ),
        (
            &["tenants", "list", "--store", "sqlite:/nowhere/r.db"],
            1,
            "cannot be opened",
        ),
        (
            &["tenants", "set", "a", "--store", "sqlite:/nowhere/r.db"],
            1,
            "cannot be made",
        ),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ringway"));
        let output = command.env_clear().args(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(text), "{arguments:?}: {told}");
    }
}

/// What somebody did to the row of a key, the line that says so, and whether the key is listed by it.
const EDITS: [(&str, &str, &str); 12] = [
    (
        "digest",
        "digest = DIGEST",
        "digest: expected 32 bytes, found 2",
    ),
    ("rules", "rules = '{'", "rules: expected JSON"),
    ("list", "rules = '[]'", "rules: expected an object"),
    (
        "unknown",
        "rules = '{\"model\":[]}'",
        "rules: model: unknown member",
    ),
    (
        "limit",
        "rules = '{\"concurrent\":\"3\"}'",
        "rules: concurrent: expected a whole",
    ),
    (
        "place",
        "rules = '{\"residency\":{\"regions\":[]}}'",
        "rules: regions: is empty",
    ),
    (
        "expires",
        "expires = -5",
        "expires: expected Unix milliseconds",
    ),
    (
        "created",
        "created = -1",
        "created: expected Unix milliseconds",
    ),
    (
        "revoked",
        "revoked = -1",
        "revoked: expected Unix milliseconds",
    ),
    (
        "former",
        "former_until = 99",
        "former: expected `former_until` beside it",
    ),
    ("name", "name = 'a' || CHAR(10)", "name: expected 1 to 128"),
    (
        "orphan",
        "tenant = 'red'",
        "its tenant's row makes no sense",
    ),
];

#[test]
fn every_row_that_was_edited_by_hand_is_left_out_and_said_and_the_others_go_on() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        let (good, _) = made(&gateway, json!({"tenant": "blue", "id": "good"}));
        let secrets = EDITS.map(|(id, ..)| made(&gateway, json!({"tenant": "blue", "id": id})).0);
        made(&gateway, json!({"tenant": "red", "id": "red-one"}));
        let (digest, character) = match kind {
            Kind::Sqlite => ("x'0102'", "CHAR"),
            Kind::Postgres => ("'\\x0102'::bytea", "CHR"),
        };
        let mut edits =
            String::from("UPDATE tenants SET rules = '{\"residency\":' WHERE name = 'red';");
        for (id, edit, _) in EDITS {
            let edit = edit.replace("DIGEST", digest).replace("CHAR", character);
            let _ = write!(edits, "UPDATE keys SET {edit} WHERE id = '{id}';");
        }
        database.edit(&edits);
        wait_status(&gateway, &secrets[0], 401);
        for ((id, ..), secret) in EDITS.iter().zip(&secrets) {
            wait_status(&gateway, secret, 401);
            assert_eq!(status(&gateway, &good), 200, "{id}");
        }
        // A key and the tenant's row beside those above.
        gateway.wait_metric("ringway_store_rows_skipped", EDITS.len() as f64 + 2.0);
        let listed = api(&gateway, "GET", "/api/keys", "").json();
        assert_eq!(ids(&listed), ["good"]);
        assert_eq!(listed["rows_left_out"], EDITS.len() + 2);
        let output = database.keys(&["list"]);
        let told = String::from_utf8(output.stderr).unwrap();
        for (id, _, text) in EDITS {
            let line = format!("key \"{id}\": {text}");
            assert!(told.contains(&line), "{line}: {told}");
        }
        assert!(
            told.contains("tenant \"red\": rules: expected JSON"),
            "{told}"
        );
        one_by_one(&gateway);
        mended(&database, &gateway, &secrets[1]);
    }
}

fn ids(listed: &Value) -> Vec<&str> {
    let keys = listed["keys"].as_array().unwrap().iter();
    keys.map(|key| key["id"].as_str().unwrap()).collect()
}

/// A row that makes no sense says so where it is asked for, and can be taken away or replaced.
fn one_by_one(gateway: &Gateway) {
    let answer = api(gateway, "GET", "/api/keys/unknown", "");
    let (message, _) = refused(&answer, 503, "unknown");
    assert!(
        message.contains("`unknown` makes no sense: rules: model"),
        "{message}"
    );
    let answer = api(gateway, "DELETE", "/api/keys/unknown", "");
    refused(&answer, 503, "unknown");
    let answer = api(gateway, "GET", "/api/tenants/red", "");
    let (message, _) = refused(&answer, 503, "red");
    assert!(
        message.contains("\"red\" makes no sense: rules"),
        "{message}"
    );
    let answer = api(gateway, "PUT", "/api/tenants/red", "{}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let listed = api(gateway, "GET", "/api/keys", "").json();
    assert_eq!(ids(&listed), ["good", "orphan", "red-one"]);
}

fn mended(database: &Database, gateway: &Gateway, secret: &str) {
    database.edit("UPDATE keys SET rules = '{}' WHERE id = 'rules'");
    wait_status(gateway, secret, 200);
    // A tenant whose row is gone may have had rules.
    let unchecked = match database.kind() {
        Kind::Sqlite => "PRAGMA foreign_keys = off",
        Kind::Postgres => "ALTER TABLE keys DROP CONSTRAINT keys_tenant_fkey",
    };
    database.edit(&format!(
        "{unchecked}; DELETE FROM tenants WHERE name = 'blue'"
    ));
    wait_status(gateway, secret, 401);
    let output = database.keys(&["list"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("key \"good\": its tenant \"blue\" has no row"),
        "{told}"
    );
}
