//! The ledger: one thread that keeps usage records and looks them up.
//!
//! Every `TURN` it takes what the workers' rings hold and appends it to the journal; every flush
//! interval it brings the journal to the disk. It wakes sooner when it is asked for a record, takes
//! what is in the rings first, and so knows of every exchange that has ended.
//!
//! While the disk refuses, nothing is taken from the rings. They fill, and what does not fit is
//! dropped and counted where it comes from: a data thread never waits. A journal that has reached its
//! bound gives up its oldest segment.
//!
//! A question for a record that is not there is kept for `LATE`: the exchange may be ending just
//! now. So is one for a record of another tenant.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::govern::journal::{Frames, HEAD_BYTES};
use crate::govern::record::{ID_START, hex};
use crate::json::tape::Tape;
use crate::limits::{RECORD_BYTES_MAX, USAGE_QUESTIONS_MAX};
use crate::proxy::ledger::{Owner, Question};
use crate::server::output::Notices;
use crate::store::segments::{Found, Journal};
use crate::telemetry::ring::RingReceiver;
use crate::telemetry::scrape::UsageFacts;

/// Figures of the ledger, for all threads to read.
#[derive(Debug, Default)]
pub struct Figures {
    /// Records that no ring had room for.
    pub dropped: Arc<AtomicU64>,
    journal_bytes: AtomicU64,
    expired_bytes: AtomicU64,
    torn_bytes: AtomicU64,
    is_stuck: AtomicBool,
}

impl Figures {
    /// The same for a scrape.
    #[must_use]
    pub fn facts(&self) -> UsageFacts {
        UsageFacts {
            dropped: self.dropped.load(Ordering::Relaxed),
            journal_bytes: self.journal_bytes.load(Ordering::Relaxed),
            expired_bytes: self.expired_bytes.load(Ordering::Relaxed),
            torn_bytes: self.torn_bytes.load(Ordering::Relaxed),
            is_stuck: self.is_stuck.load(Ordering::Relaxed),
        }
    }
}

/// What the thread works with.
pub struct Ledger {
    /// The journal, opened.
    pub journal: Journal,
    /// What was found when it was.
    pub found: Found,
    /// The workers' ends.
    pub rings: Vec<RingReceiver>,
    /// What is asked.
    pub questions: Receiver<Question>,
    /// Says what goes wrong.
    pub notices: Notices,
    /// What others may read.
    pub figures: Arc<Figures>,
    /// Between two writes to the disk itself.
    pub flush: Duration,
}

/// The running thread.
pub struct Running {
    thread: JoinHandle<()>,
    is_ended: Arc<AtomicBool>,
}

impl Running {
    /// Writes what still waits and ends the thread. A disk that is stuck keeps nobody.
    pub fn finish(self) {
        self.is_ended.store(true, Ordering::Release);
        let until = Instant::now() + LAST;
        while !self.thread.is_finished() && Instant::now() < until {
            thread::park_timeout(TURN);
        }
    }
}

impl Ledger {
    /// Starts the thread.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(self) -> io::Result<Running> {
        let is_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_ended);
        let (figures, found) = (&self.figures, self.found);
        figures
            .torn_bytes
            .store(found.torn_bytes, Ordering::Relaxed);
        figures.journal_bytes.store(found.bytes, Ordering::Relaxed);
        if found.torn_bytes > 0 {
            let torn = found.torn_bytes;
            self.notices.say(format!(
                "usage journal: {torn} bytes of a torn record were cut off"
            ));
        }
        let thread = thread::Builder::new()
            .name("ringway-ledger".to_owned())
            .spawn(move || self.run(&ended))?;
        Ok(Running { thread, is_ended })
    }

    fn run(mut self, is_ended: &AtomicBool) {
        let mut desk = Waiting::default();
        // Taken from the rings, not written yet.
        let mut taken = Vec::new();
        let mut synced = Instant::now();
        loop {
            let mut last = is_ended.load(Ordering::Acquire);
            let turn = TURN.min(self.flush);
            match self
                .questions
                .recv_timeout(if last { Duration::ZERO } else { turn })
            {
                Ok(question) => desk.push(question),
                Err(RecvTimeoutError::Timeout) => {}
                // The workers are gone, or never came.
                Err(RecvTimeoutError::Disconnected) if last => {}
                Err(RecvTimeoutError::Disconnected) => {
                    last = self.rings.iter().all(RingReceiver::is_done);
                    thread::park_timeout(turn);
                }
            }
            if taken.is_empty() {
                self.rings.iter_mut().for_each(|ring| {
                    ring.drain(&mut taken);
                });
            }
            desk.look_into(&taken);
            self.write(&mut taken);
            if last || synced.elapsed() >= self.flush {
                let result = self.journal.sync();
                self.tell(&result);
                synced = Instant::now();
            }
            desk.answer(&self.journal);
            if last {
                return;
            }
        }
    }

    /// Appends what was taken, and forgets it as far as it was written.
    fn write(&mut self, taken: &mut Vec<u8>) {
        if taken.is_empty() {
            return;
        }
        let made = self.make_room(taken.len());
        let (written, result) = match made {
            Ok(()) => self.journal.append(taken),
            Err(error) => (0, Err(error)),
        };
        taken.drain(..written);
        if taken.is_empty() {
            taken.shrink_to(TAKEN_BYTES_KEPT);
        }
        let bytes = self.journal.bytes();
        self.figures.journal_bytes.store(bytes, Ordering::Relaxed);
        self.tell(&result);
    }

    fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        while !self.journal.has_room(bytes) && self.journal.bytes() > 0 {
            let gone = self.journal.remove_oldest()?;
            self.figures
                .expired_bytes
                .fetch_add(gone, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Says once that the disk refuses, and once that it no longer does.
    fn tell(&self, result: &io::Result<()>) {
        let was_stuck = self
            .figures
            .is_stuck
            .swap(result.is_err(), Ordering::Relaxed);
        match (result, was_stuck) {
            (Err(error), false) => self.notices.say(format!(
                "usage journal: {error}; records wait in memory, then the newest are dropped"
            )),
            (Ok(()), true) => {
                let dropped = self.figures.dropped.load(Ordering::Relaxed);
                self.notices.say(format!(
                    "usage journal: written again; {dropped} records were dropped since the start"
                ));
            }
            (Err(_), true) | (Ok(()), false) => {}
        }
    }
}

/// Questions that are not answered yet.
#[derive(Default)]
struct Waiting {
    /// Each with the end of its wait. At most [`USAGE_QUESTIONS_MAX`].
    questions: Vec<(Question, Instant)>,
    /// The first ones of these have been held against the whole journal.
    looked_up: usize,
    tape: Tape,
}

impl Waiting {
    fn push(&mut self, question: Question) {
        if self.questions.len() < USAGE_QUESTIONS_MAX {
            self.questions.push((question, Instant::now() + LATE));
        } else {
            reply(question, None);
        }
    }

    /// Answers from records that have just come.
    fn look_into(&mut self, frames: &[u8]) {
        if frames.is_empty() {
            return;
        }
        let Self {
            questions,
            looked_up,
            tape,
        } = self;
        let waiting = core::mem::take(questions);
        let mut known = 0;
        for (rank, (question, until)) in waiting.into_iter().enumerate() {
            if let Some(record) = find(frames, &question, tape) {
                reply(question, Some(record));
            } else {
                known += usize::from(rank < *looked_up);
                questions.push((question, until));
            }
        }
        *looked_up = known;
    }

    /// Answers from the journal what came this turn, and gives up what has waited long enough.
    fn answer(&mut self, journal: &Journal) {
        let Self {
            questions,
            looked_up,
            tape,
        } = self;
        let waiting = core::mem::take(questions);
        let now = Instant::now();
        for (rank, (question, until)) in waiting.into_iter().enumerate() {
            let found = match rank < *looked_up {
                true => None,
                false => look_up(journal, &question, tape),
            };
            match found {
                None if until > now => questions.push((question, until)),
                found => reply(question, found),
            }
        }
        *looked_up = questions.len();
    }
}

/// The record that is asked for, from the whole journal, the youngest segment first.
fn look_up(journal: &Journal, question: &Question, tape: &mut Tape) -> Option<Vec<u8>> {
    journal.segments().rev().find_map(|segment| {
        let bytes = journal.read(segment, 0, usize::MAX).ok()?;
        find(&bytes, question, tape)
    })
}

fn reply(question: Question, record: Option<Vec<u8>>) {
    // Whoever asked may have left.
    let _ = question.reply.send(record);
}

/// The record that is asked for, if it is among these frames and the owner's.
fn find(frames: &[u8], question: &Question, tape: &mut Tape) -> Option<Vec<u8>> {
    let mut start = ID_START.to_vec();
    hex(question.id, &mut start);
    let finder = memchr::memmem::Finder::new(&start);
    finder.find_iter(frames).find_map(|at| {
        let frame = frames.get(at.checked_sub(HEAD_BYTES)?..)?;
        let record = Frames::new(frame).next()?;
        let is_it = record.starts_with(&start) && is_owned(record, &question.owner, tape);
        is_it.then(|| record.to_vec())
    })
}

fn is_owned(record: &[u8], owner: &Owner, tape: &mut Tape) -> bool {
    let Owner::Tenant(tenant) = owner else {
        return true;
    };
    let read = tape.read(record, RECORD_DEPTH_MAX, RECORD_BYTES_MAX);
    let said = read.ok().and_then(|record| record.get("tenant"));
    said.is_some_and(|said| match tenant {
        Some(tenant) => said.is_str(tenant),
        None => said.is_null(),
    })
}

/// Between two looks at the rings.
const TURN: Duration = Duration::from_millis(20);
/// How long a question waits for an exchange that may be ending.
const LATE: Duration = Duration::from_millis(100);
/// What the disk gets at the end.
const LAST: Duration = Duration::from_secs(5);
/// Records that are taken together; what a burst makes of it is given back.
const TAKEN_BYTES_KEPT: usize = 1 << 18;
/// Containers of a record within each other.
const RECORD_DEPTH_MAX: u32 = 8;

#[cfg(test)]
mod tests;
