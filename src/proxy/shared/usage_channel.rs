//! What a data thread says to the ledger: records by a ring, questions by a bounded queue.
//!
//! Not here: who answers (`server`), what clients ask (see `proxy::usage_api`).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use futures_channel::oneshot;

use crate::govern::usage::listing::{Listing, RecordPage};
use crate::limits::USAGE_QUESTIONS_MAX;
use crate::proxy::shared::query_slots::{Owner, QuerySlot, QuerySlots};
use crate::telemetry::losses::Losses;
use crate::telemetry::ring::{RingSender, ThreadWaker};

/// A worker's way to the ledger.
pub struct UsageSender {
    /// Takes records in frames.
    pub ring: RingSender,
    /// Takes questions.
    pub questions: QuestionSender,
    /// Counts records that the ring had no room for.
    pub losses: Arc<Losses>,
}

impl UsageSender {
    /// Hands over a record of this tenant in its frame, or drops and counts it.
    pub fn send(&mut self, frame: &[u8], tenant: &[u8]) {
        if !self.ring.send(frame) {
            self.losses.add(tenant, |lost| lost.dropped += 1);
        }
    }
}

/// A question and where its answer goes.
#[derive(Debug)]
pub struct RecordQuestion {
    /// Which record.
    pub id: u128,
    /// Whose it must be.
    pub owner: Owner,
    /// It may be among those that wait for the disk, which nobody can look through.
    pub may_wait: bool,
    /// What was found.
    pub reply: oneshot::Sender<RecordAnswer>,
}

impl RecordQuestion {
    /// Answers with the record, or that there is none.
    pub fn answer(self, record: Option<Vec<u8>>) {
        let looked = match record {
            Some(record) => RecordAnswer::Record(record),
            None if self.may_wait => RecordAnswer::Pending,
            None => RecordAnswer::Absent,
        };
        // Whoever asked may have left.
        let _ = self.reply.send(looked);
    }
}

/// What a look for a record found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordAnswer {
    /// The record.
    Record(Vec<u8>),
    /// There is none that this owner may see.
    Absent,
    /// None was found, but records wait for the disk, and it may be one of them.
    Pending,
}

/// A question for a page of records, and where its answer goes.
#[derive(Debug)]
pub struct PageQuestion {
    /// Which records; whose is in its filter.
    pub listing: Listing,
    /// What of its asker it takes up.
    pub slot: QuerySlot,
    /// The page.
    pub reply: oneshot::Sender<RecordPage>,
}

/// What is asked.
#[derive(Debug)]
pub enum UsageQuestion {
    /// One record.
    Record(RecordQuestion),
    /// A page of them.
    Page(PageQuestion),
}

/// Why a question was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionRejected {
    /// This asker has too many under way, or the store worked too long on them.
    TooMany,
    /// Too many of everybody's wait.
    Busy,
}

/// Where questions are taken. One whose answer never comes was given up.
#[derive(Clone, Debug)]
pub struct QuestionSender {
    questions: SyncSender<UsageQuestion>,
    slots: QuerySlots,
    waker: ThreadWaker,
}

impl QuestionSender {
    /// A sender of questions, and the end that answers, which `waker` wakes.
    #[must_use]
    pub fn new(waker: ThreadWaker) -> (Self, Receiver<UsageQuestion>) {
        let (questions, receiver) = sync_channel(USAGE_QUESTIONS_MAX);
        let sender = Self {
            questions,
            slots: QuerySlots::default(),
            waker,
        };
        (sender, receiver)
    }

    /// Asks for a record; nothing when too many questions wait.
    #[must_use]
    pub fn record(&self, id: u128, owner: Owner) -> Option<oneshot::Receiver<RecordAnswer>> {
        let (reply, answer) = oneshot::channel();
        let may_wait = false;
        let question = RecordQuestion {
            id,
            owner,
            may_wait,
            reply,
        };
        self.ask(UsageQuestion::Record(question)).map(|()| answer)
    }

    /// Asks for a page of records.
    ///
    /// # Errors
    /// Too many questions wait, or too many of this asker's.
    pub fn page(
        &self,
        listing: Listing,
        asker: Owner,
    ) -> Result<oneshot::Receiver<RecordPage>, QuestionRejected> {
        let slot = self.slots.take(asker, Instant::now());
        let slot = slot.ok_or(QuestionRejected::TooMany)?;
        let (reply, answer) = oneshot::channel();
        let question = PageQuestion {
            listing,
            slot,
            reply,
        };
        let asked = self.ask(UsageQuestion::Page(question));
        asked.map(|()| answer).ok_or(QuestionRejected::Busy)
    }

    fn ask(&self, asked: UsageQuestion) -> Option<()> {
        self.questions.try_send(asked).ok()?;
        self.waker.wake();
        Some(())
    }
}
