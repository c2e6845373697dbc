//! What a start knows of money that was spent before, on both databases: each charge once, whatever was
//! lost in between, and no slower for the records that there are.

use std::fs;
use std::path::Path;

use ringway::wire::kind::Wire;

use crate::support::http::json;
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::spending::{SpentBudget, budgeted, kill, spend, wait_line};
use crate::support::stores::{Database, KINDS, Kind};
use crate::support::wait;
use crate::support::wires::whole;

const WIRE: Wire = Wire::OpenAiChat;

#[test]
fn a_batch_that_was_committed_before_a_crash_is_charged_once_though_its_records_were_removed() {
    for kind in KINDS {
        let budget = SpentBudget::new(kind);
        let (database, journal, config) = (&budget.database, &budget.journal, &budget.config);
        let spent = database.spent();
        // The crash came before the place was kept here; another replica keeps no record for long.
        fs::remove_file(journal.join("drained")).unwrap();
        database.edit("DELETE FROM usage");
        // Less than twice what was spent.
        let program = Program::serve(&config.replace("\"1.20\"", "\"2.00\""));
        assert_eq!(spend(&program), 200, "{kind:?}: some of the budget is left");
        wait_line(&program, "ringway_usage_drained_total 1");
        assert_eq!(database.spent(), spent + 110_000_000, "{kind:?}");
        kill(program);
        let program = Program::serve(config);
        assert_eq!(spend(&program), 429, "{kind:?}");
        kill(program);
    }
}

/// Keys that spend every day.
const KEYS: i64 = 3_000;
/// Days for which they did.
const DAYS: i64 = 60;

/// A tenant of so many keys, each with a sum for each day, in a database of a version that has no sums of
/// months; the dollars of this month, and of today.
fn of_an_earlier_version(database: &Database, config: &str) -> (i64, i64) {
    kill(Program::serve(config));
    let (day, month) = match database.kind() {
        Kind::Sqlite => (
            "SELECT CAST(strftime('%s', 'now') AS INTEGER) / 86400",
            "SELECT CAST(strftime('%d', 'now') AS INTEGER)",
        ),
        Kind::Postgres => (
            "SELECT CAST(CURRENT_DATE - DATE '1970-01-01' AS BIGINT)",
            "SELECT CAST(EXTRACT(DAY FROM CURRENT_DATE) AS BIGINT)",
        ),
    };
    let (today, days) = (database.number(day), database.number(month));
    let version = match database.kind() {
        Kind::Sqlite => "DROP TRIGGER tenants_get_ids; PRAGMA user_version = 6",
        Kind::Postgres => "UPDATE ringway_version SET version = 6",
    };
    let nanos = 1_000_000_000 / KEYS;
    database.edit(&format!(
        "WITH RECURSIVE keys (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM keys WHERE n < {KEYS}), \
         days (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM days WHERE n < {DAYS} - 1) \
         INSERT INTO spent (day, tenant, key_id, nanos) \
         SELECT {today} - days.n, 'blue', CAST(keys.n AS TEXT), {nanos} FROM keys, days; \
         DROP TABLE spent_month; DROP TABLE drained; DROP TABLE ringway_schema; {version}; \
         DROP INDEX tenants_by_id; ALTER TABLE tenants DROP COLUMN id"
    ));
    (days, 1)
}

/// Configuration of the program with these budgets of its tenant.
fn of_tenant(config: &str, budgets: &str) -> String {
    let config = config.replace("budget_month = \"1.20\"\n", "");
    format!("{config}[[tenant]]\nname = \"blue\"\n{budgets}\n")
}

#[test]
fn a_start_reads_sums_of_the_day_and_the_month_and_old_ones_go() {
    for kind in KINDS {
        let database = Database::new(kind);
        let folder = tempfile::tempdir().unwrap();
        let provider = Provider::answering(json(whole(WIRE)));
        let section = database.section(&database.snapshot("one"));
        let config = |name: &str, budgets: &str| {
            let config = budgeted(&folder.path().join(name), &provider, &section);
            of_tenant(&config, budgets)
        };
        let (month, day) = of_an_earlier_version(&database, &config("first", ""));
        // A thousandth of a cent is lost in dividing; a request reserves less than a dollar.
        for (name, limit, dollars) in [("month", "budget_month", month), ("day", "budget_day", day)]
        {
            let program = Program::serve(&config(name, &format!("{limit} = {dollars}")));
            assert_eq!(spend(&program), 429, "{kind:?} {name}");
            kill(program);
        }
        let budgets = format!("budget_month = {}\nbudget_day = {}", month + 1, day + 1);
        let program = Program::serve(&config("more", &budgets));
        assert_eq!(spend(&program), 200, "{kind:?}");
        wait::until("old sums that are gone", || {
            let kept = database.number("SELECT COUNT(*) FROM spent WHERE tenant = 'blue'");
            (kept < KEYS * 9).then_some(())
        });
        kill(program);
        assert!(database.number("SELECT COUNT(*) FROM spent") >= KEYS * 8);
        if kind == Kind::Postgres {
            reads_hardly_more_than_todays(&database, &config("again", &budgets));
        }
    }
}

/// The server counts what is read.
fn reads_hardly_more_than_todays(database: &Database, config: &str) {
    database.edit("VACUUM spent");
    let read = || {
        database.number(
            "SELECT CAST(SUM(idx_tup_read) + (SELECT SUM(seq_tup_read) FROM pg_stat_user_tables \
             WHERE relname = 'spent') AS BIGINT) FROM pg_stat_user_indexes WHERE relname = 'spent'",
        )
    };
    let settled = || {
        wait::until("figures of sessions that have ended", || {
            let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'ringway'";
            (database.number(others) == 0).then_some(())
        });
        read()
    };
    let before = settled();
    kill(Program::serve(config));
    let more = settled() - before;
    assert!((KEYS..2 * KEYS).contains(&more), "{more}");
}

/// The identity of a journal, which has to be there.
fn identity(journal: &Path) -> String {
    fs::read_to_string(journal.join("identity")).unwrap()
}

#[test]
fn a_journal_that_lost_its_segments_is_another_one_to_the_store() {
    for kind in KINDS {
        let budget = SpentBudget::new(kind);
        let (database, journal, config) = (&budget.database, &budget.journal, &budget.config);
        let (first, records) = (identity(journal), database.records().len());
        kill(Program::serve(config));
        assert_eq!(identity(journal), first);
        for entry in fs::read_dir(journal).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "usage") {
                fs::remove_file(path).unwrap();
            }
        }
        // Its numbers begin anew, before the place that the store has of the other one.
        let program = Program::serve(&config.replace("\"1.20\"", "\"5.00\""));
        assert_eq!(spend(&program), 200, "{kind:?}");
        wait_line(&program, "ringway_usage_drained_total 1");
        assert_eq!(database.records().len(), records + 1, "{kind:?}");
        assert_ne!(identity(journal), first);
        kill(program);
    }
}
