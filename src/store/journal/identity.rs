//! The identity of a usage journal: a random number in a file of its folder, by which the store keeps
//! how much of the journal it has.
//!
//! A journal that has lost all its segments gets another identity: its numbers begin anew, and what the
//! store knows of the one before says nothing about it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A journal's identity.
pub type JournalId = [u8; 16];

/// The identity that a folder keeps. Where it keeps none, or `is_new` says that the journal has no
/// segments, another one is made.
///
/// # Errors
/// The folder cannot be written, or the system gives no randomness.
pub fn keep(folder: &Path, is_new: bool) -> io::Result<JournalId> {
    let path = folder.join(FILE);
    if !is_new && let Some(kept) = read(&path) {
        return Ok(kept);
    }
    let mut id = JournalId::default();
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let new = folder.join(FILE_NEW);
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(true).write(true).mode(0o600);
    let mut file: File = options.open(&new)?;
    writeln!(file, "{:032x}", u128::from_be_bytes(id))?;
    file.sync_all()?;
    fs::rename(new, path)?;
    Ok(id)
}

fn read(path: &Path) -> Option<JournalId> {
    let text = fs::read_to_string(path).ok()?;
    let digits = text.trim_end();
    let number = u128::from_str_radix(digits, 16).ok()?;
    (digits.len() == DIGITS).then(|| number.to_be_bytes())
}

const FILE: &str = "identity";
const FILE_NEW: &str = "identity.new";
/// Hexadecimal digits of an identity.
const DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::keep;

    #[test]
    fn an_identity_stays_until_the_journal_is_new_or_it_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let first = keep(folder.path(), false).unwrap();
        assert_eq!(keep(folder.path(), false).unwrap(), first);
        let second = keep(folder.path(), true).unwrap();
        assert_ne!(second, first);
        assert_eq!(keep(folder.path(), false).unwrap(), second);
        fs::write(folder.path().join("identity"), "12\n").unwrap();
        assert_ne!(keep(folder.path(), false).unwrap(), second);
    }
}
