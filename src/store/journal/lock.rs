//! The lock of a journal's folder: one process at a time writes there, and its id stands in the file.
//!
//! The lock is the kernel's (`flock`): it ends with the process that holds it, however that ends. A
//! process that is to take another one's place waits for it, no longer than it is told to.

use core::time::Duration;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Instant;
use std::{process, thread};

/// The lock of a folder, which is held for as long as this lives.
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Locks a folder. Waits for another process to end, or to let go of it, for `wait` at most.
    ///
    /// # Errors
    /// Another process still holds it, which the text names; or the file cannot be written.
    pub fn take(folder: &Path, wait: Duration) -> io::Result<Self> {
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        let options = options.create(true).append(true).mode(0o600);
        let end = Instant::now() + wait;
        let mut file = options.open(&path)?;
        loop {
            match file.try_lock() {
                // Whoever held it may have removed the file, and another process made a new one.
                Ok(()) if is_at(&file, &path)? => break,
                Ok(()) => file = options.open(&path)?,
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    thread::park_timeout(PAUSE)
                }
                Err(TryLockError::WouldBlock) => return Err(held(&path)),
            }
        }
        file.set_len(0)?;
        writeln!(file, "{}", process::id())?;
        Ok(Self(file))
    }

    /// Takes another lock where the file of this one no longer lies in the folder.
    ///
    /// # Errors
    /// Another process holds the lock of the folder that is there now, or it cannot be locked.
    pub fn renew(&mut self, folder: &Path) -> io::Result<()> {
        if !is_at(&self.0, &folder.join(FILE))? {
            *self = Self::take(folder, Duration::ZERO)?;
        }
        Ok(())
    }
}

/// Another process holds the lock: which one, and what to do about it.
fn held(path: &Path) -> io::Error {
    let owner = fs::read_to_string(path).unwrap_or_default();
    let owner = match owner.trim_end().parse::<u32>() {
        Ok(id) => format!("process {id}"),
        Err(_) => "another process".to_owned(),
    };
    io::Error::other(format!(
        "{owner} writes to it; stop that one first, or give this one a folder of its own"
    ))
}

/// Whether an open file is the one that lies there.
///
/// # Errors
/// The file system's own.
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

const FILE: &str = "lock";
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);
