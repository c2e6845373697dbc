//! Usage records on their way from the journal to the store, on the control thread.
//!
//! Batches of whole records are added to the store, and with each the place up to which the store has the
//! journal; then the same place is kept in the journal's folder, and the ledger lets segments go that lie
//! before it. What comes between the two by a crash, or by an answer that is lost, is settled by the
//! store's place: a record is added once, also where it was removed since because of its age.
//! While the store is away the journal keeps what comes, up to its bound.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::limits::MIB;
use crate::net::runtime::clock::unix_millis;
use crate::server::key::key_sync::StoreHandle;
use crate::server::thread::output::Notices;
use crate::server::usage::journal_writer::JournalFigures;
use crate::store::database::handle::Store;
use crate::store::error::StoreError;
use crate::store::journal::identity::JournalId;
use crate::store::journal::tail::{Batch, JournalPosition, read_on};

/// What the task works with.
pub struct JournalUploader {
    /// The journal's folder.
    pub folder: PathBuf,
    /// What the store knows the journal by.
    pub journal: JournalId,
    /// What lies before it is in the store.
    pub place: JournalPosition,
    /// The furthest place that the store can have come to.
    pub end: JournalPosition,
    /// The store was asked for its place, and nothing has gone wrong since.
    pub is_settled: bool,
    /// The store, while there is one.
    pub governed: StoreHandle,
    /// What others may read.
    pub figures: Arc<JournalFigures>,
    /// Says what goes wrong.
    pub notices: Notices,
    /// Who wants all of them in the store now.
    pub calls: Arc<UploadCalls>,
    /// Memory of the last batch, while one follows the other.
    pub batch: Batch,
    /// The place could not be kept the last time.
    pub is_unkept: bool,
}

/// Where those who are about to ask the store call for what the journal holds.
#[derive(Debug, Default)]
pub struct UploadCalls {
    called: Notify,
    begun: AtomicU64,
    ended: watch::Sender<u64>,
}

impl UploadCalls {
    /// Waits until what the journal holds by now is in the store, but for a store that is slow or away.
    pub async fn all_in(&self) {
        let due = self.begun.load(Ordering::Acquire) + 1;
        self.called.notify_one();
        let mut ended = self.ended.subscribe();
        let is_in = ended.wait_for(|&ended| ended >= due);
        // Whoever waited longer asks for what there is.
        let _ = timeout(CALL_WAITS, is_in).await;
    }

    fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Release);
    }

    fn end(&self) {
        self.ended.send_replace(self.begun.load(Ordering::Relaxed));
    }
}

impl JournalUploader {
    /// Runs for ever.
    pub async fn run(&mut self) {
        let mut is_failing = false;
        loop {
            // The task that follows the keys reports when the store is unreachable.
            let Ok(store) = self.governed.store_of_records() else {
                sleep(RETRY).await;
                continue;
            };
            self.calls.begin();
            let drained = self.drain(&store).await;
            self.tell(&drained, &mut is_failing);
            match drained {
                Ok(true) => {}
                Ok(false) => {
                    self.calls.end();
                    self.gather().await;
                }
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    /// Lets records gather for a batch, unless somebody calls: many small ones, each brought to the
    /// disk, cost more.
    async fn gather(&self) {
        let gathered = async {
            self.figures.written.notified().await;
            sleep(GATHER).await;
        };
        tokio::select! {
            () = self.calls.called.notified() => {}
            () = gathered => {}
        }
    }

    /// Adds one batch to the store; whether there is more.
    async fn drain(&mut self, store: &Store) -> Result<bool, StoreError> {
        if !self.is_settled {
            self.settle(store).await?;
        }
        let (folder, place) = (self.folder.clone(), self.place);
        let mut batch = core::mem::take(&mut self.batch);
        let read = spawn_blocking(move || {
            read_on(&folder, place, BATCH_BYTES, &mut batch)?;
            io::Result::Ok(batch)
        });
        let read = read.await.map_err(|_| StoreError::down("was given up"))?;
        let unread = |error| StoreError::down(format!("the journal cannot be read: {error}"));
        let batch = read.map_err(unread)?;
        let (count, next, has_more) = (batch.records().len(), batch.next, batch.has_more);
        let mut added = 0;
        if count > 0 {
            // Until its answer is here nobody knows whether the store has them.
            (self.is_settled, self.end) = (false, self.end.max(next));
            let said;
            (self.batch, said) = store.add_usage(batch, self.journal).await?;
            let Some(said) = said else {
                return Ok(true);
            };
            (self.is_settled, added) = (true, said);
        }
        if !has_more {
            self.batch = Batch::default();
        }
        if added < count {
            let unread = count - added;
            self.notices.say(format!(
                "usage records: {unread} of another program were left out of the store"
            ));
        }
        if next != self.place {
            self.moved(next).await;
        }
        self.figures
            .drained
            .fetch_add(added as u64, Ordering::Relaxed);
        Ok(has_more)
    }

    /// Takes over the store's place where that lies further on. Whether it does is asked at the start, and
    /// after a batch of which it is not known what became.
    async fn settle(&mut self, store: &Store) -> Result<(), StoreError> {
        let stored = store.drained(self.journal).await?;
        let place = JournalPosition::drained(self.place, stored, self.end);
        if stored.is_some_and(|stored| stored > place) {
            // It has what was lost here with the host's power; what comes now lies before that.
            store
                .set_drained(self.journal, place, unix_millis())
                .await?;
        }
        if place != self.place {
            self.moved(place).await;
        }
        self.is_settled = true;
        Ok(())
    }

    /// The journal may let go of what the store has. It may be what fills the disk, so that a place that
    /// cannot be kept is no reason to stay: the store has it too.
    async fn moved(&mut self, next: JournalPosition) {
        let folder = self.folder.clone();
        let kept = spawn_blocking(move || next.keep(&folder)).await;
        let kept = kept.unwrap_or_else(|_| Err(io::Error::other("was given up")));
        if let (Err(error), false) = (&kept, self.is_unkept) {
            self.notices.say(format!(
                "usage records: their place in the journal cannot be kept: {error}; a restart asks the \
                 store for it"
            ));
        }
        self.is_unkept = kept.is_err();
        self.place = next;
        self.figures.moved(next);
    }

    /// Says once that the store does not take records, and once that it does again.
    fn tell(&self, drained: &Result<bool, StoreError>, is_failing: &mut bool) {
        match drained {
            Err(error) if !*is_failing => {
                self.figures.drain_failures.fetch_add(1, Ordering::Relaxed);
                self.notices.say(format!(
                    "usage records: {error}; they wait in the journal, which gives up its oldest \
                     past its bound"
                ));
            }
            Ok(_) if *is_failing => self
                .notices
                .say("usage records: the store takes them again"),
            Ok(_) | Err(_) => {}
        }
        *is_failing = drained.is_err();
    }
}

/// What is added together.
const BATCH_BYTES: usize = MIB;
/// How long records gather for a batch: one takes as long as a hundred rows, however few it has.
const GATHER: Duration = Duration::from_secs(1);
/// How long whoever calls for the records waits for them.
const CALL_WAITS: Duration = Duration::from_millis(250);
/// Between two tries at a store that is away or refuses.
const RETRY: Duration = Duration::from_millis(250);
