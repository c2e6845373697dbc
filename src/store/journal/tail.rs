//! Reading a usage journal from a place on, beside the process that writes to it; and the file that
//! keeps the place.
//!
//! Nothing is locked. A frame that is being written is not whole yet and comes next time. Segments
//! that are gone are passed over.

use core::ops::Range;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::govern::usage::frames::{HEAD_BYTES, JournalFrames};
use crate::limits::RECORD_BYTES_MAX;
use crate::store::journal::segments::{DRAINED, Journal, JournalSegment, list, path};

/// A place between two frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalPosition {
    /// Number of the segment.
    pub number: u64,
    /// Bytes of it that lie before.
    pub offset: u64,
}

/// What was read. Its memory serves the next one.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What was read, as it lies in the journal, and what was read there before.
    bytes: Vec<u8>,
    /// Where payloads lie in it, in their order.
    payloads: Vec<Range<usize>>,
    /// The place from which was read.
    pub from: JournalPosition,
    /// The place behind them.
    pub next: JournalPosition,
    /// More was there than was read.
    pub has_more: bool,
}

impl Batch {
    /// Payloads, in their order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let payloads = self.payloads.iter().cloned();
        payloads.map(|payload| self.bytes.get(payload).unwrap_or_default())
    }

    /// Notes the whole frames of the first `length` bytes; where the last one ends.
    fn note(&mut self, length: usize) -> usize {
        let mut frames = JournalFrames::new(self.bytes.get(..length).unwrap_or_default());
        while let Some(payload) = frames.next() {
            let end = frames.end();
            self.payloads.push(end - payload.len()..end);
        }
        frames.end()
    }
}

impl JournalPosition {
    /// The place that is kept in a folder with these segments, oldest first. Where none is kept, or
    /// one that they do not have, all of them lie behind it.
    #[must_use]
    pub fn load(folder: &Path, segments: &[JournalSegment]) -> Self {
        let text = fs::read_to_string(folder.join(DRAINED)).unwrap_or_default();
        let mut numbers = text.split_ascii_whitespace().map(str::parse);
        let (Some(Ok(number)), Some(Ok(offset))) = (numbers.next(), numbers.next()) else {
            return Self::default();
        };
        match segments.last() {
            Some(last) if last.number > number => Self { number, offset },
            // What a loss of power took from its end was read before.
            Some(last) if last.number == number => Self {
                number,
                offset: offset.min(last.length),
            },
            Some(_) | None => Self::default(),
        }
    }

    /// Up to where the store has a journal: `kept` is the place that the journal's folder keeps, `stored`
    /// the one that came to the store with the records before it. The journal reaches to `end`; a store that
    /// has more of it knows what was lost here with the host's power.
    #[must_use]
    pub fn drained(kept: Self, stored: Option<Self>, end: Self) -> Self {
        stored.map_or(kept, |stored| kept.max(stored.min(end)))
    }

    /// The place behind the last frame of a journal.
    #[must_use]
    pub fn end_of(journal: &Journal) -> Self {
        let last = journal.segments().next_back().unwrap_or_default();
        Self {
            number: last.number,
            offset: last.length,
        }
    }

    /// Keeps the place. After a loss of power it may be one before: what lies between is read again.
    ///
    /// # Errors
    /// The file system's own.
    pub fn keep(self, folder: &Path) -> io::Result<()> {
        let (new, kept) = (folder.join(FILE_NEW), folder.join(DRAINED));
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&new)?;
        writeln!(file, "{} {}", self.number, self.offset)?;
        fs::rename(new, kept)
    }
}

/// Reads the first whole frames behind a place: those of `bytes_max` bytes of one segment. Without any
/// the place stays, or is in a later segment.
///
/// # Errors
/// The folder or a segment cannot be read.
pub fn read_on(
    folder: &Path,
    from: JournalPosition,
    bytes_max: usize,
    batch: &mut Batch,
) -> io::Result<()> {
    batch.payloads.clear();
    batch.has_more = false;
    (batch.from, batch.next) = (from, from);
    // Segments first: what is appended to one that has a successor was there when it was read.
    let segments = list(folder)?;
    for segment in segments.iter().filter(|it| it.number >= from.number) {
        if segment.number > batch.next.number {
            let number = segment.number;
            batch.next = JournalPosition { number, offset: 0 };
        }
        let file = match File::open(path(folder, segment.number)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        loop {
            let length = fill(&file, batch.next.offset, bytes_max, &mut batch.bytes)?;
            let end = batch.note(length);
            if end > 0 {
                batch.next.offset += end as u64;
                let is_last = segments.back().is_none_or(|last| last == segment);
                batch.has_more = length == bytes_max || !is_last;
                return Ok(());
            }
            if length < bytes_max {
                break;
            }
            // All of it is damaged, but for what may begin at its end.
            batch.next.offset += (bytes_max - FRAME_BYTES_MAX) as u64;
        }
    }
    Ok(())
}

/// Reads up to `most` bytes from a place of a file to the start of `bytes`; how many there were.
fn fill(file: &File, from: u64, most: usize, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let left = file.metadata()?.len().saturating_sub(from);
    let most = usize::try_from(left).unwrap_or(usize::MAX).min(most);
    if bytes.len() < most {
        bytes.resize(most, 0);
    }
    let mut length = 0;
    while let Some(room) = bytes.get_mut(length..most).filter(|room| !room.is_empty()) {
        match file.read_at(room, from + length as u64) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

const FILE_NEW: &str = "drained.new";
/// Longest frame.
const FRAME_BYTES_MAX: usize = HEAD_BYTES + RECORD_BYTES_MAX;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    use super::{Batch, JournalPosition, read_on};
    use crate::govern::usage::frames;
    use crate::limits::KIB;
    use crate::store::journal::segments::{Journal, JournalSegment, list};

    const BATCH: usize = 16 * KIB;

    fn write(journal: &mut Journal, payload: &str) {
        let mut frame = Vec::new();
        let start = frames::open(&mut frame);
        frame.extend_from_slice(payload.as_bytes());
        assert!(frames::close(&mut frame, start));
        journal.append(&frame).1.unwrap();
    }

    fn all(folder: &Path, mut place: JournalPosition) -> (Vec<String>, JournalPosition) {
        let (mut found, mut batch) = (Vec::new(), Batch::default());
        loop {
            read_on(folder, place, BATCH, &mut batch).unwrap();
            place = batch.next;
            if batch.records().len() == 0 {
                return (found, place);
            }
            let left = list(folder).unwrap().back().unwrap().number > place.number;
            assert!(batch.has_more || !left, "{place:?}");
            let texts = batch.records().map(<[u8]>::to_vec).map(String::from_utf8);
            found.extend(texts.map(Result::unwrap));
        }
    }

    #[test]
    fn every_record_is_read_once_over_all_segments_and_behind_damage() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        let (mut journal, _) = Journal::open(folder, 1 << 20).unwrap();
        let text = |number: usize| format!("{number}:{}", "x".repeat(number * 70 % 4_000));
        let (mut expected, mut found, mut at) =
            (Vec::new(), Vec::new(), JournalPosition::default());
        for number in 0..200 {
            write(&mut journal, &text(number));
            expected.push(text(number));
            if number % 31 == 0 {
                let (more, next) = all(folder, at);
                (found, at) = ([found, more].concat(), next);
                assert_eq!(found, expected);
            }
        }
        assert!(journal.segments().count() > 3);
        // A frame that is half there is left for later, and passed over once there is more behind.
        let last = journal.segments().last().unwrap().number;
        let file = folder.join(format!("{last:016}.usage"));
        let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
        file.write_all(&[&frames::MARK[..], &[7, 0, 0, 0, 1]].concat())
            .unwrap();
        let (more, at) = all(folder, at);
        assert_eq!([found, more].concat(), expected);
        file.write_all(&vec![b'y'; 3 * BATCH]).unwrap();
        write(&mut journal, "behind");
        assert_eq!(all(folder, at).0, ["behind"]);
    }

    #[test]
    fn segments_that_are_gone_are_passed_over() {
        let place = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(place.path(), 1 << 20).unwrap();
        for _ in 0..40 {
            write(&mut journal, &"x".repeat(4_000));
        }
        journal.remove_oldest().unwrap();
        let left = journal.bytes() / 4_012;
        assert_eq!(
            all(place.path(), JournalPosition::default()).0.len() as u64,
            left
        );
    }

    #[test]
    fn place_is_what_folder_or_store_know_up_to_the_end_of_the_journal() {
        let at = |number, offset| JournalPosition { number, offset };
        let (kept, end) = (at(7, 30), at(8, 50));
        for (stored, drained) in [
            (None, kept),
            (Some(at(7, 20)), kept),
            (Some(at(7, 40)), at(7, 40)),
            (Some(end), end),
            (Some(at(8, 51)), end),
            (Some(at(9, 0)), end),
        ] {
            assert_eq!(JournalPosition::drained(kept, stored, end), drained);
        }
    }

    #[test]
    fn place_is_kept_and_one_that_is_not_there_is_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let segment = |number, length| JournalSegment { number, length };
        let place = JournalPosition {
            number: 7,
            offset: 30,
        };
        let load = |segments: &[JournalSegment]| JournalPosition::load(folder.path(), segments);
        assert_eq!(load(&[segment(7, 90)]), JournalPosition::default());
        place.keep(folder.path()).unwrap();
        assert_eq!(load(&[segment(6, 9), segment(7, 90)]), place);
        assert_eq!(load(&[segment(7, 90), segment(8, 0)]), place);
        let cut = JournalPosition {
            number: 7,
            offset: 20,
        };
        assert_eq!(load(&[segment(7, 20)]), cut, "a loss of power took its end");
        assert_eq!(load(&[segment(6, 90)]), JournalPosition::default());
        assert_eq!(load(&[]), JournalPosition::default());
        fs::write(folder.path().join("drained"), "7\n").unwrap();
        assert_eq!(load(&[segment(7, 90)]), JournalPosition::default());
        assert!(list(folder.path()).unwrap().is_empty());
    }
}
