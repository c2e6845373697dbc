//! The JSON grammar (RFC 8259), strict, in one pass, without a tree.
//!
//! [`document`] checks one whole document and tells a [`Sink`] what it passes: names, scalars,
//! opened and closed containers, each as a span of the input. Everything that reads JSON in this
//! crate reads it through here, so no two readings of one body can differ.
//!
//! Accepted because the grammar does: numbers of any size, lone surrogate escapes, repeated names.
//!
//! Not here: what a name means, decoding of escapes (see `raw`).

use core::ops::Range;

use crate::json::error::{JsonError, JsonErrorKind};

/// What a scalar is. Strings are reported without their quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A string; `escaped` when it holds a backslash.
    String {
        /// Whether the body holds an escape.
        escaped: bool,
    },
    /// A number.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// Receives the parts of a document in order. An error from the sink ends the scan.
pub trait Sink {
    /// A member name of an object; `span` lies between the quotes.
    fn name(&mut self, span: Range<usize>, escaped: bool) -> Result<(), JsonErrorKind>;
    /// A scalar value.
    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind>;
    /// `{` or `[` at this offset.
    fn open(&mut self, object: bool, at: usize) -> Result<(), JsonErrorKind>;
    /// The matching `}` or `]`; `end` is the offset behind it.
    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind>;
}

/// Deepest nesting that any caller may ask for.
pub const DEPTH_MAX: u32 = 128;

/// Checks that `text` is one JSON document of at most `depth_max` nested containers.
///
/// # Errors
/// The first fault and its offset, or the sink's own.
pub fn document<S: Sink>(text: &[u8], depth_max: u32, sink: &mut S) -> Result<(), JsonError> {
    if text.starts_with(MARK) {
        return Err(JsonError {
            kind: JsonErrorKind::ByteOrderMark,
            at: 0,
        });
    }
    behind_mark(text, 0, depth_max, sink)
}

/// The same of a text that may open with a byte order mark. Offsets count from the mark.
///
/// # Errors
/// The first fault and its offset, or the sink's own.
pub fn marked_document<S: Sink>(
    text: &[u8],
    depth_max: u32,
    sink: &mut S,
) -> Result<(), JsonError> {
    let at = if text.starts_with(MARK) {
        MARK.len()
    } else {
        0
    };
    behind_mark(text, at, depth_max, sink)
}

/// `text` less the blanks of JSON around it: no others, such as a form feed.
#[must_use]
pub const fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..]
    | [rest @ .., b' ' | b'\t' | b'\n' | b'\r'] = text
    {
        text = rest;
    }
    text
}

/// `text` less the byte order mark that it may open with.
#[must_use]
pub fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

fn behind_mark<S: Sink>(
    text: &[u8],
    at: usize,
    depth_max: u32,
    sink: &mut S,
) -> Result<(), JsonError> {
    let mut scan = Scan {
        text,
        sink,
        depth_max: depth_max.min(DEPTH_MAX),
        at,
        depth: 0,
        objects: 0,
        fault: None,
    };
    match (scan.run(), scan.fault) {
        (Err(Stopped), Some(error)) => Err(encoding_fault(text, error)),
        _ => Ok(()),
    }
}

/// Names the encoding as the cause of a fault at or behind bytes that are no UTF-8.
#[cold]
fn encoding_fault(text: &[u8], error: JsonError) -> JsonError {
    let end = text.len().min(error.at.saturating_add(UTF8_BYTES_MAX));
    let Err(fault) = core::str::from_utf8(text.get(..end).unwrap_or_default()) else {
        return error;
    };
    let cut_by_us = fault.error_len().is_none() && end < text.len();
    if fault.valid_up_to() > error.at || cut_by_us {
        return error;
    }
    JsonError {
        kind: JsonErrorKind::Utf8,
        at: fault.valid_up_to(),
    }
}

/// The offset behind the string body that starts at `start` (where its closing quote stands), and
/// whether it holds an escape. Only strings can hold bytes beyond ASCII, and only those that do
/// are checked to be UTF-8: a second pass over all of the text costs as much as the first.
///
/// # Errors
/// The first fault of the string.
#[inline]
pub fn string_end(text: &[u8], start: usize) -> Result<(usize, bool), JsonError> {
    match short_string_end(text, start) {
        Ok(end) => Ok((end, false)),
        Err(plain) => long_string_end(text, start, plain),
    }
}

/// The end of a string body that is plain ASCII and ends within four words: most names and many values
/// do, and are found here without a call. Of any other, up to where it is known to be plain.
#[inline]
fn short_string_end(text: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start;
    for _ in 0..SHORT_WORDS {
        let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk()) else {
            break;
        };
        let hits = foreign_bytes(u64::from_le_bytes(*bytes));
        if hits != 0 {
            at += hits.trailing_zeros() as usize / 8;
            let ends = text.get(at) == Some(&b'"');
            return if ends { Ok(at) } else { Err(at) };
        }
        at += 8;
    }
    Err(at)
}

/// The same for any string; the bytes up to `at` are known to be plain.
fn long_string_end(text: &[u8], start: usize, mut at: usize) -> Result<(usize, bool), JsonError> {
    let mut escaped = false;
    let mut ascii = true;
    loop {
        let (stop, plain_ascii) = skip_plain(text, at);
        at = stop;
        ascii &= plain_ascii;
        match text.get(at) {
            Some(b'"') => break,
            Some(b'\\') => {
                escaped = true;
                at = escape_end(text, at)?;
            }
            Some(_) => {
                return Err(JsonError {
                    kind: JsonErrorKind::ControlByte,
                    at,
                });
            }
            None => {
                return Err(JsonError {
                    kind: JsonErrorKind::Cut,
                    at: text.len(),
                });
            }
        }
    }
    if !ascii && let Err(fault) = core::str::from_utf8(text.get(start..at).unwrap_or_default()) {
        return Err(JsonError {
            kind: JsonErrorKind::Utf8,
            at: start + fault.valid_up_to(),
        });
    }
    Ok((at, escaped))
}

/// How many bytes of `text` come before the first that a string body must escape.
#[must_use]
pub fn plain_length(text: &[u8]) -> usize {
    skip_plain(text, 0).0
}

/// The offset of the first byte at or after `at` that is a quote, a backslash or a control byte,
/// and whether all bytes before it are ASCII.
///
/// Three gears, each taken when the one before found nothing: words of 8 bytes, whose first hit is
/// found by arithmetic alone; blocks of 64, which the compiler turns into vector compares and
/// which make base64 images cheap; single bytes at the very end of the text.
fn skip_plain(text: &[u8], mut at: usize) -> (usize, bool) {
    let mut rest = text.get(at..).unwrap_or_default();
    let mut high = 0u64;
    loop {
        for _ in 0..WORDS_BEFORE_BLOCKS {
            let Some((bytes, after)) = rest.split_first_chunk::<8>() else {
                return skip_plain_tail(rest, at, high);
            };
            let word = u64::from_le_bytes(*bytes);
            let hits = special_bytes(word);
            if hits != 0 {
                let lowest = hits & hits.wrapping_neg();
                high |= word & (lowest - 1);
                at += hits.trailing_zeros() as usize / 8;
                return (at, high & HIGH_BITS == 0);
            }
            high |= word;
            at += 8;
            rest = after;
        }
        while let Some((block, after)) = rest.split_first_chunk::<BLOCK>() {
            let (special, beyond_ascii) = survey(block);
            if special {
                break;
            }
            high |= u64::from(beyond_ascii) << 7;
            at += BLOCK;
            rest = after;
        }
    }
}

fn skip_plain_tail(rest: &[u8], at: usize, mut high: u64) -> (usize, bool) {
    let plain = rest
        .iter()
        .take_while(|&&b| b >= 0x20 && b != b'"' && b != b'\\')
        .inspect(|&&b| high |= u64::from(b))
        .count();
    (at + plain, high & HIGH_BITS == 0)
}

/// The high bit of the first byte of `word` that is a quote, a backslash or below 0x20. Bits above
/// it mean nothing: a borrow may have run through them.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let hits = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    hits & HIGH_BITS
}

/// The same of the first byte that is one of these or beyond ASCII, in fewer steps: below it no byte has a
/// high bit, and none borrows.
const fn foreign_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES * 0x20);
    (quote | backslash | control | word) & HIGH_BITS
}

/// Whether a block holds a quote, a backslash or a control byte, and whether one beyond ASCII.
fn survey(block: &[u8; BLOCK]) -> (bool, bool) {
    let mut special = 0u8;
    let mut high = 0u8;
    for &b in block {
        special |= u8::from(b == b'"') | u8::from(b == b'\\') | u8::from(b < 0x20);
        high |= b;
    }
    (special != 0, high >= 0x80)
}

fn escape_end(text: &[u8], at: usize) -> Result<usize, JsonError> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            for digit in at + 2..at + 6 {
                match text.get(digit) {
                    Some(b) if b.is_ascii_hexdigit() => {}
                    Some(_) => {
                        return Err(JsonError {
                            kind: JsonErrorKind::Escape,
                            at: digit,
                        });
                    }
                    None => {
                        return Err(JsonError {
                            kind: JsonErrorKind::Cut,
                            at: text.len(),
                        });
                    }
                }
            }
            Ok(at + 6)
        }
        Some(_) => Err(JsonError {
            kind: JsonErrorKind::Escape,
            at: at + 1,
        }),
        None => Err(JsonError {
            kind: JsonErrorKind::Cut,
            at: text.len(),
        }),
    }
}

fn number_end(text: &[u8], start: usize) -> Result<usize, JsonError> {
    let digits = |from: usize| {
        from + text
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let fault = |at: usize| JsonError {
        kind: if at < text.len() {
            JsonErrorKind::Number
        } else {
            JsonErrorKind::Cut
        },
        at,
    };
    let whole = if text.get(start) == Some(&b'-') {
        start + 1
    } else {
        start
    };
    let mut at = digits(whole);
    if at == whole {
        return Err(fault(at));
    }
    if text.get(whole) == Some(&b'0') && at > whole + 1 {
        return Err(fault(whole + 1));
    }
    if text.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return Err(fault(at));
        }
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = at + 1 + sign;
        at = digits(exponent);
        if at == exponent {
            return Err(fault(at));
        }
    }
    Ok(at)
}

struct Scan<'t, 's, S> {
    text: &'t [u8],
    sink: &'s mut S,
    depth_max: u32,
    at: usize,
    /// Open containers. 0 <= depth <= DEPTH_MAX.
    depth: u32,
    /// A bit for each of them, set for an object; that of the innermost is the lowest.
    objects: u128,
    /// What ended the scan.
    fault: Option<JsonError>,
}

/// The scan has ended with the fault that it holds: handed up in a register, where the fault itself would
/// go through memory for every token.
struct Stopped;

const _: () = assert!(DEPTH_MAX <= u128::BITS, "each container has its bit");

impl<S: Sink> Scan<'_, '_, S> {
    /// One document. What the grammar allows next is told by the place in the code, not by a state
    /// that is looked up for each token (saves a ninth of the instructions of `json/peek-1k`).
    fn run(&mut self) -> Result<(), Stopped> {
        let Some(first) = self.next_byte() else {
            return Err(self.fault(JsonErrorKind::Empty));
        };
        let mut byte = first;
        loop {
            // A value begins with `byte`. An object or array that is not empty goes on with what
            // it holds.
            match byte {
                b'{' => {
                    self.open(true)?;
                    byte = self.some_byte()?;
                    if byte != b'}' {
                        byte = self.member(byte)?;
                        continue;
                    }
                    self.close()?;
                }
                b'[' => {
                    self.open(false)?;
                    byte = self.some_byte()?;
                    if byte != b']' {
                        continue;
                    }
                    self.close()?;
                }
                _ => self.scalar(byte)?,
            }
            match self.behind_value()? {
                Some(next) => byte = next,
                None => return Ok(()),
            }
        }
    }

    /// Closes what ends behind a value. The byte that the next one begins with, or nothing at the
    /// end of the document.
    #[inline]
    fn behind_value(&mut self) -> Result<Option<u8>, Stopped> {
        while self.depth > 0 {
            match (self.some_byte()?, self.objects & 1 == 1) {
                (b',', true) => {
                    self.at += 1;
                    let byte = self.some_byte()?;
                    return self.member(byte).map(Some);
                }
                (b',', false) => {
                    self.at += 1;
                    return self.some_byte().map(Some);
                }
                (b'}', true) | (b']', false) => self.close()?,
                (_, true) => return Err(self.fault(JsonErrorKind::ExpectedCommaOrBrace)),
                (_, false) => return Err(self.fault(JsonErrorKind::ExpectedCommaOrBracket)),
            }
        }
        match self.next_byte() {
            None => Ok(None),
            Some(_) => Err(self.fault(JsonErrorKind::Trailing)),
        }
    }

    /// The next byte that is no blank; it stands at `at`.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// The same within a document that goes on.
    #[inline]
    fn some_byte(&mut self) -> Result<u8, Stopped> {
        match self.next_byte() {
            Some(byte) => Ok(byte),
            None => Err(self.fault(JsonErrorKind::Cut)),
        }
    }

    #[cold]
    fn fault(&mut self, kind: JsonErrorKind) -> Stopped {
        self.stop(JsonError { kind, at: self.at })
    }

    #[cold]
    fn stop(&mut self, error: JsonError) -> Stopped {
        self.fault = Some(error);
        Stopped
    }

    /// The end of the string body that starts at `start`, as [`string_end`] has it.
    #[inline]
    fn string_end(&mut self, start: usize) -> Result<(usize, bool), Stopped> {
        match short_string_end(self.text, start) {
            Ok(end) => Ok((end, false)),
            Err(plain) => {
                let found = long_string_end(self.text, start, plain);
                found.map_err(|error| self.stop(error))
            }
        }
    }

    #[inline]
    fn scalar(&mut self, byte: u8) -> Result<(), Stopped> {
        let start = self.at;
        let (scalar, span) = match byte {
            b'"' => {
                let (end, escaped) = self.string_end(start + 1)?;
                self.at = end + 1;
                (Scalar::String { escaped }, start + 1..end)
            }
            b'-' | b'0'..=b'9' => {
                self.at = number_end(self.text, start).map_err(|error| self.stop(error))?;
                (Scalar::Number, start..self.at)
            }
            b't' => self.literal(b"true", Scalar::True)?,
            b'f' => self.literal(b"false", Scalar::False)?,
            b'n' => self.literal(b"null", Scalar::Null)?,
            _ => return Err(self.fault(JsonErrorKind::ExpectedValue)),
        };
        let taken = self.sink.scalar(scalar, span);
        taken.map_err(|kind| self.stop(JsonError { kind, at: start }))
    }

    fn literal(&mut self, word: &[u8], scalar: Scalar) -> Result<(Scalar, Range<usize>), Stopped> {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(if word.starts_with(rest) {
                self.stop(JsonError {
                    kind: JsonErrorKind::Cut,
                    at: self.text.len(),
                })
            } else {
                self.fault(JsonErrorKind::ExpectedValue)
            });
        }
        self.at = start + word.len();
        Ok((scalar, start..self.at))
    }

    fn open(&mut self, object: bool) -> Result<(), Stopped> {
        if self.depth >= self.depth_max {
            return Err(self.fault(JsonErrorKind::Depth));
        }
        let opened = self.sink.open(object, self.at);
        opened.map_err(|kind| self.fault(kind))?;
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stopped> {
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
        let closed = self.sink.close(self.at);
        closed.map_err(|kind| self.fault(kind))
    }

    /// A name that begins with `byte`, and its colon. The byte that its value begins with.
    #[inline]
    fn member(&mut self, byte: u8) -> Result<u8, Stopped> {
        if byte != b'"' {
            return Err(self.fault(JsonErrorKind::ExpectedName));
        }
        let start = self.at + 1;
        let (end, escaped) = self.string_end(start)?;
        let taken = self.sink.name(start..end, escaped);
        taken.map_err(|kind| self.fault(kind))?;
        self.at = end + 1;
        if self.some_byte()? != b':' {
            return Err(self.fault(JsonErrorKind::ExpectedColon));
        }
        self.at += 1;
        self.some_byte()
    }
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Bytes looked at together in long strings.
const BLOCK: usize = 64;

/// Words in which a short string ends.
const SHORT_WORDS: usize = 4;

/// Words looked at before blocks are tried: most strings end within them.
const WORDS_BEFORE_BLOCKS: usize = 8;

/// The high bit of each byte of a word.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Longest encoding of one character.
const UTF8_BYTES_MAX: usize = 4;

#[cfg(test)]
mod tests;
