//! Tokens found by vector instructions against those found byte by byte: every event, fault and offset.

use core::ops::Range;

use ringway_test_support::stride::STRIDE;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::scan::grammar::Grammar;
use crate::json::scan::tokens::{ByteTokens, Tokens};
use crate::json::scan::{DEPTH_MAX, document, encoding_fault};
use crate::json::sink::{Scalar, Sink};

#[derive(Debug, PartialEq)]
enum Event {
    Name(Range<usize>, bool),
    Scalar(Scalar, Range<usize>),
    Open(bool, usize),
    Close(usize),
}

/// Hears what lies in no more than so many containers.
struct Events {
    all: Vec<Event>,
    depth: usize,
    depth_max: usize,
}

impl Events {
    const fn new(depth_max: usize) -> Self {
        Self {
            all: Vec::new(),
            depth: 0,
            depth_max,
        }
    }
}

impl Sink for Events {
    fn name(&mut self, span: Range<usize>, escaped: bool) -> Result<(), JsonErrorKind> {
        self.all.push(Event::Name(span, escaped));
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind> {
        self.all.push(Event::Scalar(scalar, span));
        Ok(())
    }

    fn open(&mut self, object: bool, at: usize) -> Result<bool, JsonErrorKind> {
        self.all.push(Event::Open(object, at));
        self.depth += 1;
        Ok(self.depth <= self.depth_max)
    }

    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind> {
        self.all.push(Event::Close(end));
        self.depth -= 1;
        Ok(())
    }
}

fn read(text: &[u8], tokens: impl Tokens) -> (Result<(), JsonError>, Vec<Event>) {
    let mut events = Events::new(usize::MAX);
    let mut around = [false; DEPTH_MAX as usize];
    let read = Grammar::new(text, tokens, DEPTH_MAX, &mut around).document(&mut events);
    (read, events.all)
}

fn check(text: &[u8]) {
    let (expected, mut events) = read(text, ByteTokens::new(text, 0));
    let expected = expected.map_err(|error| encoding_fault(text, error));
    for depth_max in [usize::MAX, 2, 1, 0] {
        let mut found = Events::new(depth_max);
        let read = document(text, DEPTH_MAX, &mut found);
        let mut depth = 0;
        events.retain(|event| {
            depth -= usize::from(matches!(event, Event::Close(_)));
            let is_told = depth <= depth_max;
            depth += usize::from(matches!(event, Event::Open(..)));
            is_told
        });
        assert_eq!(
            (read, &found.all),
            (expected, &events),
            "{}",
            text.escape_ascii()
        );
    }
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
