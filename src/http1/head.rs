//! Request and response heads as spans of the caller's buffer, strictly read.
//!
//! [`parse_request`] and [`parse_response`] take the whole buffer each time but look only at what
//! `scanned` says they have not seen, so a head that arrives byte by byte costs one pass. Heads are
//! filled in place: once warm, parsing allocates nothing.
//!
//! The parser underneath forgives bare LF, several empty lines, repeated lengths and foreign
//! framings; this file forgives none of them. A head is accepted only if its framing has one
//! reading.
//!
//! Not here: bodies (see `body`), what a path means (see `target`), which hosts are ours (none:
//! Host is checked for syntax and then ignored).

use core::mem::MaybeUninit;

use crate::http1::fault::HeadFault;
use crate::http1::fields::{FieldLine, FieldTable};
use crate::http1::framing::{self, BodyFraming};
use crate::http1::method::{Method, Version};
use crate::http1::span::Span;
use crate::http1::{grammar, host, target};
use crate::limits::{HEAD_FIELDS_CEILING, Limits};

/// The bounds of one head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes up to and with the empty line.
    pub bytes_max: usize,
    /// Fields; never more than [`HEAD_FIELDS_CEILING`].
    pub fields_max: usize,
    /// Bytes of one field's name.
    pub name_bytes_max: usize,
    /// Bytes of one field's value.
    pub value_bytes_max: usize,
    /// Bytes of a request's target.
    pub target_bytes_max: usize,
}

impl HeadLimits {
    /// The bounds of a client's request.
    #[must_use]
    pub const fn of_request(limits: &Limits) -> Self {
        Self {
            bytes_max: limits.head_bytes_max,
            fields_max: limits.head_fields_max,
            name_bytes_max: limits.field_name_bytes_max,
            value_bytes_max: limits.field_value_bytes_max,
            target_bytes_max: limits.target_bytes_max,
        }
    }

    /// The bounds of a provider's answer; a field may be as long as the head.
    #[must_use]
    pub const fn of_response(limits: &Limits) -> Self {
        Self {
            bytes_max: limits.response_head_bytes_max,
            fields_max: limits.response_fields_max,
            name_bytes_max: limits.response_head_bytes_max,
            value_bytes_max: limits.response_head_bytes_max,
            target_bytes_max: limits.response_head_bytes_max,
        }
    }
}

/// What a parse came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadProgress {
    /// The head is filled; the body starts at `consumed`.
    Complete {
        /// Bytes of the buffer that the head took.
        consumed: usize,
    },
    /// More bytes are needed; hand `scanned` back with them.
    Partial {
        /// Bytes that need no second look.
        scanned: usize,
    },
}

/// A request's head. Spans belong to the buffer that it was parsed from.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The version.
    pub version: Version,
    /// How the body ends.
    pub framing: BodyFraming,
    /// Whether the client wants the connection kept.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends its body.
    pub expect_continue: bool,
    /// The field table.
    pub fields: FieldTable,
    method_span: Span,
    target: Span,
    path: Span,
    query: Option<Span>,
}

impl RequestHead {
    /// An empty head, to be filled by [`parse_request`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The method's bytes, known or not.
    #[must_use]
    pub fn method_name<'b>(&self, buf: &'b [u8]) -> &'b [u8] {
        self.method_span.of(buf)
    }

    /// The target as sent.
    #[must_use]
    pub fn target<'b>(&self, buf: &'b [u8]) -> &'b [u8] {
        self.target.of(buf)
    }

    /// The path, undecoded: `/...`, or `*` for OPTIONS. An absolute target's authority is left out.
    #[must_use]
    pub fn path<'b>(&self, buf: &'b [u8]) -> &'b [u8] {
        if self.path.is_empty() {
            b"/"
        } else {
            self.path.of(buf)
        }
    }

    /// What follows the first `?`, undecoded.
    #[must_use]
    pub fn query<'b>(&self, buf: &'b [u8]) -> Option<&'b [u8]> {
        self.query.map(|span| span.of(buf))
    }

    /// The value of the first field called `name`, letters' case aside.
    #[must_use]
    #[inline]
    pub fn field<'b>(&self, buf: &'b [u8], name: &str) -> Option<&'b [u8]> {
        self.fields.value(buf, name)
    }

    fn fill(
        &mut self,
        buf: &[u8],
        request: &httparse::Request<'_, '_>,
        limits: &HeadLimits,
    ) -> Result<(), HeadFault> {
        let method = request.method.ok_or(HeadFault::RequestLine)?.as_bytes();
        let target = request.path.ok_or(HeadFault::RequestLine)?.as_bytes();
        self.version = version(request.version)?;
        if target.len() > limits.target_bytes_max {
            return Err(HeadFault::TargetTooLong);
        }
        if method == b"CONNECT" {
            return Err(HeadFault::Connect);
        }
        self.method = Method::from_bytes(method);
        self.method_span = Span::within(buf, method);
        self.target = Span::within(buf, target);
        let parts = target::split(self.method, target).ok_or(HeadFault::Target)?;
        self.path = Span::within(buf, parts.path);
        self.query = parts.query.map(|query| Span::within(buf, query));
        fill_fields(&mut self.fields, buf, request.headers, limits)?;
        check_host(buf, &self.fields, self.version)?;
        self.framing = framing::of_request(buf, &self.fields, self.version)?;
        self.keep_alive = framing::keeps_alive(buf, &self.fields, self.version);
        self.expect_continue =
            expects_continue(buf, &self.fields, self.version)? && !self.framing.is_empty();
        Ok(())
    }
}

/// A response's head. Spans belong to the buffer that it was parsed from.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// The status, 100-599.
    pub status: u16,
    /// The version.
    pub version: Version,
    /// How the body ends, given the request's method.
    pub framing: BodyFraming,
    /// Whether the connection may serve another request after this answer.
    pub keep_alive: bool,
    /// The field table.
    pub fields: FieldTable,
}

impl ResponseHead {
    /// An empty head, to be filled by [`parse_response`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this is a 1xx, after which the real answer comes.
    #[must_use]
    pub const fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// The value of the first field called `name`, letters' case aside.
    #[must_use]
    #[inline]
    pub fn field<'b>(&self, buf: &'b [u8], name: &str) -> Option<&'b [u8]> {
        self.fields.value(buf, name)
    }

    fn fill(
        &mut self,
        buf: &[u8],
        response: &httparse::Response<'_, '_>,
        limits: &HeadLimits,
        method: Method,
    ) -> Result<(), HeadFault> {
        self.version = version(response.version)?;
        self.status = response.code.ok_or(HeadFault::StatusLine)?;
        match self.status {
            101 => return Err(HeadFault::SwitchingProtocols),
            100..=599 => {}
            _ => return Err(HeadFault::Status),
        }
        fill_fields(&mut self.fields, buf, response.headers, limits)?;
        let (framing, reusable) =
            framing::of_response(buf, &self.fields, self.version, self.status, method)?;
        self.framing = framing;
        self.keep_alive = reusable && framing::keeps_alive(buf, &self.fields, self.version);
        Ok(())
    }
}

/// Reads a request's head from the start of `buf`. `scanned` is 0 at first, then what the last
/// [`HeadProgress::Partial`] said.
///
/// # Errors
/// The first fault; `head` then holds nothing of use.
pub fn parse_request(
    buf: &[u8],
    scanned: usize,
    limits: &HeadLimits,
    head: &mut RequestHead,
) -> Result<HeadProgress, HeadFault> {
    let Some(start) = request_start(buf)? else {
        return Ok(HeadProgress::Partial { scanned: 0 });
    };
    let end = match find_end(buf, start, scanned, limits) {
        Ok(HeadProgress::Complete { consumed }) => consumed,
        Err(HeadFault::HeadTooLarge) if !has_line(buf, start, limits) => {
            return Err(HeadFault::TargetTooLong);
        }
        other => return other,
    };
    let text = buf.get(start..end).unwrap_or_default();
    let mut table = [const { MaybeUninit::uninit() }; HEAD_FIELDS_CEILING];
    let mut request = httparse::Request::new(&mut []);
    let room = limits.fields_max.min(HEAD_FIELDS_CEILING);
    let outcome =
        request.parse_with_uninit_headers(text, table.get_mut(..room).unwrap_or_default());
    match outcome {
        Ok(httparse::Status::Complete(taken)) if taken == text.len() => {}
        Ok(_) => return Err(HeadFault::RequestLine),
        Err(httparse::Error::Version) => return Err(version_fault(text)),
        Err(error) => return Err(fault(error, HeadFault::RequestLine)),
    }
    head.fill(buf, &request, limits)?;
    Ok(HeadProgress::Complete { consumed: end })
}

/// Reads the head of the answer to `method` from the start of `buf`; otherwise like
/// [`parse_request`]. An interim head is a head: the next one follows at once.
///
/// # Errors
/// The first fault; to the client each is a 502.
pub fn parse_response(
    buf: &[u8],
    scanned: usize,
    limits: &HeadLimits,
    method: Method,
    head: &mut ResponseHead,
) -> Result<HeadProgress, HeadFault> {
    let known = buf.len().min(RESPONSE_START.len());
    if buf.get(..known) != RESPONSE_START.get(..known) {
        return Err(HeadFault::StatusLine);
    }
    let end = match find_end(buf, 0, scanned, limits)? {
        HeadProgress::Complete { consumed } => consumed,
        partial @ HeadProgress::Partial { .. } => return Ok(partial),
    };
    let text = buf.get(..end).unwrap_or_default();
    let mut table = [const { MaybeUninit::uninit() }; HEAD_FIELDS_CEILING];
    let mut response = httparse::Response::new(&mut []);
    let room = limits.fields_max.min(HEAD_FIELDS_CEILING);
    let outcome = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        text,
        table.get_mut(..room).unwrap_or_default(),
    );
    match outcome {
        Ok(httparse::Status::Complete(taken)) if taken == text.len() => {}
        Ok(_) => return Err(HeadFault::StatusLine),
        Err(error) => return Err(fault(error, HeadFault::StatusLine)),
    }
    head.fill(buf, &response, limits, method)?;
    Ok(HeadProgress::Complete { consumed: end })
}

/// Where the request line starts: behind one empty line at most. Nothing when that cannot be told.
fn request_start(buf: &[u8]) -> Result<Option<usize>, HeadFault> {
    let start = match buf {
        [] | [b'\r'] => return Ok(None),
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => return Err(HeadFault::LineEnd),
        _ => 0,
    };
    match buf.get(start) {
        None => Ok(None),
        Some(b'\r' | b'\n') => Err(HeadFault::EmptyLines),
        // A TLS greeting or other noise need not wait for an end that never comes.
        Some(&b) if !grammar::is_token_byte(b) => Err(HeadFault::RequestLine),
        Some(_) => Ok(Some(start)),
    }
}

/// The end of the head, found by its lines' ends; each LF must follow a CR.
fn find_end(
    buf: &[u8],
    start: usize,
    scanned: usize,
    limits: &HeadLimits,
) -> Result<HeadProgress, HeadFault> {
    let head = buf.get(..limits.bytes_max).unwrap_or(buf);
    let from = scanned.clamp(start, head.len());
    let lines = memchr::memchr_iter(b'\n', head.get(from..).unwrap_or_default());
    for at in lines.map(|offset| from + offset) {
        match head.get(at.saturating_sub(3)..at) {
            Some(b"\r\n\r") => return Ok(HeadProgress::Complete { consumed: at + 1 }),
            Some([.., b'\r']) => {}
            _ => return Err(HeadFault::LineEnd),
        }
    }
    if buf.len() >= limits.bytes_max {
        return Err(HeadFault::HeadTooLarge);
    }
    Ok(HeadProgress::Partial { scanned: buf.len() })
}

/// Whether a first line ends within the head's limit.
fn has_line(buf: &[u8], start: usize, limits: &HeadLimits) -> bool {
    buf.get(start..limits.bytes_max)
        .is_some_and(|head| memchr::memchr(b'\n', head).is_some())
}

fn fill_fields(
    fields: &mut FieldTable,
    buf: &[u8],
    parsed: &[httparse::Header<'_>],
    limits: &HeadLimits,
) -> Result<(), HeadFault> {
    fields.clear_for(parsed.len());
    for header in parsed {
        let name = header.name.as_bytes();
        let value = grammar::trim(header.value);
        if name.len() > limits.name_bytes_max {
            return Err(HeadFault::NameTooLong);
        }
        if value.len() > limits.value_bytes_max {
            return Err(HeadFault::ValueTooLong);
        }
        // The parser has looked at every byte of both; a second look cost a twentieth of a head.
        debug_assert!(grammar::is_token(name) && grammar::is_value(value));
        fields.push(
            name,
            FieldLine {
                name: Span::within(buf, name),
                value: Span::within(buf, value),
            },
        );
    }
    Ok(())
}

fn check_host(buf: &[u8], fields: &FieldTable, version: Version) -> Result<(), HeadFault> {
    let mut hosts = fields.values(buf, "host");
    let Some(first) = hosts.next() else {
        return match version {
            Version::Http10 => Ok(()),
            Version::Http11 => Err(HeadFault::HostMissing),
        };
    };
    if hosts.next().is_some() {
        return Err(HeadFault::HostRepeated);
    }
    if host::is_host(first) {
        Ok(())
    } else {
        Err(HeadFault::HostMalformed)
    }
}

/// Whether `100 Continue` is awaited; HTTP/1.0 clients cannot mean it.
fn expects_continue(buf: &[u8], fields: &FieldTable, version: Version) -> Result<bool, HeadFault> {
    let mut expected = false;
    for value in fields.values(buf, "expect") {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(HeadFault::Expectation);
        }
        expected = version == Version::Http11;
    }
    Ok(expected)
}

fn version(minor: Option<u8>) -> Result<Version, HeadFault> {
    match minor {
        Some(0) => Ok(Version::Http10),
        Some(1) => Ok(Version::Http11),
        _ => Err(HeadFault::Version),
    }
}

/// Tells another version of HTTP from something that is no version at all.
#[cold]
fn version_fault(text: &[u8]) -> HeadFault {
    let line = text.split(|&b| b == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&b| b == b' ').skip(2);
    match (words.next(), words.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            HeadFault::Version
        }
        _ => HeadFault::RequestLine,
    }
}

#[cold]
fn fault(error: httparse::Error, line: HeadFault) -> HeadFault {
    match error {
        httparse::Error::HeaderName => HeadFault::FieldName,
        httparse::Error::HeaderValue => HeadFault::FieldValue,
        httparse::Error::NewLine => HeadFault::LineEnd,
        httparse::Error::Token | httparse::Error::Status => line,
        httparse::Error::TooManyHeaders => HeadFault::TooManyFields,
        httparse::Error::Version => match line {
            HeadFault::StatusLine => HeadFault::StatusLine,
            _ => HeadFault::Version,
        },
    }
}

/// What every response that can be accepted starts with.
const RESPONSE_START: &[u8] = b"HTTP/1.";

#[cfg(test)]
mod tests;
