//! What a segment of the usage journal holds, kept in memory: where the record of an id may lie, and how
//! many bytes belong to whom.
//!
//! A segment is cut into parts of some records each. Of each part are kept the earliest and the latest
//! time that its ids carry, and a Bloom filter of the ids. So a look-up reads the one part that holds the
//! record, and of the others whose time fits about one in twenty.
//!
//! Invariants:
//! - a record that was added lies in a part that [`Contents::places`] names for its id;
//! - the bytes of all holders together are those of the frames that were added;
//! - memory is bounded: the size of a `SegmentPart` for each part, and `HOLDERS_MAX` holders. Contents with more
//!   holders have no [`Contents::held`]; then the segment is counted anew when the sums are needed.

use core::hash::{Hash as _, Hasher as _};
use core::ops::Range;
use std::collections::HashMap;
use std::hash::DefaultHasher;

use crate::govern::usage::frames::{HEAD_BYTES, JournalFrames};
use crate::govern::usage::record::id_at;
use crate::limits::RECORD_BYTES_MAX;

/// Whose bytes these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// Nobody's that matters: refusals before any provider was asked, counts of them, damage.
    Refusals,
    /// A tenant's, by the hash of its id. Requests without a key have a hash too.
    Tenant(u64),
}

/// Bytes by holder.
pub type HolderBytes = HashMap<Holder, u64>;

/// What is known of a segment.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    parts: Vec<SegmentPart>,
    held: HolderBytes,
    /// There were more holders than are kept apart.
    is_crowded: bool,
}

/// Some records that lie one behind the other.
#[derive(Clone, Copy, Debug)]
struct SegmentPart {
    /// Where the first one's frame begins.
    start: u64,
    /// Where the last one's ends.
    end: u64,
    /// Earliest time of an id, in milliseconds since 1970.
    first_ms: u64,
    /// Latest time.
    last_ms: u64,
    /// Bits that the ids have set.
    filter: [u64; FILTER_WORDS],
}

impl Contents {
    /// What the bytes of a segment hold that begin `base` bytes behind its start. Damage counts as
    /// nobody's.
    #[must_use]
    pub fn read(bytes: &[u8], base: u64, part_bytes: u64) -> Self {
        let mut contents = Self::default();
        contents.add(bytes, base, part_bytes);
        contents
    }

    /// Adds frames that begin `base` bytes behind the segment's start. A part is full with `part_bytes`.
    pub fn add(&mut self, bytes: &[u8], base: u64, part_bytes: u64) {
        let (whole, _) = self.add_frames(bytes, base, part_bytes);
        self.count(Holder::Refusals, bytes.len() as u64 - whole);
    }

    /// The same of bytes of which more follow: a frame that is cut off is left for later. Says how many
    /// bytes were taken in; of bytes that hold more than the longest frame those are some.
    pub fn add_whole(&mut self, bytes: &[u8], base: u64, part_bytes: u64) -> u64 {
        let (whole, end) = self.add_frames(bytes, base, part_bytes);
        // Without a frame all is damaged but what may be the beginning of one.
        let kept = (HEAD_BYTES + RECORD_BYTES_MAX) as u64;
        let end = end.max((bytes.len() as u64).saturating_sub(kept));
        self.count(Holder::Refusals, end - whole);
        end
    }

    /// Adds whole frames: how many bytes they have, and where the last one ends.
    fn add_frames(&mut self, bytes: &[u8], base: u64, part_bytes: u64) -> (u64, u64) {
        let mut end = 0;
        let damaged = each_frame(bytes, |record, place| {
            end = place.end;
            let place = base + place.start..base + place.end;
            self.count(holder(record), place.end - place.start);
            self.note(record, place, part_bytes);
        });
        (bytes.len() as u64 - damaged, end)
    }

    /// Where the record of an id may lie.
    pub fn places(&self, id: u128) -> impl DoubleEndedIterator<Item = Range<u64>> {
        let (ms, bits) = (time_ms(id), filter(id));
        let may_hold = move |part: &&SegmentPart| {
            let is_set = |(has, wants): (&u64, u64)| has & wants == wants;
            (part.first_ms..=part.last_ms).contains(&ms) && part.filter.iter().zip(bits).all(is_set)
        };
        let parts = self.parts.iter().filter(may_hold);
        parts.map(|part| part.start..part.end)
    }

    /// Bytes by holder; `None`: there are too many holders.
    #[must_use]
    pub fn held(&self) -> Option<&HolderBytes> {
        (!self.is_crowded).then_some(&self.held)
    }

    fn note(&mut self, record: &[u8], place: Range<u64>, part_bytes: u64) {
        let Some((id, _)) = id_at(record) else {
            return;
        };
        let ms = time_ms(id);
        let last = self.parts.last_mut();
        let has_room = |it: &&mut SegmentPart| place.end - it.start <= part_bytes;
        let part = match last.filter(has_room) {
            Some(part) => part,
            None => self.parts.push_mut(SegmentPart {
                start: place.start,
                end: place.end,
                first_ms: ms,
                last_ms: ms,
                filter: [0; FILTER_WORDS],
            }),
        };
        part.end = place.end;
        part.first_ms = part.first_ms.min(ms);
        part.last_ms = part.last_ms.max(ms);
        for (word, bits) in part.filter.iter_mut().zip(filter(id)) {
            *word |= bits;
        }
    }

    fn count(&mut self, holder: Holder, bytes: u64) {
        if bytes == 0 || self.is_crowded {
            return;
        }
        *self.held.entry(holder).or_default() += bytes;
        if self.held.len() > HOLDERS_MAX {
            self.is_crowded = true;
            self.held = HolderBytes::new();
        }
    }
}

/// Adds up all bytes of a segment by holder, however many there are. Damage is nobody's.
pub fn add_up(bytes: &[u8], held: &mut HolderBytes) {
    let damaged = each_frame(bytes, |record, place| {
        *held.entry(holder(record)).or_default() += place.end - place.start;
    });
    *held.entry(Holder::Refusals).or_default() += damaged;
}

/// Gives each whole frame's record and where the frame lies; says how many bytes belong to none.
pub fn each_frame(bytes: &[u8], mut take: impl FnMut(&[u8], Range<u64>)) -> u64 {
    let mut frames = JournalFrames::new(bytes);
    let mut whole = 0;
    while let Some(record) = frames.next() {
        let (end, length) = (frames.end() as u64, (HEAD_BYTES + record.len()) as u64);
        whole += length;
        take(record, end - length..end);
    }
    bytes.len() as u64 - whole
}

/// Whose a record is.
#[must_use]
pub fn holder(record: &[u8]) -> Holder {
    if is_refusal(record) {
        return Holder::Refusals;
    }
    let mut hasher = DefaultHasher::new();
    // Records of an earlier version have no id: the name is what tells them apart.
    let id = member(record, TENANT_ID).or_else(|| tenant(record));
    id.hash(&mut hasher);
    Holder::Tenant(hasher.finish())
}

/// Whether a record is of requests for which no provider was asked.
#[must_use]
pub fn is_refusal(record: &[u8]) -> bool {
    let has = |what: &[u8]| memchr::memmem::find(record, what).is_some();
    // Texts escape their quotes: what stands here is a member. A count says so whatever else it says.
    has(COUNT_MEMBER) || (record.ends_with(UNASKED_END) && !has(COMPLETE) && has(UNCHARGED))
}

/// The tenant's name in a record, escaped as it stands there; `None`: it has none.
#[must_use]
pub fn tenant(record: &[u8]) -> Option<&[u8]> {
    member(record, TENANT)
}

/// The text behind what opens a member, escaped as it stands there; `None`: there is none.
fn member<'r>(record: &'r [u8], opening: &[u8]) -> Option<&'r [u8]> {
    let start = memchr::memmem::find(record, opening)? + opening.len();
    let rest = record.get(start..)?;
    let mut is_escaped = false;
    let is_end = |&byte: &u8| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    };
    let end = rest.iter().position(is_end)?;
    rest.get(..end)
}

/// The time that an id carries, in milliseconds since 1970: see `net::random`.
#[must_use]
pub fn time_ms(id: u128) -> u64 {
    u64::try_from(id >> ID_RANDOM_BITS).unwrap_or(u64::MAX)
}

/// The bits of an id: some of its random ones each say which.
fn filter(id: u128) -> [u64; FILTER_WORDS] {
    let mut bits = [0; FILTER_WORDS];
    for rank in 0..FILTER_BITS {
        let drawn = id >> (rank * FILTER_SHIFT);
        let word = (drawn >> 6) as usize % FILTER_WORDS;
        if let Some(word) = bits.get_mut(word) {
            *word |= 1 << (drawn % 64);
        }
    }
    bits
}

/// Behind the time of an id.
const ID_RANDOM_BITS: u32 = 80;
/// Words of a part's filter: eight bits for each of the sixty records that 64 KiB hold.
const FILTER_WORDS: usize = 8;
/// Bits that each id sets.
const FILTER_BITS: u32 = 4;
/// Bits of the id that say which: three for the word, six for the bit in it.
const FILTER_SHIFT: u32 = 9;
/// Holders of one segment that are kept apart: some ten KiB for a segment of eight MiB.
const HOLDERS_MAX: usize = 512;
/// The member that names the tenant. Texts escape their quotes: it stands in none.
const TENANT: &[u8] = b",\"tenant\":\"";
/// The member that has its id.
const TENANT_ID: &[u8] = b",\"tenant_id\":\"";
/// In what charges nobody.
const UNCHARGED: &[u8] = b",\"charged_nanos\":null";
/// In what was answered whole.
const COMPLETE: &[u8] = b",\"outcome\":\"complete\"";
/// The end of what no provider was asked for.
const UNASKED_END: &[u8] = b",\"attempts\":[],\"attempts_left_out\":0}";
/// In a count of refusals.
const COUNT_MEMBER: &[u8] = b",\"operation\":\"refusals\"";

const _: () = assert!(FILTER_BITS * FILTER_SHIFT <= ID_RANDOM_BITS);

#[cfg(test)]
mod tests;
