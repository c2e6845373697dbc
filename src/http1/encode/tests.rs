use ringway_test_support::stride::STRIDE;

use super::*;
use crate::http1::body::{BodyDecoder, BodyLimits};
use crate::http1::framing::BodyFraming;
use crate::limits::Limits;

/// The payload of a whole chunked body.
fn decoded(body: &[u8]) -> Vec<u8> {
    let limits = BodyLimits::endless(&Limits::default());
    let mut decoder = BodyDecoder::new(BodyFraming::Chunked, &limits).unwrap();
    let mut buf = body.to_vec();
    let mut end = 0;
    assert!(decoder.decode_in_place(&mut buf, &mut end).unwrap());
    assert_eq!(buf.len(), end);
    buf
}

#[test]
fn chunks_of_every_size_are_read_back() {
    for len in [
        1,
        2,
        15,
        16,
        255,
        256,
        4095,
        4096,
        65_535,
        65_536,
        65_537,
        1 << 20,
    ] {
        let payload = vec![b'x'; len];
        let mut out = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        let head = out.len();
        for _ in 0..2 {
            let mark = chunk_open(&mut out);
            out.extend_from_slice(&payload);
            chunk_close(&mut out, mark);
        }
        last_chunk(&mut out);
        assert_eq!(
            decoded(out.get(head..).unwrap()),
            payload.repeat(2),
            "{len}"
        );

        let mut pieces = Vec::new();
        pieces.extend_from_slice(ChunkHead::new(len).bytes());
        pieces.extend_from_slice(&payload);
        pieces.extend_from_slice(b"\r\n");
        pieces.extend_from_slice(LAST_CHUNK);
        assert_eq!(decoded(&pieces), payload, "{len}");
        assert!(pieces.starts_with(format!("{len:x}\r\n").as_bytes()));
    }
}

#[test]
fn small_chunk_has_its_size_in_four_digits() {
    let mut out = Vec::new();
    let mark = chunk_open(&mut out);
    out.extend_from_slice(b"data: {}\n\n");
    chunk_close(&mut out, mark);
    assert_eq!(out, b"000a\r\ndata: {}\n\n\r\n");
}

#[test]
fn chunk_without_payload_leaves_nothing_because_it_would_end_the_body() {
    let mut out = b"before".to_vec();
    let mark = chunk_open(&mut out);
    chunk_close(&mut out, mark);
    assert_eq!(out, b"before");
}

#[test]
fn heads_are_spelled_line_by_line() {
    let mut out = Vec::new();
    status_line(&mut out, 200);
    assert!(field(&mut out, b"content-type", b" text/event-stream "));
    field_number(&mut out, "content-length", 18_446_744_073_709_551_615);
    end_head(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
         content-length: 18446744073709551615\r\n\r\n"
    );
    let mut out = Vec::new();
    assert!(request_line(
        &mut out,
        b"POST",
        &[b"/prefix", b"/v1/messages", b"?beta=true"]
    ));
    assert_eq!(out, b"POST /prefix/v1/messages?beta=true HTTP/1.1\r\n");
}

#[test]
fn text_that_could_begin_a_line_of_its_own_is_left_out() {
    let mut out = Vec::new();
    for value in ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "\u{1b}[0m", "\u{7f}"] {
        assert!(!field(&mut out, b"x", value.as_bytes()), "{value:?}");
    }
    for name in ["", "a b", "a:", "a\r\n", "é"] {
        assert!(!field(&mut out, name.as_bytes(), b"v"), "{name:?}");
    }
    for target in ["/a b", "/\r\n", "", "/é"] {
        assert!(
            !request_line(&mut out, b"GET", &[target.as_bytes()]),
            "{target:?}"
        );
    }
    assert!(!request_line(&mut out, b"GE T", &[b"/"]));
    assert!(!request_line(&mut out, b"", &[b"/"]));
    assert!(!request_line(&mut out, b"GET", &[]));
    assert!(out.is_empty());
}

#[test]
fn every_status_has_a_reason() {
    for status in (100..600).step_by(STRIDE) {
        let mut out = Vec::new();
        status_line(&mut out, status);
        let text = String::from_utf8(out).unwrap();
        let reason = text.strip_prefix(&format!("HTTP/1.1 {status} ")).unwrap();
        assert!(reason.trim_end().len() > 1, "{text}");
    }
}
