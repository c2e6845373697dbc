use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Found, Journal, read_all, sync};
use crate::govern::journal;
use crate::limits::{KIB, MIB};

fn frame(payload: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let start = journal::open(&mut out);
    out.extend_from_slice(payload.as_bytes());
    assert!(journal::close(&mut out, start));
    out
}

fn payloads(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    read_all(folder, |it| {
        found.push(String::from_utf8(it.to_vec()).unwrap())
    })
    .unwrap();
    found
}

fn write(journal: &mut Journal, payload: &str) {
    let frame = frame(payload);
    let (written, result) = journal.append(&frame);
    result.unwrap();
    assert_eq!(written, frame.len());
}

#[test]
fn what_was_appended_is_there_after_a_restart_and_files_are_their_owners_alone() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a/b");
    let (mut journal, found) = Journal::open(&folder, MIB as u64).unwrap();
    assert_eq!(found, Found::default());
    write(&mut journal, "one");
    write(&mut journal, "two");
    let dirty = journal.take_dirty().unwrap();
    assert_eq!(dirty.len(), 1);
    sync(&folder, &dirty).unwrap();
    assert!(journal.take_dirty().unwrap().is_empty());
    let second = Journal::open(&folder, MIB as u64).map(drop);
    assert!(second.unwrap_err().to_string().contains("another process"));
    drop(journal);
    let (mut journal, found) = Journal::open(&folder, MIB as u64).unwrap();
    assert_eq!((found.bytes, found.torn_bytes), (30, 0));
    write(&mut journal, "three");
    assert_eq!(payloads(&folder), ["one", "two", "three"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn p33_torn_tail_is_cut_off_at_start_wherever_it_tore() {
    let place = tempfile::tempdir().unwrap();
    let last = frame("two");
    for kept in 1..last.len() {
        let folder = place.path().join(kept.to_string());
        let (mut journal, _) = Journal::open(&folder, MIB as u64).unwrap();
        write(&mut journal, "one");
        drop(journal);
        let file = folder.join("0000000000000000.usage");
        let mut bytes = fs::read(&file).unwrap();
        bytes.extend_from_slice(&last[..kept]);
        fs::write(&file, bytes).unwrap();
        let (mut journal, found) = Journal::open(&folder, MIB as u64).unwrap();
        assert_eq!((found.bytes, found.torn_bytes), (15, kept as u64));
        write(&mut journal, "three");
        assert_eq!(payloads(&folder), ["one", "three"]);
    }
}

#[test]
fn segments_are_begun_and_removed_and_a_bound_is_told() {
    let place = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(place.path(), 200 * KIB as u64).unwrap();
    let long = "x".repeat(8_000);
    let mut count = 0;
    while journal.has_room(8_012) {
        write(&mut journal, &long);
        count += 1;
    }
    assert_eq!(count, 200 * KIB / 8_012);
    assert_eq!(payloads(place.path()).len(), count);
    let numbers: Vec<u64> = journal.segments().map(|it| it.number).collect();
    assert_eq!(numbers, [0, 1, 2]);
    assert!(journal.is_active(2) && !journal.is_active(0));
    let gone = journal.remove_oldest().unwrap();
    assert!(gone >= 64 * KIB as u64 && journal.has_room(8_012));
    let first = journal.segments().next().unwrap();
    assert_eq!(journal.read(first, 12, 5).unwrap(), b"xxxxx");
    while journal.bytes() > 0 {
        journal.remove_oldest().unwrap();
    }
    write(&mut journal, "on");
    assert_eq!(payloads(place.path()), ["on"]);
}

/// Removed, the segments too or by themselves; before the one that is appended to stands another one.
#[test]
fn p26_what_was_appended_to_a_file_that_somebody_removed_is_found_in_the_next_one() {
    let place = tempfile::tempdir().unwrap();
    for (name, removes_folder) in [("folder", true), ("file", false)] {
        let folder = place.path().join(name);
        let (mut journal, _) = Journal::open(&folder, 200 * KIB as u64).unwrap();
        while journal.is_active(0) {
            write(&mut journal, &"x".repeat(8_000));
        }
        let older = journal.bytes() - 8_012;
        write(&mut journal, "one");
        assert_eq!(journal.find_again().unwrap(), None);
        if removes_folder {
            fs::remove_dir_all(&folder).unwrap();
            write(&mut journal, "two");
            for _ in 0..2 {
                journal.find_again().unwrap_err();
                let (written, refused) = journal.append(&frame("three"));
                assert_eq!((written, refused.is_err()), (0, true));
            }
            fs::create_dir(&folder).unwrap();
            assert_eq!(journal.find_again().unwrap(), Some(older));
        } else {
            fs::remove_file(folder.join("0000000000000001.usage")).unwrap();
            write(&mut journal, "two");
            assert_eq!(journal.find_again().unwrap(), Some(0));
        }
        write(&mut journal, "three");
        assert_eq!(journal.find_again().unwrap(), None);
        let found = payloads(&folder);
        assert_eq!(found[found.len() - 3..], ["one", "two", "three"]);
        let found: usize = found.iter().map(|payload| payload.len() + 12).sum();
        assert_eq!(journal.bytes(), found as u64);
        let second = Journal::open(&folder, MIB as u64).map(drop);
        assert!(second.unwrap_err().to_string().contains("another process"));
    }
}

#[test]
fn p26_a_folder_that_comes_back_is_written_to_as_before() {
    let place = tempfile::tempdir().unwrap();
    let (folder, away) = (place.path().join("here"), place.path().join("away"));
    let (mut journal, _) = Journal::open(&folder, MIB as u64).unwrap();
    write(&mut journal, "one");
    fs::rename(&folder, &away).unwrap();
    journal.find_again().unwrap_err();
    assert!(journal.append(&frame("two")).1.is_err());
    fs::rename(&away, &folder).unwrap();
    assert_eq!(journal.find_again().unwrap(), None);
    write(&mut journal, "two");
    assert_eq!(payloads(&folder), ["one", "two"]);
}
