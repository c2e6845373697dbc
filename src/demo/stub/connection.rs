//! One connection to the stub: requests in, answers out, one after the other.
//!
//! Reads wait in short steps, so that a stopping stub and a limit are noticed; tokens leave at
//! their time by the clock, so pauses do not add up. Whatever goes wrong closes the connection.

use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Instant, SystemTime};

use crate::demo::stub::answer::{self, Body, End, Reply, Request};
use crate::demo::stub::frame::Frame;
use crate::demo::stub::shared::Shared;
use crate::http1::body::{BodyDecoder, BodyLimits};
use crate::http1::encode::{self, ChunkHead, LAST_CHUNK};
use crate::http1::head::{self, HeadLimits, HeadProgress, RequestHead};
use crate::http1::method::Version;
use crate::limits::{Limits, MIB};

/// Answers until the peer, the stub or a fault ends it.
pub fn serve(stream: TcpStream, shared: &Shared) {
    let mut connection = Connection {
        stream,
        shared,
        limits: Limits::default(),
        input: Vec::new(),
    };
    // A peer that left, a limit, a fault: all of them end the connection, nobody is to be told.
    while connection.exchange().unwrap_or(false) {}
    let _ = connection.stream.shutdown(Shutdown::Both);
}

struct Connection<'s> {
    stream: TcpStream,
    shared: &'s Shared,
    limits: Limits,
    /// What was read and not used.
    input: Vec<u8>,
}

impl Connection<'_> {
    /// One request and its answer; whether another may follow.
    fn exchange(&mut self) -> io::Result<bool> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(STEP))?;
        self.stream.set_write_timeout(Some(WRITE_LIMIT))?;
        let mut head = RequestHead::new();
        let Some(head_bytes) = self.read_head(&mut head)? else {
            return Ok(false);
        };
        let number = self.shared.next_number();
        let body = match self.read_body(&head)? {
            Ok(body) => body,
            Err(status) => {
                let reply = answer::unreadable(status, "the body cannot be read", number);
                self.send(&reply, false)?;
                return Ok(false);
            }
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let request = Request {
            method: head.method,
            path: head.path(&head_bytes),
            authorization: head.field(&head_bytes, "authorization"),
            api_key: head.field(&head_bytes, "x-api-key"),
            anthropic_version: head.field(&head_bytes, "anthropic-version"),
            body: &body,
            number,
            now: now.map_or(0, |now| now.as_secs()),
        };
        let Some(reply) = answer::answer(&request) else {
            return Ok(false);
        };
        let may_go_on = head.keep_alive && head.version == Version::Http11;
        self.send(&reply, head.version == Version::Http11)?;
        Ok(may_go_on && reply.end == End::Whole)
    }

    /// The next head and its bytes; nothing if the peer closed before one.
    fn read_head(&mut self, head: &mut RequestHead) -> io::Result<Option<Vec<u8>>> {
        let limits = HeadLimits::of_request(&self.limits);
        let limit = Instant::now() + IDLE_LIMIT;
        let mut scanned = 0;
        loop {
            match head::parse_request(&self.input, scanned, &limits, head) {
                Ok(HeadProgress::Complete { consumed }) => {
                    return Ok(Some(self.input.drain(..consumed).collect()));
                }
                Ok(HeadProgress::Partial { scanned: seen }) => scanned = seen,
                Err(fault) => {
                    let number = self.shared.next_number();
                    let reply = answer::unreadable(400, fault.text(), number);
                    self.send(&reply, false)?;
                    return Ok(None);
                }
            }
            if self.read_more(limit)? == 0 {
                return Ok(None);
            }
        }
    }

    /// The body, or the status that refuses it.
    fn read_body(&mut self, head: &RequestHead) -> io::Result<Result<Vec<u8>, u16>> {
        let limits = BodyLimits::new(BODY_BYTES_MAX, &self.limits);
        let mut decoder = match BodyDecoder::new(head.framing, &limits) {
            Ok(decoder) => decoder,
            Err(fault) => return Ok(Err(fault.status())),
        };
        if head.expect_continue {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let limit = Instant::now() + BODY_LIMIT;
        let mut decoded = 0;
        while !decoder.is_done() {
            match decoder.decode_in_place(&mut self.input, &mut decoded) {
                Ok(true) => break,
                Ok(false) => {}
                Err(fault) => return Ok(Err(fault.status())),
            }
            if self.read_more(limit)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.input.split_off(decoded);
        Ok(Ok(core::mem::replace(&mut self.input, rest)))
    }

    /// Appends what comes next to the input; 0 at the end. Fails at the limit and at the stub's end.
    fn read_more(&mut self, limit: Instant) -> io::Result<usize> {
        let mut piece = [0; READ_BYTES];
        loop {
            match self.stream.read(&mut piece) {
                Ok(count) => {
                    let read = piece.get(..count).unwrap_or_default();
                    self.input.extend_from_slice(read);
                    return Ok(count);
                }
                Err(error) if is_wait(&error) => {}
                Err(error) => return Err(error),
            }
            if self.shared.is_stopped() || Instant::now() >= limit {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    fn send(&mut self, reply: &Reply, chunked: bool) -> io::Result<()> {
        let mut out = Vec::new();
        encode::status_line(&mut out, reply.status);
        out.extend_from_slice(&reply.fields);
        let start = Instant::now() + reply.first;
        match &reply.body {
            Body::Whole(body) => {
                encode::field_number(&mut out, "content-length", body.len() as u64);
                encode::end_head(&mut out);
                let sent = match reply.end {
                    End::Whole => body.as_slice(),
                    End::Cut => body.get(..body.len() / 2).unwrap_or_default(),
                    End::Never => return self.fall_silent(),
                };
                out.extend_from_slice(sent);
                self.shared.wait_until(start)?;
                self.stream.write_all(&out)
            }
            Body::Events(frames) => {
                let framing: (&[u8], &[u8]) = if chunked {
                    (b"transfer-encoding", b"chunked")
                } else {
                    (b"connection", b"close")
                };
                encode::field(&mut out, framing.0, framing.1);
                encode::end_head(&mut out);
                self.stream.write_all(&out)?;
                self.send_events(frames, reply, start, chunked)
            }
        }
    }

    /// Sends each event on its own, at its time; all at once where there are no pauses.
    fn send_events(
        &mut self,
        frames: &[Frame],
        reply: &Reply,
        start: Instant,
        chunked: bool,
    ) -> io::Result<()> {
        let mut at = start;
        let mut out = Vec::new();
        let last = frames.len().saturating_sub(1);
        for (number, frame) in frames.iter().enumerate() {
            if frame.is_token {
                self.flush(&mut out)?;
                self.shared.wait_until(at)?;
                at += reply.each;
            }
            let bytes = match reply.end {
                End::Cut if number == last => frame.bytes.get(..frame.bytes.len() / 2),
                End::Cut | End::Whole | End::Never => frame.bytes.get(..),
            };
            push_chunk(&mut out, bytes.unwrap_or_default(), chunked);
            if !reply.each.is_zero() {
                self.flush(&mut out)?;
            }
        }
        if reply.end == End::Never {
            return self.fall_silent();
        }
        if reply.end == End::Whole && chunked {
            out.extend_from_slice(LAST_CHUNK);
        }
        self.flush(&mut out)
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if !out.is_empty() {
            self.stream.write_all(out)?;
            out.clear();
        }
        Ok(())
    }

    /// Says nothing until the peer leaves.
    fn fall_silent(&mut self) -> io::Result<()> {
        let limit = Instant::now() + SILENCE_LIMIT;
        while self.read_more(limit)? > 0 {
            // What a peer says into the silence is not kept.
            self.input.clear();
        }
        Ok(())
    }
}

fn push_chunk(out: &mut Vec<u8>, bytes: &[u8], chunked: bool) {
    if bytes.is_empty() {
        return;
    }
    if chunked {
        out.extend_from_slice(ChunkHead::new(bytes.len()).bytes());
    }
    out.extend_from_slice(bytes);
    if chunked {
        out.extend_from_slice(b"\r\n");
    }
}

fn is_wait(error: &io::Error) -> bool {
    let kind = error.kind();
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// One step of a wait.
const STEP: Duration = Duration::from_millis(50);
/// For the whole next head.
const IDLE_LIMIT: Duration = Duration::from_secs(120);
/// For a whole body.
const BODY_LIMIT: Duration = Duration::from_secs(30);
/// For one write.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// Silence lasts no longer.
const SILENCE_LIMIT: Duration = Duration::from_secs(600);
/// As the providers: 32 MiB.
const BODY_BYTES_MAX: u64 = 32 * MIB as u64;
/// One read.
const READ_BYTES: usize = 16 * 1024;
