//! Server-sent event framing: bytes in, frames out.
//!
//! [`SseDecoder::push`] accepts input cut at any place and lends out [`SseFrame`]s that borrow from it.
//! Only a record that straddles two inputs, or has several `data` lines, is copied.
//!
//! Invariants:
//! - the same items come out for every way of cutting the same input, each as soon as its last
//!   byte is there: a CR ends its line at once, the LF of a cut CRLF is skipped when it comes;
//! - a record's event name, data and unfinished line never exceed the `frame_bytes_max` given to
//!   `new`; between records at most [`IDLE_FRAME_BYTES`] of memory are kept;
//! - the work is linear in the input, however it is cut.
//!
//! Lines end in LF, CR or CRLF, a byte order mark may open the stream, fields other than `event`
//! and `data` are skipped (HTML standard, section 9.2.6). Records without `data` are none.
//!
//! Not here: the meaning of `data` (see `wire`), reconnect fields `id` and `retry`.

use core::fmt;
use core::mem;
use core::ops::Range;

use crate::limits::IDLE_FRAME_BYTES;
use crate::sse::record;

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseFrame<'a> {
    /// The event name; empty if none was given.
    pub event: &'a [u8],
    /// The data lines, joined by LF.
    pub data: &'a [u8],
}

/// What a stream consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SseItem<'a> {
    /// A record.
    Frame(SseFrame<'a>),
    /// A comment line: the other side lives.
    Comment,
}

/// A record is longer than the limit. The stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLong {
    /// The limit.
    pub bytes_max: usize,
}

impl fmt::Display for FrameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sse frame longer than {} bytes (limit event_bytes_max)",
            self.bytes_max
        )
    }
}

impl core::error::Error for FrameTooLong {}

/// Reads one stream.
#[derive(Debug)]
pub struct SseDecoder {
    /// A line whose end has not come.
    line: Vec<u8>,
    /// Event name of the record that is being copied.
    event: Vec<u8>,
    /// Data of that record from `data_start` on, or of the one lent out last.
    data: Vec<u8>,
    data_start: usize,
    has_data: bool,
    /// Some field line of the current record was seen.
    open: bool,
    /// The copied record was lent out and is to be forgotten.
    lent: bool,
    /// The input so far ends in a CR, whose LF may follow.
    after_cr: bool,
    /// Bytes of a byte order mark seen, or past 2 when it can no longer come.
    mark_seen: usize,
    failed: bool,
    frame_bytes_max: usize,
}

impl SseDecoder {
    /// A decoder for a new stream.
    #[must_use]
    pub const fn new(frame_bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            event: Vec::new(),
            data: Vec::new(),
            data_start: 0,
            has_data: false,
            open: false,
            lent: false,
            after_cr: false,
            mark_seen: 0,
            failed: false,
            frame_bytes_max,
        }
    }

    /// Takes the next input. Ask [`SseFrames::next`] until it has nothing more: what it has not
    /// looked at is lost when it is dropped.
    #[must_use = "input is read by asking for its frames"]
    pub fn push<'d, 'i>(&'d mut self, input: &'i [u8]) -> SseFrames<'d, 'i> {
        let mut frames = SseFrames {
            decoder: self,
            input,
            at: 0,
            event: 0..0,
            data: None,
            open: false,
        };
        if frames.decoder.mark_seen < MARK.len() {
            frames.skip_mark();
        }
        frames
    }

    /// Ends the stream: gives what an unterminated last record holds. It may be cut anywhere, so
    /// it counts only if its data is complete by other means.
    ///
    /// # Errors
    /// The stream had failed before.
    pub fn finish(&mut self) -> Result<Option<SseFrame<'_>>, FrameTooLong> {
        self.forget_lent();
        if self.failed {
            return Err(self.too_long());
        }
        if !self.line.is_empty() {
            self.end_line(b"");
        }
        self.lent = true;
        self.open = false;
        Ok(self.has_data.then(|| self.carried()))
    }

    /// Whether a stream that ends here lacks nothing: no record lacks its blank line, and an
    /// unfinished line is a comment or blank.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        let mark_cut = self.mark_seen > 0 && self.mark_seen < MARK.len();
        (self.lent || !self.open) && record::is_idle_line(&self.line) && !mark_cut
    }

    /// Bytes of memory that the decoder holds on to.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.line.capacity() + self.event.capacity() + self.data.capacity()
    }

    fn carried(&self) -> SseFrame<'_> {
        SseFrame {
            event: &self.event,
            data: self.data.get(self.data_start..).unwrap_or_default(),
        }
    }

    /// Whether the current record, if any, lies in the input alone.
    fn is_clear(&self) -> bool {
        !self.open && self.line.is_empty()
    }

    fn forget_lent(&mut self) {
        if self.lent {
            self.lent = false;
            self.open = false;
            self.has_data = false;
            self.data_start = 0;
            for buffer in [&mut self.line, &mut self.event, &mut self.data] {
                buffer.clear();
                if buffer.capacity() > IDLE_FRAME_BYTES {
                    *buffer = Vec::new();
                }
            }
        }
    }

    /// Ends the unfinished line with `part` and takes it in. Returns what it was.
    fn end_line(&mut self, part: &[u8]) -> LineKind {
        if self.line.is_empty() {
            let kind = LineKind::of(part);
            self.field(kind, part);
            return kind;
        }
        let mut line = mem::take(&mut self.line);
        line.extend_from_slice(part);
        let kind = LineKind::of(&line);
        match kind {
            LineKind::Data(value) if !self.has_data => {
                // The line's buffer becomes the data: a long record is copied once, not twice.
                mem::swap(&mut line, &mut self.data);
                self.data_start = value;
                self.has_data = true;
                self.open = true;
            }
            _ => self.field(kind, &line),
        }
        line.clear();
        self.line = line;
        kind
    }

    fn field(&mut self, kind: LineKind, line: &[u8]) {
        match kind {
            LineKind::Data(value) => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data
                    .extend_from_slice(line.get(value..).unwrap_or_default());
            }
            LineKind::Event(value) => {
                self.event.clear();
                self.event
                    .extend_from_slice(line.get(value..).unwrap_or_default());
            }
            LineKind::Blank | LineKind::Comment => return,
            LineKind::Unknown if record::is_idle_line(line) => return,
            LineKind::Unknown => {}
        }
        self.open = true;
    }

    fn check(&mut self, more: usize) -> Result<(), FrameTooLong> {
        let data = self.data.len().saturating_sub(self.data_start);
        if self.event.len() + data + self.line.len() + more > self.frame_bytes_max {
            self.failed = true;
            return Err(self.too_long());
        }
        Ok(())
    }

    const fn too_long(&self) -> FrameTooLong {
        FrameTooLong {
            bytes_max: self.frame_bytes_max,
        }
    }
}

/// The items of one input.
#[derive(Debug)]
pub struct SseFrames<'d, 'i> {
    decoder: &'d mut SseDecoder,
    input: &'i [u8],
    /// Bytes of the input that are dealt with.
    at: usize,
    /// Event name of a record that lies in the input alone.
    event: Range<usize>,
    /// Data of that record.
    data: Option<Range<usize>>,
    /// Some field line of that record was seen.
    open: bool,
}

impl<'i> SseFrames<'_, 'i> {
    /// The next item that the input completes. A failed stream gives its error again and again.
    #[expect(
        clippy::should_implement_trait,
        reason = "items borrow from the iterator"
    )]
    pub fn next(&mut self) -> Option<Result<SseItem<'_>, FrameTooLong>> {
        self.decoder.forget_lent();
        if self.decoder.failed {
            return Some(Err(self.decoder.too_long()));
        }
        if self.at == self.input.len() && !self.open {
            return None;
        }
        if let Some(frame) = self.simple() {
            return Some(Ok(SseItem::Frame(frame)));
        }
        let found = if self.decoder.is_clear() {
            self.scan_input()
        } else {
            self.scan_carried()
        };
        match found {
            Ok(None) => None,
            Err(error) => Some(Err(error)),
            Ok(Some(FoundRecord::Comment)) => Some(Ok(SseItem::Comment)),
            Ok(Some(FoundRecord::Carried)) => {
                self.decoder.lent = true;
                Some(Ok(SseItem::Frame(self.decoder.carried())))
            }
            Ok(Some(FoundRecord::Input { event, data })) => Some(Ok(SseItem::Frame(SseFrame {
                event: self.input.get(event).unwrap_or_default(),
                data: self.input.get(data).unwrap_or_default(),
            }))),
        }
    }

    /// The next record, if none is under way and it is one of the simple ones.
    fn simple(&mut self) -> Option<SseFrame<'i>> {
        if self.open || self.decoder.after_cr || !self.decoder.is_clear() {
            return None;
        }
        let found = record::simple(self.input.get(self.at..)?)?;
        // Limits are held against parts of it: of one that is longer as a whole, the general way
        // counts them.
        if found.len > self.decoder.frame_bytes_max {
            return None;
        }
        self.at += found.len;
        Some(SseFrame {
            event: found.event,
            data: found.data,
        })
    }

    /// Looks for a record that lies in the input alone.
    fn scan_input(&mut self) -> Result<Option<FoundRecord>, FrameTooLong> {
        while let Some(span) = self.take_line() {
            let line = self.input.get(span.clone()).unwrap_or_default();
            let held = self.event.len() + self.data.as_ref().map_or(0, Range::len);
            self.decoder.check(held + line.len())?;
            let kind = LineKind::of(line);
            match kind {
                LineKind::Blank => {
                    self.open = false;
                    let event = mem::replace(&mut self.event, 0..0);
                    if let Some(data) = self.data.take() {
                        return Ok(Some(FoundRecord::Input { event, data }));
                    }
                    continue;
                }
                LineKind::Comment => return Ok(Some(FoundRecord::Comment)),
                LineKind::Event(value) => self.event = span.start + value..span.end,
                LineKind::Data(value) if self.data.is_none() => {
                    self.data = Some(span.start + value..span.end);
                }
                LineKind::Data(_) => {
                    self.carry();
                    self.decoder.field(kind, line);
                    return self.scan_carried();
                }
                LineKind::Unknown if record::is_idle_line(line) => continue,
                LineKind::Unknown => {}
            }
            self.open = true;
        }
        self.carry();
        self.carry_rest()?;
        Ok(None)
    }

    /// Goes on with a record that is being copied.
    fn scan_carried(&mut self) -> Result<Option<FoundRecord>, FrameTooLong> {
        while let Some(span) = self.take_line() {
            let part = self.input.get(span).unwrap_or_default();
            self.decoder.check(part.len())?;
            match self.decoder.end_line(part) {
                LineKind::Blank if self.decoder.has_data => return Ok(Some(FoundRecord::Carried)),
                LineKind::Blank => {
                    self.decoder.lent = true;
                    self.decoder.forget_lent();
                    return self.scan_input();
                }
                LineKind::Comment => return Ok(Some(FoundRecord::Comment)),
                LineKind::Data(_) | LineKind::Event(_) | LineKind::Unknown => {}
            }
        }
        self.carry_rest()?;
        Ok(None)
    }

    /// The next line without its end, if that end has come.
    fn take_line(&mut self) -> Option<Range<usize>> {
        if self.decoder.after_cr {
            let next = self.input.get(self.at)?;
            self.at += usize::from(*next == b'\n');
            self.decoder.after_cr = false;
        }
        let start = self.at;
        let rest = self.input.get(start..)?;
        let end = start + memchr::memchr2(b'\n', b'\r', rest)?;
        self.at = end + 1;
        if self.input.get(end) == Some(&b'\r') {
            match self.input.get(self.at) {
                Some(b'\n') => self.at += 1,
                Some(_) => {}
                None => self.decoder.after_cr = true,
            }
        }
        Some(start..end)
    }

    /// Copies what was found of the current record.
    fn carry(&mut self) {
        let event = mem::replace(&mut self.event, 0..0);
        self.decoder.open |= mem::take(&mut self.open);
        self.decoder
            .event
            .extend_from_slice(self.input.get(event).unwrap_or_default());
        if let Some(data) = self.data.take() {
            self.decoder.has_data = true;
            self.decoder
                .data
                .extend_from_slice(self.input.get(data).unwrap_or_default());
        }
    }

    /// Copies the line whose end has not come.
    fn carry_rest(&mut self) -> Result<(), FrameTooLong> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        self.at = self.input.len();
        self.decoder.check(rest.len())?;
        self.decoder.line.extend_from_slice(rest);
        Ok(())
    }

    /// Passes over a byte order mark at the start of the stream.
    fn skip_mark(&mut self) {
        while let Some(&expected) = MARK.get(self.decoder.mark_seen) {
            match self.input.get(self.at) {
                None => return,
                Some(&byte) if byte == expected => {
                    self.decoder.mark_seen += 1;
                    self.at += 1;
                }
                Some(_) => {
                    let seen = mem::replace(&mut self.decoder.mark_seen, MARK.len());
                    self.decoder
                        .line
                        .extend_from_slice(MARK.get(..seen).unwrap_or_default());
                }
            }
        }
    }
}

enum FoundRecord {
    Comment,
    /// The record in the decoder's own buffers.
    Carried,
    /// A record of the input.
    Input {
        event: Range<usize>,
        data: Range<usize>,
    },
}

/// What a line is; the number is where its value starts.
#[derive(Clone, Copy)]
enum LineKind {
    Blank,
    Comment,
    Event(usize),
    Data(usize),
    Unknown,
}

impl LineKind {
    fn of(line: &[u8]) -> Self {
        match line {
            [] => Self::Blank,
            [b':', ..] => Self::Comment,
            [b'd', b'a', b't', b'a', rest @ ..] => {
                value_start(4, rest).map_or(Self::Unknown, Self::Data)
            }
            [b'e', b'v', b'e', b'n', b't', rest @ ..] => {
                value_start(5, rest).map_or(Self::Unknown, Self::Event)
            }
            _ => Self::Unknown,
        }
    }
}

/// Where the value starts behind a name of `len` bytes; nothing if the name goes on.
const fn value_start(len: usize, rest: &[u8]) -> Option<usize> {
    match rest {
        [] => Some(len),
        [b':', b' ', ..] => Some(len + 2),
        [b':', ..] => Some(len + 1),
        _ => None,
    }
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests;
