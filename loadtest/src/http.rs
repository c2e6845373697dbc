//! Just enough HTTP/1.1 for both ends of a load: heads by the project's own parser.

use ringway::http1::body::{BodyDecoder, BodyLimits};
use ringway::http1::head::{
    HeadLimits, Parsed, RequestHead, ResponseHead, parse_request, parse_response,
};
use ringway::http1::method::Method;
use ringway::limits::Limits;

/// A whole request found at the start of a buffer.
pub struct Request {
    /// Bytes that it took.
    pub consumed: usize,
    /// Whether it went to the Anthropic wire's path.
    pub anthropic: bool,
    /// Whether a stream is asked for.
    pub stream: bool,
}

/// Looks for a whole request (declared length only) at the start of `buf`.
pub fn request(buf: &[u8], head: &mut RequestHead) -> Result<Option<Request>, String> {
    let limits = Limits::default();
    let bounds = HeadLimits::of_request(&limits);
    let consumed = match parse_request(buf, 0, &bounds, head).map_err(|f| f.to_string())? {
        Parsed::Partial { .. } => return Ok(None),
        Parsed::Complete { consumed } => consumed,
    };
    let length = head
        .field(buf, "content-length")
        .and_then(|value| core::str::from_utf8(value).ok()?.parse::<usize>().ok())
        .unwrap_or(0);
    let Some(body) = buf.get(consumed..consumed + length) else {
        return Ok(None);
    };
    let near_end = body.len().saturating_sub(256);
    let windows = [body.get(..body.len().min(256)), body.get(near_end..)];
    let says = |text: &[u8]| {
        windows
            .iter()
            .flatten()
            .any(|w| w.windows(text.len()).any(|part| part == text))
    };
    Ok(Some(Request {
        consumed: consumed + length,
        anthropic: head.path(buf).ends_with(b"/messages"),
        stream: says(b"\"stream\":true"),
    }))
}

/// An answer being read.
pub struct Answer {
    head: ResponseHead,
    body: Option<BodyDecoder>,
    buf: Vec<u8>,
    /// Status, once the head is there.
    pub status: u16,
    /// Payload bytes so far.
    pub bytes: usize,
    /// Blank lines so far: ends of events.
    pub events: usize,
    /// The last payload bytes.
    pub tail: Vec<u8>,
    last: u8,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            head: ResponseHead::new(),
            body: None,
            buf: Vec::new(),
            status: 0,
            bytes: 0,
            events: 0,
            tail: Vec::new(),
            last: 0,
        }
    }
}

impl Answer {
    /// Takes what was read; true when the answer is whole.
    pub fn push(&mut self, input: &[u8]) -> Result<bool, String> {
        self.buf.extend_from_slice(input);
        let limits = Limits::default();
        let mut at = 0;
        if self.body.is_none() {
            let bounds = HeadLimits::of_response(&limits);
            match parse_response(&self.buf, 0, &bounds, Method::Post, &mut self.head)
                .map_err(|fault| fault.to_string())?
            {
                Parsed::Partial { .. } => return Ok(false),
                Parsed::Complete { consumed } => at = consumed,
            }
            self.status = self.head.status;
            let body = BodyDecoder::new(self.head.framing, &BodyLimits::endless(&limits));
            self.body = Some(body.map_err(|fault| fault.to_string())?);
        }
        let Some(body) = &mut self.body else {
            return Ok(false);
        };
        while at < self.buf.len() && !body.is_done() {
            let step = body
                .step(self.buf.get(at..).unwrap_or_default())
                .map_err(|f| f.to_string())?;
            at += step.consumed;
            self.bytes += step.payload.len();
            for &byte in step.payload {
                self.events += usize::from(byte == b'\n' && self.last == b'\n');
                self.last = byte;
            }
            self.tail.extend_from_slice(step.payload);
            let cut = self.tail.len().saturating_sub(TAIL_BYTES);
            self.tail.drain(..cut);
        }
        self.buf.drain(..at);
        Ok(body.is_done())
    }

    /// Whether the end says that the answer is complete in the wire that was asked.
    pub fn ends_well(&self, stream: bool, anthropic: bool) -> bool {
        let says = |text: &[u8]| self.tail.windows(text.len()).any(|part| part == text);
        match (stream, anthropic) {
            _ if self.status != 200 => false,
            (true, false) => says(b"data: [DONE]\n\n"),
            (true, true) => says(b"\"message_stop\""),
            (false, false) => says(b"\"total_tokens\""),
            (false, true) => says(b"\"output_tokens\""),
        }
    }
}

/// What is kept of an answer's end.
const TAIL_BYTES: usize = 400;
