//! Limits, budgets and residency that are given while gateways run: of tenants, and of keys, over the
//! API and by the commands, on both databases.

use std::fs;
use std::process::Command;

use ringway::route::plan::client_key::digest_of;
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::governed::{
    ADMIN_KEY, WIRE, api, ask, gateway, made, secret_of, setup, status, wait_status,
};
use crate::support::http::{self, chunk, post, request, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Step, then};
use crate::support::stores::{Database, KINDS, Kind, Services};
use crate::support::wait;
use crate::support::wires::{chat, path, start_up, told, whole};

/// A cent for every token, so that a chat reserves 35 cents or so and the usual answer costs 11.
const PRICES: &str = "[prices.\"up/*\"]\ninput = 10000\noutput = 10000\n\
                      [budgets]\noutput_tokens_reserved = 10\n";

fn priced(database: &Database, provider: &Provider, name: &str) -> Setup {
    setup(database, provider, name).text(PRICES)
}

/// `ringway tenants` on the store, which has to go well; its JSON.
fn tenants(database: &Database, arguments: &[&str]) -> Value {
    let output = database.command("tenants", &[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn set(gateway: &Gateway, name: &str, rules: Value) {
    let target = format!("/api/tenants/{name}");
    let answer = api(gateway, "PUT", &target, &rules.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// 11 cents are spent while there is a budget, 11 more while there is none.
#[test]
fn a_budget_that_is_taken_away_and_set_again_does_not_begin_anew() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let redis = Services::start("redis", &[]);
    for shared in [None, Some(&redis.url)] {
        let mut setup = priced(&database, &provider, "one");
        if let Some(url) = shared {
            setup = setup
                .limit("shared", format!("\"{url}\""))
                .limit("shared_down", "\"closed\"");
        }
        let gateway = setup.start();
        let tenant = if shared.is_some() { "red" } else { "blue" };
        let (secret, _) = made(&gateway, json!({"tenant": tenant}));
        let budget = json!({"budget_day": "0.60", "budget_month": "0.60"});
        set(&gateway, tenant, budget.clone());
        assert_eq!(status(&gateway, &secret), 200, "{tenant}");
        set(&gateway, tenant, json!({}));
        assert_eq!(status(&gateway, &secret), 200, "{tenant}");
        set(&gateway, tenant, budget);
        // 22 of 60 cents are spent, and a request reserves some 35.
        assert_eq!(status(&gateway, &secret), 200, "{tenant}");
        let refused = told(WIRE, &ask(&gateway, &secret));
        assert_eq!(refused.code.as_deref(), Some("insufficient_quota"));
    }
}

#[test]
fn a_tenants_rules_are_in_force_on_every_replica() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let one = priced(&database, &provider, "one").start();
        let two = priced(&database, &provider, "two").start();
        let (secret, _) = made(&one, json!({"tenant": "blue"}));
        let (other, _) = made(&one, json!({"tenant": "red"}));
        wait_status(&two, &secret, 200);
        // Over the API at one replica, at once there, soon at the other.
        set(&one, "blue", json!({"requests_per_minute": 1}));
        let codes = [status(&one, &secret), status(&one, &secret)];
        assert_eq!(codes, [200, 429], "{kind:?}");
        wait_status(&two, &secret, 429);
        let refused = told(WIRE, &ask(&one, &secret)).message;
        assert!(refused.contains("of this key's tenant"), "{refused}");
        set(&two, "blue", json!({"budget_day": "0.05"}));
        assert_eq!(status(&two, &secret), 429);
        let error = told(WIRE, &ask(&two, &secret));
        assert_eq!(error.code.as_deref(), Some("insufficient_quota"));
        let budget = || told(WIRE, &ask(&one, &secret)).code;
        wait::until("the budget at the other replica", || {
            (budget().as_deref() == Some("insufficient_quota")).then_some(())
        });
        // By the command; what is not said bounds nothing any more.
        tenants(&database, &["set", "blue", "--jurisdiction", "CA"]);
        wait_status(&one, &secret, 403);
        wait_status(&two, &secret, 403);
        let refused = told(WIRE, &ask(&one, &secret)).message;
        assert!(
            refused.contains("residency policy of this tenant"),
            "{refused}"
        );
        let shown = api(&one, "GET", "/api/tenants/blue", "").json();
        let expected = json!({"id": shown["id"], "name": "blue", "source": "store",
                              "residency": {"jurisdictions": ["CA"]}});
        assert_eq!(shown, expected);
        assert_eq!(tenants(&database, &["show", "blue"]), expected);
        tenants(&database, &["set", "blue"]);
        wait_status(&one, &secret, 200);
        wait_status(&two, &secret, 200);
        assert_eq!(status(&one, &other), 200, "nobody else is bound by it");
        // One may have rules before it has a key.
        set(
            &one,
            "green%2Flight",
            json!({"concurrent": 3, "budget_month": "5000"}),
        );
        let listed = tenants(&database, &["list"]);
        assert_eq!(listed[1]["name"], "green/light");
        assert_eq!(listed[1]["budget_month"], "5000.00");
        let page = |query: &str| {
            let page = api(&one, "GET", &format!("/api/tenants{query}"), "").json();
            let names = page["tenants"].as_array().unwrap().iter();
            let names: Vec<&str> = names.map(|one| one["name"].as_str().unwrap()).collect();
            (names.join(" "), page["next"].clone())
        };
        assert_eq!(
            page("?limit=2"),
            ("blue green/light".to_owned(), json!("green/light"))
        );
        assert_eq!(
            page("?after=green%2Flight"),
            ("red".to_owned(), json!(null))
        );
    }
}

#[test]
fn a_change_of_a_tenant_cuts_no_stream_and_forgets_nothing_of_what_was_used() {
    let database = Database::new(KINDS[0]);
    let begun = chunk(start_up(WIRE));
    let mut script = then([stream_head(), begun].concat(), Step::Gate);
    script.push(Step::Reset);
    let provider = Provider::all(script);
    let gateway = gateway(&database, &provider, "one");
    let (secret, _) = made(&gateway, json!({"tenant": "blue"}));
    set(&gateway, "blue", json!({"concurrent": 1}));
    let fields = format!("x-api-key: {secret}\r\n");
    let mut client = gateway.client();
    client.send(post(path(WIRE), &fields, chat(WIRE, MODEL, true)));
    let mut got = client.head();
    assert_eq!(got.status, 200);
    // The place is taken under the new rules as it was under the old ones.
    set(
        &gateway,
        "blue",
        json!({"concurrent": 1, "requests_per_minute": 100}),
    );
    assert_eq!(status(&gateway, &secret), 429);
    provider.open();
    client.finish(&mut got);
    gateway.lines(2);
    let mut next = gateway.client();
    next.send(post(path(WIRE), &fields, chat(WIRE, MODEL, true)));
    assert_eq!(next.head().status, 200, "free again");
}

#[test]
fn a_key_of_the_configuration_outranks_one_of_its_id_in_the_store() {
    for kind in KINDS {
        let database = Database::new(kind);
        // As a replica without that configuration makes it.
        let (second, _) = secret_of(&database.done(&["create", "--tenant", "red", "--id", "both"]));
        let digest = digest_of(b"said").map(|byte| format!("{byte:02x}"));
        let said = format!(
            "[[key]]\nid = \"both\"\nsha256 = \"{}\"\ntenant = \"blue\"\nrequests_per_minute = 2",
            digest.concat()
        );
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = setup(&database, &provider, "one").text(&said).start();
        assert_eq!(status(&gateway, &second), 401, "{kind:?}");
        gateway.wait_metric("ringway_store_rows_skipped", 1.0);
        let listed = api(&gateway, "GET", "/api/keys", "").json();
        assert_eq!(listed["rows_left_out"], 1, "{listed}");
        assert_eq!(status(&gateway, "said"), 200);
        // Every change makes another table.
        made(&gateway, json!({"tenant": "blue"}));
        let codes = [(); 2].map(|()| status(&gateway, "said"));
        assert_eq!(codes, [200, 429], "two, as the configuration says");
        let wanted = r#"{"tenant": "red", "id": "both"}"#;
        let refused = api(&gateway, "POST", "/api/keys", wanted);
        assert_eq!(refused.status, 409);
        let text = refused.text();
        assert!(text.contains("of the configuration has the id"), "{text}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ringway.toml");
        let section = database.section(&folder.path().join("s"));
        fs::write(&file, format!("{section}{said}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
        command.env_clear().args([
            "keys", "create", "--id", "both", "--tenant", "red", "--config",
        ]);
        let refused = command.arg(&file).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains("of the configuration has the id"), "{text}");
        database.edit("DELETE FROM keys WHERE id = 'both'");
        gateway.wait_metric("ringway_store_rows_skipped", 0.0);
    }
}

#[test]
fn what_was_spent_counts_on_when_a_row_that_made_no_sense_is_mended() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = priced(&database, &provider, "one").start();
        set(&gateway, "blue", json!({"budget_day": "0.40"}));
        let (of_tenant, _) = made(&gateway, json!({"tenant": "blue"}));
        let own = json!({"tenant": "red", "id": "own", "budget_day": "0.40"});
        let (own, _) = made(&gateway, own);
        for secret in [&of_tenant, &own] {
            let codes = [(); 2].map(|()| status(&gateway, secret));
            assert_eq!(codes, [200, 429]);
        }
        let both = |rules: &str| {
            database.edit(&format!(
                "UPDATE tenants SET rules = '{rules}' WHERE name = 'blue'; \
                 UPDATE keys SET rules = '{rules}' WHERE id = 'own'"
            ));
        };
        both("{");
        for secret in [&of_tenant, &own] {
            wait_status(&gateway, secret, 401);
        }
        both("{\"budget_day\": \"0.40\"}");
        for secret in [&of_tenant, &own] {
            let first = wait::until("an answer", || {
                Some(status(&gateway, secret)).filter(|&code| code != 401)
            });
            assert_eq!(first, 429, "{kind:?}: nothing was forgotten");
        }
    }
}

#[test]
fn a_tenant_of_the_configuration_outranks_the_stores_and_is_not_changed_there() {
    for kind in KINDS {
        let database = Database::new(kind);
        let said = "[[tenant]]\nname = \"blue\"\nrequests_per_minute = 2\n";
        tenants(&database, &["set", "blue", "--requests-per-minute", "1"]);
        tenants(&database, &["set", "red", "--concurrent", "7"]);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = setup(&database, &provider, "one").text(said).start();
        let (secret, _) = made(&gateway, json!({"tenant": "blue"}));
        let codes = [(); 3].map(|()| status(&gateway, &secret));
        assert_eq!(codes, [200, 200, 429], "two, as the configuration says");
        let listed = api(&gateway, "GET", "/api/tenants", "").json();
        let id = |at: usize| listed["tenants"][at]["id"].as_str().unwrap();
        let expected = json!([
            {"id": id(0), "name": "blue", "source": "configuration", "requests_per_minute": 2},
            {"id": id(1), "name": "red", "source": "store", "concurrent": 7},
        ]);
        assert_eq!(listed["tenants"], expected);
        assert_eq!(
            api(&gateway, "GET", "/api/tenants/blue", "").json(),
            expected[0]
        );
        for (method, body) in [("PUT", "{}"), ("DELETE", "")] {
            let refused = api(&gateway, method, "/api/tenants/blue", body);
            assert_eq!(refused.status, 409, "{method}");
            let text = refused.text();
            assert!(text.contains("which outranks the store"), "{text}");
        }
        // The command sees it where it is told of the configuration.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ringway.toml");
        let section = database.section(&folder.path().join("s"));
        fs::write(&file, format!("{section}{said}")).unwrap();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
            command.env_clear().arg("tenants").args(arguments);
            command.arg("--config").arg(&file).output().unwrap()
        };
        let listed = command(&["list", "--format", "json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!(listed, expected);
        for arguments in [
            &["set", "blue", "--concurrent", "1"][..],
            &["remove", "blue"],
        ] {
            let refused = command(arguments);
            assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
            let text = String::from_utf8(refused.stderr).unwrap();
            assert!(text.contains("stands in the configuration"), "{text}");
        }
        let shown = command(&["show", "red"]);
        let text = String::from_utf8(shown.stdout).unwrap();
        let row = format!("red   {}  store   concurrent=7", id(1));
        assert_eq!(text.lines().nth(1).unwrap(), row, "{text}");
        assert!(text.starts_with("NAME  ID "), "{text}");
    }
}

#[test]
fn a_tenant_with_a_key_that_is_good_stays_and_goes_with_its_revoked_ones() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        let (secret, id) = made(&gateway, json!({"tenant": "blue"}));
        made(&gateway, json!({"tenant": "red", "id": "stays"}));
        let remove = |name: &str| api(&gateway, "DELETE", &format!("/api/tenants/{name}"), "");
        let refused = remove("blue");
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(refused.text().contains("revoke them first"));
        let refused = database.command("tenants", &["remove", "blue"]);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{text}");
        assert!(text.contains("keys that are not revoked"), "{text}");
        assert_eq!(status(&gateway, &secret), 200);
        database.done(&["revoke", &id]);
        let gone = remove("blue");
        assert_eq!((gone.status, &gone.json()["name"]), (200, &json!("blue")));
        assert_eq!(remove("blue").status, 404);
        let listed = database.done(&["list", "--all"]);
        assert_eq!(listed.as_array().unwrap().len(), 1);
        assert_eq!(listed[0]["id"], "stays");
        let left = tenants(&database, &["list"]);
        let id = &left[0]["id"];
        assert_eq!(left, json!([{"id": id, "name": "red", "source": "store"}]));
    }
}

const ALL_BOUNDS: &str = "create --tenant red --id made --requests-per-minute 100 \
    --tokens-per-minute 1000 --concurrent 2 --budget-day 1 --budget-month 0.50 --tier a --relay files \
    --region x --region y";

#[test]
fn keys_with_limits_and_budgets_are_made_and_shown_and_refused_at_the_edge() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = priced(&database, &provider, "one").start();
        let error = |secret: &str| {
            let got = ask(&gateway, secret);
            let error = told(WIRE, &got);
            (got.status, error.code.unwrap_or_default(), error.message)
        };
        let by_api = |id: &str, rules: Value| {
            let mut wanted = rules;
            wanted["tenant"] = json!("blue");
            wanted["id"] = json!(id);
            made(&gateway, wanted).0
        };
        let rated = by_api("rated", json!({"requests_per_minute": 1}));
        let small = by_api("small", json!({"tokens_per_minute": 5}));
        let poor = by_api("poor", json!({"budget_day": "0.075"}));
        let made = secret_of(&database.done(&ALL_BOUNDS.split(' ').collect::<Vec<_>>())).0;
        assert_eq!(status(&gateway, &rated), 200);
        let (code, kind_of, text) = error(&rated);
        assert_eq!((code, &*kind_of), (429, "rate_limit_exceeded"), "{text}");
        assert!(text.contains("1 requests per minute of this key"), "{text}");
        let (code, kind_of, text) = error(&small);
        assert_eq!((code, &*kind_of), (429, "rate_limit_exceeded"));
        assert!(text.contains("has 5 per minute"), "{text}");
        let (code, kind_of, text) = error(&poor);
        assert_eq!((code, &*kind_of), (429, "insufficient_quota"));
        assert!(text.contains("0.075 dollars per day"), "{text}");
        wait_status(&gateway, &made, 403);
        let shown = api(&gateway, "GET", "/api/keys/made", "").json();
        for (member, value) in [
            ("requests_per_minute", json!(100)),
            ("tokens_per_minute", json!(1000)),
            ("concurrent", json!(2)),
            ("budget_day", json!("1.00")),
            ("budget_month", json!("0.50")),
            ("residency", json!({"regions": ["x", "y"]})),
        ] {
            assert_eq!(shown[member], value, "{shown}");
        }
        assert_eq!(database.done(&["show", "made"]), shown);
        let table = database.keys(&["list"]);
        let table = String::from_utf8(table.stdout).unwrap();
        for text in [
            "tiers=a relay=files regions=x,y requests_per_minute=100 tokens_per_minute=1000 \
             concurrent=2 budget_day=1.00 budget_month=0.50",
            "requests_per_minute=1\n",
            "budget_day=0.075\n",
        ] {
            assert!(table.contains(text), "{table}");
        }
    }
}

#[test]
fn a_concurrent_bound_of_a_key_made_at_run_time_holds_and_frees() {
    let database = Database::new(KINDS[0]);
    let begun = chunk(start_up(WIRE));
    let provider = Provider::all(then([stream_head(), begun].concat(), Step::Gate));
    let gateway = gateway(&database, &provider, "one");
    let (secret, _) = made(&gateway, json!({"tenant": "blue", "concurrent": 1}));
    let fields = format!("x-api-key: {secret}\r\n");
    let mut client = gateway.client();
    client.send(post(path(WIRE), &fields, chat(WIRE, MODEL, true)));
    assert_eq!(client.head().status, 200);
    assert_eq!(status(&gateway, &secret), 429);
    client.leave();
    gateway.lines(2);
    let mut client = gateway.client();
    client.send(post(path(WIRE), &fields, chat(WIRE, MODEL, true)));
    assert_eq!(client.head().status, 200);
}

#[test]
fn p22_tenants_want_the_admin_credential_and_stand_on_no_other_listener() {
    let database = Database::new(KINDS[0]);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = gateway(&database, &provider, "one");
    let (secret, _) = made(&gateway, json!({"tenant": "blue"}));
    for (method, target) in [
        ("GET", "/api/tenants"),
        ("GET", "/api/tenants/blue"),
        ("PUT", "/api/tenants/blue"),
        ("DELETE", "/api/tenants/blue"),
    ] {
        let fields = format!("authorization: Bearer {secret}\r\n");
        let answer = gateway.admin().ask(request(method, target, &fields, "{}"));
        assert_eq!(answer.status, 401, "{method} {target}");
        let fields = format!("authorization: Bearer {ADMIN_KEY}\r\n");
        let answer = gateway.client().ask(request(method, target, &fields, "{}"));
        assert!(
            matches!(answer.status, 401 | 404 | 405),
            "{method} {target}"
        );
    }
    assert_eq!(status(&gateway, &secret), 200);
}

#[test]
fn the_commands_of_the_page_on_keys_work_in_the_order_in_which_they_stand() {
    let page = include_str!("../../docs/KEYS.md");
    let (_, section) = page.split_once("\n## Keys and tenants\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    for kind in KINDS {
        let database = Database::new(kind);
        let folder = tempfile::tempdir().unwrap();
        let text = database.section(&folder.path().join("snapshot"));
        fs::write(folder.path().join("ringway.toml"), text).unwrap();
        let mut id = String::new();
        let mut told = Vec::new();
        for line in section.lines() {
            let Some(line) = line.strip_prefix("$ ringway ") else {
                continue;
            };
            let words = line.split(' ').map(|word| word.trim_matches('\''));
            let words = words.map(|word| word.replace("key_0123456789abcdef", &id));
            let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
            let output = command
                .env_clear()
                .current_dir(folder.path())
                .args(words)
                .output();
            let output = output.unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            if id.is_empty() {
                let at = text.find("key_").unwrap();
                id = text[at..at + 20].to_owned();
            }
            told.push(text);
        }
        let [_, _, rotated, revoked, _, shown, listed, removed] = &told[..] else {
            panic!("{told:?}");
        };
        assert!(rotated.contains("former_until="), "{rotated}");
        assert!(revoked.contains("  revoked 20"), "{revoked}");
        let rules = "tokens_per_minute=2000000 budget_month=5000.00";
        assert!(shown.contains(rules) && removed.contains(rules), "{shown}");
        let listed: Value = serde_json::from_str(listed).unwrap();
        assert_eq!(listed[0]["name"], "blue");
    }
}
