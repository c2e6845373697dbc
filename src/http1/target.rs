//! Request targets: their form, and which paths are clean enough to be matched.
//!
//! Paths are compared as raw bytes and never decoded or normalised; what another server could read
//! as a different path is refused instead. The one exception is a model id, whose `%2f` is an
//! ordinary byte of a name ([`decode_id`]).
//!
//! Not here: which path is which endpoint.

use crate::http1::host;
use crate::http1::method::Method;

/// A target's parts, undecoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTarget<'t> {
    /// `/...`, `*`, or empty for an absolute target without a path.
    pub path: &'t [u8],
    /// What follows the first `?`.
    pub query: Option<&'t [u8]>,
}

/// A path with its version prefix taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiPath<'p> {
    /// Starts with `/`, or is empty for the bare prefix.
    pub rest: &'p [u8],
    /// Whether `/v1` (or `/v1/v1`) stood before it.
    pub versioned: bool,
}

/// Why a path or query is refused: 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathFault {
    /// A `.` or `..` segment, as such or percent-encoded.
    DotSegment,
    /// Two slashes in a row, or one at the end.
    EmptySegment,
    /// `%2f`, `%5c` or `%00`.
    EncodedSeparator,
    /// `%0d`, `%0a` or `%00` in a query.
    EncodedLineEnd,
    /// A letter, a digit, `-`, `_` or `~` as an escape, which nothing but disguise needs.
    EncodedPlain,
    /// `%` without two hex digits.
    BrokenEscape,
    /// A backslash, `#` or another byte that has no place here.
    Byte,
    /// `/v1` more than twice.
    RepeatedVersion,
}

impl PathFault {
    /// What was found, as a fixed text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::DotSegment => "dot segment in the path",
            Self::EmptySegment => "empty segment in the path",
            Self::EncodedSeparator => "encoded slash, backslash or NUL in the path",
            Self::EncodedLineEnd => "encoded line end or NUL in the query",
            Self::EncodedPlain => "percent-encoded letter, digit, `-`, `_` or `~` in the path",
            Self::BrokenEscape => "broken percent escape",
            Self::Byte => "forbidden byte in the request target",
            Self::RepeatedVersion => "`/v1` repeated in the path",
        }
    }
}

impl core::fmt::Display for PathFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for PathFault {}

/// Splits a target by its form: origin, absolute (authority checked, then ignored), or `*` for
/// OPTIONS. Nothing for anything else, for bytes outside 0x21-0x7E and for a fragment.
#[must_use]
pub fn split(method: Method, target: &[u8]) -> Option<RequestTarget<'_>> {
    let clean = |b: &u8| (0x21..=0x7E).contains(b) && *b != b'#';
    if !target.iter().all(clean) {
        return None;
    }
    if target == b"*" {
        return (method == Method::Options).then_some(RequestTarget {
            path: target,
            query: None,
        });
    }
    if target.starts_with(b"/") {
        return Some(split_query(target));
    }
    let rest = strip_scheme(target)?;
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    host::is_host(authority).then(|| split_query(rest))
}

/// Takes `/v1` or `/v1/v1` off a path, collapses a doubled slash at its very start, and refuses
/// what could be read as another path. Paths outside `/v1` are checked only under `/models/`:
/// the others are compared whole.
///
/// # Errors
/// The first fault.
pub fn api_path(path: &[u8]) -> Result<ApiPath<'_>, PathFault> {
    if let Some(rest @ (b"/chat/completions" | b"/messages")) = path.strip_prefix(b"/v1") {
        // What nearly every request asks for: spelt like that it is clean.
        return Ok(ApiPath {
            rest,
            versioned: true,
        });
    }
    let path = match path.strip_prefix(b"/") {
        Some(rest) if rest.starts_with(b"/") => rest,
        _ => path,
    };
    let once = strip_version(path);
    let rest = once.map_or(path, |once| strip_version(once).unwrap_or(once));
    let versioned = once.is_some();
    if versioned && strip_version(rest).is_some() {
        return Err(PathFault::RepeatedVersion);
    }
    let names_model = rest.starts_with(b"/models/");
    if versioned || names_model {
        check_segments(rest, names_model)?;
    }
    Ok(ApiPath { rest, versioned })
}

/// Checks a query that is passed on: printable, no byte that a server could take for a delimiter
/// of another part, whole escapes, none of them a line end or NUL.
///
/// # Errors
/// The first fault.
pub fn check_query(query: &[u8]) -> Result<(), PathFault> {
    let mut rest = query;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'%' => {
                let (value, after) = escape(after).ok_or(PathFault::BrokenEscape)?;
                if matches!(value, 0 | b'\r' | b'\n') {
                    return Err(PathFault::EncodedLineEnd);
                }
                after
            }
            b'#' | b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                return Err(PathFault::Byte);
            }
            0x21..=0x7E => after,
            _ => return Err(PathFault::Byte),
        };
    }
    Ok(())
}

/// Appends an id taken from a checked path, its escapes decoded once.
pub fn decode_id(id: &[u8], out: &mut Vec<u8>) {
    let mut rest = id;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (plain, after) = rest.split_at(at);
        out.extend_from_slice(plain);
        let after = after.get(1..).unwrap_or_default();
        rest = if let Some((value, after)) = escape(after) {
            out.push(value);
            after
        } else {
            out.push(b'%');
            after
        };
    }
    out.extend_from_slice(rest);
}

/// The members of a query and their values, of which escapes are decoded once.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (&str, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let mut decoded = Vec::new();
        decode_id(value.as_bytes(), &mut decoded);
        (name, String::from_utf8_lossy(&decoded).into_owned())
    })
}

fn split_query(text: &[u8]) -> RequestTarget<'_> {
    match memchr::memchr(b'?', text) {
        Some(at) => RequestTarget {
            path: text.get(..at).unwrap_or_default(),
            query: text.get(at + 1..),
        },
        None => RequestTarget {
            path: text,
            query: None,
        },
    }
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// What follows a leading `/v1` segment.
fn strip_version(path: &[u8]) -> Option<&[u8]> {
    path.strip_prefix(b"/v1")
        .filter(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Walks the segments of `rest`, which is empty or starts with `/`. `is_model`: a model's id stands
/// in it, which is decoded before it is judged and may hold any escape.
fn check_segments(rest: &[u8], is_model: bool) -> Result<(), PathFault> {
    let Some(mut rest) = rest.strip_prefix(b"/") else {
        return Ok(());
    };
    let mut segment = PathSegment::default();
    while let Some((&byte, after)) = rest.split_first() {
        let (value, after) = match byte {
            b'%' => escape(after).ok_or(PathFault::BrokenEscape)?,
            b'\\' | b'#' => return Err(PathFault::Byte),
            0x21..=0x7E => (byte, after),
            _ => return Err(PathFault::Byte),
        };
        let encoded = byte == b'%';
        match value {
            b'/' if encoded && !is_model => return Err(PathFault::EncodedSeparator),
            0 | b'\\' if encoded => return Err(PathFault::EncodedSeparator),
            b'-' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
                if encoded && !is_model =>
            {
                return Err(PathFault::EncodedPlain);
            }
            b'/' => core::mem::take(&mut segment).check()?,
            _ => segment.push(value),
        }
        rest = after;
    }
    segment.check()
}

/// What must be known of a segment to tell whether it is empty or made of dots.
#[derive(Default)]
struct PathSegment {
    len: usize,
    dots: usize,
}

impl PathSegment {
    const fn push(&mut self, byte: u8) {
        self.len += 1;
        self.dots += (byte == b'.') as usize;
    }

    const fn check(self) -> Result<(), PathFault> {
        match (self.len, self.dots) {
            (0, _) => Err(PathFault::EmptySegment),
            (1, 1) | (2, 2) => Err(PathFault::DotSegment),
            _ => Ok(()),
        }
    }
}

/// The byte that two hex digits at the start of `text` spell, and what follows them.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<2>()?;
    let digit = |b: u8| char::from(b).to_digit(16);
    let value = digit(digits[0])? << 4 | digit(digits[1])?;
    Some((u8::try_from(value).ok()?, rest))
}

#[cfg(test)]
mod tests;
