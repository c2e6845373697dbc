//! The ledger: one thread that keeps usage records and looks them up.
//!
//! Every `TURN`, sooner under load, it takes what the workers' rings hold and appends it to the
//! journal; every flush interval another thread brings the journal to the disk. Behind a quiet second
//! it sleeps until the next record or question rings. It wakes sooner when it is asked for a record,
//! takes what is in the rings first, and so knows of every exchange that has ended.
//!
//! While the disk refuses, nothing is taken from the rings. They fill, and what does not fit is
//! dropped and counted where it comes from: a data thread never waits. A journal that has reached its
//! bound gives up records, fairly by tenant (see `store::segments`), and who has lost how many is told. What
//! the store has taken goes before (see `server::drain`).
//!
//! Not here: questions that wait (see `lookups`).

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use futures_channel::mpsc;
use tokio::sync::Notify;

use crate::govern::usage::frames::{HEAD_BYTES, first_frames};
use crate::govern::usage::segment_index::{Holder, tenant};
use crate::limits::KIB;
use crate::net::runtime::clock;
use crate::proxy::shared::usage_channel::UsageQuestion;
use crate::server::thread::output::Notices;
use crate::server::usage::journal_writer::lookups::PendingLookups;
use crate::store::journal::segments::{Journal, JournalSegment, Recovered, sync};
use crate::store::journal::tail::JournalPosition;
use crate::telemetry::losses::{ByTenant, Losses, LostRecords};
use crate::telemetry::ring::{DrainPace, QUIET, RingReceiver, ThreadWaker};
use crate::telemetry::scrape_usage::{DrainFacts, UsageFacts};

/// Figures of the ledger, for all threads to read.
#[derive(Debug, Default)]
pub struct JournalFigures {
    /// Records that no ring had room for.
    pub dropped: Arc<AtomicU64>,
    /// Who has lost records.
    pub losses: Arc<Losses>,
    journal_bytes: AtomicU64,
    expired_bytes: AtomicU64,
    torn_bytes: AtomicU64,
    is_stuck: AtomicBool,
    /// Something was written.
    pub written: Notify,
    /// Records that the store has taken.
    pub drained: AtomicU64,
    /// How often it began to refuse them.
    pub drain_failures: AtomicU64,
    /// What lies before it is in the store: number of a segment, bytes of it.
    drained_place: [AtomicU64; 2],
    /// Records go on to a store.
    is_drained: AtomicBool,
}

impl JournalFigures {
    /// The same for a scrape.
    #[must_use]
    pub fn facts(&self) -> UsageFacts {
        let journal_bytes = self.journal_bytes.load(Ordering::Relaxed);
        let drain = DrainFacts {
            waiting_bytes: journal_bytes.saturating_sub(self.drained_to().offset),
            drained: self.drained.load(Ordering::Relaxed),
            failures: self.drain_failures.load(Ordering::Relaxed),
        };
        UsageFacts {
            dropped: self.dropped.load(Ordering::Relaxed),
            journal_bytes,
            expired_bytes: self.expired_bytes.load(Ordering::Relaxed),
            torn_bytes: self.torn_bytes.load(Ordering::Relaxed),
            is_stuck: self.is_stuck.load(Ordering::Relaxed),
            drain: self.is_drained.load(Ordering::Relaxed).then_some(drain),
        }
    }

    /// Tells the ledger up to where the store has the records.
    pub fn moved(&self, place: JournalPosition) {
        let [number, offset] = &self.drained_place;
        offset.store(place.offset, Ordering::Release);
        number.store(place.number, Ordering::Release);
        self.is_drained.store(true, Ordering::Relaxed);
    }

    fn drained_to(&self) -> JournalPosition {
        let [number, offset] = &self.drained_place;
        JournalPosition {
            number: number.load(Ordering::Acquire),
            offset: offset.load(Ordering::Acquire),
        }
    }
}

/// What the thread works with.
pub struct JournalWriter {
    /// The journal, opened.
    pub journal: Journal,
    /// What was found when it was.
    pub found: Recovered,
    /// The workers' ends.
    pub rings: Vec<RingReceiver>,
    /// What is asked.
    pub questions: Receiver<UsageQuestion>,
    /// Where those go on to that the journal does not answer: the store.
    pub behind: Option<mpsc::Sender<UsageQuestion>>,
    /// Says what goes wrong.
    pub notices: Notices,
    /// What others may read.
    pub figures: Arc<JournalFigures>,
    /// Between two writes to the disk itself.
    pub flush: Duration,
    /// Rung by rings and desks.
    pub waker: ThreadWaker,
}

/// The running thread.
pub struct JournalThread {
    thread: JoinHandle<()>,
    is_ended: Arc<AtomicBool>,
}

impl JournalThread {
    /// Writes what still waits and ends the thread. A disk that is stuck keeps nobody.
    pub fn finish(self) {
        self.is_ended.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let until = Instant::now() + LAST;
        while !self.thread.is_finished() && Instant::now() < until {
            thread::park_timeout(TURN);
        }
    }
}

impl JournalWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(self) -> io::Result<JournalThread> {
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
        let flusher = Flusher::start(self.journal.folder().to_owned())?;
        let thread = thread::Builder::new()
            .name("ringway-ledger".to_owned())
            .spawn(move || self.run(&ended, flusher))?;
        Ok(JournalThread { thread, is_ended })
    }

    fn run(mut self, is_ended: &AtomicBool, mut flusher: Flusher) {
        let mut lookups = PendingLookups::new(clock::unix_millis());
        let mut told = ReportedLosses::default();
        let mut is_learning = true;
        // Taken from the rings, not written yet.
        let mut taken = Vec::new();
        let mut synced = Instant::now();
        let mut came = synced;
        let room = self.rings.first().map_or(0, RingReceiver::room);
        let mut pace = DrainPace::new(TURN.min(self.flush), room);
        let mut turn = TURN.min(self.flush);
        loop {
            let mut last = is_ended.load(Ordering::Acquire);
            let mut wait = match (last, is_learning) {
                (true, _) => Duration::ZERO,
                (false, true) => turn.min(LEARNING_TURN),
                (false, false) => turn,
            };
            let is_idle = taken.is_empty() && lookups.is_empty() && !is_learning;
            if !last && is_idle && self.is_quiet(came) {
                taken.shrink_to(TAKEN_BYTES_KEPT);
                if let Some(asked) = self.sleep() {
                    self.receive(asked, &mut lookups);
                    wait = Duration::ZERO;
                }
            }
            match self.questions.recv_timeout(wait) {
                Ok(asked) => self.receive(asked, &mut lookups),
                Err(RecvTimeoutError::Timeout) => {}
                // The workers are gone, or never came.
                Err(RecvTimeoutError::Disconnected) if last => {}
                Err(RecvTimeoutError::Disconnected) => {
                    last = self.rings.iter().all(RingReceiver::is_done);
                    thread::park_timeout(turn);
                }
            }
            if taken.is_empty() {
                let rings = self.rings.iter_mut();
                let most = rings.map(|ring| ring.drain(&mut taken)).max();
                turn = pace.after(most.unwrap_or(0));
            }
            if !taken.is_empty() || !lookups.is_empty() {
                came = Instant::now();
            }
            lookups.look_into(&taken);
            self.write(&mut taken);
            if !taken.is_empty() {
                lookups.records_wait();
            }
            self.let_go();
            // What was there at the start, a piece a turn.
            is_learning = matches!(self.journal.learn(), Ok(true));
            self.tell_losses(&mut told, last);
            let flushed = flusher.ended(last);
            self.flushed(flushed, taken.is_empty());
            if last || (synced.elapsed() >= self.flush && !flusher.is_busy) {
                let result = self.find_again();
                let result = result.and_then(|()| flusher.begin(&mut self.journal));
                self.flushed(result.err().map(|error| (Vec::new(), Err(error))), false);
                synced = Instant::now();
            }
            lookups.answer(&mut self.journal, &mut self.behind);
            if last {
                let flushed = flusher.ended(true);
                self.flushed(flushed, taken.is_empty());
                return;
            }
        }
    }

    /// Goes on in another file where somebody has removed the one that is appended to.
    fn find_again(&mut self) -> io::Result<()> {
        if let Some(lost) = self.journal.find_again()? {
            let bytes = self.journal.bytes();
            self.figures.journal_bytes.store(bytes, Ordering::Relaxed);
            self.figures
                .expired_bytes
                .fetch_add(lost, Ordering::Relaxed);
            self.notices.say(format!(
                "usage journal: its file was removed; what it held is in a new one, and {lost} bytes of \
                 older ones are gone"
            ));
            // Whoever reads it looks for what lies there now.
            self.figures.written.notify_one();
        }
        Ok(())
    }

    /// Takes what came of a flush; `is_written`: nothing else is wrong.
    fn flushed(&mut self, flushed: Option<Flushed>, is_written: bool) {
        let Some((files, result)) = flushed else {
            return;
        };
        if result.is_err() {
            self.journal.give_back_dirty(files);
        }
        if result.is_err() || is_written {
            self.tell(&result);
        }
    }

    /// Whether nothing has come for so long that all of it is on the disk.
    fn is_quiet(&self, came: Instant) -> bool {
        came.elapsed() >= QUIET.max(self.flush.saturating_mul(2))
    }

    /// Takes a question; one for a page is the store's.
    fn receive(&self, asked: UsageQuestion, lookups: &mut PendingLookups) {
        match asked {
            UsageQuestion::Record(question) => lookups.push(question),
            UsageQuestion::Page(_) => lookups.pages.push(asked),
        }
    }

    /// Sleeps until something comes, for a second at most; the question that came meanwhile.
    fn sleep(&self) -> Option<UsageQuestion> {
        let mut asked = None;
        self.waker.sleep(QUIET, || {
            asked = self.questions.try_recv().ok();
            asked.is_some() || self.rings.iter().any(|ring| !ring.is_empty())
        });
        asked
    }

    /// Appends what was taken, and forgets it as far as it was written.
    fn write(&mut self, taken: &mut Vec<u8>) {
        if taken.is_empty() {
            return;
        }
        let mut written = 0;
        let mut result = Ok(());
        while let (Ok(()), Some(left)) = (&result, taken.get(written..))
            && !left.is_empty()
        {
            let piece = left.get(..first_frames(left, PIECE_BYTES));
            let piece = piece.filter(|it| !it.is_empty()).unwrap_or(left);
            result = self.make_room(piece.len());
            if result.is_ok() {
                let (count, appended) = self.journal.append(piece);
                written += count;
                result = appended;
            }
        }
        taken.drain(..written);
        if written > 0 {
            self.figures.written.notify_one();
        }
        if taken.is_empty() {
            taken.shrink_to(TAKEN_BYTES_KEPT);
        }
        let bytes = self.journal.bytes();
        self.figures.journal_bytes.store(bytes, Ordering::Relaxed);
        self.tell(&result);
    }

    /// Removes what the store has by now.
    fn let_go(&mut self) {
        let JournalPosition { number, offset } = self.figures.drained_to();
        let oldest = self.journal.segments().next();
        // A disk that is full of the segment that is appended to gets room by another one.
        let is_stuck = self.figures.is_stuck.load(Ordering::Relaxed);
        let is_in = |it: JournalSegment| it.number == number && (1..=offset).contains(&it.length);
        if is_stuck
            && self.journal.is_active(number)
            && oldest.is_some_and(is_in)
            && self.journal.remove_oldest().is_ok()
        {
            self.figures.moved(JournalPosition {
                number: number + 1,
                offset: 0,
            });
        }
        if oldest.is_some_and(|oldest| oldest.number < number) {
            // What cannot be removed is tried again the next turn.
            let _ = self.journal.remove_before(number);
            let bytes = self.journal.bytes();
            self.figures.journal_bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// Has records given up until so many bytes have room.
    fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        let Self {
            journal, figures, ..
        } = self;
        let JournalPosition { number, offset } = figures.drained_to();
        let drained = JournalSegment {
            number,
            length: offset,
        };
        journal.make_room(bytes, drained, &mut |record, holder| {
            let lost = (record.len() + HEAD_BYTES) as u64;
            figures.expired_bytes.fetch_add(lost, Ordering::Relaxed);
            let tenant = tenant(record).unwrap_or_default();
            figures.losses.add(tenant, |lost| match holder {
                Holder::Refusals => lost.evicted_refusals += 1,
                Holder::Tenant(_) => lost.evicted += 1,
            });
        })
    }

    /// Says who has lost records since this was said, once a minute at most and at the `last` turn.
    fn tell_losses(&self, told: &mut ReportedLosses, last: bool) {
        let is_due = told.at.is_none_or(|at| at.elapsed() >= TELL_LOSSES);
        if !last && !is_due {
            return;
        }
        let all = self.figures.losses.all();
        let mut news: Vec<(&String, LostRecords)> = all
            .iter()
            .map(|(tenant, lost)| {
                (
                    tenant,
                    lost.since(told.losses.get(tenant).copied().unwrap_or_default()),
                )
            })
            .filter(|(_, lost)| *lost != LostRecords::default())
            .collect();
        if news.is_empty() {
            return;
        }
        news.sort_by_key(|(_, lost)| core::cmp::Reverse(lost.evicted + lost.dropped));
        for (tenant, lost) in news.iter().take(TENANTS_TOLD) {
            let LostRecords {
                evicted,
                evicted_refusals,
                dropped,
            } = lost;
            self.notices.say(format!(
                "usage records of tenant {tenant:?} were lost: at its bound the journal gave up {evicted} of \
                 answered exchanges and {evicted_refusals} of refused requests, {dropped} found no room in memory"
            ));
        }
        if let Some(more) = news
            .len()
            .checked_sub(TENANTS_TOLD)
            .filter(|&more| more > 0)
        {
            self.notices.say(format!(
                "usage records of {more} more tenants were lost: see ringway_usage_records_lost_total"
            ));
        }
        *told = ReportedLosses {
            losses: all,
            at: Some(Instant::now()),
        };
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

/// What was said of losses.
#[derive(Default)]
struct ReportedLosses {
    losses: ByTenant,
    at: Option<Instant>,
}

/// The thread that brings the journal to the disk, so that a slow disk keeps nobody from writing.
struct Flusher {
    given: SyncSender<Vec<File>>,
    results: Receiver<Flushed>,
    /// Files were given, and nothing has come back yet.
    is_busy: bool,
}

/// Files, and whether they are on the disk.
type Flushed = (Vec<File>, io::Result<()>);

impl Flusher {
    fn start(folder: PathBuf) -> io::Result<Self> {
        let (given, files) = sync_channel::<Vec<File>>(1);
        let (told, results) = sync_channel(1);
        thread::Builder::new()
            .name("ringway-flush".to_owned())
            .spawn(move || {
                for files in files {
                    let result = sync(&folder, &files);
                    if told.send((files, result)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            given,
            results,
            is_busy: false,
        })
    }

    /// Gives it what is to be brought to the disk, if anything is.
    fn begin(&mut self, journal: &mut Journal) -> io::Result<()> {
        let files = journal.take_dirty()?;
        self.is_busy = !files.is_empty() && self.given.try_send(files).is_ok();
        Ok(())
    }

    /// What came of it, once it has ended; `waits`: until then.
    fn ended(&mut self, waits: bool) -> Option<Flushed> {
        if !self.is_busy {
            return None;
        }
        let ended = match waits {
            true => self.results.recv().ok(),
            false => self.results.try_recv().ok(),
        };
        self.is_busy = ended.is_none();
        ended
    }
}

/// Between two looks at rings that are nearly empty.
const TURN: Duration = Duration::from_millis(50);
/// The same while segments are read that were there at the start.
const LEARNING_TURN: Duration = Duration::from_millis(2);
/// What the disk gets at the end.
const LAST: Duration = Duration::from_secs(5);
/// Records that are taken together; what a burst makes of it is given back when nothing comes.
const TAKEN_BYTES_KEPT: usize = 1 << 18;
/// Records for which room is made together.
const PIECE_BYTES: usize = 64 * KIB;
/// Between two times at which losses are told.
const TELL_LOSSES: Duration = Duration::from_mins(1);
/// Tenants whose losses are told at a time.
const TENANTS_TOLD: usize = 8;

mod lookups;
#[cfg(test)]
mod tests;
