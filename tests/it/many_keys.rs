//! Tens of thousands of keys: what a change reads and writes does not grow with them.

use serde_json::json;
use tokio_postgres::NoTls;

use crate::support::gateway::Gateway;
use crate::support::governed::{WIRE, api, gateway, made, status, wait_status, wait_store};
use crate::support::http;
use crate::support::provider::Provider;
use crate::support::stores::{Database, KINDS, Kind};
use crate::support::wait;
use crate::support::wires::whole;

/// SQL that adds this many keys of a tenant `many`, as the command would.
fn many(kind: Kind, count: usize) -> String {
    let (numbers, id, digest) = match kind {
        Kind::Sqlite => (
            format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers \
                 WHERE n < {count})"
            ),
            "printf('many_%06d', n)",
            "CAST(printf('%032d', n) AS BLOB)",
        ),
        Kind::Postgres => (
            format!("WITH numbers (n) AS (SELECT generate_series(1, {count}))"),
            "'many_' || lpad(n::text, 6, '0')",
            "sha256(n::text::bytea)",
        ),
    };
    format!(
        "BEGIN; INSERT INTO tenants (name, created) VALUES ('many', 1); \
         INSERT INTO keys (id, tenant, digest, created) {numbers} \
         SELECT {id}, 'many', {digest}, 1 FROM numbers; COMMIT"
    )
}

/// Rows of keys and tenants that a gateway has read so far.
fn rows_read(gateway: &Gateway) -> f64 {
    gateway.metric("ringway_store_rows_read_total ")
}

#[test]
fn a_change_among_twenty_thousand_keys_reads_its_own_rows_alone() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let one = gateway(&database, &provider, "one");
        let two = gateway(&database, &provider, "two");
        database.edit(&many(kind, COUNT));
        for gateway in [&one, &two] {
            // More changes at once than are kept: everything is read.
            gateway.wait_metric("ringway_keys", COUNT as f64);
        }
        let (before, before_two) = (rows_read(&one), rows_read(&two));
        let written = wait::until("a snapshot of all keys", || {
            let written = one.metric("ringway_store_snapshot_bytes_total ");
            (written > 100.0 * COUNT as f64).then_some(written)
        });
        assert!(before >= COUNT as f64, "{before}");
        let (secret, id) = made(&one, json!({"tenant": "blue"}));
        assert_eq!(rows_read(&one) - before, 2.0, "{kind:?}: it and its tenant");
        wait_status(&two, &secret, 200);
        let revoked = api(&one, "DELETE", &format!("/api/keys/{id}"), "");
        assert_eq!(revoked.status, 200);
        assert_eq!(status(&one, &secret), 401);
        wait_status(&two, &secret, 401);
        assert_eq!(rows_read(&one) - before, 3.0, "{kind:?}");
        assert_eq!(rows_read(&two) - before_two, 3.0, "{kind:?}");
        // By the command, and by hand.
        let created = database.done(&["create", "--tenant", "many", "--id", "by-command"]);
        let secret = created["key"].as_str().unwrap();
        wait_status(&one, secret, 200);
        database.edit("UPDATE keys SET revoked = 5 WHERE id = 'by-command'");
        wait_status(&one, secret, 401);
        assert_eq!(rows_read(&one) - before, 5.0, "{kind:?}");
        let appended = one.metric("ringway_store_snapshot_bytes_total ") - written;
        assert!(
            appended < 2_000.0,
            "{kind:?}: {appended} bytes for four changes"
        );
        // What was appended is served by while the store is away.
        let (kept, _) = made(&one, json!({"tenant": "blue"}));
        drop(one);
        database.stop();
        let one = gateway(&database, &provider, "one");
        assert_eq!(status(&one, &kept), 200, "{kind:?}");
        assert_eq!(status(&one, secret), 401, "{kind:?}");
        database.start();
        wait_store(&one, "up");
        // A page of those that are read along the index.
        let page = api(&one, "GET", "/api/keys?after=many_010000&limit=3", "").json();
        assert_eq!(page["keys"][0]["id"], "many_010001");
        assert_eq!(page["next"], "many_010003");
    }
}

#[test]
fn what_a_long_transaction_changed_is_read_whatever_was_committed_before_it() {
    let database = Database::new(Kind::Postgres);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = gateway(&database, &provider, "one");
    let (long, id) = made(&gateway, json!({"tenant": "blue"}));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    });
    let run = |sql: &str| runtime.block_on(client.batch_execute(sql)).unwrap();
    run(&format!(
        "BEGIN; UPDATE keys SET revoked = 5 WHERE id = '{id}'"
    ));
    // Others go on beside it, and are read, each once.
    let before = rows_read(&gateway);
    for _ in 0..3 {
        let (secret, _) = made(&gateway, json!({"tenant": "blue"}));
        assert_eq!(status(&gateway, &secret), 200);
    }
    assert_eq!(rows_read(&gateway) - before, 3.0);
    assert_eq!(status(&gateway, &long), 200);
    run("COMMIT");
    wait_status(&gateway, &long, 401);
    assert_eq!(rows_read(&gateway) - before, 4.0);
    // All at once.
    run("TRUNCATE keys");
    gateway.wait_metric("ringway_keys", 0.0);
}

#[test]
fn changes_are_kept_within_a_bound_and_missing_ones_are_made_up_for() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(http::json(whole(WIRE)));
        let gateway = gateway(&database, &provider, "one");
        let (secret, id) = made(&gateway, json!({"tenant": "blue"}));
        database.edit(&many(kind, COUNT));
        gateway.wait_metric("ringway_keys", COUNT as f64 + 1.0);
        made(&gateway, json!({"tenant": "blue"}));
        let kept_max = match kind {
            Kind::Sqlite => 10_000,
            // A gateway removes them once there are 20,000.
            Kind::Postgres => 10_100,
        };
        wait::until("old changes to go", || {
            (database.changes() <= kept_max).then_some(())
        });
        // Whoever has not read what was removed reads all.
        let gone = match kind {
            Kind::Sqlite => "DELETE FROM changes".to_owned(),
            Kind::Postgres => "DELETE FROM changes; UPDATE changes_removed SET txid = \
                               txid_current()"
                .to_owned(),
        };
        database.edit(&format!(
            "UPDATE keys SET revoked = 5 WHERE id = '{id}'; {gone}"
        ));
        wait_status(&gateway, &secret, 401);
    }
}

/// More than there are changes kept.
const COUNT: usize = 20_001;
