//! Frames of a journal: a file to which whole frames are appended, and which may end anywhere.
//!
//! ```text
//! 0         4          8         12
//! | mark    | length   | check   | payload, `length` bytes |
//!   "\x1eRW\x01"  u32      CRC-32C of length and payload      numbers are little endian
//! ```
//!
//! Invariants:
//! - [`JournalFrames`] gives payloads that were written whole, in their order, and nothing else, whatever
//!   the bytes are: a frame that was torn or altered is passed over, the next one found by its mark;
//! - any one bit that flips costs at most the frame that it lies in;
//! - a byte is looked at a bounded number of times, nothing is allocated.
//!
//! The mark begins and ends with control bytes, which JSON escapes: no payload of ours can look like a
//! frame, nor can the end of a head with a payload's beginning behind it.

use crc32c::{crc32c, crc32c_append};

use crate::limits::RECORD_BYTES_MAX;

/// Begins a frame at the end of `out`; the payload is appended behind it. Gives its place.
pub fn open(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(MARK);
    out.extend_from_slice(&[0; HEAD_BYTES - MARK.len()]);
    start
}

/// Ends the frame that [`open`] began at `start`. One whose payload is empty or too long is taken
/// out again: false.
pub fn close(out: &mut Vec<u8>, start: usize) -> bool {
    let body = out.len().saturating_sub(start + HEAD_BYTES);
    let length = u32::try_from(body).unwrap_or(0);
    if body == 0 || body > RECORD_BYTES_MAX {
        out.truncate(start);
        return false;
    }
    let Some((head, payload)) = out
        .get_mut(start..)
        .and_then(|it| it.split_at_mut_checked(HEAD_BYTES))
    else {
        return false;
    };
    let length = length.to_le_bytes();
    let check = check(length, payload).to_le_bytes();
    for (to, from) in head
        .iter_mut()
        .skip(MARK.len())
        .zip(length.into_iter().chain(check))
    {
        *to = from;
    }
    true
}

/// The whole frames of a journal, in order.
#[derive(Clone, Debug)]
pub struct JournalFrames<'j> {
    journal: &'j [u8],
    /// Where the next look begins. `end <= at <= journal.len()`.
    at: usize,
    /// Behind the last whole frame.
    end: usize,
    damaged_bytes: usize,
}

impl<'j> JournalFrames<'j> {
    /// Reads from the start of `journal`.
    #[must_use]
    pub const fn new(journal: &'j [u8]) -> Self {
        Self {
            journal,
            at: 0,
            end: 0,
            damaged_bytes: 0,
        }
    }

    /// Where the last frame that was given ended. What lies behind it, once all were, is torn.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.end
    }

    /// Bytes before that place that belong to no whole frame.
    #[must_use]
    pub const fn damaged_bytes(&self) -> usize {
        self.damaged_bytes
    }
}

impl<'j> Iterator for JournalFrames<'j> {
    type Item = &'j [u8];

    fn next(&mut self) -> Option<&'j [u8]> {
        loop {
            let rest = self.journal.get(self.at..)?;
            if let Some(payload) = whole(rest) {
                self.damaged_bytes += self.at - self.end;
                self.at += HEAD_BYTES + payload.len();
                self.end = self.at;
                return Some(payload);
            }
            let behind = rest.get(1..)?;
            self.at += 1 + memchr::memmem::find(behind, MARK)?;
        }
    }
}

/// How many of the bytes are whole frames, read from the start: what may stay of a write that was
/// cut short. The bytes were written here, so no frame among them is altered.
#[must_use]
pub fn whole_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = bytes.get(at..).and_then(declared)
        && at + HEAD_BYTES + length <= bytes.len()
    {
        at += HEAD_BYTES + length;
    }
    at
}

/// Bytes of the first of frames that were written here; nought where there is none.
#[must_use]
pub fn first_length(frames: &[u8]) -> usize {
    declared(frames).map_or(0, |length| HEAD_BYTES + length)
}

/// Bytes of the first frames that were written here: as many as are no longer than `most` together, one
/// at least.
#[must_use]
pub fn first_frames(frames: &[u8], most: usize) -> usize {
    let mut length = first_length(frames);
    loop {
        let next = first_length(frames.get(length..).unwrap_or_default());
        if next == 0 || length + next > most {
            return length;
        }
        length += next;
    }
}

/// The payload of the frame at the start of `bytes`, if it is there whole.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let length = declared(bytes)?;
    let payload = bytes.get(HEAD_BYTES..HEAD_BYTES + length)?;
    let said = number(bytes, 8)?;
    (check(number(bytes, 4)?.to_le_bytes(), payload) == said).then_some(payload)
}

/// Length of the payload that the frame at the start of `bytes` declares.
fn declared(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(MARK) {
        return None;
    }
    let length = usize::try_from(number(bytes, 4)?).ok()?;
    (1..=RECORD_BYTES_MAX).contains(&length).then_some(length)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(four))
}

/// CRC-32C (Castagnoli) of length and payload.
fn check(length: [u8; 4], payload: &[u8]) -> u32 {
    crc32c_append(crc32c(&length), payload)
}

/// Begins every frame.
pub const MARK: &[u8; 4] = b"\x1eRW\x01";
/// What stands before a payload.
pub const HEAD_BYTES: usize = 12;

#[cfg(test)]
mod tests;
