//! Usage records in a store: each once, whatever becomes of store and gateway, on both databases.

use std::collections::BTreeSet;
use std::fs;

use ringway::wire::kind::Wire;

use crate::support::directions::drivers;
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{json, post};
use crate::support::provider::Provider;
use crate::support::stores::{Database, KINDS, Kind};
use crate::support::wait;
use crate::support::wires::{chat, path, whole};

const WIRE: Wire = Wire::OpenAiChat;

/// A gateway with keys `k1` of blue and `k2` of red, whose records go to this database.
fn setup(database: &Database, provider: &Provider, name: &str) -> Setup {
    let journal = database.snapshot(name).with_extension("usage");
    Setup::upstream(drivers()[0], WIRE, provider)
        .key("k1", "blue", None)
        .key("k2", "red", None)
        .text(&database.section(&database.snapshot(name)))
        .text(&format!("[usage]\njournal = \"{}\"", journal.display()))
}

/// Asks so often; the ids that were told.
fn ask(gateway: &Gateway, key: &str, count: usize) -> BTreeSet<String> {
    let fields = format!("x-api-key: {key}\r\n");
    let mut client = gateway.client();
    let ids = (0..count).map(|_| {
        let got = client.ask(post(path(WIRE), &fields, chat(WIRE, MODEL, false)));
        assert_eq!(got.status, 200, "{}", got.text());
        let id = got.field("x-ringway-request-id").unwrap();
        id.trim_start_matches("rw_").to_owned()
    });
    ids.collect()
}

fn wait_drained(gateway: &Gateway, count: usize) {
    let expected = f64::from(u32::try_from(count).unwrap());
    gateway.wait_metric("ringway_usage_drained_total ", expected);
}

/// Ids in the store, of which none may be there twice.
fn stored(database: &Database) -> BTreeSet<String> {
    let records = database.records();
    let ids: BTreeSet<String> = records
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), records.len());
    ids
}

#[test]
fn p33_records_reach_the_store_once_and_over_restarts() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let gateway = setup(&database, &provider, "one").start();
        let mut ids = ask(&gateway, "k1", 20);
        wait_drained(&gateway, 20);
        assert_eq!(stored(&database), ids);
        gateway.wait_metric("ringway_usage_waiting_bytes ", 0.0);
        // Whatever the end left in the journal comes with the next start, and nothing again.
        ids.extend(ask(&gateway, "k2", 5));
        drop(gateway);
        let gateway = setup(&database, &provider, "one").start();
        ids.extend(ask(&gateway, "k1", 1));
        gateway.wait_metric("ringway_usage_waiting_bytes ", 0.0);
        wait::until("all of them", || (stored(&database) == ids).then_some(()));
        drop(gateway);
        // A place that is lost is the start of the journal: all of it comes again, to no effect.
        let journal = database.snapshot("one").with_extension("usage");
        fs::remove_file(journal.join("drained")).unwrap();
        let gateway = setup(&database, &provider, "one").start();
        wait_drained(&gateway, 26);
        assert_eq!(stored(&database), ids, "{kind:?}");
        // Another replica has a journal of its own.
        let other = setup(&database, &provider, "two").start();
        ids.extend(ask(&other, "k2", 3));
        wait_drained(&other, 3);
        assert_eq!(stored(&database), ids);
        let of_red = database.records();
        let of_red = of_red.iter().filter(|it| it["tenant"] == "red").count();
        assert_eq!(of_red, 8);
    }
}

#[test]
fn while_the_store_is_away_records_wait_and_are_there_soon_after_it_is_back() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let gateway = setup(&database, &provider, "one").start();
        let mut ids = ask(&gateway, "k1", 3);
        wait_drained(&gateway, 3);
        database.kick();
        database.stop();
        gateway.wait_metric("ringway_store_up ", 0.0);
        ids.extend(ask(&gateway, "k1", 30));
        wait::until("records that wait", || {
            (gateway.metric("ringway_usage_waiting_bytes ") > 10_000.0).then_some(())
        });
        database.start();
        wait_drained(&gateway, 33);
        assert_eq!(stored(&database), ids);
        assert!(gateway.metric("ringway_usage_journal_expired_bytes_total ") < 1.0);
    }
}

#[test]
fn past_its_bound_the_journal_gives_up_what_the_store_has_not_taken_and_counts_it() {
    let mut database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(json(whole(WIRE)));
    let gateway = setup(&database, &provider, "one")
        .text("journal_bytes_max = 1048576")
        .start();
    ask(&gateway, "k1", 1);
    wait_drained(&gateway, 1);
    database.stop();
    gateway.wait_metric("ringway_store_up ", 0.0);
    let mut asked = 0;
    while gateway.metric("ringway_usage_journal_expired_bytes_total ") < 1.0 {
        asked += ask(&gateway, "k1", 100).len();
        assert!(asked < 5_000, "the journal has no bound");
    }
    database.start();
    gateway.wait_metric("ringway_usage_waiting_bytes ", 0.0);
    let kept = stored(&database).len();
    assert!(kept > asked / 2 && kept <= asked, "{kept} of {asked}");
    let newest = ask(&gateway, "k1", 1);
    wait::until("what comes now", || {
        stored(&database).is_superset(&newest).then_some(())
    });
}

#[test]
fn store_that_refuses_records_is_told_and_gets_them_later() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(json(whole(WIRE)));
    let gateway = setup(&database, &provider, "one").start();
    let edits = rusqlite::Connection::open(database.file()).unwrap();
    edits
        .execute_batch("ALTER TABLE usage RENAME TO aside")
        .unwrap();
    let ids = ask(&gateway, "k1", 4);
    gateway.wait_metric("ringway_usage_drain_failures_total ", 1.0);
    assert!(gateway.metric("ringway_usage_waiting_bytes ") > 0.0);
    edits
        .execute_batch("ALTER TABLE aside RENAME TO usage")
        .unwrap();
    wait_drained(&gateway, 4);
    assert_eq!(stored(&database), ids);
    assert!(gateway.metric("ringway_usage_drain_failures_total ") < 2.0);
}
