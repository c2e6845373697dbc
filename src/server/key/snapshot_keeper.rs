//! Keeps the snapshot of the keys in force, on the control thread.
//!
//! A change is appended, and on the disk when it is answered. Once changes take as much as the whole state
//! did, the state is written anew beside the file, behind the back of what goes on; what changes meanwhile
//! is appended to both, and with the next change the new one takes the place of the old one.

use std::io;
use std::path::PathBuf;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::store::database::changes::Changed;
use crate::store::database::row::StoredState;
use crate::store::snapshot::{self, SnapshotFile};

/// A snapshot and how it is kept.
pub struct SnapshotKeeper {
    path: PathBuf,
    /// What changes are appended to; none before a whole state was written, or where that went wrong.
    file: Option<SnapshotFile>,
    rewriting: Option<Rewriting>,
    /// Bytes that were written.
    written: u64,
}

struct Rewriting {
    task: JoinHandle<io::Result<SnapshotFile>>,
    /// What was appended since it began.
    behind: Vec<Vec<u8>>,
}

impl SnapshotKeeper {
    /// Keeps the snapshot at this path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            rewriting: None,
            written: 0,
        }
    }

    /// Bytes that were written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes a whole state.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn write(&mut self, state: &StoredState) -> io::Result<()> {
        // Both would write the same file beside.
        if let Some(rewriting) = self.rewriting.take() {
            let _ = rewriting.task.await;
        }
        self.file = None;
        let (path, state) = (self.path.clone(), state.clone());
        let file = blocking(move || snapshot::write(&path, &state)).await?;
        self.written += file.bytes() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Writes what has changed on the way to `state`.
    ///
    /// # Errors
    /// Neither that nor the whole state can be written.
    pub async fn append(&mut self, changed: &Changed, state: &StoredState) -> io::Result<()> {
        self.adopt().await;
        let Some(mut file) = self.file.take() else {
            return self.write(state).await;
        };
        let lines = snapshot::changes(changed, state);
        let count = lines.len() as u64;
        if let Some(rewriting) = &mut self.rewriting {
            rewriting.behind.push(lines.clone());
        }
        let appended = blocking(move || {
            file.append(&lines)?;
            Ok(file)
        });
        let Ok(file) = appended.await else {
            return self.write(state).await;
        };
        self.written += count;
        if file.is_grown() && self.rewriting.is_none() {
            let (path, state) = (self.path.clone(), state.clone());
            self.rewriting = Some(Rewriting {
                task: spawn_blocking(move || snapshot::begin(&path, &state)),
                behind: Vec::new(),
            });
        }
        self.file = Some(file);
        Ok(())
    }

    /// Puts a state that was written anew in the place of the one before, if it is done. Where that goes
    /// wrong the one before goes on.
    async fn adopt(&mut self) {
        let is_done = |it: &mut Rewriting| it.task.is_finished();
        let Some(rewriting) = self.rewriting.take_if(is_done) else {
            return;
        };
        let Ok(Ok(mut file)) = rewriting.task.await else {
            return;
        };
        let placed = blocking(move || {
            for lines in rewriting.behind {
                file.put(&lines)?;
            }
            file.take_place()?;
            Ok(file)
        });
        if let Ok(file) = placed.await {
            self.written += file.bytes() as u64;
            self.file = Some(file);
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("was given up")))
}
