//! Who owns what lies on the disk: the journal's folder is one process's at a time and passes to the
//! next, and a database says for which programs it is.

use core::time::Duration;
use std::fs;
use std::process::{Command, Output};
use std::thread;

use ringway::store::database::migrations::SQLITE;
use ringway::store::journal::segments::{Journal, read_all};
use ringway::wire::kind::Wire;

use crate::support::http::json;
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::spending::{budgeted, spend};
use crate::support::stores::{Database, KINDS, Kind};
use crate::support::wait::DEADLINE;
use crate::support::wires::whole;

#[test]
fn a_second_process_hears_who_writes_and_one_that_takes_over_finds_all_of_it() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("journal");
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let config = budgeted(&folder, &provider, "");
    let mut program = Program::serve(&config);
    for _ in 0..3 {
        assert_eq!(spend(&program), 200);
    }
    let owner = format!("process {} writes to it", program.id());
    let file = place.path().join("ringway.toml");
    fs::write(&file, &config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    let second = command.env_clear().arg("serve").arg("--config").arg(&file);
    let second = second.output().unwrap();
    let text = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&owner) && text.contains("stop that one first"),
        "{text}"
    );
    let wait = Duration::from_millis(100);
    let late = Journal::take_over(&folder, 1 << 20, wait).unwrap_err();
    assert!(late.to_string().starts_with(&owner), "{late}");
    let here = folder.clone();
    let next = thread::spawn(move || Journal::take_over(&here, 1 << 20, DEADLINE));
    assert_eq!(spend(&program), 200);
    program.signal("TERM");
    assert!(program.exit().success());
    let (journal, found) = next.join().unwrap().unwrap();
    let (mut count, mut bytes) = (0, 0);
    read_all(&folder, |record| {
        count += 1;
        bytes += record.len() as u64 + 12;
    })
    .unwrap();
    assert_eq!((count, found.torn_bytes), (4, 0));
    assert_eq!(found.bytes, bytes, "nothing came after it was let go of");
    // And on to the one after.
    journal.hand_over().unwrap();
    let program = Program::serve(&config);
    assert_eq!(spend(&program), 200);
}

/// `ringway usage` on a store.
fn usage(database: &Database) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ringway.toml");
    fs::write(&file, database.section(&folder.path().join("s"))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
    let command = command.env_clear().arg("usage").arg("--config").arg(&file);
    command.output().unwrap()
}

fn is_refused(output: &Output, parts: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_newer_schema_is_used_as_far_as_it_allows_and_usage_changes_none() {
    for kind in KINDS {
        let database = Database::new(kind);
        database.done(&["create", "--tenant", "blue"]);
        let (set, asked) = match kind {
            Kind::Sqlite => ("PRAGMA user_version =", "PRAGMA user_version"),
            Kind::Postgres => (
                "UPDATE ringway_version SET version =",
                "SELECT version FROM ringway_version",
            ),
        };
        let is = |number: i64| assert_eq!(database.number(asked), number, "{kind:?}");
        let ours = i64::try_from(SQLITE.len()).unwrap();
        is(ours);
        let newer = ours + 1;
        database.edit(&format!("{set} {newer}"));
        let listed = database.done(&["list"]);
        assert_eq!(listed.as_array().map_or(0, Vec::len), 1, "{listed}");
        assert!(usage(&database).status.success());
        is(newer);
        database.edit(&format!(
            "UPDATE ringway_schema SET compatible_from = {newer}, migrated_by = '9.8.7'"
        ));
        let refused = format!("schema {newer} by ringway 9.8.7");
        let knows = format!("knows {ours}; run the newer program");
        for output in [usage(&database), database.keys(&["list"])] {
            is_refused(&output, &[&refused, &knows]);
        }
        is(newer);
        // An older one is read as it is, or not at all.
        database.edit(&format!("{set} 8"));
        assert!(usage(&database).status.success());
        is(8);
        database.edit(&format!("{set} 7"));
        is_refused(
            &usage(&database),
            &["has schema 7", "start `ringway serve`"],
        );
        is(7);
    }
}
