//! Making room in a journal that has reached its bound: refusals go first, then records of the tenant that
//! holds most (see `govern::eviction`).
//!
//! The oldest segment in which somebody is to lose something is read, its other records are appended to the
//! journal again, brought to the disk, and the segment is removed. So a crash at any moment loses nothing
//! else: between the two a record is there twice, which its id tells.
//!
//! Bounds:
//! - a round frees a sixteenth of the journal and reads and writes each segment at most once, as many at a
//!   time as the room wants that is needed now;
//! - in memory there are two segments, and the sums of all holders while a round is planned;
//! - what is appended again has room kept for it: [`Journal::make_room`] leaves a segment's worth free.

use std::io;

use super::{Journal, JournalSegment, PIECE_BYTES, SEGMENTS_MIN, sync};
use crate::govern::usage::eviction::Eviction;
use crate::govern::usage::segment_index::{Contents, Holder, HolderBytes, add_up};

/// A round of eviction.
#[derive(Debug)]
pub(super) struct Round {
    eviction: Eviction,
    /// The first segment that was not looked at yet.
    next: u64,
    /// Bytes of that segment's records that were appended again before the disk refused more. They may be
    /// in the store by now, so they stay where they are.
    appended: usize,
}

impl Journal {
    /// Sees to it that so many bytes may be appended. The store has all segments before
    /// `drained`, and so many bytes of that one: they go for nothing. Each other record that goes is given to
    /// `lost`.
    ///
    /// # Errors
    /// The file system's own. Nothing was lost by it, and the next call goes on.
    pub fn make_room(
        &mut self,
        bytes: usize,
        drained: JournalSegment,
        lost: &mut dyn FnMut(&[u8], Holder),
    ) -> io::Result<()> {
        while !self.leaves_room(bytes) && self.bytes() > 0 {
            let oldest = self.segments.front().copied().unwrap_or_default();
            if oldest.number < drained.number && self.segments.len() > 1 {
                self.remove(oldest)?;
                continue;
            }
            let is_new = self.round.is_none();
            let mut round = match self.round.take() {
                Some(round) => round,
                None => self.plan(drained)?,
            };
            let Some(segment) = self.next_of(&round) else {
                if is_new {
                    // Nothing in it is anybody's: the store has all of it.
                    self.remove_oldest()?;
                }
                continue;
            };
            if round.next != segment.number {
                (round.next, round.appended) = (segment.number, 0);
            }
            let evicted = self.evict(segment, drained, &mut round, lost);
            if evicted.is_ok() {
                (round.next, round.appended) = (segment.number + 1, 0);
            }
            self.round = Some(round);
            evicted?;
        }
        Ok(())
    }

    /// Bytes that were appended again since the start because others of their segment went.
    #[must_use]
    pub const fn moved_bytes(&self) -> u64 {
        self.moved_bytes
    }

    /// Whether so much more fits, beside what a segment's records need that are appended again.
    pub(super) fn leaves_room(&self, bytes: usize) -> bool {
        let again = self.segment_max() + PIECE_BYTES as u64;
        let needed = again.saturating_add(bytes as u64);
        self.bytes().saturating_add(needed) <= self.bytes_max
    }

    /// Shares out the loss of a sixteenth of the journal.
    fn plan(&mut self, drained: JournalSegment) -> io::Result<Round> {
        while self.learn()? {}
        let mut sums = HolderBytes::new();
        for segment in self.segments.iter().copied() {
            let contents = self.contents.get(&segment.number);
            let is_drained = segment.number == drained.number && drained.length > 0;
            match contents.and_then(Contents::held) {
                Some(held) if !is_drained => {
                    for (&holder, bytes) in held {
                        *sums.entry(holder).or_default() += bytes;
                    }
                }
                Some(_) | None => {
                    let from = if is_drained { drained.length } else { 0 };
                    let bytes = self.read(segment, from..segment.length)?;
                    add_up(&bytes, &mut sums);
                }
            }
        }
        let bytes = self.bytes_max / SEGMENTS_MIN;
        Ok(Round {
            eviction: Eviction::new(&sums, bytes),
            next: 0,
            appended: 0,
        })
    }

    /// The oldest segment in which somebody is to lose something.
    fn next_of(&self, round: &Round) -> Option<JournalSegment> {
        let concerns = |it: &&JournalSegment| {
            let contents = self.contents.get(&it.number);
            let held = contents.and_then(Contents::held);
            it.number >= round.next && held.is_none_or(|held| round.eviction.concerns(held))
        };
        self.segments.iter().find(concerns).copied()
    }

    /// Takes out of a segment what is to be lost.
    fn evict(
        &mut self,
        segment: JournalSegment,
        drained: JournalSegment,
        round: &mut Round,
        lost: &mut dyn FnMut(&[u8], Holder),
    ) -> io::Result<()> {
        if self.is_active(segment.number) {
            self.roll()?;
        }
        let bytes = match self.read(segment, 0..segment.length) {
            Err(error) if self.is_removed(&error) => Vec::new(),
            read => read?,
        };
        let is_drained = drained.number == segment.number;
        let done = if is_drained { drained.length } else { 0 };
        let mut kept = Vec::new();
        let mut after = round.eviction.clone();
        after.apply(&bytes, done, &mut kept, |_, _| {});
        if !kept.is_empty() {
            self.append_again(&kept, &mut round.appended)?;
        }
        self.remove(segment)?;
        kept.clear();
        // Told once it is true.
        round.eviction.apply(&bytes, done, &mut kept, lost);
        Ok(())
    }

    /// Appends records of a segment that is about to go, but for those that were, and brings them to the
    /// disk.
    fn append_again(&mut self, kept: &[u8], appended: &mut usize) -> io::Result<()> {
        let left = kept.get(*appended..).unwrap_or_default();
        let length = self.active_length() + left.len() as u64;
        if length > self.segment_max() + PIECE_BYTES as u64 {
            self.roll()?;
        }
        let (written, result) = self.write(left);
        *appended += written;
        self.moved_bytes += written as u64;
        result?;
        let files = self.take_dirty()?;
        let synced = sync(&self.folder, &files);
        if synced.is_err() {
            self.give_back_dirty(files);
        }
        synced
    }
}
