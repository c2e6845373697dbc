//! A request's body on the way of its own wire: looked into, and sent on renamed.

use std::hint::black_box;

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::wire::kind::Wire;
use ringway::wire::peek::body::peek;
use ringway::wire::peek::edits::{Overrides, edits_for};

use super::bodies::bodies;
use super::case::Case;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, body) in bodies() {
        cases.push(looked_into(size, body.clone()));
        cases.push(rewritten(size, body.clone()));
        cases.push(indexed(size, body));
    }
    cases
}

fn looked_into(size: &str, body: Vec<u8>) -> Case {
    let limits = Limits::default();
    Case::piece(format!("json/peek-{size}"), body.len(), move || {
        let peek = peek(black_box(&body), Wire::OpenAiChat, &limits).expect("valid");
        assert!(peek.stream());
    })
}

fn rewritten(size: &str, body: Vec<u8>) -> Case {
    let mut out = Vec::with_capacity(body.len() + 256);
    let limits = Limits::default();
    Case::piece(format!("json/rewrite-{size}"), body.len(), move || {
        rewrite(&body, &limits, &mut out);
    })
}

/// Renames the model and asks for usage.
pub(crate) fn rewrite(body: &[u8], limits: &Limits, out: &mut Vec<u8>) {
    let overrides = Overrides {
        model: Some("gpt-5-mini-2026-08-07"),
        inject_usage: true,
    };
    let peek = peek(black_box(body), Wire::OpenAiChat, limits).expect("valid");
    let edits = edits_for(&peek, &overrides);
    out.clear();
    edits.apply(body, out);
    assert_eq!(out.len(), edits.len_after(body.len()));
}

fn indexed(size: &str, body: Vec<u8>) -> Case {
    let mut tape = Tape::new();
    Case::piece(format!("json/tape-{size}"), body.len(), move || {
        let root = tape.read(black_box(&body), 128, 1_000_000).expect("valid");
        assert_eq!(root.span().end, body.len());
    })
}
