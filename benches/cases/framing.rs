//! SSE and HTTP/1.1: where messages begin and end.

use std::hint::black_box;

use ringway::http1::body::{BodyDecoder, BodyLimits};
use ringway::http1::encode as http1;
use ringway::http1::framing::BodyFraming;
use ringway::http1::head::{
    HeadLimits, HeadProgress, RequestHead, ResponseHead, parse_request, parse_response,
};
use ringway::http1::method::Method;
use ringway::limits::Limits;
use ringway::sse::decode::{SseDecoder, SseItem};
use ringway::sse::encode as sse;

use super::case::Case;
use super::shapes::{REQUEST_HEAD, RESPONSE_HEAD, streams};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = sse_decode();
    cases.push(sse_encode());
    cases.extend([request_head(), response_head()]);
    cases.extend([chunks_decode(), chunks_encode()]);
    cases
}

/// Frames that a decoder finds in a stream that comes in reads of this size.
pub(crate) fn frames(decoder: &mut SseDecoder, stream: &[u8], read: usize) -> usize {
    let mut count = 0;
    for piece in stream.chunks(read) {
        let mut frames = decoder.push(black_box(piece));
        while let Some(item) = frames.next() {
            if let SseItem::Frame(frame) = item.expect("short frames") {
                count += usize::from(!black_box(frame).data.is_empty());
            }
        }
    }
    count
}

fn sse_decode() -> Vec<Case> {
    let mut cases = Vec::new();
    for stream in streams().into_iter().filter(|it| it.name.ends_with("text")) {
        let bytes = stream.bytes(EVENTS);
        let opening = stream.opening.matches("\n\n").count();
        // Whole, as a busy loopback brings it, and in pieces of one segment.
        for (cut, read) in [("whole", usize::MAX), ("cut", SEGMENT)] {
            let bytes = bytes.clone();
            let expected = EVENTS + opening;
            let mut decoder = SseDecoder::new(EVENT_BYTES_MAX);
            let name = format!("sse/decode-{}-{cut}", stream.name);
            cases.push(Case::events(name, (expected, bytes.len()), move || {
                assert_eq!(frames(&mut decoder, &bytes, read), expected);
            }));
        }
    }
    cases
}

fn sse_encode() -> Case {
    let data = [b'x'; 200];
    let mut out = Vec::with_capacity(1 << 10);
    Case::events("sse/encode", (1, data.len()), move || {
        out.clear();
        sse::frame(&mut out, b"content_block_delta", black_box(&data));
        assert_eq!(out.len(), data.len() + 35);
    })
}

fn request_head() -> Case {
    let limits = HeadLimits::of_request(&Limits::default());
    let mut head = RequestHead::new();
    let consumed = REQUEST_HEAD.len();
    Case::piece("http1/request-head", consumed, move || {
        let parsed = parse_request(black_box(REQUEST_HEAD), 0, &limits, &mut head);
        assert_eq!(parsed, Ok(HeadProgress::Complete { consumed }));
    })
}

fn response_head() -> Case {
    let limits = HeadLimits::of_response(&Limits::default());
    let mut head = ResponseHead::new();
    let consumed = RESPONSE_HEAD.len();
    Case::piece("http1/response-head", consumed, move || {
        let input = black_box(RESPONSE_HEAD);
        let parsed = parse_response(input, 0, &limits, Method::Post, &mut head);
        assert_eq!(parsed, Ok(HeadProgress::Complete { consumed }));
    })
}

fn chunked(events: usize, event: &[u8], out: &mut Vec<u8>) {
    for _ in 0..events {
        let mark = http1::chunk_open(out);
        out.extend_from_slice(black_box(event));
        http1::chunk_close(out, mark);
    }
    http1::last_chunk(out);
}

fn chunks_decode() -> Case {
    let limits = BodyLimits::endless(&Limits::default());
    let event = [b'x'; 200];
    let mut body = Vec::new();
    chunked(EVENTS, &event, &mut body);
    Case::events("http1/chunk-decode", (EVENTS, body.len()), move || {
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked, &limits).expect("no length");
        let body = black_box(&body[..]);
        let (mut at, mut payload) = (0, 0);
        while let Some(part) = decoder.payload(body, &mut at).expect("well-formed") {
            payload += part.len();
        }
        assert!(decoder.is_done() && payload == EVENTS * event.len());
    })
}

fn chunks_encode() -> Case {
    let event = [b'x'; 200];
    let mut out = Vec::with_capacity(EVENTS * (event.len() + 16));
    let bytes = EVENTS * event.len();
    Case::events("http1/chunk-encode", (EVENTS, bytes), move || {
        out.clear();
        chunked(EVENTS, &event, &mut out);
        assert!(out.len() > bytes && out.ends_with(b"\r\n0\r\n\r\n"));
    })
}

/// Largest event that the codecs take here.
pub(crate) const EVENT_BYTES_MAX: usize = 2 << 20;
/// Events of one run.
const EVENTS: usize = 400;
/// What one read of a distant provider brings.
pub(crate) const SEGMENT: usize = 1400;
