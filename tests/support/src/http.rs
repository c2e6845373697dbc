//! Just enough HTTP/1.1 for both ends beside a gateway: heads and bodies are read, by length or in
//! chunks, and messages are written.
//!
//! A strict reader where a gateway could be wrong: a chunk's size line and its end must be exact, a
//! declared length is not exceeded, framing is declared once. Not here: trailers, extensions, folding.

use core::fmt::Write as _;
use core::str;

/// A head found at the start of a buffer.
#[derive(Debug)]
pub struct Head<'b> {
    /// The first line, without its end.
    pub line: &'b str,
    fields: &'b str,
    /// Bytes of the head, its blank line included.
    pub len: usize,
}

/// Looks for a whole head at the start of `buf`.
///
/// # Errors
/// A head that is too long or not text.
pub fn head(buf: &[u8]) -> Result<Option<Head<'_>>, String> {
    let Some(end) = memchr::memmem::find(buf, b"\r\n\r\n") else {
        if buf.len() > HEAD_BYTES_MAX {
            return Err(format!("no end of the head within {HEAD_BYTES_MAX} bytes"));
        }
        return Ok(None);
    };
    let text = buf.get(..end).unwrap_or_default();
    let text = str::from_utf8(text).map_err(|_| "a head that is not text".to_owned())?;
    let (line, fields) = text.split_once("\r\n").unwrap_or((text, ""));
    let len = end + 4;
    Ok(Some(Head { line, fields, len }))
}

impl<'b> Head<'b> {
    /// Names and values of all fields, in order. A line without a colon is a name without a value.
    pub fn fields(&self) -> impl Iterator<Item = (&'b str, &'b str)> + use<'b> {
        let lines = self.fields.split("\r\n").filter(|line| !line.is_empty());
        lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name, value.trim())
        })
    }

    /// The value of a field, its name in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'b str> {
        let mut fields = self.fields();
        fields.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The path of a request.
    #[must_use]
    pub fn path(&self) -> &'b str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of a response.
    ///
    /// # Errors
    /// A first line that is none of a response.
    pub fn status(&self) -> Result<u16, String> {
        let status = self.line.strip_prefix("HTTP/1.");
        let status = status.and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        status.ok_or_else(|| format!("expected a status line, found {:?}", self.line))
    }

    /// How the body is framed.
    ///
    /// # Errors
    /// Length and chunks together, either of them twice, or a length that is no number.
    pub fn body(&self, is_request: bool) -> Result<Body, String> {
        let (mut chunked, mut length) = (None, None);
        for (name, value) in self.fields() {
            let declared = if name.eq_ignore_ascii_case("transfer-encoding") {
                &mut chunked
            } else if name.eq_ignore_ascii_case("content-length") {
                &mut length
            } else {
                continue;
            };
            if declared.replace(value).is_some() {
                return Err(format!("{name} twice"));
            }
        }
        match (chunked, length) {
            (Some(_), Some(_)) => Err("both a length and chunks".to_owned()),
            (Some(value), None) if value.eq_ignore_ascii_case("chunked") => {
                Ok(Body::Chunked(Chunk::Size))
            }
            (Some(value), None) => Err(format!("transfer-encoding {value:?}")),
            (None, Some(value)) => match value.parse() {
                Ok(left) => Ok(Body::Length(left)),
                Err(_) => Err(format!("content-length {value:?}")),
            },
            (None, None) if is_request => Ok(Body::Length(0)),
            (None, None) => Ok(Body::UntilClose),
        }
    }
}

/// A head that outlives what it was read from. Names of fields are in lower case.
#[derive(Clone, Debug, Default)]
pub struct OwnedHead {
    /// The first line, without its end.
    pub line: String,
    /// Names and values, in order.
    pub fields: Vec<(String, String)>,
}

impl OwnedHead {
    /// The value of a field that stands at most once.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(values.len() <= 1, "{name} repeated in {self:?}");
        values.first().copied()
    }

    /// All values of a field, in order.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

impl From<&Head<'_>> for OwnedHead {
    fn from(head: &Head<'_>) -> Self {
        let mut lines = head.fields.split("\r\n");
        let is_field = |line: &str| line.is_empty() || line.contains(':');
        assert!(lines.all(is_field), "a line without a colon in {head:?}");
        let fields = head.fields();
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Self {
            line: head.line.to_owned(),
            fields: fields.collect(),
        }
    }
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks; where in one.
    Chunked(Chunk),
    /// All until the connection ends.
    UntilClose,
}

/// Where in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Before a size line.
    Size,
    /// Within a chunk, so many bytes before its end.
    Data(u64),
    /// Before the line end after a chunk.
    End,
    /// Before the blank line after the last chunk.
    Last,
    /// Past all.
    Done,
}

impl Body {
    /// Whether all has come.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }

    /// Moves what has come of the body from `input` to `out`; true once all of it has.
    ///
    /// # Errors
    /// Framing that is wrong.
    pub fn take(&mut self, input: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<bool, String> {
        let mut at = 0;
        while !self.is_done() {
            let (used, payload) = self.step(input.get(at..).unwrap_or_default())?;
            if used == 0 {
                break;
            }
            out.extend_from_slice(payload);
            at += used;
        }
        input.drain(..at);
        Ok(self.is_done())
    }

    /// Takes the next part of `input`: bytes that are used up, and the payload among them. Nothing
    /// used up means that more input is wanted.
    ///
    /// # Errors
    /// Framing that is wrong.
    pub fn step<'i>(&mut self, input: &'i [u8]) -> Result<(usize, &'i [u8]), String> {
        match self {
            Self::UntilClose => Ok((input.len(), input)),
            Self::Length(left) => {
                let payload = take(input, *left);
                *left -= payload.len() as u64;
                Ok((payload.len(), payload))
            }
            Self::Chunked(at) => at.step(input),
        }
    }
}

impl Chunk {
    fn step<'i>(&mut self, input: &'i [u8]) -> Result<(usize, &'i [u8]), String> {
        match self {
            Self::Data(left) => {
                let payload = take(input, *left);
                *left -= payload.len() as u64;
                if *left == 0 {
                    *self = Self::End;
                }
                Ok((payload.len(), payload))
            }
            Self::Size => {
                let Some(end) = memchr::memchr(b'\n', input) else {
                    return match input.len() > SIZE_DIGITS_MAX + 1 {
                        true => Err("a chunk's size line without end".to_owned()),
                        false => Ok((0, &[])),
                    };
                };
                let line = input.get(..end).unwrap_or_default();
                let digits = line.strip_suffix(b"\r").unwrap_or_default();
                let are_digits =
                    digits.len() <= SIZE_DIGITS_MAX && digits.iter().all(u8::is_ascii_hexdigit);
                let size = str::from_utf8(digits).ok().filter(|_| are_digits);
                let size = size.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                *self = match size {
                    None => return Err(format!("a chunk of size {:?}", line.escape_ascii())),
                    Some(0) => Self::Last,
                    Some(size) => Self::Data(size),
                };
                Ok((end + 1, &[]))
            }
            Self::End | Self::Last => match input {
                [b'\r', b'\n', ..] => {
                    let done = *self == Self::Last;
                    *self = if done { Self::Done } else { Self::Size };
                    Ok((2, &[]))
                }
                [] | [b'\r'] => Ok((0, &[])),
                _ => Err("expected a line end after a chunk".to_owned()),
            },
            Self::Done => Ok((0, &[])),
        }
    }
}

fn take(input: &[u8], left: u64) -> &[u8] {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    input.get(..count).unwrap_or_default()
}

/// A request with a body of known length. `fields` are whole lines, each with its CRLF.
pub fn request(method: &str, target: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: gateway.test\r\n{fields}");
    if !body.is_empty() || method == "POST" {
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// A JSON request by POST.
pub fn post(target: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let fields = format!("content-type: application/json\r\n{fields}");
    request("POST", target, &fields, body)
}

/// An answer with a body of known length.
pub fn answer(status: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status}\r\n{fields}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A JSON answer with status 200.
pub fn json(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", body)
}

/// The head of a chunked stream of events.
pub fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec()
}

/// One chunk.
pub fn chunk(data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    let size = format!("{:x}\r\n", data.len());
    [size.as_bytes(), data, b"\r\n"].concat()
}

/// The chunk that ends a body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A whole chunked stream.
pub fn stream(events: impl AsRef<[u8]>) -> Vec<u8> {
    [stream_head(), chunk(events), LAST_CHUNK.to_vec()].concat()
}

/// Where `needle` begins for the first time.
#[must_use]
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, needle)
}

/// A head of either kind.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Digits of a chunk's size.
const SIZE_DIGITS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::{Body, Chunk, HEAD_BYTES_MAX, head};

    fn read(mut body: Body, input: &[u8], cut: usize) -> Result<(Vec<u8>, bool), String> {
        let (mut carry, mut out) = (Vec::new(), Vec::new());
        let mut is_done = false;
        for piece in input.chunks(cut) {
            carry.extend_from_slice(piece);
            is_done = body.take(&mut carry, &mut out)?;
        }
        Ok((out, is_done && carry.is_empty()))
    }

    #[test]
    fn body_in_chunks_cut_anywhere_is_the_same() {
        let input = b"5\r\nhello\r\n1\r\n,\r\nA\r\n0123456789\r\n0\r\n\r\n";
        for cut in 1..=input.len() {
            let read = read(Body::Chunked(Chunk::Size), input, cut).unwrap();
            assert_eq!(read, (b"hello,0123456789".to_vec(), true), "{cut}");
        }
    }

    #[test]
    fn body_short_of_any_byte_is_not_done() {
        let input = b"5\r\nhello\r\n0\r\n\r\n";
        for end in 0..input.len() {
            let whole = read(Body::Chunked(Chunk::Size), &input[..end], 1)
                .unwrap()
                .1;
            assert!(!whole, "{end}");
        }
        assert!(!read(Body::Length(6), b"hello", 2).unwrap().1);
        assert!(read(Body::Length(5), b"hello", 2).unwrap().1);
    }

    #[test]
    fn body_with_wrong_framing_is_refused() {
        for input in [
            &b"x\r\n"[..],
            b"5\nhello\r\n",
            b"5\r\nhello0\r\n\r\n",
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"\r\n",
            b"00000000000000001\r\n",
            b"-1\r\n",
        ] {
            let read = read(Body::Chunked(Chunk::Size), input, 64);
            assert!(read.is_err(), "{:?}", input.escape_ascii().to_string());
        }
    }

    #[test]
    fn head_gives_fields_in_any_case_and_one_framing() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-A:  b \r\n\r\nrest";
        let found = head(text).unwrap().unwrap();
        assert_eq!(found.len, text.len() - 4);
        assert_eq!(found.status(), Ok(200));
        assert_eq!(found.field("x-a"), Some("b"));
        assert_eq!(found.body(false), Ok(Body::Length(12)));
        let both = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(head(both).unwrap().unwrap().body(false).is_err());
        let twice = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nContent-Length: 1\r\n\r\n";
        assert!(head(twice).unwrap().unwrap().body(false).is_err());
        let none = head(b"GET /a HTTP/1.1\r\n\r\n").unwrap().unwrap();
        assert_eq!(none.body(true), Ok(Body::Length(0)));
        assert_eq!(none.body(false), Ok(Body::UntilClose));
        assert_eq!(none.path(), "/a");
    }

    #[test]
    fn head_without_end_is_awaited_up_to_its_bound() {
        assert!(head(&vec![b'a'; HEAD_BYTES_MAX]).unwrap().is_none());
        assert!(head(&vec![b'a'; HEAD_BYTES_MAX + 1]).is_err());
    }
}
