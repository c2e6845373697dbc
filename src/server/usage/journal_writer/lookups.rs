//! Questions for records by their ids, while they wait for an answer of the journal.
//!
//! A question for a record that is not there is kept for `LATE`, or `LATE_RECENT` where its id is new: the
//! exchange may be ending just now. So is one for a record of another tenant. Then it is the store's, where there is one. While the disk
//! takes no records, some wait where nobody can look; and it may give none. Whoever asks then for a record
//! of this process that is not found is told that it may come.
//!
//! A look-up reads the parts of the journal that may hold the id (see `govern::contents`), not the journal.

use core::time::Duration;
use std::io;
use std::time::Instant;

use futures_channel::mpsc;

use crate::govern::usage::frames::{HEAD_BYTES, JournalFrames};
use crate::govern::usage::record::{RECORD_DEPTH_MAX, id_at};
use crate::govern::usage::segment_index::time_ms;
use crate::json::hex;
use crate::json::tape::Tape;
use crate::limits::{RECORD_BYTES_MAX, USAGE_QUESTIONS_MAX};
use crate::net::runtime::clock;
use crate::proxy::shared::query_slots::Owner;
use crate::proxy::shared::usage_channel::{RecordQuestion, UsageQuestion};
use crate::store::journal::segments::Journal;

/// Questions that are not answered yet.
pub(super) struct PendingLookups {
    /// Each with the end of its wait. At most [`USAGE_QUESTIONS_MAX`].
    questions: Vec<(RecordQuestion, Instant)>,
    /// The first ones of these have been held against the whole journal.
    looked_up: usize,
    /// Go on once what came before them is written. Two at most come in a turn.
    pub(super) pages: Vec<UsageQuestion>,
    tape: Tape,
    /// When this process began, in milliseconds since 1970: records that wait are of later requests.
    started_ms: u64,
    /// Until then records may wait in rings that nobody can look through.
    waits_until: Option<Instant>,
}

impl PendingLookups {
    /// No questions, in a process that has just begun.
    pub(super) fn new(started_ms: u64) -> Self {
        Self {
            questions: Vec::new(),
            looked_up: 0,
            pages: Vec::new(),
            tape: Tape::default(),
            started_ms,
            waits_until: None,
        }
    }

    /// Notes that the disk took no records in this turn.
    pub(super) fn records_wait(&mut self) {
        self.waits_until = Some(Instant::now() + LATE_RECENT + LATE);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.questions.is_empty() && self.pages.is_empty()
    }

    /// Takes a question. One too many is dropped, which tells that nobody has looked.
    pub(super) fn push(&mut self, question: RecordQuestion) {
        if self.questions.len() < USAGE_QUESTIONS_MAX {
            let age_ms = clock::unix_millis().saturating_sub(time_ms(question.id));
            let late = if age_ms < RECENT_MS {
                LATE_RECENT
            } else {
                LATE
            };
            self.questions.push((question, Instant::now() + late));
        }
    }

    /// Answers from records that have just come.
    pub(super) fn look_into(&mut self, frames: &[u8]) {
        if frames.is_empty() {
            return;
        }
        let Self {
            questions,
            looked_up,
            tape,
            ..
        } = self;
        let waiting = core::mem::take(questions);
        let mut known = 0;
        for (rank, (question, until)) in waiting.into_iter().enumerate() {
            if let Some(record) = find(frames, &question, tape) {
                question.answer(Some(record));
            } else {
                known += usize::from(rank < *looked_up);
                questions.push((question, until));
            }
        }
        *looked_up = known;
    }

    /// Passes pages on, answers from the journal what came this turn, and gives up what has waited long enough.
    pub(super) fn answer(
        &mut self,
        journal: &mut Journal,
        behind: &mut Option<mpsc::Sender<UsageQuestion>>,
    ) {
        for page in self.pages.drain(..) {
            pass_on(behind, page);
        }
        let Self {
            questions,
            looked_up,
            tape,
            ..
        } = self;
        let waiting = core::mem::take(questions);
        let now = Instant::now();
        let mut records_wait = self.waits_until.is_some_and(|until| now < until);
        for (rank, (mut question, until)) in waiting.into_iter().enumerate() {
            let found = match rank < *looked_up {
                true => Ok(None),
                false => look_up(journal, &question, tape),
            };
            if found.is_err() {
                // It may be in what cannot be read now.
                self.waits_until = Some(now + LATE_RECENT + LATE);
                records_wait = true;
            }
            let found = found.unwrap_or_default();
            match found {
                Some(record) => question.answer(Some(record)),
                None if until > now => questions.push((question, until)),
                None => {
                    question.may_wait = records_wait && time_ms(question.id) >= self.started_ms;
                    match behind.is_some() {
                        true => pass_on(behind, UsageQuestion::Record(question)),
                        false => question.answer(None),
                    }
                }
            }
        }
        *looked_up = questions.len();
    }
}

/// The record that is asked for, from the parts of the journal that may hold it, the youngest first.
fn look_up(
    journal: &mut Journal,
    question: &RecordQuestion,
    tape: &mut Tape,
) -> io::Result<Option<Vec<u8>>> {
    while journal.learn()? {}
    for (segment, place) in journal.places(question.id) {
        let bytes = journal.read(segment, place)?;
        if let Some(record) = find(&bytes, question, tape) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Leaves a question to the store. One too many is dropped.
fn pass_on(behind: &mut Option<mpsc::Sender<UsageQuestion>>, asked: UsageQuestion) {
    if let Some(behind) = behind {
        let _ = behind.try_send(asked);
    }
}

/// The record that is asked for, if it is among these frames and the owner's: the last one, since a count
/// of refusals is written again when it has grown.
fn find(frames: &[u8], question: &RecordQuestion, tape: &mut Tape) -> Option<Vec<u8>> {
    let mut digits = Vec::new();
    hex::into(&question.id.to_be_bytes(), &mut digits);
    let finder = memchr::memmem::Finder::new(&digits);
    let found = finder.find_iter(frames).filter_map(|at| {
        // What stands before the digits: the frame's head and how its record begins.
        let start = frames.get(..at)?.iter().rposition(|&byte| byte == b'{')?;
        let frame = frames.get(start.checked_sub(HEAD_BYTES)?..)?;
        let record = JournalFrames::new(frame).next()?;
        let is_it = id_at(record).is_some_and(|(id, _)| id == question.id);
        (is_it && is_owned(record, &question.owner, tape)).then_some(record)
    });
    found.last().map(<[u8]>::to_vec)
}

fn is_owned(record: &[u8], owner: &Owner, tape: &mut Tape) -> bool {
    let Owner::Tenant(tenant) = owner else {
        return true;
    };
    let read = tape.read(record, RECORD_DEPTH_MAX, RECORD_BYTES_MAX);
    let said = read.ok().and_then(|record| {
        // Records of earlier versions have the name alone, which is the id of such a tenant.
        record.get_set("tenant_id").or_else(|| record.get("tenant"))
    });
    said.is_some_and(|said| match tenant {
        Some(tenant) => said.is_str(tenant),
        None => said.is_null(),
    })
}

/// How long a question waits for an exchange that may be ending.
const LATE: Duration = Duration::from_millis(100);
/// The same for an id that was made lately: on a busy machine a data thread may have answered its client
/// a while before it has handed the record over.
const LATE_RECENT: Duration = Duration::from_secs(1);
/// How old such an id is at most, in milliseconds.
const RECENT_MS: u64 = 10_000;
