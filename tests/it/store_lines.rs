//! The connections to PostgreSQL: each purpose has its own, a dead one is noticed, and a pool that
//! hands out sessions by transaction is refused.

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use ringway::store::database::handle::block_on;
use ringway::store::database::migrations::POSTGRES;
use serde_json::json;

use crate::support::gateway::Gateway;
use crate::support::governed::{WIRE, api, gateway, made, secret_of, setup, wait_status};
use crate::support::http::{self, request};
use crate::support::provider::Provider;
use crate::support::relay::Relay;
use crate::support::stores::{Database, Kind};
use crate::support::wait;
use crate::support::wires::whole;

/// A transaction that stays open until it is ended.
struct Transaction {
    release: Sender<()>,
    held: JoinHandle<()>,
}

impl Transaction {
    /// A lock that keeps everybody from a table.
    fn locking(database: &Database, table: &str) -> Self {
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        Self::of(database, &lock)
    }

    fn of(database: &Database, begin: &str) -> Self {
        let (url, begin) = (database.url.clone(), begin.to_owned());
        let (release, released) = channel();
        let (begun, is_begun) = channel();
        let held = thread::spawn(move || {
            let work = async {
                let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
                    .await
                    .unwrap();
                tokio::spawn(connection);
                client.batch_execute(&begin).await.unwrap();
                begun.send(()).unwrap();
                let waits = tokio::task::spawn_blocking(move || released.recv());
                let _ = waits.await;
                client.batch_execute("COMMIT").await.unwrap();
            };
            block_on(work).unwrap();
        });
        is_begun.recv().unwrap();
        Self { release, held }
    }

    fn end(self) {
        drop(self.release);
        self.held.join().unwrap();
    }
}

fn recorded(database: &Database, provider: &Provider, name: &str) -> Gateway {
    let journal = database.snapshot(name).with_extension("usage");
    let usage = format!("[usage]\njournal = \"{}\"", journal.display());
    setup(database, provider, name).text(&usage).start()
}

fn list(gateway: &Gateway) -> u16 {
    api(gateway, "GET", "/api/usage?key=absent", "").status
}

#[test]
fn questions_that_keep_the_store_busy_keep_nobody_from_revoking_keys() {
    let database = Database::new(Kind::Postgres);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let one = recorded(&database, &provider, "one");
    let two = recorded(&database, &provider, "two");
    let locked = Transaction::locking(&database, "usage");
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    if list(&two) == 429 {
                        refused.fetch_add(1, Ordering::Relaxed);
                        thread::park_timeout(Duration::from_millis(20));
                    }
                }
            });
        }
        wait::until("a question too many", || {
            (refused.load(Ordering::Relaxed) > 0).then_some(())
        });
        wait::shortest("a revoked key at the other replica", REVOKED, |_| {
            let (secret, id) = made(&one, json!({"tenant": "blue"}));
            wait_status(&two, &secret, 200);
            let begun = Instant::now();
            assert_eq!(
                api(&two, "DELETE", &format!("/api/keys/{id}"), "").status,
                200
            );
            wait_status(&one, &secret, 401);
            begun.elapsed()
        });
        is_over.store(true, Ordering::Relaxed);
    });
    locked.end();
    wait::until("answers", || (list(&two) == 200).then_some(()));
}

#[test]
fn a_tenants_questions_are_bounded_in_number_and_time() {
    let database = Database::new(Kind::Postgres);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let gateway = recorded(&database, &provider, "one");
    let (blue, _) = made(&gateway, json!({"tenant": "blue"}));
    let (red, _) = made(&gateway, json!({"tenant": "red"}));
    let question = |secret: &str| {
        let fields = format!("authorization: Bearer {secret}\r\n");
        request("GET", "/api/usage", &fields, "")
    };
    let locked = Transaction::locking(&database, "usage");
    wait::until("one question too many", || {
        let mut clients: Vec<_> = (0..3).map(|_| gateway.client()).collect();
        for client in &mut clients {
            client.send(question(&blue));
        }
        let answers = clients.iter_mut().map(|client| client.answer());
        let answers: Vec<_> = answers.collect();
        let mut refused = answers.iter().filter(|answer| answer.status == 429);
        let first = refused.next()?;
        assert_eq!(first.field("retry-after"), Some("1"));
        let others = answers.iter().filter(|answer| answer.status == 503).count();
        (refused.next().is_none() && others == 2).then_some(())
    });
    locked.end();
    // The store worked for six seconds on two questions that it never answered.
    assert_eq!(gateway.client().ask(question(&blue)).status, 429);
    assert_eq!(gateway.client().ask(question(&red)).status, 200);
}

#[test]
fn a_line_to_the_store_that_swallows_everything_is_replaced_within_three_seconds() {
    let mut database = Database::new(Kind::Postgres);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let one = gateway(&database, &provider, "one");
    let folder = tempfile::tempdir().unwrap();
    let (_, server) = database.url.split_once("host=").unwrap();
    let server = Path::new(server).join(".s.PGSQL.5432");
    let relay = Relay::start(&folder.path().join(".s.PGSQL.5432"), server);
    let place = folder.path().display();
    database.url = format!("postgres://ringway@/postgres?host={place}");
    let two = gateway(&database, &provider, "two");
    wait::shortest("a revoked key behind a dead line", REPLACED, |_| {
        let (secret, id) = made(&one, json!({"tenant": "blue"}));
        wait_status(&two, &secret, 200);
        relay.swallow();
        let begun = Instant::now();
        api(&one, "DELETE", &format!("/api/keys/{id}"), "");
        wait_status(&two, &secret, 401);
        begun.elapsed()
    });
}

#[test]
fn a_pool_of_sessions_works_and_one_of_transactions_is_refused_by_name() {
    let mut database = Database::pooled("session");
    let provider = Provider::answering(http::json(whole(WIRE)));
    let one = recorded(&database, &provider, "one");
    let two = recorded(&database, &provider, "two");
    let (secret, id) = made(&one, json!({"tenant": "blue"}));
    wait_status(&two, &secret, 200);
    two.wait_metric("ringway_usage_waiting_bytes ", 0.0);
    wait::until("records in the store", || {
        (!database.records().is_empty()).then_some(())
    });
    assert_eq!(list(&two), 200);
    api(&one, "DELETE", &format!("/api/keys/{id}"), "");
    wait_status(&two, &secret, 401);
    let (by_command, _) = secret_of(&database.done(&["create", "--tenant", "red"]));
    wait_status(&one, &by_command, 200);
    drop((one, two));
    for mode in ["transaction", "statement"] {
        database = Database::pooled(mode);
        let told = String::from_utf8(database.keys(&["list"]).stderr).unwrap();
        assert!(told.contains("pool_mode = session"), "{mode}: {told}");
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\n[[provider]]\nname = \"up\"\nkind = \"openai\"\n\
             base_url = \"http://127.0.0.1:9\"\nkey = \"none\"\n{}",
            database.section(&folder.path().join("snapshot"))
        );
        let place = folder.path().join("ringway.toml");
        fs::write(&place, config).unwrap();
        let mut serve = Command::new("timeout");
        serve.args(["60", env!("CARGO_BIN_EXE_ringway"), "serve", "--config"]);
        let output = serve.arg(&place).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{mode}: {told}");
        assert!(told.contains("pool_mode = session"), "{mode}: {told}");
    }
}

#[test]
fn sums_that_cannot_be_read_keep_nobody_from_starting_and_count_once_they_can() {
    let database = Database::new(Kind::Postgres);
    let provider = Provider::answering(http::json(whole(WIRE)));
    let start = || {
        let journal = database.snapshot("one").with_extension("usage");
        let text = format!(
            "[usage]\njournal = \"{}\"\n[prices.\"up/*\"]\ninput = 10000\noutput = 10000\n\
             [[tenant]]\nname = \"blue\"\nbudget_month = \"0.01\"",
            journal.display()
        );
        setup(&database, &provider, "one").text(&text).start()
    };
    let gateway = start();
    let (red, id) = made(&gateway, json!({"tenant": "red"}));
    let (blue, _) = made(&gateway, json!({"tenant": "blue"}));
    drop(gateway);
    let month = "SELECT CAST((EXTRACT(YEAR FROM CURRENT_DATE) - 1970) * 12 \
                 + EXTRACT(MONTH FROM CURRENT_DATE) - 1 AS BIGINT)";
    let month = database.number(month);
    database.edit(&format!(
        "INSERT INTO spent_month VALUES ({month}, 'red', '{id}', 1), ({month}, 'blue', 'x', 10000000)"
    ));
    let locked = Transaction::locking(&database, "spent_month");
    let gateway = start();
    wait_status(&gateway, &red, 200);
    // Keys are followed meanwhile, and records wait in the journal.
    api(&gateway, "DELETE", &format!("/api/keys/{id}"), "");
    wait_status(&gateway, &red, 401);
    assert!(gateway.metric("ringway_usage_drained_total ") < 1.0);
    locked.end();
    wait::until("records in the store", || {
        (gateway.metric("ringway_usage_drained_total ") >= 1.0).then_some(())
    });
    wait_status(&gateway, &blue, 429);
}

#[test]
fn indexes_over_records_are_made_while_others_write_and_anew_where_one_was_left_unfinished() {
    let database = Database::new(Kind::Postgres);
    let [keys, usage] = [POSTGRES[0], POSTGRES[1]];
    database.edit(&format!(
        "BEGIN; {keys}; {usage}; CREATE TABLE ringway_version (version BIGINT NOT NULL); \
         INSERT INTO ringway_version VALUES (2); CREATE INDEX usage_by_key ON usage (key_id); COMMIT"
    ));
    let record = |id: u8| {
        format!(
            "INSERT INTO usage (id, time, estimated, record) \
             VALUES ('\\x{id:032x}', 1, 0, '{{\"id\":\"rw_{id:032x}\",\"time\":1}}')"
        )
    };
    let open = Transaction::of(&database, &format!("BEGIN; {}", record(1)));
    let provider = Provider::answering(http::json(whole(WIRE)));
    thread::scope(|scope| {
        let gateway = scope.spawn(|| setup(&database, &provider, "one").start());
        wait::until("an index that waits for the transaction", || {
            let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                           AND query LIKE '%INDEX CONCURRENTLY%'";
            (database.number(waiting) > 0).then_some(())
        });
        database.edit(&format!("SET lock_timeout = '1s'; {}", record(2)));
        open.end();
        let gateway = gateway.join().unwrap();
        let (secret, _) = wait::until("keys of the store", || {
            let answer = api(&gateway, "POST", "/api/keys", r#"{"tenant":"blue"}"#);
            (answer.status == 201).then(|| secret_of(&answer.json()))
        });
        wait_status(&gateway, &secret, 200);
    });
    let made = "SELECT COUNT(*) FROM pg_index WHERE indisvalid AND indexrelid::regclass::text IN \
                ('usage_by_key', 'usage_by_model_asked', 'usage_by_model_sent') AND indnatts > 2";
    assert_eq!(database.number(made), 3);
    assert_eq!(database.records().len(), 2);
}

/// A revoked key is refused everywhere within this time, whatever people ask.
const REVOKED: Duration = Duration::from_millis(300);
/// The same where the line to the store has died.
const REPLACED: Duration = Duration::from_secs(3);
