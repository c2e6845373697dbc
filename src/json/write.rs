//! Append-only JSON: the writer keeps track of commas, the caller of meaning.
//!
//! [`Writer`] appends to a caller's buffer and allocates nothing of its own. What is already JSON
//! goes in as it stands ([`Writer::raw`], [`Writer::value`]); only text of ours is escaped.
//!
//! Invariant: the commas are right for every sequence of calls whose opens and closes match.

use crate::json::lexeme::plain_length;
use crate::json::raw::Raw;

/// Writes one JSON value to the end of a buffer.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Whether the next name or value needs a comma before it.
    comma: bool,
}

impl<'o> Writer<'o> {
    /// Starts a value at the end of `out`.
    pub const fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, comma: false }
    }

    /// Whether the buffer ends at `end` or before it.
    #[must_use]
    pub const fn fits(&self, end: usize) -> bool {
        self.out.len() <= end
    }

    /// Opens an object.
    pub fn open_object(&mut self) -> &mut Self {
        self.open(b'{')
    }

    /// Closes the innermost object.
    pub fn close_object(&mut self) -> &mut Self {
        self.close(b'}')
    }

    /// Opens an array.
    pub fn open_array(&mut self) -> &mut Self {
        self.open(b'[')
    }

    /// Closes the innermost array.
    pub fn close_array(&mut self) -> &mut Self {
        self.close(b']')
    }

    /// A member name of ours; it must need no escape. Inlined, because its length is known where it is
    /// written: translated answers take 2 to 6 % fewer instructions.
    #[inline]
    pub fn name(&mut self, name: &str) -> &mut Self {
        debug_assert!(Raw::from_plain(name).is_some());
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.comma = false;
        self
    }

    /// A member name that is still escaped.
    pub fn name_raw(&mut self, name: Raw<'_>) -> &mut Self {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.bytes());
        self.out.extend_from_slice(b"\":");
        self.comma = false;
        self
    }

    /// A string of plain text, escaped here.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.separate();
        self.out.push(b'"');
        escape_into(text, self.out);
        self.out.push(b'"');
        self
    }

    /// A string that is still escaped, copied as it stands.
    pub fn raw(&mut self, body: Raw<'_>) -> &mut Self {
        self.raw_parts(&[body])
    }

    /// One string joined from several that are still escaped.
    pub fn raw_parts(&mut self, parts: &[Raw<'_>]) -> &mut Self {
        self.separate();
        self.out.push(b'"');
        for part in parts {
            self.out.extend_from_slice(part.bytes());
        }
        self.out.push(b'"');
        self
    }

    /// Any value that is JSON already, copied as it stands.
    pub fn value(&mut self, source: &[u8]) -> &mut Self {
        self.separate();
        self.out.extend_from_slice(source);
        self
    }

    /// A whole number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.separate();
        number_into(number, self.out);
        self
    }

    /// A boolean.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.value(if value { b"true" } else { b"false" })
    }

    /// `null`
    pub fn null(&mut self) -> &mut Self {
        self.value(b"null")
    }

    fn open(&mut self, bracket: u8) -> &mut Self {
        self.separate();
        self.out.push(bracket);
        self.comma = false;
        self
    }

    fn close(&mut self, bracket: u8) -> &mut Self {
        self.out.push(bracket);
        self.comma = true;
        self
    }

    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }
}

/// Appends `text` as a JSON string body.
pub fn escape_into(text: &str, out: &mut Vec<u8>) {
    escape_bytes_into(text.as_bytes(), out);
}

/// The same of bytes that are known to be UTF-8.
pub fn escape_bytes_into(text: &[u8], out: &mut Vec<u8>) {
    debug_assert!(core::str::from_utf8(text).is_ok());
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else {
            return;
        };
        escape_byte(byte, out);
        rest = after;
    }
}

/// Appends a text that is printable ASCII and stands in a JSON string as it is. Of any other nothing is
/// appended: false.
#[must_use]
pub fn plain_into(text: &[u8], out: &mut Vec<u8>) -> bool {
    let is_plain = is_plain(text);
    if is_plain {
        out.extend_from_slice(text);
    }
    is_plain
}

/// Eight bytes at a time, the last of them twice.
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The high bit of some byte is set where one is beyond ASCII, a control byte, a quote or a
    // backslash. Others may have theirs set beside it: only such a byte borrows.
    let special = |bytes: [u8; 8]| {
        let word = u64::from_le_bytes(bytes);
        let is = |byte: u8| (word ^ (ONES * u64::from(byte))).wrapping_sub(ONES);
        let is_control = word.wrapping_sub(ONES * 0x20);
        word | is_control | is(0x7F) | is(b'"') | is(b'\\')
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [b' '; 8];
    match text.last_chunk() {
        Some(chunk) => last = *chunk,
        None => last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from),
    }
    let found = words
        .iter()
        .fold(special(last), |found, word| found | special(*word));
    found & (ONES << 7) == 0
}

/// Appends a whole number in decimal, without the formatting machinery.
pub fn number_into(mut number: u64, out: &mut Vec<u8>) {
    if let Ok(digit @ 0..10) = u8::try_from(number) {
        return out.push(b'0' + digit);
    }
    let mut digits = [[b'0'; 2]; 10];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = PAIRS[usize::try_from(number % 100).unwrap_or_default()];
        number /= 100;
        if number == 0 {
            break;
        }
    }
    let digits = digits.get(start..).unwrap_or_default().as_flattened();
    match digits {
        [b'0', rest @ ..] => out.extend_from_slice(rest),
        all => out.extend_from_slice(all),
    }
}

/// Two digits of each number below a hundred.
pub const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [DIGITS[number / 10], DIGITS[number % 10]];
        number += 1;
    }
    pairs
};
const DIGITS: &[u8; 10] = b"0123456789";

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests;
