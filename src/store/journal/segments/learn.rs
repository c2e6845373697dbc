//! Finding out what the segments hold that were there when the journal was opened.
//!
//! Whoever appends to the journal does this between two writes: a piece at a time, so that no record
//! waits in memory for a segment to be read.

use std::io;

use super::{Journal, JournalSegment};
use crate::govern::usage::frames::HEAD_BYTES;
use crate::govern::usage::segment_index::Contents;
use crate::limits::{KIB, RECORD_BYTES_MAX};

/// A segment of which the beginning has been read.
#[derive(Debug)]
pub(super) struct Learning {
    number: u64,
    /// Up to where.
    to: u64,
    contents: Contents,
}

impl Journal {
    /// Reads a piece of a segment of which it is not known what it holds, the youngest first; whether there
    /// was one.
    ///
    /// # Errors
    /// The file system's own.
    pub fn learn(&mut self) -> io::Result<bool> {
        let is_unknown = |it: &&JournalSegment| !self.contents.contains_key(&it.number);
        let Some(segment) = self.segments.iter().rfind(is_unknown).copied() else {
            self.learning = None;
            return Ok(false);
        };
        let begun = self.learning.take();
        let begun = begun.filter(|it| it.number == segment.number);
        let mut learning = begun.unwrap_or_else(|| Learning {
            number: segment.number,
            to: 0,
            contents: Contents::default(),
        });
        let end = (learning.to + LEARNT_BYTES).min(segment.length);
        match self.read(segment, learning.to..end) {
            Ok(bytes) if end < segment.length => {
                let part = self.part_bytes();
                learning.to += learning.contents.add_whole(&bytes, learning.to, part);
                self.learning = Some(learning);
                return Ok(true);
            }
            Ok(bytes) => {
                let part = self.part_bytes();
                learning.contents.add(&bytes, learning.to, part);
            }
            Err(error) if self.is_removed(&error) => learning.contents = Contents::default(),
            Err(error) => {
                self.learning = Some(learning);
                return Err(error);
            }
        }
        self.contents.insert(segment.number, learning.contents);
        Ok(true)
    }

    /// Finds out all that the segment holds that is appended to.
    pub(super) fn learn_last(&mut self) -> io::Result<()> {
        let last = self.segments.back().map_or(0, |it| it.number);
        while !self.contents.contains_key(&last) {
            self.learn()?;
        }
        Ok(())
    }
}

/// Bytes that are read at a time.
const LEARNT_BYTES: u64 = 256 * KIB as u64;
const _: () = assert!(LEARNT_BYTES > 2 * (HEAD_BYTES + RECORD_BYTES_MAX) as u64);
