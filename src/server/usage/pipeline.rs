//! What keeps usage records, as it is put together at start: the journal, the thread that writes it,
//! and the tasks that bring records to the store and answer by it.

use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use futures_channel::mpsc;

use crate::limits::{KIB, MIB, USAGE_QUESTIONS_MAX};
use crate::proxy::shared::usage_channel::{QuestionSender, UsageQuestion, UsageSender};
use crate::route::plan::compiled::UsagePlan;
use crate::server::key::key_sync::StoreHandle;
use crate::server::thread::output::Notices;
use crate::server::usage::journal_uploader::{JournalUploader, UploadCalls};
use crate::server::usage::journal_writer::{self, JournalFigures, JournalWriter};
use crate::server::usage::queries::UsageQueries;
use crate::server::usage::retention::Retention;
use crate::store::journal::segments::{Journal, JournalSegment, Recovered};
use crate::store::journal::tail::{Batch, JournalPosition};
use crate::telemetry::ring::{RingReceiver, ThreadWaker, byte_ring};

/// The usage journal, opened, and the ends of the workers' ways to it.
pub struct UsagePipeline {
    /// The journal.
    pub journal: Journal,
    found: Recovered,
    flush: Duration,
    keep_days: Option<u64>,
    rings: Vec<RingReceiver>,
    questions: QuestionSender,
    receiver: Receiver<UsageQuestion>,
    figures: Arc<JournalFigures>,
    waker: ThreadWaker,
}

impl UsagePipeline {
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
        let waker = ThreadWaker::default();
        let (questions, receiver) = QuestionSender::new(waker.clone());
        Ok(Self {
            journal,
            found,
            flush: Duration::from_millis(said.flush_ms),
            keep_days: said.keep_days,
            rings: Vec::new(),
            questions,
            receiver,
            figures: Arc::default(),
            waker,
        })
    }

    /// Another worker's way.
    pub fn way(&mut self) -> UsageSender {
        let dropped = Arc::clone(&self.figures.dropped);
        let (ring, taken) = byte_ring(
            USAGE_RING_BYTES,
            USAGE_BURST_BYTES,
            dropped,
            self.waker.clone(),
        );
        self.rings.push(taken);
        UsageSender {
            ring,
            questions: self.questions.clone(),
            losses: Arc::clone(&self.figures.losses),
        }
    }

    /// Up to where the store has the journal's records.
    fn drained(&self) -> JournalPosition {
        let segments: Vec<JournalSegment> = self.journal.segments().collect();
        JournalPosition::load(self.journal.folder(), &segments)
    }

    /// Brings the records to the store.
    fn drainer(
        &self,
        governed: &StoreHandle,
        calls: &Arc<UploadCalls>,
        notices: &Notices,
    ) -> JournalUploader {
        let place = self.drained();
        self.figures.moved(place);
        JournalUploader {
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
        behind: Option<mpsc::Sender<UsageQuestion>>,
        notices: Notices,
    ) -> io::Result<journal_writer::JournalThread> {
        let writer = JournalWriter {
            journal: self.journal,
            found: self.found,
            rings: self.rings,
            questions: self.receiver,
            behind,
            notices,
            figures: self.figures,
            flush: self.flush,
            waker: self.waker,
        };
        writer.start()
    }
}

/// What keeps the usage records, and what others have of it.
#[derive(Default)]
pub struct PipelineHandles {
    /// The thread that writes them.
    pub journal_thread: Option<journal_writer::JournalThread>,
    /// Brings them to the store.
    pub drainer: Option<JournalUploader>,
    /// Answers questions by the store.
    pub queries: Option<UsageQueries>,
    /// Removes old ones from it.
    pub retention: Option<Retention>,
    /// Its figures.
    pub figures: Option<Arc<JournalFigures>>,
    /// Where records are asked for.
    pub questions: Option<QuestionSender>,
}

/// Starts what keeps the records, and makes what brings them to the store.
///
/// # Errors
/// There is no thread for it.
pub fn keep(
    usage: Option<UsagePipeline>,
    governed: Option<&StoreHandle>,
    notices: &Notices,
) -> io::Result<PipelineHandles> {
    let Some(usage) = usage else {
        return Ok(PipelineHandles::default());
    };
    let (figures, questions) = (Arc::clone(&usage.figures), usage.questions.clone());
    let calls = Arc::<UploadCalls>::default();
    let drainer = governed.map(|governed| usage.drainer(governed, &calls, notices));
    let (behind, queries) = governed.map(|governed| queries(governed, calls)).unzip();
    let retention = governed.map(|governed| Retention::new(usage.keep_days, governed.clone()));
    Ok(PipelineHandles {
        journal_thread: Some(usage.start(behind, notices.clone())?),
        drainer,
        queries,
        retention,
        figures: Some(figures),
        questions: Some(questions),
    })
}

fn queries(
    governed: &StoreHandle,
    calls: Arc<UploadCalls>,
) -> (mpsc::Sender<UsageQuestion>, UsageQueries) {
    let (behind, questions) = mpsc::channel(USAGE_QUESTIONS_MAX);
    let governed = governed.clone();
    (
        behind,
        UsageQueries {
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
