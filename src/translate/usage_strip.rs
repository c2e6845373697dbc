//! Takes the injected usage chunk out of a passthrough stream of the OpenAI wire.
//!
//! A client that did not ask for usage must not see the chunk that the gateway asked for: an event
//! whose `choices` are empty and which carries a `usage` object. It goes; every other byte passes
//! as it came. Of several `choices` all are empty: no reader finds one in what goes.
//!
//! Invariants:
//! - the same bytes come out for every way of cutting the same input;
//! - only an event that may still turn out to be that chunk is held back, at most
//!   `event_bytes_max` bytes of it;
//! - the work is linear in the input, however it is cut.
//!
//! # Examples
//!
//! ```
//! use ringway::translate::usage_strip::UsageStrip;
//!
//! let mut strip = UsageStrip::new(1 << 20);
//! let mut out = Vec::new();
//! strip.push(b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\ndata: [DONE]\n\n", &mut out);
//! strip.finish(&mut out);
//! assert_eq!(out, b"data: [DONE]\n\n");
//! ```

use crate::json::scan::DEPTH_MAX;
use crate::json::tape::{JsonKind, Tape, Value};
use crate::limits::{EVENT_VALUES_MAX, IDLE_FRAME_BYTES};
use crate::sse::record::{self, Cutter};
use crate::wire::common::stream_observation::MemberFinder;

/// Removes exactly the usage-only chunk.
#[derive(Debug)]
pub struct UsageStrip {
    event_bytes_max: usize,
    cutter: Cutter,
    /// The start of the event at hand, while it may still be the chunk.
    held: Vec<u8>,
    /// Bytes of `held` that have been searched for choices. `searched <= held.len()`.
    searched: usize,
    /// The event at hand is the stream's first.
    first: bool,
    /// The event at hand is not the chunk: its bytes pass.
    passing: bool,
    /// What has come of the event at hand does not tell: it is read when it is whole.
    unclear: bool,
    /// The event before ended in a CR: what becomes of an LF right behind it.
    lf: Lf,
    /// The start of the event before, up to where it showed that it is not the chunk; empty if it
    /// showed that otherwise. An event that starts alike is not the chunk either.
    shown: Vec<u8>,
    joined: Vec<u8>,
    tape: Tape,
}

impl UsageStrip {
    /// A filter for one stream. Events longer than `event_bytes_max` pass.
    #[must_use]
    pub const fn new(event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            cutter: Cutter::new(),
            held: Vec::new(),
            searched: 0,
            first: true,
            passing: false,
            unclear: false,
            lf: Lf::Own,
            shown: Vec::new(),
            joined: Vec::new(),
            tape: Tape::new(),
        }
    }

    /// Takes a piece of the body and appends what the client may see to `out`.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        while !rest.is_empty() {
            if let Some(end) = self.simple(rest, out) {
                rest = rest.get(end..).unwrap_or_default();
                continue;
            }
            let lf = self.settle_lf(rest, out);
            let end = self.cutter.end(rest);
            let part = rest.get(lf..end.unwrap_or(rest.len())).unwrap_or_default();
            match end {
                Some(_) => self.record_end(part, out),
                None if part.is_empty() => {}
                None => self.record_part(part, out),
            }
            rest = end.and_then(|end| rest.get(end..)).unwrap_or_default();
        }
    }

    /// Bytes of memory held for the event at hand.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held.capacity() + self.joined.capacity()
    }

    /// Gives that memory back: what was held passes, and the event with it.
    pub fn let_go(&mut self, out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            out.extend_from_slice(&self.held);
            self.searched = 0;
            self.passing = true;
        }
        self.held = Vec::new();
        self.joined = Vec::new();
    }

    /// Ends the stream: what is still held back goes out, unless it is the chunk without its
    /// blank line.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = core::mem::take(&mut self.held);
        self.whole(&held, out);
    }

    /// Deals with the event that `input` opens with, if it is whole and none is under way: the
    /// short way of what [`Cutter`] and [`UsageStrip::whole`] do. Tells where it ends.
    fn simple(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let is_between =
            self.held.is_empty() && !self.passing && self.lf == Lf::Own && self.cutter.is_between();
        let found = is_between.then(|| record::simple(input)).flatten()?;
        let record = input.get(..found.len)?;
        let is_like = !self.shown.is_empty() && record.starts_with(&self.shown);
        if is_like || self.shows_others(record) {
            out.extend_from_slice(record);
        } else {
            self.whole(record, out);
        }
        self.first = false;
        Some(found.len)
    }

    /// Whether a record shows that it is not the chunk; how it starts is kept.
    fn shows_others(&mut self, record: &[u8]) -> bool {
        self.shown.clear();
        let end = other_choices(record);
        let start = end.filter(|&end| end <= IDLE_FRAME_BYTES).unwrap_or(0);
        self.shown
            .extend_from_slice(record.get(..start).unwrap_or_default());
        end.is_some()
    }

    /// The last bytes of an event.
    fn record_end(&mut self, part: &[u8], out: &mut Vec<u8>) {
        self.unclear = false;
        if self.passing {
            self.passing = false;
            self.lf = Lf::behind(part, Lf::Passes);
            out.extend_from_slice(part);
        } else if self.held.is_empty() {
            self.whole(part, out);
        } else if self.held.len() + part.len() > self.event_bytes_max + LINE_ENDS {
            // Too long for the chunk, however its lines end: it is not put together.
            self.lf = Lf::behind(part, Lf::Passes);
            out.append(&mut self.held);
            out.extend_from_slice(part);
        } else {
            let mut held = core::mem::take(&mut self.held);
            held.extend_from_slice(part);
            self.whole(&held, out);
            held.clear();
            self.held = held;
        }
        self.first = false;
        self.searched = 0;
    }

    /// Bytes of an event whose end has not come.
    fn record_part(&mut self, part: &[u8], out: &mut Vec<u8>) {
        if self.passing {
            out.extend_from_slice(part);
            return;
        }
        // What ends the event is still to come.
        let fits = self.held.len() + part.len() < self.event_bytes_max;
        if fits {
            self.held.extend_from_slice(part);
        }
        if !fits || !self.may_be_chunk() {
            out.append(&mut self.held);
            self.searched = 0;
            self.passing = true;
        }
        if !fits {
            out.extend_from_slice(part);
        }
    }

    /// Whether the held start of an event may still become the chunk. A delta shows that it has
    /// choices long before its end.
    fn may_be_chunk(&mut self) -> bool {
        if self.unclear {
            return true;
        }
        match choices(&self.held, self.searched.saturating_sub(CHOICES.len())) {
            Choices::Absent => self.searched = self.held.len(),
            Choices::Cut => {}
            Choices::Unclear => self.unclear = true,
            Choices::Others(_) => return false,
        }
        true
    }

    /// A whole event: passes, unless it is the chunk.
    fn whole(&mut self, record: &[u8], out: &mut Vec<u8>) {
        if self.is_chunk(record) {
            self.lf = Lf::behind(record, Lf::Goes);
        } else {
            self.lf = Lf::behind(record, Lf::Passes);
            out.extend_from_slice(record);
        }
    }

    /// Deals with an LF that belongs to the event before; tells how many bytes it is.
    fn settle_lf(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let lf = core::mem::replace(&mut self.lf, Lf::Own);
        if input.first() != Some(&b'\n') || lf == Lf::Own {
            return 0;
        }
        if lf == Lf::Passes {
            out.push(b'\n');
        }
        1
    }

    fn is_chunk(&mut self, record: &[u8]) -> bool {
        if record::len(record) > self.event_bytes_max || !may_be_chunk(record) {
            return false;
        }
        let Some(data) = record::data(record, self.first, &mut self.joined) else {
            return false;
        };
        let Ok(root) = self.tape.read(data, DEPTH_MAX, EVENT_VALUES_MAX) else {
            return false;
        };
        let is_empty = |choices: Value<'_>| {
            choices.kind() == JsonKind::Array && choices.elements().next().is_none()
        };
        let (mut choices, mut usage) = (None, false);
        root.each_member(|name, value| match name {
            b"choices" => choices = Some(choices.unwrap_or(true) && is_empty(value)),
            b"usage" => usage = value.kind() == JsonKind::Object,
            _ => {}
        });
        choices == Some(true) && usage
    }
}

/// What an LF at the start of the next input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lf {
    /// A line of its own.
    Own,
    /// The second half of a line end that has passed.
    Passes,
    /// The second half of a line end that was taken out.
    Goes,
}

impl Lf {
    fn behind(record: &[u8], if_cut: Self) -> Self {
        if record.last() == Some(&b'\r') {
            if_cut
        } else {
            Self::Own
        }
    }
}

/// Whether a whole record may be the chunk. One without the name may spell it with an escape.
fn may_be_chunk(record: &[u8]) -> bool {
    other_choices(record).is_none()
        && (USAGE.find(record).is_some() || memchr::memchr(b'\\', record).is_some())
}

/// Where a record has shown that its choices are not empty, as nearly all do.
fn other_choices(record: &[u8]) -> Option<usize> {
    match choices(record, 0) {
        Choices::Others(end) => Some(end),
        Choices::Absent | Choices::Cut | Choices::Unclear => None,
    }
}

/// What the start of a record shows of its choices.
enum Choices {
    /// They have not come.
    Absent,
    /// Their first bytes have not come.
    Cut,
    /// They are to be read when the record is whole.
    Unclear,
    /// They are not empty: seen as a member of the outermost object, up to this place, without
    /// reading it. What follows cannot change that.
    Others(usize),
}

/// Looks for choices in a record from `from` on.
fn choices(record: &[u8], from: usize) -> Choices {
    let unseen = record.get(from..).unwrap_or_default();
    let Some(found) = CHOICES.find(unseen) else {
        return Choices::Absent;
    };
    let before = record.get(..from + found).unwrap_or_default();
    let behind = unseen.get(found + CHOICES.len()..).unwrap_or_default();
    let is_name = is_data(before) && !before.ends_with(b"\\") && !is_within(before);
    let mut rest = behind.iter().enumerate();
    let mut next = || rest.find(|(_, byte)| !b" \t".contains(byte));
    let (colon, value) = (next(), next());
    let first = match value {
        Some((_, b'[')) => next(),
        _ => value,
    };
    match (colon, first) {
        _ if !is_name => Choices::Unclear,
        (Some((_, byte)), _) if *byte != b':' => Choices::Unclear,
        // Other lines, of any field, may stand before what follows.
        (_, Some((_, b']' | b'\n' | b'\r'))) => Choices::Unclear,
        (_, Some((at, _))) => Choices::Others(record.len() - behind.len() + at + 1),
        (_, None) if behind.len() > BLANKS_MAX => Choices::Unclear,
        (_, None) => Choices::Cut,
    }
}

/// Whether what follows stands on a `data` line.
fn is_data(before: &[u8]) -> bool {
    let line = memchr::memrchr2(b'\n', b'\r', before).map_or(0, |end| end + 1);
    before.get(line..).unwrap_or_default().starts_with(b"data:")
}

/// Whether what follows may stand within an object of the outermost one.
fn is_within(before: &[u8]) -> bool {
    memchr::memchr(b'{', before) != memchr::memrchr(b'{', before)
}

static CHOICES: MemberFinder = MemberFinder::new(b"\"choices\"");
static USAGE: MemberFinder = MemberFinder::new(b"\"usage\"");
/// A name whose value lies further behind it than this is looked at when the event is whole.
const BLANKS_MAX: usize = 64;
/// Bytes of an event that its limit does not count: the halves of the line ends around it.
const LINE_ENDS: usize = 2;
