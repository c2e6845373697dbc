use core::time::Duration;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Instant;

use super::{Call, post};

/// A server that answers one request with these bytes and then closes, or waits for the client to.
fn server(answer: &'static [u8], closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 1024];
        while !request.ends_with(b"{}") {
            let count = stream.read(&mut piece).unwrap();
            request.extend_from_slice(&piece[..count]);
        }
        stream.write_all(answer).unwrap();
        if !closes {
            let _ = stream.read(&mut piece);
        }
    });
    address
}

fn ask(answer: &'static [u8], closes: bool, wait_ms: u64) -> Result<(u16, String), String> {
    let call = Call {
        address: server(answer, closes),
        path: "/v1/x",
        fields: &[("accept", "*/*")],
        body: b"{}",
        deadline: Instant::now() + Duration::from_millis(wait_ms),
    };
    let told = |error: std::io::Error| error.to_string();
    let mut answer = post(&call).map_err(told)?;
    let text = answer.text(64).map_err(told)?;
    Ok((answer.head.status, text))
}

#[test]
fn body_of_every_framing_is_read_whole() {
    let answers: [&[u8]; 3] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello",
    ];
    for answer in answers {
        assert_eq!(ask(answer, true, 5_000), Ok((200, "hello".to_owned())));
    }
}

#[test]
fn body_that_was_cut_or_malformed_is_no_body() {
    let cases: [(&[u8], &str); 4] = [
        (b"", "before an answer"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
            "within the body",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "within the body",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx",
            "chunk size",
        ),
    ];
    for (answer, text) in cases {
        let fault = ask(answer, true, 5_000).unwrap_err();
        assert!(fault.contains(text), "{fault}");
    }
}

#[test]
fn silence_ends_at_the_deadline() {
    let started = Instant::now();
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell";
    let fault = ask(answer, false, 200).unwrap_err();
    assert!(fault.contains("in time"), "{fault}");
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[test]
fn answer_longer_than_what_is_wanted_is_cut_there() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 70\r\n\r\n\
        0123456789012345678901234567890123456789012345678901234567890123456789";
    let (_, text) = ask(answer, true, 5_000).unwrap();
    assert_eq!(text.len(), 64);
}
