//! The folder of the usage journal: segments to which whole frames are appended, one process at a
//! time.
//!
//! ```text
//! folder/lock                     held by the process that writes: see `lock`
//! folder/0000000000000007.usage   oldest segment    each one whole frames, but for what a crash tore
//! folder/0000000000000008.usage   the one that is appended to
//! folder/drained                  what lies before it is in the store: see `tail`
//! folder/identity                 what the store knows the journal by: see `identity`
//! ```
//!
//! Invariants:
//! - what [`Journal::append`] says was written are whole frames, also when the disk filled amid them;
//! - segments together hold at most `bytes_max`, give or take what tore;
//! - what was appended to a file that somebody has removed is not lost with it: see
//!   [`Journal::find_again`];
//! - files are their owner's alone (0600, the folder 0700);
//! - what each segment holds is known in memory ([`Contents`]); of those that were there at the start once
//!   [`Journal::learn`] has read them.

use core::ops::Range;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::govern::usage::frames::{JournalFrames, first_frames, whole_length};
use crate::govern::usage::segment_index::Contents;
use crate::limits::{KIB, MIB};
use crate::store::journal::identity::{self, JournalId};
use crate::store::journal::lock::{FolderLock, is_at};
use crate::store::journal::segments::evict::Round;
use crate::store::journal::segments::learn::Learning;

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    identity: JournalId,
    /// Held for as long as the journal is open.
    lock: FolderLock,
    active: File,
    /// Oldest first; the last one is appended to. Never empty.
    segments: VecDeque<JournalSegment>,
    /// Most bytes of all segments.
    bytes_max: u64,
    /// Bytes were appended that nobody was given to bring to the disk.
    is_dirty: bool,
    /// Segments with such bytes that are not appended to any more.
    rolled: Vec<File>,
    /// Nobody would find what is appended: its file is gone, and there is no other one yet.
    is_gone: bool,
    /// What segments hold, by their numbers.
    contents: HashMap<u64, Contents>,
    /// A segment of which that is being found out.
    learning: Option<Learning>,
    /// Who is giving up records at the bound.
    round: Option<Round>,
    /// Bytes that were appended again because their segment went.
    moved_bytes: u64,
}

/// One file of the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalSegment {
    /// Its number; later ones are larger.
    pub number: u64,
    /// Bytes of whole frames in it.
    pub length: u64,
}

/// What was found when a journal was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Bytes of all segments.
    pub bytes: u64,
    /// Bytes behind the last whole frame, which were cut off.
    pub torn_bytes: u64,
}

impl Journal {
    /// Opens the folder, or makes it. What a crash tore at the end is cut off.
    ///
    /// # Errors
    /// Another process has it, or it cannot be read and written.
    pub fn open(folder: &Path, bytes_max: u64) -> io::Result<(Self, Recovered)> {
        Self::take_over(folder, bytes_max, Duration::ZERO)
    }

    /// The same, in the place of a process that is about to let go of the journal: it is waited for, as
    /// long as `wait`. The calling thread sleeps meanwhile.
    ///
    /// # Errors
    /// Another process still has it, or it cannot be read and written.
    pub fn take_over(
        folder: &Path,
        bytes_max: u64,
        wait: Duration,
    ) -> io::Result<(Self, Recovered)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let lock = FolderLock::take(folder, wait)?;
        let mut segments = list(folder)?;
        let is_new = segments.is_empty();
        if is_new {
            forget_drained(folder)?;
        }
        let identity = identity::keep(folder, is_new)?;
        let last = segments.pop_back();
        let last = last.map(|last| mend(folder, last)).transpose()?;
        let (last, torn_bytes) = last.unwrap_or_default();
        segments.push_back(last);
        let active = open_active(folder, last.number)?;
        sync_folder(folder)?;
        let mut journal = Self {
            folder: folder.to_owned(),
            identity,
            lock,
            active,
            segments,
            bytes_max,
            is_dirty: false,
            rolled: Vec::new(),
            is_gone: false,
            contents: HashMap::new(),
            learning: None,
            round: None,
            moved_bytes: 0,
        };
        // What is appended to it is added to what it holds.
        journal.learn_last()?;
        let found = Recovered {
            bytes: journal.bytes(),
            torn_bytes,
        };
        Ok((journal, found))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the store knows it by.
    #[must_use]
    pub const fn identity(&self) -> JournalId {
        self.identity
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Whether so much more fits.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes().saturating_add(bytes as u64) <= self.bytes_max
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = JournalSegment> {
        self.segments.iter().copied()
    }

    /// Whether a segment is the one that is appended to.
    #[must_use]
    pub fn is_active(&self, number: u64) -> bool {
        self.segments
            .back()
            .is_some_and(|last| last.number == number)
    }

    /// Appends whole frames. How much of them was written, whole frames again, and why no more.
    pub fn append(&mut self, frames: &[u8]) -> (usize, io::Result<()>) {
        if self.is_gone {
            return (0, Err(io::ErrorKind::NotFound.into()));
        }
        let mut written = 0;
        loop {
            let left = frames.get(written..).unwrap_or_default();
            let piece = left
                .get(..first_frames(left, PIECE_BYTES))
                .unwrap_or_default();
            if piece.is_empty() {
                return (written, Ok(()));
            }
            if self.active_length() >= self.segment_max()
                && let Err(error) = self.roll()
            {
                return (written, Err(error));
            }
            let (whole, result) = self.write(piece);
            written += whole;
            if result.is_err() {
                return (written, result);
            }
        }
    }

    /// Appends whole frames to the segment that is appended to.
    fn write(&mut self, frames: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        let result = loop {
            let left = frames.get(written..).unwrap_or_default();
            if left.is_empty() {
                break Ok(());
            }
            match self.active.write(left) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let whole = if result.is_ok() {
            written
        } else {
            whole_length(frames.get(..written).unwrap_or_default())
        };
        self.is_dirty |= whole > 0;
        let part_bytes = self.part_bytes();
        if let Some(last) = self.segments.back_mut() {
            if let Some(contents) = self.contents.get_mut(&last.number) {
                let added = frames.get(..whole).unwrap_or_default();
                contents.add(added, last.length, part_bytes);
            }
            last.length += whole as u64;
            if whole < written {
                // A reader passes over what is left where this fails too.
                let _ = self.active.set_len(last.length);
            }
        }
        (whole, result)
    }

    /// Sees to it that what was appended can be found. Where somebody has removed the file that is
    /// appended to, another one is made with what it held; where the folder is gone, nothing is appended
    /// until there is one again. Gives how many bytes of older segments went; `None`: nothing was amiss.
    ///
    /// # Errors
    /// The folder is gone, or nothing can be made in it.
    pub fn find_again(&mut self) -> io::Result<Option<u64>> {
        if !self.is_gone && !self.is_dirty {
            return Ok(None);
        }
        let last = self.segments.back().copied().unwrap_or_default();
        self.is_gone = !is_at(&self.active, &path(&self.folder, last.number))?;
        if !self.is_gone {
            return Ok(None);
        }
        let there = list(&self.folder)?;
        self.lock.renew(&self.folder)?;
        let number = last.number.max(there.back().map_or(0, |last| last.number)) + 1;
        let mut kept = vec![0; usize::try_from(last.length).unwrap_or(0)];
        self.active.read_exact_at(&mut kept, 0)?;
        let mut next = open_active(&self.folder, number)?;
        if let Err(error) = next.write_all(&kept) {
            let _ = fs::remove_file(path(&self.folder, number));
            return Err(error);
        }
        let before = self.bytes() - last.length;
        let is_there = |number| there.iter().any(|segment| segment.number == number);
        self.segments
            .retain(|segment| segment.number != last.number && is_there(segment.number));
        let lost = before - self.bytes();
        let contents = self.contents.remove(&last.number);
        let segments = &self.segments;
        self.contents
            .retain(|number, _| segments.iter().any(|it| it.number == *number));
        self.contents
            .extend(contents.map(|contents| (number, contents)));
        self.segments.push_back(JournalSegment { number, ..last });
        self.active = next;
        (self.is_gone, self.is_dirty) = (false, true);
        Ok(Some(lost))
    }

    /// Files with bytes that are to be brought to the disk, for whoever does that now.
    ///
    /// # Errors
    /// There is no handle left for it.
    pub fn take_dirty(&mut self) -> io::Result<Vec<File>> {
        if self.is_dirty {
            self.rolled.push(self.active.try_clone()?);
            self.is_dirty = false;
        }
        Ok(core::mem::take(&mut self.rolled))
    }

    /// Takes back files that could not be brought to the disk.
    pub fn give_back_dirty(&mut self, files: Vec<File>) {
        self.rolled.splice(0..0, files);
    }

    /// Lets go of the folder for the process that takes it over ([`Journal::take_over`]): what was
    /// appended is on the disk before.
    ///
    /// # Errors
    /// The disk's own. The folder is let go of nevertheless, and what was appended can be read there.
    pub fn hand_over(mut self) -> io::Result<()> {
        let dirty = self.take_dirty()?;
        sync(&self.folder, &dirty)
    }

    /// Removes the oldest segment, unless it is appended to: then a new one is begun first. Gives how
    /// much went.
    ///
    /// # Errors
    /// The file system's own.
    pub fn remove_oldest(&mut self) -> io::Result<u64> {
        if self.segments.len() == 1 {
            self.roll()?;
        }
        let Some(oldest) = self.segments.front().copied() else {
            return Ok(0);
        };
        self.remove(oldest)?;
        Ok(oldest.length)
    }

    /// Removes the segments before one, of which others take care by now; never the one that is
    /// appended to.
    ///
    /// # Errors
    /// The file system's own.
    pub fn remove_before(&mut self, number: u64) -> io::Result<()> {
        while let Some(oldest) = self.segments.front().copied()
            && oldest.number < number
            && self.segments.len() > 1
        {
            self.remove(oldest)?;
        }
        Ok(())
    }

    fn remove(&mut self, segment: JournalSegment) -> io::Result<()> {
        match fs::remove_file(path(&self.folder, segment.number)) {
            Err(error) if self.is_removed(&error) => {}
            removed => removed?,
        }
        self.segments.retain(|it| it.number != segment.number);
        self.contents.remove(&segment.number);
        Ok(())
    }

    /// Whether somebody else has removed a segment, and not the whole folder.
    fn is_removed(&self, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::NotFound && self.folder.is_dir()
    }

    /// Where the record of an id may lie, by what is known of segments; the youngest place first.
    pub fn places(&self, id: u128) -> impl Iterator<Item = (JournalSegment, Range<u64>)> {
        self.segments.iter().rev().flat_map(move |&segment| {
            let contents = self.contents.get(&segment.number);
            let places = contents.into_iter().flat_map(move |it| it.places(id).rev());
            places.map(move |place| (segment, place))
        })
    }

    /// The bytes of a segment at a place, as far as they are there.
    ///
    /// # Errors
    /// The file system's own.
    pub fn read(&self, segment: JournalSegment, place: Range<u64>) -> io::Result<Vec<u8>> {
        let end = place.end.min(segment.length);
        let length = usize::try_from(end.saturating_sub(place.start)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let file = File::open(path(&self.folder, segment.number))?;
        file.read_exact_at(&mut bytes, place.start)?;
        Ok(bytes)
    }

    /// Bytes with which a segment is full.
    fn segment_max(&self) -> u64 {
        (self.bytes_max / SEGMENTS_MIN).clamp(64 * KIB as u64, 8 * MIB as u64)
    }

    /// Bytes of a segment that are looked through for one record.
    fn part_bytes(&self) -> u64 {
        (self.bytes_max / PARTS_MAX).clamp(64 * KIB as u64, 8 * MIB as u64)
    }

    fn active_length(&self) -> u64 {
        self.segments.back().map_or(0, |last| last.length)
    }

    /// Begins a new segment.
    fn roll(&mut self) -> io::Result<()> {
        let number = self.segments.back().map_or(0, |last| last.number + 1);
        let next = open_active(&self.folder, number)?;
        let before = core::mem::replace(&mut self.active, next);
        if core::mem::take(&mut self.is_dirty) {
            self.rolled.push(before);
        }
        self.segments
            .push_back(JournalSegment { number, length: 0 });
        self.contents.insert(number, Contents::default());
        Ok(())
    }
}

/// The segments of a folder for one who only reads: nothing is locked, nothing cut off.
///
/// # Errors
/// The folder cannot be read.
pub fn read_all(folder: &Path, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    read_placed(folder, |record, _| take(record))
}

/// The same, each record with the number of its segment and where it ends there.
///
/// # Errors
/// The folder cannot be read.
pub fn read_placed(folder: &Path, mut take: impl FnMut(&[u8], (u64, u64))) -> io::Result<()> {
    for segment in list(folder)? {
        match fs::read(path(folder, segment.number)) {
            Ok(bytes) => {
                let mut frames = JournalFrames::new(&bytes);
                while let Some(record) = frames.next() {
                    take(record, (segment.number, frames.end() as u64));
                }
            }
            // It went since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The segments of a folder by their files, oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn list(folder: &Path) -> io::Result<VecDeque<JournalSegment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(ENDING));
        if let Some(number) = stem.and_then(|stem| stem.parse().ok()) {
            let length = entry.metadata()?.len();
            segments.push(JournalSegment { number, length });
        }
    }
    segments.sort_unstable_by_key(|segment| segment.number);
    Ok(segments.into())
}

/// Cuts off what a crash tore at the end of a segment; says how much that was.
fn mend(folder: &Path, segment: JournalSegment) -> io::Result<(JournalSegment, u64)> {
    let path = path(folder, segment.number);
    let bytes = fs::read(&path)?;
    let mut frames = JournalFrames::new(&bytes);
    frames.by_ref().for_each(drop);
    let length = frames.end() as u64;
    let torn = bytes.len() as u64 - length;
    if torn > 0 {
        let file = options().open(&path)?;
        file.set_len(length)?;
        file.sync_all()?;
    }
    Ok((JournalSegment { length, ..segment }, torn))
}

/// Where a segment lies.
#[must_use]
pub fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}{ENDING}"))
}

/// Brings files to the disk, and their names, which may be as new.
///
/// # Errors
/// The disk's own.
pub fn sync(folder: &Path, files: &[File]) -> io::Result<()> {
    files.iter().try_for_each(File::sync_data)?;
    sync_folder(folder)
}

/// Forgets how far a journal was drained that has no segments any more.
fn forget_drained(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(DRAINED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Opens the file that is appended to, or makes it.
fn open_active(folder: &Path, number: u64) -> io::Result<File> {
    let mut options = options();
    options.read(true).create(true).open(path(folder, number))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).mode(0o600);
    options
}

/// A name is on the disk once its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The file that says up to where the store has the journal.
pub const DRAINED: &str = "drained";
/// How segments' names end.
const ENDING: &str = ".usage";
/// A journal that is full has at least so many segments: removing one frees so much of it.
const SEGMENTS_MIN: u64 = 16;
/// A journal that is full has at most so many parts, unless it is larger than 64 GiB.
const PARTS_MAX: u64 = 8_192;
/// Frames that are appended together, so that segments are little longer than they should be.
const PIECE_BYTES: usize = 16 * KIB;

mod evict;
mod learn;
#[cfg(test)]
mod tests;
