//! What keeps usage records, as it is put together at start: the journal, the thread that writes it,
//! and the tasks that bring records to the store and answer by it.

use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use futures_channel::mpsc;

use crate::limits::{KIB, MIB, USAGE_QUESTIONS_MAX};
use crate::proxy::shared::usage_channel::{Asked, Desk, Way};
use crate::route::plan::compiled::UsagePlan;
use crate::server::key::key_sync::Governed;
use crate::server::thread::output::Notices;
use crate::server::usage::journal_uploader::{Calls, Drainer};
use crate::server::usage::journal_writer::{self, Figures, Ledger};
use crate::server::usage::queries::Clerk;
use crate::server::usage::retention::Retention;
use crate::store::journal::segments::{Journal, JournalSegment, Recovered};
use crate::store::journal::tail::{Batch, JournalPosition};
use crate::telemetry::ring::{Bell, RingReceiver, byte_ring};

/// The usage journal, opened, and the ends of the workers' ways to it.
pub struct Books {
    /// The journal.
    pub journal: Journal,
    found: Recovered,
    flush: Duration,
    keep_days: Option<u64>,
    rings: Vec<RingReceiver>,
    desk: Desk,
    questions: Receiver<Asked>,
    figures: Arc<Figures>,
    bell: Bell,
}

impl Books {
    /// Opens what the configuration names.
    ///
    /// # Errors
    /// The journal cannot be had, in words.
    pub fn open(said: &UsagePlan) -> io::Result<Self> {
        let opened = Journal::open(&said.journal, said.journal_bytes_max);
        let (journal, found) = opened.map_err(|error| {
            let folder = said.journal.display();
            io::Error::other(format!("usage.journal {folder}: {error}"))
        })?;
        let bell = Bell::default();
        let (desk, questions) = Desk::new(bell.clone());
        Ok(Self {
            journal,
            found,
            flush: Duration::from_millis(said.flush_ms),
            keep_days: said.keep_days,
            rings: Vec::new(),
            desk,
            questions,
            figures: Arc::default(),
            bell,
        })
    }

    /// Another worker's way.
    pub fn way(&mut self) -> Way {
        let dropped = Arc::clone(&self.figures.dropped);
        let (ring, taken) = byte_ring(
            USAGE_RING_BYTES,
            USAGE_BURST_BYTES,
            dropped,
            self.bell.clone(),
        );
        self.rings.push(taken);
        Way {
            ring,
            desk: self.desk.clone(),
            losses: Arc::clone(&self.figures.losses),
        }
    }

    /// Up to where the store has the journal's records.
    fn drained(&self) -> JournalPosition {
        let segments: Vec<JournalSegment> = self.journal.segments().collect();
        JournalPosition::load(self.journal.folder(), &segments)
    }

    /// Brings the records to the store.
    fn drainer(&self, governed: &Governed, calls: &Arc<Calls>, notices: &Notices) -> Drainer {
        let place = self.drained();
        self.figures.moved(place);
        Drainer {
            folder: self.journal.folder().to_owned(),
            journal: self.journal.identity(),
            place,
            end: JournalPosition::end_of(&self.journal),
            is_settled: false,
            governed: governed.clone(),
            figures: Arc::clone(&self.figures),
            notices: notices.clone(),
            calls: Arc::clone(calls),
            batch: Batch::default(),
            is_unkept: false,
        }
    }

    fn start(
        self,
        behind: Option<mpsc::Sender<Asked>>,
        notices: Notices,
    ) -> io::Result<journal_writer::Running> {
        let ledger = Ledger {
            journal: self.journal,
            found: self.found,
            rings: self.rings,
            questions: self.questions,
            behind,
            notices,
            figures: self.figures,
            flush: self.flush,
            bell: self.bell,
        };
        ledger.start()
    }
}

/// What keeps the usage records, and what others have of it.
#[derive(Default)]
pub struct Kept {
    /// The thread that writes them.
    pub ledger: Option<journal_writer::Running>,
    /// Brings them to the store.
    pub drainer: Option<Drainer>,
    /// Answers questions by the store.
    pub clerk: Option<Clerk>,
    /// Removes old ones from it.
    pub retention: Option<Retention>,
    /// Its figures.
    pub figures: Option<Arc<Figures>>,
    /// Where records are asked for.
    pub desk: Option<Desk>,
}

/// Starts what keeps the records, and makes what brings them to the store.
///
/// # Errors
/// There is no thread for it.
pub fn keep(
    books: Option<Books>,
    governed: Option<&Governed>,
    notices: &Notices,
) -> io::Result<Kept> {
    let Some(books) = books else {
        return Ok(Kept::default());
    };
    let (figures, desk) = (Arc::clone(&books.figures), books.desk.clone());
    let calls = Arc::<Calls>::default();
    let drainer = governed.map(|governed| books.drainer(governed, &calls, notices));
    let (behind, clerk) = governed.map(|governed| clerk(governed, calls)).unzip();
    let retention = governed.map(|governed| Retention::new(books.keep_days, governed.clone()));
    Ok(Kept {
        ledger: Some(books.start(behind, notices.clone())?),
        drainer,
        clerk,
        retention,
        figures: Some(figures),
        desk: Some(desk),
    })
}

fn clerk(governed: &Governed, calls: Arc<Calls>) -> (mpsc::Sender<Asked>, Clerk) {
    let (behind, questions) = mpsc::channel(USAGE_QUESTIONS_MAX);
    let governed = governed.clone();
    (
        behind,
        Clerk {
            governed,
            questions,
            calls,
        },
    )
}

/// Room for usage records of one worker: some three hundred, and six thousand more while the disk
/// is slow.
const USAGE_RING_BYTES: usize = 256 * KIB;
const USAGE_BURST_BYTES: usize = 4 * MIB;
