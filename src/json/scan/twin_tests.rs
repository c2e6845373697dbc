//! Tokens found by vector instructions against those found byte by byte: every event, fault and offset.

use core::ops::Range;

use ringway_test_support::stride::STRIDE;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::scan::DEPTH_MAX;
use crate::json::scan::grammar::Grammar;
use crate::json::scan::index::Index;
use crate::json::scan::tokens::{ByteTokens, Tokens};
use crate::json::sink::{Scalar, Sink};

#[derive(Debug, PartialEq)]
enum Event {
    Name(Range<usize>, bool),
    Scalar(Scalar, Range<usize>),
    Open(bool, usize),
    Close(usize),
}

#[derive(Default)]
struct Events(Vec<Event>);

impl Sink for Events {
    fn name(&mut self, span: Range<usize>, escaped: bool) -> Result<(), JsonErrorKind> {
        self.0.push(Event::Name(span, escaped));
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind> {
        self.0.push(Event::Scalar(scalar, span));
        Ok(())
    }

    fn open(&mut self, object: bool, at: usize) -> Result<(), JsonErrorKind> {
        self.0.push(Event::Open(object, at));
        Ok(())
    }

    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind> {
        self.0.push(Event::Close(end));
        Ok(())
    }
}

fn read(text: &[u8], tokens: impl Tokens) -> (Result<(), JsonError>, Vec<Event>) {
    let mut events = Events::default();
    let read = Grammar::new(text, tokens, DEPTH_MAX, &mut events).document();
    (read, events.0)
}

fn check(text: &[u8]) {
    let expected = read(text, ByteTokens::new(text, 0));
    let found = read(text, Index::new(text, 0));
    assert_eq!(found, expected, "{}", text.escape_ascii());
}

/// Documents that reach every path: short and long strings, runs of backslashes, letters of every length,
/// numbers and words across ends of blocks.
fn seeds() -> Vec<Vec<u8>> {
    let long = "0123456789abcdef".repeat(20);
    let escapes = r#"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"#.repeat(9);
    let letters = "aé€😀".repeat(30);
    let backslashes = r"\\".repeat(100);
    let numbers = [
        "-0",
        "1.5e+10",
        "123456789012345678901234567890",
        "true",
        "null",
    ]
    .join(" ,\n\t");
    let texts = [
        format!(
            r#"{{"a":"{long}","b":["{escapes}",[],{{}},{numbers}],"{letters}":"{backslashes}"}}"#
        ),
        format!(r#"["{backslashes}\"","{long}{letters}",  [[[{{"x":{{"y":[]}}}}]]], -1]"#),
        format!("{}[1,\"\",\"\"]{}", " \r\n".repeat(40), " ".repeat(130)),
        r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"a\nb"}]}"#.to_owned(),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

#[test]
fn documents_cut_anywhere_are_read_the_same() {
    for seed in seeds() {
        for end in (0..=seed.len()).step_by(STRIDE) {
            check(&seed[..end]);
        }
    }
}

#[test]
fn documents_at_any_offset_are_read_the_same() {
    for seed in seeds() {
        for before in (0..130).step_by(STRIDE) {
            check(&[&vec![b' '; before][..], &seed].concat());
        }
    }
}

#[test]
fn documents_with_any_byte_exchanged_are_read_the_same() {
    const BYTES: &[u8] = b"\"\\{}[]:, \n1-tnu/\x00\x0C\x1A\x1F\x7F\x80\xBF\xC3\xED\xF4\xFF";
    for seed in seeds() {
        for at in (0..seed.len()).step_by(STRIDE) {
            for byte in BYTES {
                let mut text = seed.clone();
                text[at] = *byte;
                check(&text);
            }
        }
    }
}

#[test]
fn texts_of_chance_are_read_the_same() {
    const PIECES: [&[u8]; 24] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"\"",
        b"\\",
        b" ",
        b"\n",
        b"1",
        b"-",
        b"true",
        b"null",
        b"x",
        b"\"a\":",
        b"\"b\",",
        b"\"c\\n\"",
        b"\\\"",
        b"\\u00",
        b"\xC3\xA9",
        b"\xC3",
        b"\x01",
        b"{\"d\":[1,2]}",
    ];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..if cfg!(miri) { 10 } else { 20_000 } {
        let mut text = Vec::new();
        while text.len() < 200 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if state.is_multiple_of(61) {
                break;
            }
            text.extend_from_slice(PIECES[(state >> 8) as usize % PIECES.len()]);
        }
        check(&text);
    }
}
