//! Splicing spans of a document: the rest stays byte for byte.
//!
//! [`Edits`] gathers what changes: a value replaced, members of an object removed, members added
//! at its end. The result is read as [`Edits::pieces`], ranges of the source and new bytes in
//! order, so that a large body leaves without being copied; or all at once by [`Edits::apply`].
//!
//! Invariants: given spans that a scan of the document found, the result is a JSON document again,
//! whichever members are removed; bytes outside the edits are those of the source.
//!
//! Not here: finding the spans (see `scan`, `wire::peek`).

use core::ops::Range;

use crate::json::write::escape_into;

/// Where a member of an object lies, with what is needed to take it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberSpan {
    /// Its number in the object, from 0.
    pub index: usize,
    /// The opening quote of its name.
    pub start: usize,
    /// Behind its value.
    pub end: usize,
    /// Behind the value of the member before it; of no meaning for the first.
    pub before_end: usize,
    /// The opening quote of the next member's name, if there is one.
    pub after_start: Option<usize>,
}

/// Where an object ends, for adding to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectEnd {
    /// Behind the last member's value, or behind `{` if there is none.
    pub at: usize,
    /// Count of members.
    pub member_count: usize,
}

/// A part of the edited document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditPiece<'e> {
    /// This range of the source.
    Source(Range<usize>),
    /// These new bytes.
    New(&'e [u8]),
}

/// Changes of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// By start; no two overlap.
    list: Vec<Edit>,
    /// New bytes of all edits.
    bytes: Vec<u8>,
}

impl Edits {
    /// No changes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Forgets all changes. Their memory is kept.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
    }

    /// Gives memory back when the changes took more than `bytes` of new bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        if self.bytes.capacity() > bytes {
            *self = Self::new();
        }
    }

    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Puts `value`, which is JSON, in the place of the value at `span`.
    pub fn replace(&mut self, span: Range<usize>, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.insert(span, start);
    }

    /// Puts a string of plain text in the place of the value at `span`, quotes included in both.
    pub fn replace_string(&mut self, span: Range<usize>, text: &str) {
        let start = self.bytes.len();
        self.bytes.push(b'"');
        escape_into(text, &mut self.bytes);
        self.bytes.push(b'"');
        self.insert(span, start);
    }

    /// Takes members out of one object, all of that object's in one call and in their order.
    pub fn remove_members(&mut self, members: &[MemberSpan]) {
        let start = self.bytes.len();
        for (rank, member) in members.iter().enumerate() {
            debug_assert!(rank <= member.index, "members of one object, in order");
            // While nothing is kept before it, a member goes with the comma behind it; else with
            // the comma before it.
            let span = match member.after_start {
                Some(after_start) if rank == member.index => member.start..after_start,
                None if rank == member.index => member.start..member.end,
                _ => member.before_end..member.end,
            };
            self.insert(span, start);
        }
    }

    /// Adds `"name":value` to the end of an object of which `removed_count` members are removed.
    /// `name` needs no escape, `value` is JSON.
    pub fn append_member(
        &mut self,
        tail: ObjectEnd,
        removed_count: usize,
        name: &str,
        value: &[u8],
    ) {
        let start = self.bytes.len();
        if tail.member_count > removed_count {
            self.bytes.push(b',');
        }
        self.bytes.push(b'"');
        escape_into(name, &mut self.bytes);
        self.bytes.extend_from_slice(b"\":");
        self.bytes.extend_from_slice(value);
        self.insert(tail.at..tail.at, start);
    }

    /// Takes over the edits of `other`, made on the same document. An edit inside a span that the
    /// other side removes is dropped.
    pub fn merge(&mut self, other: &Self) {
        for edit in &other.list {
            let start = self.bytes.len();
            self.bytes
                .extend_from_slice(other.bytes.get(edit.put.clone()).unwrap_or_default());
            self.insert(edit.cut.clone(), start);
        }
    }

    /// Length of the document after the edits, given its length before.
    #[must_use]
    pub fn len_after(&self, len: usize) -> usize {
        let removed: usize = self.list.iter().map(|edit| edit.cut.len()).sum();
        let added: usize = self.list.iter().map(|edit| edit.put.len()).sum();
        (len + added).saturating_sub(removed)
    }

    /// The edited document of a source of `len` bytes, in order; no piece is empty.
    pub fn pieces(&self, len: usize) -> impl Iterator<Item = EditPiece<'_>> {
        let mut kept_start = 0;
        let edits = self.list.iter().flat_map(move |edit| {
            let kept = kept_start..edit.cut.start;
            kept_start = edit.cut.end;
            let new = self.bytes.get(edit.put.clone()).unwrap_or_default();
            [EditPiece::Source(kept), EditPiece::New(new)]
        });
        let rest = self.list.last().map_or(0, |edit| edit.cut.end)..len;
        edits
            .chain([EditPiece::Source(rest)])
            .filter(|piece| match piece {
                EditPiece::Source(span) => !span.is_empty(),
                EditPiece::New(bytes) => !bytes.is_empty(),
            })
    }

    /// Appends the edited document to `out`.
    pub fn apply(&self, source: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.len_after(source.len()));
        for piece in self.pieces(source.len()) {
            out.extend_from_slice(match piece {
                EditPiece::Source(span) => source.get(span).unwrap_or_default(),
                EditPiece::New(bytes) => bytes,
            });
        }
    }

    /// Files an edit whose new bytes are the last of `bytes`, from `put_start` on.
    fn insert(&mut self, cut: Range<usize>, put_start: usize) {
        let put = put_start..self.bytes.len();
        let edit = Edit { cut, put };
        let at = match self.list.last() {
            // The usual case: edits come in the document's order.
            Some(last) if last.cut.end <= edit.cut.start => self.list.len(),
            None => 0,
            Some(_) => self
                .list
                .partition_point(|each| each.cut.start <= edit.cut.start),
        };
        let before = at.checked_sub(1).and_then(|i| self.list.get(i));
        if before.is_some_and(|before| before.cut.end > edit.cut.start) {
            // What is removed needs no further change.
            return;
        }
        if at == self.list.len() {
            return self.list.push(edit);
        }
        let covered = self.list.get(at..).unwrap_or_default();
        let covered = covered.partition_point(|each| each.cut.start < edit.cut.end);
        self.list.splice(at..at + covered, [edit]);
    }
}

/// Bytes `cut` of the source give way to bytes `put` of the new.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    cut: Range<usize>,
    put: Range<usize>,
}

#[cfg(test)]
mod tests;
