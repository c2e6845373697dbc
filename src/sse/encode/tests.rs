use super::*;
use crate::sse::decode::{SseDecoder, SseFrame, SseItem};

/// What a decoder makes of `bytes`, as (event, data).
fn read(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut decoder = SseDecoder::new(1 << 20);
    let mut frames = decoder.push(bytes);
    let mut read = Vec::new();
    while let Some(item) = frames.next() {
        match item.unwrap() {
            SseItem::Frame(SseFrame { event, data }) => read.push((event.to_vec(), data.to_vec())),
            SseItem::Comment => read.push((b":".to_vec(), Vec::new())),
        }
    }
    read
}

#[test]
fn frame_written_is_the_frame_read() {
    let cases: [(&str, &str, &str, &str); 6] = [
        ("", "{}", "data: {}\n\n", "{}"),
        ("ping", "{}", "event: ping\ndata: {}\n\n", "{}"),
        ("", "", "data: \n\n", ""),
        ("", "a\nb", "data: a\ndata: b\n\n", "a\nb"),
        (
            "",
            "a\r\nb\rc\n",
            "data: a\ndata: b\ndata: c\ndata: \n\n",
            "a\nb\nc\n",
        ),
        ("x\ndata: y", " z", "event: x\ndata:  z\n\n", " z"),
    ];
    for (event, data, bytes, back) in cases {
        let mut out = Vec::new();
        frame(&mut out, event.as_bytes(), data.as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), bytes);
        let name = event.split('\n').next().unwrap();
        assert_eq!(read(&out), [(name.into(), back.into())]);
    }
}

#[test]
fn opened_frame_and_comment_are_read_back() {
    let mut out = Vec::new();
    comment(&mut out, "ping");
    open(&mut out, "error");
    out.extend_from_slice(b"{}");
    close(&mut out);
    open(&mut out, "");
    close(&mut out);
    assert_eq!(out, b": ping\n\nevent: error\ndata: {}\n\ndata: \n\n");
    assert_eq!(
        read(&out),
        [
            (b":".to_vec(), Vec::new()),
            (b"error".to_vec(), b"{}".to_vec()),
            (Vec::new(), Vec::new())
        ]
    );
}
