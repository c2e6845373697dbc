use core::time::Duration;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_channel::oneshot;
use tempfile::TempDir;

use super::{JournalFigures, JournalThread, JournalWriter, PendingLookups};
use crate::govern::usage::frames;
use crate::govern::usage::record::UsageRecord;
use crate::limits::USAGE_QUESTIONS_MAX;
use crate::net::runtime::clock;
use crate::proxy::shared::query_slots::Owner;
use crate::proxy::shared::usage_channel::{QuestionSender, RecordAnswer, RecordQuestion};
use crate::server::thread::output::Notices;
use crate::store::journal::segments::{Journal, read_all};
use crate::telemetry::ring::{RingSender, ThreadWaker, byte_ring};

struct Kept {
    folder: TempDir,
    ring: RingSender,
    questions: QuestionSender,
    figures: Arc<JournalFigures>,
    running: JournalThread,
}

/// A journal_writer with one ring of so many bytes, twice that in a burst.
fn keep(ring_bytes: usize, bytes_max: u64) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let (journal, found) = Journal::open(folder.path(), bytes_max).unwrap();
    let figures = Arc::<JournalFigures>::default();
    let waker = ThreadWaker::default();
    let (ring, taken) = byte_ring(
        ring_bytes,
        ring_bytes,
        Arc::clone(&figures.dropped),
        waker.clone(),
    );
    let (questions, receiver) = QuestionSender::new(waker.clone());
    let (notices, _) = Notices::new();
    let journal_writer = JournalWriter {
        journal,
        found,
        rings: vec![taken],
        questions: receiver,
        behind: None,
        notices,
        figures: Arc::clone(&figures),
        flush: Duration::from_millis(200),
        waker,
    };
    let running = journal_writer.start().unwrap();
    Kept {
        folder,
        ring,
        questions,
        figures,
        running,
    }
}

fn frame(id: u128) -> Vec<u8> {
    let record = UsageRecord {
        id,
        tenant: Some(b"blue"),
        ..UsageRecord::default()
    };
    let mut out = Vec::new();
    let start = frames::open(&mut out);
    record.write(&[], core::iter::empty(), &mut out);
    assert!(frames::close(&mut out, start));
    out
}

fn count(folder: &Path) -> usize {
    let mut count = 0;
    read_all(folder, |_| count += 1).unwrap();
    count
}

fn until(what: &str, mut look: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !look() {
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Asks as a data thread does, which has no runtime here.
fn ask(questions: &QuestionSender, id: u128, owner: Owner) -> Option<Vec<u8>> {
    match look(questions, id, owner) {
        RecordAnswer::Record(record) => Some(record),
        RecordAnswer::Absent => None,
        RecordAnswer::Pending => panic!("the disk takes records"),
    }
}

fn look(questions: &QuestionSender, id: u128, owner: Owner) -> RecordAnswer {
    let mut answer = questions.record(id, owner).unwrap();
    let mut got = None;
    until("an answer", || {
        got = answer.try_recv().unwrap();
        got.is_some()
    });
    got.unwrap()
}

#[test]
fn p33_what_was_sent_is_in_the_journal_once_when_the_ledger_has_ended() {
    let mut kept = keep(1 << 20, 1 << 30);
    for id in 0..500 {
        kept.ring.send(&frame(id));
    }
    kept.running.finish();
    assert_eq!(count(kept.folder.path()), 500);
    assert_eq!(kept.figures.facts().dropped, 0);
}

#[test]
fn ledger_ends_by_itself_when_its_workers_are_gone() {
    let mut kept = keep(1 << 20, 1 << 30);
    kept.ring.send(&frame(1));
    drop((kept.ring, kept.questions));
    until("its end", || kept.running.thread.is_finished());
    assert_eq!(count(kept.folder.path()), 1);
}

#[test]
fn record_is_found_before_any_turn_and_by_its_owner_alone() {
    let mut kept = keep(1 << 20, 1 << 30);
    let blue = || Owner::Tenant(Some("blue".into()));
    kept.ring.send(&frame(7));
    assert!(ask(&kept.questions, 7, blue()).is_some());
    assert!(ask(&kept.questions, 7, Owner::Anyone).is_some());
    for owner in [Owner::Tenant(Some("red".into())), Owner::Tenant(None)] {
        assert_eq!(ask(&kept.questions, 7, owner), None);
    }
    assert_eq!(ask(&kept.questions, 8, blue()), None);
    // It ends while somebody waits for it.
    let mut late = kept.questions.record(9, blue()).unwrap();
    std::thread::park_timeout(Duration::from_millis(1));
    kept.ring.send(&frame(9));
    until("the late one", || {
        let looked = late.try_recv().unwrap();
        looked.is_some_and(|it| it != RecordAnswer::Absent)
    });
    kept.running.finish();
}

#[test]
fn p26_disk_that_refuses_drops_the_newest_and_counts_them_until_it_takes_them_again() {
    // Segments of 64 KiB: the second one cannot be begun while the folder is away.
    let mut kept = keep(10 * 1_024, 1 << 20);
    let (folder, away) = (
        kept.folder.path().to_owned(),
        kept.folder.path().with_extension("away"),
    );
    let size = frame(0).len() as u64;
    let first = 64 * 1_024 / size + 1;
    for id in 0..first {
        kept.ring.send(&frame(u128::from(id)));
        until("it to be written", || {
            kept.figures.facts().journal_bytes == (id + 1) * size
        });
    }
    fs::rename(&folder, &away).unwrap();
    let more = 200;
    for id in first..first + more {
        kept.ring.send(&frame(u128::from(id)));
        until("the first one to be refused", || {
            id > first || kept.figures.facts().is_stuck
        });
    }
    let dropped = kept.figures.facts().dropped;
    assert!(dropped > more / 2 && dropped < more, "{dropped}");
    // One that came since the start may wait; what came before cannot.
    let late = u128::from(clock::unix_millis() + 1) << 80;
    assert_eq!(
        look(&kept.questions, late, Owner::Anyone),
        RecordAnswer::Pending
    );
    let early = u128::from(first + more);
    assert_eq!(
        look(&kept.questions, early, Owner::Anyone),
        RecordAnswer::Absent
    );
    fs::rename(&away, &folder).unwrap();
    until("the disk to take them", || !kept.figures.facts().is_stuck);
    until("that none may wait", || {
        look(&kept.questions, late, Owner::Anyone) == RecordAnswer::Absent
    });
    kept.running.finish();
    assert_eq!(count(&folder) as u64 + dropped, first + more);
}

#[test]
fn journal_at_its_bound_gives_up_its_oldest_and_counts_them() {
    let bytes_max = 1 << 20;
    let mut kept = keep(1 << 20, bytes_max);
    let size = frame(0).len() as u64;
    let sent = 3 * bytes_max / size;
    for id in 0..u128::from(sent) {
        kept.ring.send(&frame(id));
        if id % 500 == 0 {
            until("what was sent to be written", || {
                let facts = kept.figures.facts();
                facts.journal_bytes + facts.expired_bytes == (u64::try_from(id).unwrap() + 1) * size
            });
        }
    }
    kept.running.finish();
    let facts = kept.figures.facts();
    let lost = kept.figures.losses.all()["blue"];
    let gone = sent - count(kept.folder.path()) as u64;
    assert_eq!((lost.evicted, lost.evicted_refusals), (0, gone));
    assert!(facts.journal_bytes <= bytes_max && facts.journal_bytes > bytes_max / 2);
    assert_eq!(facts.expired_bytes + facts.journal_bytes, sent * size);
    assert_eq!(facts.dropped, 0);
    let mut last = Vec::new();
    read_all(kept.folder.path(), |it| last = it.to_vec()).unwrap();
    let last = String::from_utf8(last).unwrap();
    assert!(last.contains(&format!("{:032x}", sent - 1)), "{last}");
}

#[test]
fn p21_one_question_too_many_is_not_answered_as_if_nothing_were_there() {
    let mut lookups = PendingLookups::new(0);
    let mut answers = Vec::new();
    for id in 0..=USAGE_QUESTIONS_MAX {
        let (reply, answer) = oneshot::channel();
        lookups.push(RecordQuestion {
            id: id as u128,
            owner: Owner::Anyone,
            may_wait: false,
            reply,
        });
        answers.push(answer);
    }
    let last = answers.pop().unwrap().try_recv();
    assert!(last.is_err(), "{last:?}");
    for mut answer in answers {
        assert_eq!(answer.try_recv(), Ok(None), "still waits");
    }
}
