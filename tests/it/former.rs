//! Tenants that are gone, and others that have their names afterwards: records, sums and limits go by
//! ids, which never come back.

use std::fs;
use std::process::Command;

use ringway::store::database::migrations::{POSTGRES, SQLITE, is_concurrent, statements};
use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::gateway::{Gateway, Setup};
use crate::support::governed::{WIRE, api, ask, made, setup, wait_store};
use crate::support::http::{self, request};
use crate::support::provider::Provider;
use crate::support::stores::{Database, KINDS, Kind, Services};
use crate::support::wires::{told, whole};

/// The usual answer costs 11 cents, and a chat reserves some 35.
const PRICES: &str = "[prices.\"up/*\"]\ninput = 10000\noutput = 10000\n\
                      [budgets]\noutput_tokens_reserved = 10\n";
/// Room for one chat.
const BUDGET: &str = "0.40";

/// A gateway that keeps records in the store.
fn recording(database: &Database, provider: &Provider, shared: Option<&str>) -> Setup {
    let journal = database.snapshot("one").with_extension("usage");
    let section = format!("[usage]\njournal = \"{}\"", journal.display());
    let setup = setup(database, provider, "one").text(PRICES).text(&section);
    match shared {
        Some(url) => setup
            .limit("shared", format!("\"{url}\""))
            .limit("shared_down", "\"closed\""),
        None => setup,
    }
}

/// A tenant with a budget and a key: its id, the secret and the key's id.
fn born(gateway: &Gateway, name: &str) -> (String, String, String) {
    let rules = json!({"budget_day": BUDGET}).to_string();
    let tenant = api(gateway, "PUT", &format!("/api/tenants/{name}"), &rules);
    assert_eq!(tenant.status, 200, "{}", tenant.text());
    let (secret, key) = made(gateway, json!({"tenant": name}));
    (text(&tenant.json(), "id"), secret, key)
}

fn gone(gateway: &Gateway, name: &str, key: &str) {
    for target in [format!("/api/keys/{key}"), format!("/api/tenants/{name}")] {
        let answer = api(gateway, "DELETE", &target, "");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// Spends what the budget has room for: one chat. Gives its id.
fn spend(gateway: &Gateway, secret: &str, about: &str) -> String {
    let got = ask(gateway, secret);
    assert_eq!(got.status, 200, "{about}: {}", got.text());
    is_spent(gateway, secret, about);
    got.field("x-ringway-request-id").unwrap().to_owned()
}

fn is_spent(gateway: &Gateway, secret: &str, about: &str) {
    let code = told(WIRE, &ask(gateway, secret)).code;
    assert_eq!(code.as_deref(), Some("insufficient_quota"), "{about}");
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

/// Ids of the records of answers on a page, and whose they are: name and id.
fn paid(page: &Answer) -> Vec<(String, String, String)> {
    assert_eq!(page.status, 200, "{}", page.text());
    let page = page.json();
    let records = page["records"].as_array().unwrap().iter();
    let records = records.filter(|record| record["status"] == 200);
    let members = |record| ["id", "tenant", "tenant_id"].map(|member| text(record, member));
    records.map(members).map(<_>::from).collect()
}

fn own(gateway: &Gateway, secret: &str, target: &str) -> Answer {
    let fields = format!("authorization: Bearer {secret}\r\n");
    gateway.client().ask(request("GET", target, &fields, ""))
}

fn of(gateway: &Gateway, query: &str) -> Vec<(String, String, String)> {
    paid(&api(gateway, "GET", &format!("/api/usage?{query}"), ""))
}

#[test]
fn a_name_that_is_used_again_inherits_neither_records_nor_sums() {
    let redis = Services::start("redis", &[]);
    for (kind, shared) in [
        (Kind::Sqlite, None),
        (Kind::Postgres, None),
        (Kind::Postgres, Some(redis.url.as_str())),
    ] {
        let about = format!("{kind:?} {shared:?}");
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = recording(&database, &provider, shared).start();
        let (first, secret, key) = born(&gateway, "blue");
        let old = spend(&gateway, &secret, &about);
        gone(&gateway, "blue", &key);
        let (second, secret, _) = born(&gateway, "blue");
        assert!(first.starts_with("tn_") && second.starts_with("tn_"));
        assert_ne!(first, second, "{about}");
        let new = spend(&gateway, &secret, &about);
        // Each sees its own, by its name and under its id.
        let of_new = [(new.clone(), "blue".to_owned(), second.clone())];
        let of_old = [(old.clone(), "blue".to_owned(), first.clone())];
        assert_eq!(
            paid(&own(&gateway, &secret, "/api/usage")),
            of_new,
            "{about}"
        );
        let custody = |id: &str| own(&gateway, &secret, &format!("/api/usage/custody/{id}"));
        assert_eq!((custody(&old).status, custody(&new).status), (404, 200));
        assert_eq!(of(&gateway, "tenant=blue"), of_new, "{about}");
        assert_eq!(of(&gateway, &format!("tenant_id={second}")), of_new);
        for query in ["tenant_id", "tenant"] {
            let found = of(&gateway, &format!("{query}={first}"));
            assert_eq!(found, of_old, "{about}: {query}");
        }
        let shown = api(&gateway, "GET", "/api/tenants/blue", "").json();
        assert_eq!(shown["id"], second, "{about}");
        let found = api(&gateway, "GET", &format!("/api/usage/custody/{old}"), "");
        assert_eq!(found.json()["tenant_id"], first, "{about}");
        drop(gateway);
        // What was spent is known after a restart, of each alone.
        let gateway = recording(&database, &provider, shared).start();
        is_spent(&gateway, &secret, &about);
        let custody = |id: &str| own(&gateway, &secret, &format!("/api/usage/custody/{id}"));
        assert_eq!((custody(&old).status, custody(&new).status), (404, 200));
        gone_of(&gateway, "blue");
        let (third, secret, _) = born(&gateway, "blue");
        assert!(third != first && third != second, "{about}");
        spend(&gateway, &secret, &about);
        drop(gateway);
        let gateway = recording(&database, &provider, shared).start();
        is_spent(&gateway, &secret, &about);
        assert_eq!(of(&gateway, &format!("tenant_id={first}")), of_old);
        summed_up_apart(&database, &[(&first, 1), (&second, 1), ("blue", 1)]);
    }
}

/// The same of whatever key it has.
fn gone_of(gateway: &Gateway, name: &str) {
    let keys = api(gateway, "GET", &format!("/api/keys?tenant={name}"), "").json();
    let keys = keys["keys"].as_array().unwrap().iter();
    let live = keys.filter(|key| key["revoked"].is_null());
    let live: Vec<String> = live.map(|key| text(key, "id")).collect();
    gone(gateway, name, &live[0]);
}

/// `ringway usage` calls a tenant by its name, and one that is gone by its id.
fn summed_up_apart(database: &Database, expected: &[(&str, u64)]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ringway.toml");
    let journal = database.snapshot("one").with_extension("usage");
    let section = database.section(&folder.path().join("s"));
    let usage = format!("[usage]\njournal = \"{}\"\n", journal.display());
    fs::write(&file, format!("{section}{usage}")).unwrap();
    let told = |arguments: &[&str]| -> Vec<(String, u64)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
        command.env_clear().arg("usage").arg("--config").arg(&file);
        command.args(["--group-by", "tenant,outcome", "--format", "json"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let groups: Value = serde_json::from_slice(&output.stdout).unwrap();
        let groups = groups.as_array().unwrap().iter();
        let complete = groups.filter(|group| group["outcome"] == "complete");
        let members = |group: &Value| (text(group, "tenant"), group["requests"].as_u64().unwrap());
        complete.map(members).collect()
    };
    let mut expected: Vec<(String, u64)> = expected
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect();
    expected.sort();
    let mut all = told(&[]);
    all.sort();
    assert_eq!(all, expected);
    for (name, count) in &expected {
        let one = told(&["--tenant", name]);
        assert_eq!(one, [(name.clone(), *count)]);
    }
    let former = &expected[1].0;
    assert_eq!(told(&["--tenant-id", former]).len(), 1);
}

/// The database as the version before ids has left it: a tenant that has spent its budget.
fn of_an_earlier_version(database: &Database, day: u64, time: u64) {
    let record = format!(
        "{{\"id\":\"{:032x}\",\"time\":{time},\"tenant\":\"blue\",\"key_id\":\"k\"}}",
        7
    );
    let (steps, id, versions) = match database.kind() {
        Kind::Sqlite => (
            SQLITE,
            format!("x'{:032x}'", 7),
            format!("PRAGMA user_version = {BEFORE}"),
        ),
        Kind::Postgres => (
            POSTGRES,
            format!("'\\x{:032x}'", 7),
            format!(
                "CREATE TABLE ringway_version (version BIGINT NOT NULL); \
                 INSERT INTO ringway_version VALUES ({BEFORE})"
            ),
        ),
    };
    for step in &steps[..BEFORE] {
        if is_concurrent(step) {
            statements(step).for_each(|statement| database.edit(statement));
        } else {
            database.edit(step);
        }
    }
    database.edit(&format!(
        "{versions}; INSERT INTO tenants (name, rules, created) \
         VALUES ('blue', '{{\"budget_day\":\"{BUDGET}\"}}', 0); \
         INSERT INTO usage (id, time, tenant, key_id, estimated, record) \
         VALUES ({id}, {time}, 'blue', 'k', 0, '{record}'); \
         INSERT INTO spent (day, tenant, key_id, nanos) VALUES ({day}, 'blue', 'k', 110000000)"
    ));
}

/// Steps of a version before ids, and before sums of months, which the next step makes.
const BEFORE: usize = 6;

#[test]
fn a_tenant_of_an_earlier_version_keeps_records_and_sums_and_its_name_comes_back_without_them() {
    for kind in KINDS {
        let database = Database::new(kind);
        let time = ringway::net::runtime::clock::unix_millis();
        of_an_earlier_version(&database, time / 86_400_000, time);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = recording(&database, &provider, None).start();
        let (secret, key) = made(&gateway, json!({"tenant": "blue"}));
        is_spent(&gateway, &secret, "what an earlier version has recorded");
        let shown = api(&gateway, "GET", "/api/tenants/blue", "").json();
        assert_eq!(shown["id"], "blue", "{kind:?}");
        let old = |answer: Answer| {
            let page = answer.json();
            let records = page["records"].as_array().unwrap().iter();
            let old = records.filter(|record| record["id"] == format!("{:032x}", 7));
            old.count()
        };
        let of = |query: &str| old(api(&gateway, "GET", &format!("/api/usage?{query}"), ""));
        assert_eq!(old(own(&gateway, &secret, "/api/usage")), 1, "{kind:?}");
        assert_eq!(of("tenant=blue"), 1);
        gone(&gateway, "blue", &key);
        // Nobody has the name now: it means the id.
        assert_eq!(of("tenant=blue"), 1);
        let (id, secret, _) = born(&gateway, "blue");
        assert!(id.starts_with("tn_"), "{id}");
        spend(&gateway, &secret, "a new tenant");
        assert_eq!(old(own(&gateway, &secret, "/api/usage")), 0, "{kind:?}");
        assert_eq!((of("tenant=blue"), of("tenant_id=blue")), (0, 1));
    }
}

#[test]
fn the_configuration_may_say_an_id_and_a_row_of_its_tenant_gets_the_one_that_it_has() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let with = |text: &str| recording(&database, &provider, None).text(text).start();
        let tenant =
            format!("[[tenant]]\nname = \"red\"\nid = \"of-red\"\nbudget_day = \"{BUDGET}\"\n");
        let key = |key: &str, tenant: &str| {
            let digest = ringway::route::plan::client_key::digest_of(key.as_bytes());
            let digest = digest.map(|byte| format!("{byte:02x}")).concat();
            format!("[[key]]\nsha256 = \"{digest}\"\ntenant = \"{tenant}\"\n")
        };
        let keys = [key("k1", "blue"), key("k2", "red")].concat();
        let gateway = with(&format!("{tenant}{keys}"));
        wait_store(&gateway, "up");
        let of_blue = ask(&gateway, "k1");
        let of_red = spend(&gateway, "k2", "red");
        assert_eq!(of_blue.status, 200);
        // Keys of the store are of the same tenants.
        let (blue, _) = made(&gateway, json!({"tenant": "blue"}));
        let (red, _) = made(&gateway, json!({"tenant": "red"}));
        is_spent(&gateway, &red, "red");
        assert_eq!(
            paid(&own(&gateway, &blue, "/api/usage")).len(),
            1,
            "{kind:?}"
        );
        let listed = api(&gateway, "GET", "/api/tenants", "").json();
        let ids = listed["tenants"].as_array().unwrap().iter();
        let ids: Vec<String> = ids.map(|tenant| text(tenant, "id")).collect();
        assert_eq!(ids, ["blue", "of-red"], "{kind:?}");
        assert_eq!(of(&gateway, "tenant=red").len(), 1);
        drop(gateway);
        // The key of blue is gone from the configuration, and red is called otherwise.
        let tenant = tenant.replace("name = \"red\"", "name = \"crimson\"");
        let gateway = with(&format!("{tenant}{}", key("k2", "crimson")));
        is_spent(&gateway, "k2", "crimson");
        is_spent(&gateway, &red, "the row of its former name has the same id");
        assert_eq!(
            paid(&own(&gateway, &blue, "/api/usage")).len(),
            1,
            "{kind:?}"
        );
        let found = of(&gateway, "tenant=crimson");
        assert_eq!(found[0], (of_red, "red".to_owned(), "of-red".to_owned()));
    }
}

#[test]
fn a_new_tenant_is_not_called_like_an_id() {
    let database = Database::new(KINDS[0]);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = setup(&database, &provider, "one").start();
    let id = "tn_0123456789abcdef";
    let key = json!({"tenant": id}).to_string();
    for (method, target, body) in [
        ("PUT", format!("/api/tenants/{id}"), "{}"),
        ("POST", "/api/keys".to_owned(), key.as_str()),
    ] {
        let refused = api(&gateway, method, &target, body);
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert!(refused.text().contains("looks like the id of a tenant"));
    }
    for arguments in [["tenants", "set", id], ["keys", "create", "--tenant"]] {
        let arguments = match arguments {
            ["keys", ..] => [&arguments[1..], &[id]].concat(),
            _ => arguments[1..].to_vec(),
        };
        let command = if arguments.len() == 3 {
            "keys"
        } else {
            "tenants"
        };
        let refused = database.command(command, &arguments);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(text.contains("looks like the id of a tenant"), "{text}");
    }
    // One letter more or less, or a capital, is a name.
    for name in [
        "tn_0123456789abcde",
        "tn_0123456789abcdef0",
        "tn_0123456789ABCDEF",
    ] {
        let set = api(&gateway, "PUT", &format!("/api/tenants/{name}"), "{}");
        assert_eq!(set.status, 200, "{}", set.text());
    }
}

/// The tenant comes back under its name while the gateway serves by the snapshot.
#[test]
fn ids_stand_in_the_snapshot() {
    let mut database = Database::new(Kind::Postgres);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = recording(&database, &provider, None).start();
    let (id, secret, _) = born(&gateway, "blue");
    drop(gateway);
    database.stop();
    let gateway = recording(&database, &provider, None).start();
    wait_store(&gateway, "down");
    let got = ask(&gateway, &secret);
    assert_eq!(got.status, 200, "{}", got.text());
    let asked = got.field("x-ringway-request-id").unwrap().to_owned();
    let found = own(&gateway, &secret, &format!("/api/usage/custody/{asked}"));
    assert_eq!(found.json()["tenant_id"], id);
}
