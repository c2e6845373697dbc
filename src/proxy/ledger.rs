//! What a data thread says to the ledger: records by a ring, questions by a bounded queue.
//!
//! Not here: who answers (`server`), what clients ask (see `proxy::usage_api`).

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use futures_channel::oneshot;

use crate::govern::listing::{Listing, Page};
use crate::limits::USAGE_QUESTIONS_MAX;
use crate::telemetry::ring::{Bell, RingSender};

/// A worker's way to the ledger.
pub struct Way {
    /// Takes records in frames.
    pub ring: RingSender,
    /// Takes questions.
    pub desk: Desk,
}

/// Whose records may be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Everyone's: an operator asks.
    Anyone,
    /// A tenant's; `None`: those of a gateway without keys.
    Tenant(Option<Box<str>>),
}

/// A question and where its answer goes.
#[derive(Debug)]
pub struct Question {
    /// Which record.
    pub id: u128,
    /// Whose it must be.
    pub owner: Owner,
    /// The record; nothing where there is none that this owner may see.
    pub reply: oneshot::Sender<Option<Vec<u8>>>,
}

/// A question for a page of records, and where its answer goes.
#[derive(Debug)]
pub struct PageQuestion {
    /// Which records; whose is in its filter.
    pub listing: Listing,
    /// The page.
    pub reply: oneshot::Sender<Page>,
}

/// What is asked.
#[derive(Debug)]
pub enum Asked {
    /// One record.
    Record(Question),
    /// A page of them.
    Page(PageQuestion),
}

/// Where questions are taken. One whose answer never comes was given up.
#[derive(Clone, Debug)]
pub struct Desk {
    questions: SyncSender<Asked>,
    bell: Bell,
}

impl Desk {
    /// A desk, and the end that answers, which `bell` wakes.
    #[must_use]
    pub fn new(bell: Bell) -> (Self, Receiver<Asked>) {
        let (questions, receiver) = sync_channel(USAGE_QUESTIONS_MAX);
        (Self { questions, bell }, receiver)
    }

    /// Asks for a record; nothing when too many questions wait.
    #[must_use]
    pub fn record(&self, id: u128, owner: Owner) -> Option<oneshot::Receiver<Option<Vec<u8>>>> {
        let (reply, answer) = oneshot::channel();
        let question = Question { id, owner, reply };
        self.ask(Asked::Record(question)).map(|()| answer)
    }

    /// Asks for a page of records; nothing when too many questions wait.
    #[must_use]
    pub fn page(&self, listing: Listing) -> Option<oneshot::Receiver<Page>> {
        let (reply, answer) = oneshot::channel();
        let question = PageQuestion { listing, reply };
        self.ask(Asked::Page(question)).map(|()| answer)
    }

    fn ask(&self, asked: Asked) -> Option<()> {
        self.questions.try_send(asked).ok()?;
        self.bell.ring();
        Some(())
    }
}
