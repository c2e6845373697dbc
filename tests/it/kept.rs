//! Usage records in a store: each once, whatever becomes of store and gateway, on both databases.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use ringway::govern::usage::frames;
use ringway::govern::usage::record::UsageRecord;
use ringway::store::database::handle::Store;
use ringway::store::database::usage_sql::Period;
use ringway::store::journal::segments::{Journal, read_all};
use ringway::store::journal::tail::{Batch, JournalPosition, read_on};
use ringway::wire::kind::Wire;

use crate::support::client::Answer;
use crate::support::directions::drivers;
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{chunk, json, post, request, stream_head};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::script::{Step, once};
use crate::support::spending::{SpentBudget, budgeted, kill, spend, spend_all, wait_line};
use crate::support::stores::{Database, KINDS, Kind};
use crate::support::wait;
use crate::support::wires::{chat, path, start_up, text, told, whole};

const WIRE: Wire = Wire::OpenAiChat;
const PRICES: &str = "[prices.\"up/*\"]\ninput = 10000\noutput = 10000";

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
        id.to_owned()
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
        // A place that is lost here is kept in the store. Where that has lost it too, all of the journal
        // comes again, to no effect.
        let journal = database.snapshot("one").with_extension("usage");
        fs::remove_file(journal.join("drained")).unwrap();
        let gateway = setup(&database, &provider, "one").start();
        gateway.wait_metric("ringway_usage_waiting_bytes ", 0.0);
        assert!(gateway.metric("ringway_usage_drained_total ") < 1.0);
        drop(gateway);
        fs::remove_file(journal.join("drained")).unwrap();
        database.edit("DELETE FROM drained");
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
fn a_batch_with_records_that_are_known_adds_the_others_and_what_they_cost() {
    const DAY_MS: u64 = 86_400_000;
    for kind in KINDS {
        let database = Database::new(kind);
        if kind == Kind::Sqlite {
            fs::write(database.file(), "").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), 1 << 20).unwrap().0;
        let mut frames = Vec::new();
        for (rank, (id, payer, time_ms, nanos)) in [
            (4, ["blue", "k1"], DAY_MS, 1),
            (3, ["blue", "k1"], DAY_MS, 20),
            (5, ["red", "k2"], 2 * DAY_MS, 300),
            (4, ["blue", "k1"], DAY_MS, 1),
            (1, ["blue", "k1"], DAY_MS, 4_000),
            (6, ["blue", "k1"], 2 * DAY_MS, 50_000),
            (2, ["red", "k2"], 2 * DAY_MS - 1, u64::MAX),
        ]
        .into_iter()
        .enumerate()
        {
            frame(&mut frames, |out| charge(id, payer, time_ms, nanos, out));
            if rank == 2 {
                journal.append(&frames).1.unwrap();
                frames.clear();
                assert_eq!(add(&database, folder.path(), 1), Some(3));
            }
        }
        frame(&mut frames, |out| out.extend_from_slice(b"{}"));
        journal.append(&frames).1.unwrap();
        // The same of one journal came before, whatever became of it since; of another one it is new.
        assert_eq!(add(&database, folder.path(), 1), None);
        for journal in [2, 3] {
            assert_eq!(add(&database, folder.path(), journal), Some(7));
            let records = database.records();
            let ids = records.iter().map(|it| it["id"].as_str().unwrap());
            let ids: Vec<_> = ids
                .map(|id| id.trim_start_matches("rw_").trim_start_matches('0'))
                .collect();
            assert_eq!(ids, ["6", "5", "2", "4", "3", "1"], "{kind:?}");
            let sums = |period| {
                let spent = async |store: &Store| store.spent(period, None, 9).await.unwrap();
                let spent = database.opened(spent).into_iter();
                let spent = spent.map(|it| (it.tenant, it.key_id, it.nanos));
                spent.collect::<Vec<_>>()
            };
            let sum = |tenant: &str, key_id: &str, nanos: u64| {
                (tenant.to_owned(), key_id.to_owned(), nanos)
            };
            let most = 1_000_000_000_000_000;
            let expected = [sum("blue", "k1", 4_021), sum("red", "k2", most)];
            assert_eq!(sums(Period::Day(1)), expected, "{kind:?}");
            let expected = [sum("blue", "k1", 50_000), sum("red", "k2", 300)];
            assert_eq!(sums(Period::Day(2)), expected, "{kind:?}");
            let expected = [sum("blue", "k1", 54_021), sum("red", "k2", most + 300)];
            assert_eq!(sums(Period::Month(0)), expected, "{kind:?}");
        }
    }
}

/// Adds all that a journal holds as one batch, as if it were this journal; how many of its records are ours.
fn add(database: &Database, folder: &Path, journal: u8) -> Option<usize> {
    let mut batch = Batch::default();
    read_on(folder, JournalPosition::default(), 1 << 20, &mut batch).unwrap();
    database.opened(async |store| store.add_usage(batch, [journal; 16]).await.unwrap().1)
}

fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = frames::open(out);
    write(out);
    assert!(frames::close(out, start));
}

/// A record of which nothing is known but what it cost whom, and when.
fn charge(id: u128, [tenant, key_id]: [&str; 2], time_ms: u64, nanos: u64, out: &mut Vec<u8>) {
    let record = UsageRecord {
        id,
        time_ms,
        tenant: Some(tenant.as_bytes()),
        key_id: Some(key_id.as_bytes()),
        charged_nanos: Some(nanos),
        ..UsageRecord::default()
    };
    record.write(&[], core::iter::empty(), out);
}

#[test]
fn records_older_than_they_are_kept_go_and_what_they_cost_stays() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let gateway = setup(&database, &provider, "one").text(PRICES).start();
        ask(&gateway, "k1", 3);
        wait_drained(&gateway, 3);
        drop(gateway);
        let spent = database.spent();
        assert!(spent > 0, "{kind:?}");
        database.edit("UPDATE usage SET time = time - 2 * 86400000");
        let gateway = setup(&database, &provider, "one").text("keep_days = 2");
        let gateway = gateway.text(PRICES).start();
        wait::until("none of them", || {
            stored(&database).is_empty().then_some(())
        });
        assert_eq!(database.spent(), spent, "{kind:?}");
        let young = ask(&gateway, "k1", 2);
        wait_drained(&gateway, 2);
        assert_eq!(stored(&database), young);
        assert_eq!(database.spent() * 3, spent * 5);
        let listed = get(&gateway, "k1", "/api/usage");
        assert_eq!(page(&listed).0.len(), 2, "{}", listed.text());
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
fn what_waited_for_the_journals_folder_reaches_the_store_without_another_record() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(json(whole(WIRE)));
    // The folder is there again for a while before the journal is.
    let slow = setup(&database, &provider, "one").text("flush_ms = 1000");
    let gateway = slow.start();
    let mut ids = ask(&gateway, "k1", 1);
    wait_drained(&gateway, 1);
    let journal = database.snapshot("one").with_extension("usage");
    fs::remove_dir_all(&journal).unwrap();
    ids.extend(ask(&gateway, "k1", 1));
    gateway.wait_metric("ringway_usage_journal_stuck ", 1.0);
    gateway.wait_metric("ringway_usage_drain_failures_total ", 1.0);
    fs::create_dir(&journal).unwrap();
    wait::until("the record that waited", || {
        (stored(&database) == ids).then_some(())
    });
}

#[test]
fn a_place_that_cannot_be_kept_holds_up_nothing_and_repeats_nothing() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        // As a disk that is full: a folder stands where the place would be written.
        let journal = database.snapshot("one").with_extension("usage");
        fs::create_dir_all(journal.join("drained.new")).unwrap();
        let gateway = setup(&database, &provider, "one").start();
        let mut ids = ask(&gateway, "k1", 3);
        wait_drained(&gateway, 3);
        gateway.wait_metric("ringway_usage_waiting_bytes ", 0.0);
        assert!(gateway.metric("ringway_usage_drain_failures_total ") < 1.0);
        drop(gateway);
        let gateway = setup(&database, &provider, "one").start();
        ids.extend(ask(&gateway, "k1", 1));
        wait::until("the last record", || {
            (stored(&database) == ids).then_some(())
        });
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

#[test]
fn a_budget_that_is_gone_stays_gone_after_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::answering(json(whole(WIRE)));
    let config = budgeted(folder.path(), &provider, "");
    spend_all(&config, folder.path());
    for _ in 0..2 {
        let program = Program::serve(&config);
        assert_eq!(spend(&program), 429);
        kill(program);
    }
    // A larger one has what is left of it, from the first request on.
    let larger = config.replace("\"1.20\"", "\"2.40\"");
    let program = Program::serve(&larger);
    assert_eq!(spend(&program), 200);
    kill(program);
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(spend(&Program::serve(&config)), 200, "without records");
}

#[test]
fn a_budget_that_is_gone_stays_gone_by_what_the_store_knows_also_when_it_comes_late() {
    for kind in KINDS {
        let mut budget = SpentBudget::new(kind);
        let (database, journal, config) = (&mut budget.database, &budget.journal, &budget.config);
        // Both have the same records: they count once.
        let larger = config.replace("\"1.20\"", "\"2.40\"");
        let program = Program::serve(&larger);
        assert_eq!(spend(&program), 200, "{kind:?}");
        wait_line(&program, "ringway_usage_drained_total 1");
        kill(program);
        // Only the store has them.
        fs::remove_dir_all(journal).unwrap();
        let program = Program::serve(config);
        assert_eq!(spend(&program), 429, "{kind:?}");
        kill(program);
        // It comes late, and then they count beside what was spent until then.
        fs::remove_dir_all(journal).unwrap();
        database.stop();
        let program = Program::serve(config);
        assert_eq!(spend(&program), 200, "nobody knows better");
        database.start();
        // Nothing is delivered before it is known what was spent.
        wait_line(&program, "ringway_usage_drained_total 1");
        assert_eq!(spend(&program), 429, "{kind:?}");
    }
}

#[test]
fn what_was_spent_counts_once_after_its_record_was_removed_because_of_its_age() {
    for kind in KINDS {
        let budget = SpentBudget::new(kind);
        let (database, config) = (&budget.database, &budget.config);
        // What a short `keep_days` does to records that the journal's last segment still holds.
        database.edit("DELETE FROM usage");
        // Less than twice what was spent.
        let program = Program::serve(&config.replace("\"1.20\"", "\"2.00\""));
        assert_eq!(spend(&program), 200, "{kind:?}: some of the budget is left");
        kill(program);
        let program = Program::serve(config);
        assert_eq!(spend(&program), 429, "{kind:?}");
        kill(program);
    }
}

#[test]
fn what_an_estimate_charged_is_told_apart_from_what_it_cost() {
    let database = Database::new(Kind::Sqlite);
    let begun = [start_up(WIRE), &text(WIRE, "Hel", true)].concat();
    let broken = vec![
        Step::Request,
        Step::Send([stream_head(), chunk(&begun)].concat()),
        Step::Reset,
    ];
    let provider = Provider::start(vec![broken, once(json(whole(WIRE)))]);
    let gateway = setup(&database, &provider, "one")
        .text("[prices.\"up/*\"]\ninput = 10000\noutput = 10000")
        .text("[[tenant]]\nname = \"blue\"\nbudget_month = 100")
        .start();
    let fields = "x-api-key: k1\r\n";
    for streamed in [true, false] {
        let request = post(path(WIRE), fields, chat(WIRE, MODEL, streamed));
        assert_eq!(gateway.client().ask(request).status, 200);
    }
    wait_drained(&gateway, 2);
    let records = database.records();
    let of = |streamed: bool| {
        let found = records.iter().find(|it| it["stream"] == streamed);
        found.unwrap_or_else(|| panic!("{records:?}"))
    };
    let (whole, cut) = (of(false), of(true));
    assert_eq!(whole["cost_nanos"], 110_000_000);
    assert_eq!(whole["charged_nanos"], 110_000_000);
    assert_eq!(whole["charge_estimated"], false);
    assert!(
        cut["cost_nanos"].is_null() && cut["usage"].is_null(),
        "{cut}"
    );
    assert!(cut["charged_nanos"].as_u64() > Some(10_000_000), "{cut}");
    assert_eq!(cut["charge_estimated"], true);
}

/// What `ringway usage` tells of a configuration.
fn summed(folder: &Path, config: &str, arguments: &[&str]) -> serde_json::Value {
    let path = folder.join("ringway.toml");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    command.env_clear().arg("usage").arg("--config").arg(&path);
    let output = command.args(["--format", "json"]).args(arguments).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn ni18_usage_is_summed_up_over_store_and_journal_each_record_once() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("usage");
        let provider = Provider::answering(json(whole(WIRE)));
        let section = database.section(&database.snapshot("one"));
        let config = budgeted(&journal, &provider, &section).replace("1.20", "100");
        let expected = |requests: u64| {
            serde_json::json!([{
                "tenant": "blue", "model": "x", "requests": requests, "input": 9 * requests,
                "cached": 0, "cache_write": 0, "output": 2 * requests, "reasoning": 0,
                "cost_nanos": 110_000_000 * requests, "without_usage": 0, "without_cost": 0,
                "charged_nanos": 110_000_000 * requests, "estimated": 0,
            }])
        };
        let by = ["--group-by", "tenant,model"];
        let program = Program::serve(&config);
        for _ in 0..3 {
            assert_eq!(spend(&program), 200);
        }
        wait_line(&program, "ringway_usage_drained_total 3");
        assert_eq!(summed(folder.path(), &config, &by), expected(3), "{kind:?}");
        // What waits for the store counts too.
        database.kick();
        database.stop();
        wait_line(&program, "ringway_store_up 0");
        for _ in 0..2 {
            assert_eq!(spend(&program), 200);
        }
        wait::until("the records in the journal", || {
            let mut count = 0;
            let _ = read_all(&journal, |_| count += 1);
            (count == 5).then_some(())
        });
        kill(program);
        database.start();
        assert_eq!(summed(folder.path(), &config, &by), expected(5), "{kind:?}");
        // The store alone has what was drained.
        fs::remove_dir_all(&journal).unwrap();
        assert_eq!(summed(folder.path(), &config, &by), expected(3), "{kind:?}");
        let days = summed(folder.path(), &config, &["--group-by", "day,outcome,key"]);
        assert_eq!(days.as_array().unwrap().len(), 1, "{days}");
        assert_eq!(days[0]["outcome"], "complete");
        assert!(days[0]["day"].as_str().unwrap().len() == 10, "{days}");
        let key = days[0]["key"].as_str().unwrap().to_owned();
        for (arguments, count) in [
            (["--key", key.as_str()], 1),
            (["--key", "other"], 0),
            (["--tenant", "red"], 0),
            (["--model", "x"], 1),
            (["--model", MODEL], 1),
            (["--since", "1h"], 1),
            (["--until", "1h"], 0),
        ] {
            let found = summed(folder.path(), &config, &arguments);
            assert_eq!(
                found.as_array().unwrap().len(),
                count,
                "{arguments:?}: {found}"
            );
        }
        // Whatever somebody writes there by hand, sums are told.
        database.edit("UPDATE usage SET output = 9223372036854775807, reasoning = -5");
        let edited = &summed(folder.path(), &config, &by)[0];
        let found = ["input", "output", "reasoning"].map(|it| edited[it].as_u64());
        assert_eq!(found, [Some(27), Some(u64::MAX), Some(0)], "{kind:?}");
    }
}

const ADMIN_KEY: &str = "admin-0123456789abcdef";

/// The same with an API for those who manage it.
fn managed(database: &Database, provider: &Provider, name: &str) -> Gateway {
    let setup = setup(database, provider, name).server("admin_key_file = \"admin.key\"");
    let file = setup.folder().join("admin.key");
    fs::write(&file, ADMIN_KEY).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    setup.start()
}

fn get(gateway: &Gateway, key: &str, target: &str) -> Answer {
    let fields = format!("x-api-key: {key}\r\n");
    gateway.client().ask(request("GET", target, &fields, ""))
}

fn manage(gateway: &Gateway, target: &str) -> Answer {
    let fields = format!("authorization: Bearer {ADMIN_KEY}\r\n");
    gateway.admin().ask(request("GET", target, &fields, ""))
}

/// Ids of a page, in its order, and where the next one begins.
fn page(answer: &Answer) -> (Vec<String>, Option<String>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = answer.json();
    let records = page["records"].as_array().unwrap().iter();
    let ids = records.map(|it| it["id"].as_str().unwrap().to_owned());
    (ids.collect(), page["next"].as_str().map(str::to_owned))
}

#[test]
fn p21_a_tenant_lists_its_own_records_page_by_page_and_operators_all() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let gateway = managed(&database, &provider, "one");
        let blue = ask(&gateway, "k1", 5);
        let red = ask(&gateway, "k2", 2);
        wait_drained(&gateway, 7);
        let mut found = Vec::new();
        let mut target = "/api/usage?limit=2".to_owned();
        for left in [true, true, false] {
            let (ids, next) = page(&get(&gateway, "k1", &target));
            found.extend(ids);
            assert_eq!(next.is_some(), left);
            target = format!("/api/usage?limit=2&after={}", next.unwrap_or_default());
        }
        let newest: Vec<u64> = database
            .records()
            .iter()
            .filter(|it| it["tenant"] == "blue")
            .map(|it| it["time"].as_u64().unwrap())
            .collect();
        assert!(newest.is_sorted_by(|a, b| a >= b), "{newest:?}");
        assert_eq!(found.len(), 5, "{kind:?}");
        assert_eq!(BTreeSet::from_iter(found), blue);
        let all = blue.union(&red).cloned().collect::<BTreeSet<String>>();
        for (target, expected) in [
            ("/api/usage", &all),
            ("/api/usage?tenant=red", &red),
            ("/api/usage?tenant=red&model=up-model", &red),
            ("/api/usage?since=1h&tenant=blue", &blue),
            ("/api/usage?until=1h", &BTreeSet::new()),
            ("/api/usage?key=none", &BTreeSet::new()),
        ] {
            let (ids, next) = page(&manage(&gateway, target));
            assert_eq!(
                (&BTreeSet::from_iter(ids), next),
                (expected, None),
                "{target}"
            );
        }
        let plain = gateway.admin().ask(request("GET", "/api/usage", "", ""));
        assert_eq!(plain.status, 401);
        // What is another tenant's cannot be asked for, nor found by where a page begins.
        let (of_red, _) = page(&manage(&gateway, "/api/usage?tenant=red&limit=1"));
        let behind = format!(
            "/api/usage?after=9999999999999-{}",
            &of_red[0]["rw_".len()..]
        );
        assert_eq!(
            BTreeSet::from_iter(page(&get(&gateway, "k1", &behind)).0),
            blue
        );
    }
}

#[test]
fn a_page_holds_all_that_ended_here_before_it_was_asked_for() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let gateway = managed(&database, &provider, "one");
        let fields = "x-api-key: k1\r\n";
        let mut client = gateway.client();
        for count in 1..=4 {
            let asked = client.ask(post(path(WIRE), fields, chat(WIRE, MODEL, false)));
            assert_eq!(asked.status, 200);
            // On this connection the exchange before has ended; the operator's page comes behind it.
            let own = client.ask(request("GET", "/api/usage", fields, ""));
            assert_eq!(page(&own).0.len(), count, "{kind:?}");
            let all = manage(&gateway, "/api/usage");
            assert_eq!(page(&all).0.len(), count, "{kind:?}");
        }
    }
}

#[test]
fn rows_that_were_edited_by_hand_are_left_out_of_lists_and_say_so_where_they_are_asked_for() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let one = managed(&database, &provider, "one");
        let ids = Vec::from_iter(ask(&one, "k1", 7));
        wait_drained(&one, 7);
        let literal = |hex: &str| match kind {
            Kind::Sqlite => format!("x'{hex}'"),
            Kind::Postgres => format!("'\\x{hex}'::bytea"),
        };
        let edits = [
            "record = 'none'".to_owned(),
            "record = SUBSTR(record, 2)".to_owned(),
            "record = REPLACE(record, '\"attempts\":[', '\"attempts\":')".to_owned(),
            "record = REPLACE(record, '{\"id\":\"', '{\"id\":\"0')".to_owned(),
            "time = -1".to_owned(),
            format!("id = {}", literal("0102")),
        ];
        for (id, edit) in ids.iter().zip(&edits) {
            database.edit(&format!(
                "UPDATE usage SET {edit} WHERE id = {}",
                literal(&id["rw_".len()..])
            ));
        }
        for limit in [1, 3, 100] {
            let (mut found, mut place) = (Vec::new(), String::new());
            loop {
                let target = format!("/api/usage?limit={limit}{place}");
                let (ids, next) = page(&get(&one, "k1", &target));
                found.extend(ids);
                let Some(next) = next else { break };
                place = format!("&after={next}");
            }
            assert_eq!(found, [ids[6].clone()], "{kind:?} by {limit}");
        }
        // What its own journal does not have.
        let two = managed(&database, &provider, "two");
        for (id, edit) in ids.iter().zip(&edits).take(4) {
            let target = format!("/api/usage/custody/{id}");
            for answer in [get(&two, "k1", &target), manage(&two, &target)] {
                assert_eq!(answer.status, 503, "{edit}: {}", answer.text());
            }
        }
    }
}

#[test]
fn a_listing_says_which_parameter_is_wrong_in_the_clients_words() {
    let database = Database::new(Kind::Sqlite);
    let provider = Provider::answering(json(whole(WIRE)));
    let gateway = managed(&database, &provider, "one");
    for (target, param, text) in [
        (
            "/api/usage?tenant=red",
            "tenant",
            "unknown parameter; known: key",
        ),
        ("/api/usage?limit=0", "limit", "1 to 1000"),
        ("/api/usage?after=x", "after", "`next`"),
        ("/api/usage?since=soon", "since", "expected a day"),
    ] {
        let refused = get(&gateway, "k1", target);
        assert_eq!(refused.status, 400, "{target}");
        let error = told(WIRE, &refused);
        assert!(error.message.contains(text), "{target}: {}", error.message);
        assert_eq!(error.kind, "invalid_request_error");
        assert_eq!(refused.json()["error"]["param"], param);
    }
    assert_eq!(get(&gateway, "k9", "/api/usage").status, 401);
    let bad = manage(&gateway, "/api/usage?limit=1001");
    assert_eq!(
        (bad.status, &bad.json()["error"]["param"]),
        (400, &"limit".into())
    );
}

#[test]
fn ni7_records_are_looked_up_in_the_store_once_the_journal_has_let_go_of_them() {
    for kind in KINDS {
        let mut database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let one = managed(&database, &provider, "one");
        let id = ask(&one, "k1", 1).pop_first().unwrap();
        let target = format!("/api/usage/custody/{id}");
        let record = get(&one, "k1", &target).json();
        assert_eq!(record["id"], *id);
        wait_drained(&one, 1);
        // Another replica has it from the store alone.
        let two = managed(&database, &provider, "two");
        assert_eq!(get(&two, "k1", &target).json(), record, "{kind:?}");
        assert_eq!(manage(&two, &target).json(), record);
        let bare = format!("/api/usage/custody/{}", &id["rw_".len()..]);
        assert_eq!(manage(&one, &bare).json(), record);
        let bare = |answer: Answer| {
            let own = answer.field("x-ringway-request-id").unwrap().to_owned();
            (answer.status, answer.text().replace(&own, "ID"))
        };
        let absent = format!("/api/usage/custody/{}", "0".repeat(32));
        let foreign = bare(get(&two, "k2", &target));
        assert_eq!(foreign.0, 404, "{}", foreign.1);
        assert_eq!(foreign, bare(get(&two, "k2", &absent)));
        assert_eq!(manage(&two, &absent).status, 404);
        assert_eq!(manage(&two, "/api/usage/custody/x").status, 404);
        // While the store is away nobody knows.
        database.kick();
        database.stop();
        two.wait_metric("ringway_store_up ", 0.0);
        for target in [&target, &absent, "/api/usage"] {
            let refused = get(&two, "k1", target);
            assert_eq!(refused.status, 503, "{target}: {}", refused.text());
            assert_eq!(refused.field("retry-after"), Some("1"));
            assert_eq!(manage(&two, target).status, 503, "{target}");
        }
        assert_eq!(
            get(&one, "k1", &target).json(),
            record,
            "its own journal has it"
        );
    }
}

#[test]
fn a_record_that_waits_for_the_disk_is_found_or_told_to_be_pending_and_never_absent() {
    for (kind, driver) in KINDS.into_iter().zip(drivers().iter().cycle()) {
        let database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let journal = database.snapshot("one").with_extension("usage");
        let gateway = Setup::upstream(*driver, WIRE, &provider)
            .key("k1", "blue", None)
            .text(&database.section(&database.snapshot("one")))
            .text(&format!("[usage]\njournal = \"{}\"", journal.display()))
            .admin_api()
            .start();
        let first = ask(&gateway, "k1", 1);
        wait_drained(&gateway, 1);
        fs::remove_dir_all(&journal).unwrap();
        // The first one finds out that the disk takes nothing.
        let mut ids: Vec<String> = ask(&gateway, "k1", 1).into_iter().collect();
        let look = |id: &str| get(&gateway, "k1", &format!("/api/usage/custody/{id}"));
        let mut pending = 0;
        wait::until("a record that nobody can look at", || {
            ids.extend(ask(&gateway, "k1", 1));
            for id in &ids {
                let got = look(id);
                let managed = gateway.ask_api("GET", &format!("/api/usage/custody/{id}"), "");
                assert!(
                    [200, 503].contains(&managed.status),
                    "{kind:?} {}",
                    managed.text()
                );
                if got.status == 503 {
                    assert_eq!(got.field("retry-after"), Some("1"));
                    assert!(got.json()["error"]["message"].is_string(), "{}", got.text());
                    pending += usize::from(got.text().contains("may wait"));
                } else {
                    assert_eq!((got.status, &got.json()["id"]), (200, &id.as_str().into()));
                }
            }
            (pending > 0).then_some(())
        });
        // What is in the store is found, and what is of no request since the start is absent.
        assert_eq!(look(first.first().unwrap()).status, 200, "{kind:?}");
        assert_eq!(look(&format!("rw_{:032x}", 1)).status, 404);
        fs::create_dir(&journal).unwrap();
        for id in &ids {
            wait::until("its record", || (look(id).status == 200).then_some(()));
        }
        // Records wait no longer: what nobody has is absent.
        let absent = format!("{}{}", &ids[0][..15], "0".repeat(20));
        assert_eq!(absent.len(), ids[0].len());
        wait::until("an id of nobody", || {
            (look(&absent).status == 404).then_some(())
        });
    }
}
