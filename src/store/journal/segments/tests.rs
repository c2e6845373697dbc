use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use super::{Journal, JournalSegment, Recovered, list, read_all, sync};
use crate::govern::usage::frames;
use crate::govern::usage::record::id_at;
use crate::govern::usage::segment_index::{Holder, tenant};
use crate::limits::{KIB, MIB};

fn frame(payload: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let start = frames::open(&mut out);
    out.extend_from_slice(payload.as_bytes());
    assert!(frames::close(&mut out, start));
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

/// Another one who would write there hears who does.
fn is_refused_by_name(folder: &Path) {
    let owner = format!("process {} writes to it; ", std::process::id());
    for wait in [0, 50] {
        let wait = Duration::from_millis(wait);
        let since = Instant::now();
        let second = Journal::take_over(folder, MIB as u64, wait).map(drop);
        let text = second.unwrap_err().to_string();
        assert!(
            text.starts_with(&owner) && text.contains("a folder of its own"),
            "{text}"
        );
        assert!(since.elapsed() >= wait);
    }
}

#[test]
fn what_was_appended_is_there_after_a_restart_and_files_are_their_owners_alone() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a/b");
    let (mut journal, found) = Journal::open(&folder, MIB as u64).unwrap();
    assert_eq!(found, Recovered::default());
    write(&mut journal, "one");
    write(&mut journal, "two");
    let dirty = journal.take_dirty().unwrap();
    assert_eq!(dirty.len(), 1);
    sync(&folder, &dirty).unwrap();
    assert!(journal.take_dirty().unwrap().is_empty());
    is_refused_by_name(&folder);
    journal.hand_over().unwrap();
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
    assert_eq!(journal.read(first, 12..17).unwrap(), b"xxxxx");
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
        is_refused_by_name(&folder);
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

/// A usage record's frame: what eviction looks at, and as long as most are.
fn record(id: u64, tenant: &str, is_asked: bool) -> Vec<u8> {
    let attempts = if is_asked { "{}" } else { "" };
    let text = "x".repeat(1_200);
    let id = u128::from(id) << 80 | u128::from(id);
    frame(&format!(
        "{{\"id\":\"rw_{id:032x}\",\"time\":{id},\"tenant\":\"{tenant}\",\"x\":\"{text}\",\
         \"charged_nanos\":null,\"outcome\":\"refused\",\"attempts\":[{attempts}],\"attempts_left_out\":0}}"
    ))
}

/// Records by what they were written as, and how many of each were lost.
#[derive(Default)]
struct Run {
    sent: BTreeMap<&'static str, Vec<u64>>,
    lost: BTreeMap<String, usize>,
    bytes: u64,
}

impl Run {
    fn write(
        &mut self,
        journal: &mut Journal,
        id: u64,
        what: &'static str,
        drained: JournalSegment,
    ) {
        let frame = match what.strip_prefix("refused-") {
            Some(tenant) => record(id, tenant, false),
            None => record(id, what, true),
        };
        let lost = &mut self.lost;
        let mut told = |record: &[u8], holder: Holder| {
            let tenant = String::from_utf8_lossy(tenant(record).unwrap()).into_owned();
            let tenant = match holder {
                Holder::Refusals => format!("refused-{tenant}"),
                Holder::Tenant(_) => tenant,
            };
            *lost.entry(tenant).or_default() += 1;
        };
        journal.make_room(frame.len(), drained, &mut told).unwrap();
        journal.append(&frame).1.unwrap();
        self.sent.entry(what).or_default().push(id);
        self.bytes += frame.len() as u64;
        assert!(journal.bytes() <= 1 << 20);
        if id.is_multiple_of(16) {
            assert_eq!(on_disk(journal.folder()), journal.bytes());
        }
    }

    fn lost(&self, what: &str) -> usize {
        self.lost.get(what).copied().unwrap_or(0)
    }

    /// Ids of what is left of something, each once.
    fn left(&self, journal: &Journal, what: &str) -> Vec<u64> {
        let mut left = BTreeSet::new();
        read_all(journal.folder(), |it| {
            let (id, _) = id_at(it).unwrap();
            assert!(left.insert((id >> 80) as u64), "{id:x} twice");
        })
        .unwrap();
        let sent = self.sent[what].iter().copied();
        sent.filter(|id| left.contains(id)).collect()
    }
}

fn on_disk(folder: &Path) -> u64 {
    list(folder).unwrap().iter().map(|it| it.length).sum()
}

#[test]
fn flood_at_the_bound_costs_the_flooder_its_oldest_records_and_nobody_else_any_also_over_a_restart()
{
    for (loud, expects_refusals) in [("loud", false), ("refused-loud", true)] {
        let place = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(place.path(), 1 << 20).unwrap();
        let mut run = Run::default();
        let (mut moved, mut id) = (0, 0);
        for round in 0..40 {
            for _ in 0..100 {
                id += 1;
                run.write(&mut journal, id, loud, JournalSegment::default());
            }
            if expects_refusals {
                // Whose refusals they are is no matter: his answers stay too.
                id += 1;
                run.write(&mut journal, id, "loud", JournalSegment::default());
            }
            for name in ["calm", "other"] {
                id += 1;
                run.write(&mut journal, id, name, JournalSegment::default());
            }
            if round % 7 == 5 {
                moved += journal.moved_bytes();
                drop(journal);
                journal = Journal::open(place.path(), 1 << 20).unwrap().0;
            }
        }
        moved += journal.moved_bytes();
        let left = run.left(&journal, loud);
        let sent = &run.sent[loud];
        // Those of a segment that not all of its loss came from lie behind younger ones from then on.
        let oldest = sent[sent.len() - left.len() * 3 / 2];
        assert!(left[0] > oldest, "{} {oldest}", left[0]);
        assert_eq!(run.lost(loud), sent.len() - left.len());
        assert!(left.len() > 300 && left.len() < 800, "{}", left.len());
        for name in ["calm", "other"] {
            assert_eq!(run.left(&journal, name), run.sent[name], "{name}");
            assert_eq!(run.lost(name), 0);
        }
        if expects_refusals {
            assert_eq!(run.left(&journal, "loud"), run.sent["loud"]);
        }
        assert!(moved > 0 && moved < run.bytes, "{moved} of {}", run.bytes);
    }
}

#[test]
fn first_record_past_the_bound_has_somebody_lose_and_the_one_before_nobody() {
    let place = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(place.path(), 1 << 20).unwrap();
    let size = record(1_000_000, "calm", true).len() as u64;
    // What records need that are appended again.
    let room = (1 << 20) - 64 * KIB as u64 - super::PIECE_BYTES as u64;
    let fits = room / size;
    let mut run = Run::default();
    let mut writes = (1_000_000..).map(|id| (id, if id % 10 == 0 { "calm" } else { "loud" }));
    for (id, name) in writes.by_ref().take(usize::try_from(fits).unwrap()) {
        run.write(&mut journal, id, name, JournalSegment::default());
    }
    assert!(run.lost.is_empty());
    let (id, name) = writes.next().unwrap();
    run.write(&mut journal, id, name, JournalSegment::default());
    assert!(run.lost("loud") > 0 && run.lost("calm") == 0);
    // With nobody else left to lose, whoever is alone loses his oldest.
    for id in 2_000_000..2_000_000 + 2 * fits {
        run.write(&mut journal, id, "calm", JournalSegment::default());
    }
    assert!(run.left(&journal, "loud").len() as u64 <= fits / 2 + 1);
    assert!(run.left(&journal, "calm").len() as u64 >= fits / 2 - 64);
}

#[test]
fn what_the_store_has_goes_first_and_is_no_loss() {
    let place = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(place.path(), 1 << 20).unwrap();
    let size = record(0, "calm", true).len() as u64;
    let mut run = Run::default();
    let mut id = 0;
    let start = JournalSegment::default();
    while journal.leaves_room(usize::try_from(size).unwrap()) {
        run.write(
            &mut journal,
            id,
            if id < 500 { "loud" } else { "calm" },
            start,
        );
        id += 1;
    }
    // The store has ten records of the third segment, and all before it.
    let segments: Vec<JournalSegment> = journal.segments().collect();
    let offset = 10 * size;
    let drained = JournalSegment {
        number: segments[2].number,
        length: offset,
    };
    let in_store = (segments[0].length + segments[1].length + offset) / size;
    for _ in 0..in_store - 60 {
        run.write(&mut journal, id, "calm", drained);
        id += 1;
    }
    assert!(run.lost.is_empty(), "{:?}", run.lost);
    while run.lost.is_empty() {
        run.write(&mut journal, id, "calm", drained);
        id += 1;
    }
    let gone = usize::try_from(in_store).unwrap();
    let loud = &run.sent["loud"];
    let left = run.left(&journal, "loud");
    assert_eq!(left, loud[loud.len() - left.len()..]);
    assert!(loud.len() - left.len() >= gone);
}

#[test]
fn a_disk_that_takes_nothing_costs_no_record_and_what_is_appended_again_is_bounded() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("here");
    let away = place.path().join("away");
    let (mut journal, _) = Journal::open(&folder, 1 << 20).unwrap();
    let size = record(0, "calm", true).len();
    let mut run = Run::default();
    let mut id = 0;
    while journal.leaves_room(size) {
        run.write(
            &mut journal,
            id,
            if id % 3 == 0 { "calm" } else { "loud" },
            JournalSegment::default(),
        );
        id += 1;
    }
    let before = journal.bytes();
    fs::rename(&folder, &away).unwrap();
    for _ in 0..20 {
        let lost = &mut |_: &[u8], _| panic!("nothing is lost by a disk that fails");
        journal
            .make_room(size, JournalSegment::default(), lost)
            .unwrap_err();
    }
    fs::rename(&away, &folder).unwrap();
    assert!(journal.bytes() <= before + 80 * KIB as u64);
    for _ in 0..200 {
        run.write(&mut journal, id, "loud", JournalSegment::default());
        id += 1;
    }
    assert_eq!(run.left(&journal, "calm"), run.sent["calm"]);
    assert!(run.lost("loud") > 0 && run.lost("calm") == 0);
}

#[test]
fn a_look_reads_one_part_of_one_segment_whenever_the_journal_was_opened() {
    const RECORDS: u64 = 8_000;
    let place = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(place.path(), 16 << 20).unwrap();
    for id in 0..RECORDS {
        journal.append(&record(id, "blue", true)).1.unwrap();
    }
    let look = |journal: &Journal| {
        let mut read = 0;
        for id in (0..RECORDS).step_by(97) {
            let frame = record(id, "blue", true);
            let whole = u128::from(id) << 80 | u128::from(id);
            let found = journal.places(whole).any(|(segment, place)| {
                let bytes = journal.read(segment, place).unwrap();
                read += bytes.len();
                memchr::memmem::find(&bytes, &frame).is_some()
            });
            assert!(found, "{id}");
            assert_eq!(journal.places(whole + (1 << 120)).count(), 0);
        }
        read
    };
    let looks = usize::try_from(RECORDS.div_ceil(97)).unwrap();
    assert!(look(&journal) <= looks * 64 * KIB);
    drop(journal);
    let (mut journal, _) = Journal::open(place.path(), 16 << 20).unwrap();
    let last = journal.segments().last().unwrap().number;
    let others = journal.segments().filter(|it| it.number != last);
    let pieces: u64 = others.map(|it| it.length.div_ceil(240 * KIB as u64)).sum();
    let mut learned = 0;
    while journal.learn().unwrap() {
        learned += 1;
    }
    // The one that is appended to is known from the start, the others are read by pieces.
    assert!(
        learned > pieces / 2 && learned <= pieces,
        "{learned} of {pieces}"
    );
    assert!(look(&journal) <= looks * 64 * KIB);
}
