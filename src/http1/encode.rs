//! Writes heads and chunk framing to the end of a caller's buffer.
//!
//! A field whose name or value could not stand in one line is left out, so no text from elsewhere
//! can begin a line of its own.
//!
//! Not here: which fields are sent, and their order.

use crate::http1::grammar;

/// Appends `HTTP/1.1 <status> <reason>` and its line end.
pub fn status_line(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a request line; the target is joined from `target_parts`. Returns false, and appends
/// nothing, when the method is no token or the target is empty or holds a byte outside 0x21-0x7E.
pub fn request_line(out: &mut Vec<u8>, method: &[u8], target_parts: &[&[u8]]) -> bool {
    let is_clean = |part: &&[u8]| {
        let bad = |bad, b: &u8| bad | u8::from(!(0x21..=0x7E).contains(b));
        part.iter().fold(0, bad) == 0
    };
    if !grammar::is_token(method)
        || target_parts.iter().all(|part| part.is_empty())
        || !target_parts.iter().all(is_clean)
    {
        return false;
    }
    out.extend_from_slice(method);
    out.push(b' ');
    for part in target_parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    true
}

/// Appends one field. Returns false, and appends nothing, when the name is no token or the value
/// holds a control byte.
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) -> bool {
    let value = grammar::trim(value);
    let good = grammar::is_token(name) && grammar::is_value(value);
    if good {
        known_field(out, name, value);
    }
    good
}

/// Appends one value under several names, which are ours. Appends nothing when it holds a control
/// byte.
pub fn fields<const COUNT: usize>(out: &mut Vec<u8>, names: [&[u8]; COUNT], value: &[u8]) {
    let value = grammar::trim(value);
    if grammar::is_value(value) {
        for name in names {
            known_field(out, name, value);
        }
    }
}

/// Appends one field as it was read from a head, or whose name and value are known to be good.
pub fn known_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    debug_assert!(grammar::is_token(name) && grammar::is_value(value));
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends one field with a number; the name is ours.
pub fn field_number(out: &mut Vec<u8>, name: &str, value: u64) {
    debug_assert!(grammar::is_token(name.as_bytes()));
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    number(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the empty line that ends a head.
pub fn end_head(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Where a chunk was opened.
#[derive(Clone, Copy, Debug)]
#[must_use = "an open chunk must be closed"]
pub struct ChunkMark {
    start: usize,
}

/// Opens a chunk at the end of `out`; what is appended until [`chunk_close`] is its payload.
pub fn chunk_open(out: &mut Vec<u8>) -> ChunkMark {
    let start = out.len();
    out.extend_from_slice(b"0000\r\n");
    ChunkMark { start }
}

/// Fills in the size of the chunk that `mark` opened and ends it. A chunk without payload is taken
/// back, because it would end the body. Payload up to 65,535 bytes stays where it is; more of it
/// is moved once to make room for the further digits.
///
/// ```text
/// start     start+4  start+6
/// | 0 1 f 4 | \r \n | payload ... | \r \n |
/// ```
pub fn chunk_close(out: &mut Vec<u8>, mark: ChunkMark) {
    let len = out.len().saturating_sub(mark.start + CHUNK_OPEN_BYTES);
    if len == 0 {
        out.truncate(mark.start);
        return;
    }
    let head = ChunkHead::with_digits(len, CHUNK_DIGITS_MIN);
    let place = mark.start..mark.start + CHUNK_OPEN_BYTES;
    match out.get_mut(place.clone()) {
        Some(slot) if slot.len() == head.bytes().len() => slot.copy_from_slice(head.bytes()),
        _ => drop(out.splice(place, head.bytes().iter().copied())),
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the chunk that ends a body; there are no trailers.
pub fn last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(LAST_CHUNK);
}

/// What a chunk takes beside its payload at most, the chunk that ends the body included.
pub const CHUNK_FRAME_BYTES: usize = 32;
const _: () = assert!(CHUNK_LINE_BYTES + b"\r\n".len() + LAST_CHUNK.len() <= CHUNK_FRAME_BYTES);

/// The chunk that ends a body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The line before a chunk's payload, for payload that is written from where it lies. CRLF must
/// follow the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHead {
    line: [u8; CHUNK_LINE_BYTES],
    start: u8,
}

impl ChunkHead {
    /// The line for a payload of `len` bytes; `len` is not 0.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self::with_digits(len, 1)
    }

    /// The line's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.line.get(usize::from(self.start)..).unwrap_or_default()
    }

    fn with_digits(len: usize, digits_min: u8) -> Self {
        debug_assert!(len > 0);
        let mut line = *b"0000000000000000\r\n";
        let mut left = len;
        let mut start = 16u8;
        while left > 0 || 16 - start < digits_min {
            start -= 1;
            line[usize::from(start)] = HEX[left & 15];
            left >>= 4;
        }
        Self { line, start }
    }
}

/// The reason phrase of a status; a plain word of its class for those without one of their own.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        529 => "Overloaded",
        _ => class_reason(status),
    }
}

const fn class_reason(status: u16) -> &'static str {
    match status / 100 {
        1 => "Informational",
        2 => "Success",
        3 => "Redirection",
        4 => "Client Error",
        _ => "Server Error",
    }
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = HEX[usize::try_from(number % 10).unwrap_or_default()];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Digits that [`chunk_open`] leaves room for: what one read delivers fits.
const CHUNK_DIGITS_MIN: u8 = 4;

/// Bytes that [`chunk_open`] appends.
const CHUNK_OPEN_BYTES: usize = CHUNK_DIGITS_MIN as usize + 2;

/// Sixteen digits and CRLF.
const CHUNK_LINE_BYTES: usize = 18;

#[cfg(test)]
mod tests;
