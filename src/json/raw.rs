//! A JSON string body, checked by the grammar and still escaped.
//!
//! Text that goes from one JSON document into another is copied in this form: no decoding, no
//! re-escaping, so digits, escapes and odd spellings survive.
//!
//! Not here: finding strings (see `scan`, `tape`), making them (see `write`).

use core::cmp::Ordering;
use std::borrow::Cow;

/// The bytes between the quotes of a JSON string that the grammar has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    /// The empty string.
    pub const EMPTY: Raw<'static> = Raw(b"");

    /// Takes bytes that the grammar has accepted as a string body.
    #[must_use]
    pub const fn from_checked(body: &'a [u8]) -> Self {
        debug_assert!(core::str::from_utf8(body).is_ok());
        Self(body)
    }

    /// Takes plain text that needs no escape, or nothing.
    #[must_use]
    pub fn from_plain(text: &'a str) -> Option<Self> {
        let plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
        plain.then_some(Self(text.as_bytes()))
    }

    /// The escaped bytes, without quotes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether the string holds no character.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Whether the decoded string equals `text`; escaped spellings count as what they mean.
    ///
    /// An escape is never shorter than what it stands for, and a lone surrogate stands for itself: most
    /// strings are told apart by their lengths, without a call.
    #[inline]
    #[must_use]
    pub fn is(self, text: &str) -> bool {
        match self.0.len().cmp(&text.len()) {
            Ordering::Less => false,
            Ordering::Equal => {
                let is_plain = || !self.0.contains(&b'\\');
                self.0 == text.as_bytes() && (is_plain() || self.decodes_to(text))
            }
            Ordering::Greater => {
                let own = self.0.first();
                let may_open_alike = own == text.as_bytes().first() || own == Some(&b'\\');
                may_open_alike && self.decodes_to(text)
            }
        }
    }

    fn decodes_to(self, text: &str) -> bool {
        if memchr::memchr(b'\\', self.0).is_none() {
            return self.0 == text.as_bytes();
        }
        let mut rest = text.as_bytes();
        let mut same = true;
        self.decode_pieces(|piece| {
            if let Some(after) = rest.strip_prefix(piece) {
                rest = after;
            } else {
                same = false;
            }
        });
        same && rest.is_empty()
    }

    /// Whether the decoded string begins with `text`, which is ASCII. Looks no further than that.
    #[must_use]
    pub fn starts_with(self, text: &str) -> bool {
        debug_assert!(text.is_ascii());
        let head = self.0.get(..text.len() * ESCAPE_BYTES_MAX);
        let mut rest = text.as_bytes();
        let mut same = true;
        Self(head.unwrap_or(self.0)).decode_pieces(|piece| {
            let count = piece.len().min(rest.len());
            same &= piece.get(..count) == rest.get(..count);
            rest = rest.get(count..).unwrap_or_default();
        });
        same && rest.is_empty()
    }

    /// The decoded text if the string holds no escape: borrowed, no copy.
    #[must_use]
    pub fn plain(self) -> Option<&'a str> {
        if self.0.contains(&b'\\') {
            None
        } else {
            core::str::from_utf8(self.0).ok()
        }
    }

    /// Appends the decoded bytes. A lone surrogate keeps its escaped spelling, so the result is
    /// always UTF-8.
    pub fn decode_into(self, out: &mut Vec<u8>) {
        self.decode_pieces(|piece| out.extend_from_slice(piece));
    }

    /// The decoded text as an owned string.
    #[must_use]
    pub fn decode(self) -> String {
        let mut out = Vec::with_capacity(self.0.len());
        self.decode_into(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// The decoded text: borrowed where the string holds no escape.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        self.plain()
            .map_or_else(|| Cow::Owned(self.decode()), Cow::Borrowed)
    }

    /// The start of the decoded text: at most so many bytes, whole characters.
    #[must_use]
    pub fn decode_start(self, bytes_max: usize) -> String {
        let mut out = String::with_capacity(self.0.len().min(bytes_max));
        let mut is_full = false;
        self.decode_pieces(|piece| {
            let text = core::str::from_utf8(piece).unwrap_or_default();
            let end = text.floor_char_boundary(bytes_max - out.len());
            if !is_full {
                out.push_str(text.get(..end).unwrap_or_default());
            }
            is_full |= end < text.len();
        });
        out
    }

    /// Whether every decoded character is blank (or there is none).
    #[must_use]
    pub fn is_blank(self) -> bool {
        // Nearly every text shows by its first byte that it is not.
        if let Some(first) = self.0.first()
            && first.is_ascii_graphic()
            && *first != b'\\'
        {
            return false;
        }
        let mut blank = true;
        self.decode_pieces(|piece| {
            blank &= core::str::from_utf8(piece).is_ok_and(|text| text.trim().is_empty());
        });
        blank
    }

    /// Count of decoded characters (Unicode code points).
    #[must_use]
    pub fn char_count(self) -> usize {
        let mut count = 0;
        self.decode_pieces(|piece| {
            count += piece.iter().filter(|&&b| b & 0xC0 != 0x80).count();
        });
        count
    }

    /// Calls `sink` with runs of decoded bytes; each run is UTF-8 of its own.
    fn decode_pieces(self, mut sink: impl FnMut(&[u8])) {
        let mut rest = self.0;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            if at > 0 {
                sink(rest.get(..at).unwrap_or_default());
            }
            let escape = rest.get(at..).unwrap_or_default();
            let taken = decode_escape(escape, &mut sink);
            rest = escape.get(taken..).unwrap_or_default();
        }
        if !rest.is_empty() {
            sink(rest);
        }
    }
}

/// Longest escape of one ASCII character: `\u0065`.
pub const ESCAPE_BYTES_MAX: usize = 6;

/// Decodes the escape that `text` opens with; returns how many bytes it took.
fn decode_escape(text: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
    let simple: &[u8] = match text.get(1) {
        Some(b'b') => b"\x08",
        Some(b'f') => b"\x0C",
        Some(b'n') => b"\n",
        Some(b'r') => b"\r",
        Some(b't') => b"\t",
        Some(b'u') => return decode_unicode(text, sink),
        Some(b'"') => b"\"",
        Some(b'\\') => b"\\",
        Some(b'/') => b"/",
        // The grammar lets nothing else through; a cut escape is passed as it stands.
        _ => {
            sink(b"\\");
            return 1;
        }
    };
    sink(simple);
    2
}

fn decode_unicode(text: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
    let Some(first) = hex4(text) else {
        sink(b"\\");
        return 1;
    };
    let mut utf8 = [0u8; 4];
    if let Some(plain) = char::from_u32(first) {
        sink(plain.encode_utf8(&mut utf8).as_bytes());
        return 6;
    }
    let second = text.get(6..).and_then(hex4);
    if let Some(low) = second
        && (0xD800..0xDC00).contains(&first)
        && (0xDC00..0xE000).contains(&low)
        && let Some(pair) = char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00))
    {
        sink(pair.encode_utf8(&mut utf8).as_bytes());
        return 12;
    }
    sink(text.get(..6).unwrap_or_default());
    6
}

/// The code unit of `\uXXXX` at the start of `text`.
fn hex4(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| {
        Some(unit << 4 | char::from(digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests;
