//! A small blocking HTTP client: one request, one connection, the answer as it comes.
//!
//! Promise: [`Answer::next`] gives what one read delivered at once, and says that a body is over
//! only when its framing said so. Every wait ends at the call's deadline.

use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::http1::body::{BodyDecoder, BodyEnd, BodyLimits};
use crate::http1::encode;
use crate::http1::head::{self, HeadLimits, HeadProgress, ResponseHead};
use crate::http1::method::Method;
use crate::limits::{BUSY_READ_BYTES, Limits, MIB};

/// A request to be made.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// To whom.
    pub address: SocketAddr,
    /// The path.
    pub path: &'c str,
    /// Fields beside host and framing.
    pub fields: &'c [(&'c str, &'c str)],
    /// The JSON body.
    pub body: &'c [u8],
    /// When all of it must be over.
    pub deadline: Instant,
}

/// An answer whose head has come.
#[derive(Debug)]
pub struct Answer {
    /// Status and fields.
    pub head: ResponseHead,
    /// The bytes that `head` refers to.
    pub head_bytes: Vec<u8>,
    stream: TcpStream,
    body: BodyDecoder,
    /// What was read, up to `input_end`; what is not decoded starts at `input_at`.
    input: Vec<u8>,
    input_at: usize,
    input_end: usize,
    deadline: Instant,
}

/// Sends a POST and waits for the answer's head.
///
/// # Errors
/// No connection, no head, the deadline.
pub fn post(call: &Call<'_>) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&call.address, left(call.deadline)?)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(left(call.deadline)?))?;
    stream.write_all(&request(call)?)?;
    read_head(stream, call.deadline)
}

fn request(call: &Call<'_>) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(512 + call.body.len());
    let mut whole = encode::request_line(&mut out, b"POST", &[call.path.as_bytes()]);
    let host = call.address.to_string();
    let own = [
        ("host", host.as_str()),
        ("content-type", "application/json"),
    ];
    for (name, value) in own.iter().chain(call.fields) {
        whole &= encode::field(&mut out, name.as_bytes(), value.as_bytes());
    }
    if !whole {
        return Err(fault("a field that cannot be sent"));
    }
    encode::field_number(&mut out, "content-length", call.body.len() as u64);
    encode::end_head(&mut out);
    out.extend_from_slice(call.body);
    Ok(out)
}

fn read_head(mut stream: TcpStream, deadline: Instant) -> io::Result<Answer> {
    let limits = Limits::default();
    let head_limits = HeadLimits::of_response(&limits);
    let mut head = ResponseHead::new();
    let mut input = vec![0; BUSY_READ_BYTES];
    let (mut seen, mut end, mut scanned) = (0, 0, 0);
    loop {
        let known = input.get(seen..end).unwrap_or_default();
        let parsed = head::parse_response(known, scanned, &head_limits, Method::Post, &mut head);
        match parsed.map_err(|fault| io::Error::other(fault.text()))? {
            HeadProgress::Partial { scanned: far } => scanned = far,
            HeadProgress::Complete { consumed } if head.is_interim() => {
                seen += consumed;
                scanned = 0;
                continue;
            }
            HeadProgress::Complete { consumed } => {
                let head_bytes = known.get(..consumed).unwrap_or_default().to_vec();
                let body_limits = BodyLimits::new(BODY_BYTES_MAX, &limits);
                let body = BodyDecoder::new(head.framing, &body_limits);
                return Ok(Answer {
                    body: body.map_err(|fault| io::Error::other(fault.text()))?,
                    head,
                    head_bytes,
                    stream,
                    input_at: seen + consumed,
                    input_end: end,
                    input,
                    deadline,
                });
            }
        }
        let count = read(&mut stream, input.get_mut(end..), deadline)?;
        if count == 0 {
            return Err(fault("the connection ended before an answer"));
        }
        end += count;
    }
}

impl Answer {
    /// The content type, without parameters.
    #[must_use]
    pub fn media(&self) -> &str {
        let value = self.head.field(&self.head_bytes, "content-type");
        let value = value.and_then(|value| core::str::from_utf8(value).ok());
        let value = value.unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    /// The next piece of the body; nothing once it is whole.
    ///
    /// # Errors
    /// The body was cut, its framing is broken, the deadline.
    #[expect(
        clippy::should_implement_trait,
        reason = "pieces borrow from the answer"
    )]
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let span = loop {
            if self.body.is_done() {
                return Ok(None);
            }
            if self.input_at == self.input_end && self.read()? == 0 {
                return match self.body.end_of_input() {
                    BodyEnd::Whole => Ok(None),
                    BodyEnd::Cut => Err(fault("the connection ended within the body")),
                };
            }
            let input = self.input.get(..self.input_end).unwrap_or_default();
            let payload = self.body.payload(input, &mut self.input_at);
            let payload = payload.map_err(|fault| io::Error::other(fault.text()))?;
            if let Some(payload) = payload {
                break self.input_at - payload.len()..self.input_at;
            }
        };
        Ok(self.input.get(span))
    }

    /// The whole body, at most `bytes_max` of it.
    ///
    /// # Errors
    /// As [`Answer::next`].
    pub fn text(&mut self, bytes_max: usize) -> io::Result<String> {
        let mut text = Vec::new();
        while text.len() < bytes_max {
            match self.next()? {
                Some(piece) => text.extend_from_slice(piece),
                None => break,
            }
        }
        text.truncate(bytes_max);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn read(&mut self) -> io::Result<usize> {
        let count = read(&mut self.stream, Some(&mut self.input), self.deadline)?;
        self.input_at = 0;
        self.input_end = count;
        Ok(count)
    }
}

/// Reads into what room there is; 0 at the end, or without room.
fn read(stream: &mut TcpStream, room: Option<&mut [u8]>, deadline: Instant) -> io::Result<usize> {
    stream.set_read_timeout(Some(left(deadline)?))?;
    let count = stream.read(room.unwrap_or_default());
    count.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => late(),
        _ => error,
    })
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(late())
    } else {
        Ok(left)
    }
}

#[cold]
fn late() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "no whole answer in time")
}

#[cold]
fn fault(text: &'static str) -> io::Error {
    io::Error::other(text)
}

/// More of an answer is a fault.
const BODY_BYTES_MAX: u64 = 16 * MIB as u64;

#[cfg(test)]
mod tests;
