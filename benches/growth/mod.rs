//! Whether work grows with its input and no faster: the same work at 1, 10 and 100 times a size.

use std::collections::BTreeMap;
use std::rc::Rc;

use ringway::limits::Limits;
use ringway::sse::decode::SseDecoder;
use ringway::translate::tap::Tap;
use ringway::wire::kind::Wire;

use crate::cases::case::Case;
use crate::cases::framing::{EVENT_BYTES_MAX, SEGMENT, frames};
use crate::cases::json::rewrite;
use crate::cases::shapes::streams;
use crate::cases::streams::translator;

/// Bytes of the smallest input where counts are taken.
pub(crate) const LARGE: usize = 1_000_000;
/// The same where the cases are only tried.
pub(crate) const SMALL: usize = 10_000;

/// The work at each size; `bytes` is the smallest.
pub(crate) fn cases(bytes: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for factor in FACTORS {
        let name = |what: &str| format!("linear/{what}-{factor:03}");
        let stream: Rc<[u8]> = stream(factor * bytes).into();
        cases.push(decode(name("sse-decode"), Rc::clone(&stream)));
        cases.push(translate(name("translate"), Rc::clone(&stream)));
        cases.push(tap(name("tap"), stream));
        cases.push(body(name("json-turns"), turns(factor * bytes)));
        cases.push(body(name("json-text"), text(factor * bytes)));
    }
    cases
}

/// Whether each work took, for each byte, no more instructions at the larger sizes than at the
/// smallest. It may take fewer: copies of many bytes go by larger steps.
pub(crate) fn check(counts: &BTreeMap<String, f64>) -> Result<(), String> {
    let of = |what: &str, factor: usize| counts.get(&format!("linear/{what}-{factor:03}"));
    for what in ["sse-decode", "translate", "tap", "json-turns", "json-text"] {
        for factor in FACTORS {
            let (Some(one), Some(many)) = (of(what, 1), of(what, factor)) else {
                continue;
            };
            let growth = many / one / factor as f64;
            if growth > 1.0 + TOLERANCE {
                return Err(format!(
                    "linear/{what}: {factor} times the input takes {:.2} times the instructions",
                    growth * factor as f64
                ));
            }
        }
    }
    Ok(())
}

fn stream(bytes: usize) -> Vec<u8> {
    let all = streams();
    let stream = all.iter().find(|stream| stream.wire == Wire::OpenAiChat);
    let stream = stream.expect("that wire has streams");
    let deltas = stream.deltas.concat();
    let deltas = deltas.repeat(bytes / deltas.len());
    [stream.opening.as_bytes(), deltas.as_bytes()].concat()
}

fn turns(bytes: usize) -> Vec<u8> {
    let one = r#"{"role":"user","content":"Go on.\n"},{"role":"assistant","content":[{"type":"text","text":"Step 7: done, \"it works\"."}]},"#;
    let turns = one.repeat(bytes / one.len());
    let messages = format!(r#"{turns}{{"role":"user","content":"And now?"}}"#);
    format!(r#"{{"model":"m","stream":true,"messages":[{messages}]}}"#).into_bytes()
}

fn text(bytes: usize) -> Vec<u8> {
    let words = r#"It is one long message with a \"quoted\" word and a line end.\n"#;
    let words = words.repeat(bytes / words.len());
    let messages = format!(r#"{{"role":"user","content":"{words}"}}"#);
    format!(r#"{{"model":"m","stream":true,"messages":[{messages}]}}"#).into_bytes()
}

fn decode(name: String, stream: Rc<[u8]>) -> Case {
    let mut decoder = SseDecoder::new(EVENT_BYTES_MAX);
    let events = memchr::memmem::find_iter(&stream, b"\n\n").count();
    Case::piece(name, stream.len(), move || {
        assert_eq!(frames(&mut decoder, &stream, SEGMENT), events);
    })
}

fn translate(name: String, stream: Rc<[u8]>) -> Case {
    let mut out = Vec::with_capacity(1 << 16);
    Case::piece(name, stream.len(), move || {
        let mut translator = translator(Wire::OpenAiChat);
        let mut deltas = 0;
        for piece in stream.chunks(SEGMENT) {
            out.clear();
            deltas += translator.push(piece, &mut out).deltas as usize;
        }
        assert!(deltas > stream.len() / 500);
    })
}

fn tap(name: String, stream: Rc<[u8]>) -> Case {
    Case::piece(name, stream.len(), move || {
        let mut tap = Tap::new(Wire::OpenAiChat, EVENT_BYTES_MAX);
        let pieces = stream.chunks(SEGMENT);
        let deltas: usize = pieces.map(|piece| tap.push(piece).deltas as usize).sum();
        assert!(deltas > stream.len() / 500);
    })
}

fn body(name: String, body: Vec<u8>) -> Case {
    let limits = Limits::default();
    let mut out = Vec::with_capacity(body.len() + 256);
    Case::piece(name, body.len(), move || rewrite(&body, &limits, &mut out))
}

const FACTORS: [usize; 3] = [1, 10, 100];
const TOLERANCE: f64 = 0.02;
