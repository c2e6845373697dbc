//! What routing reads of a body is what another parser reads, whichever of two repeated members it
//! would take; what is refused is at fault in the way that is told.

use std::ops::Range;

use ringway::json::error::JsonErrorKind;
use ringway::json::scan;
use ringway::json::sink::{Scalar, Sink};
use ringway::json::tape::{JsonKind, Tape, Value};
use ringway::limits::Limits;
use ringway::wire::peek::body::{peek, peek_relayed};
use ringway::wire::peek::fault::{Param, PeekFault, PeekFaultKind};
use ringway::wire::peek::found::Peek;
use ringway::wire::peek::routed_members::Known;

use crate::{json, recipe};

/// A request's body, at the endpoints of both wires and at one that is relayed.
pub fn check(input: &[u8]) {
    let body = recipe::request(input);
    judge(&body);
    reads_the_same_anywhere(&body, input.len());
    for wire in recipe::WIRES {
        match peek(&body, wire, &Limits::default()) {
            Ok(peek) => found(&peek, &body),
            Err(fault) => refused(&fault, &body),
        }
    }
    relayed(&body);
}

/// Where a document begins moves its offsets, and nothing else: whatever is looked at together.
fn reads_the_same_anywhere(body: &[u8], before: usize) {
    let read = |text: &[u8], at: usize| {
        let mut spans = Spans {
            all: Vec::new(),
            at,
        };
        let read = scan::document(text, scan::DEPTH_MAX, &mut spans);
        (
            read.map_err(|error| (error.kind, error.at.wrapping_sub(at))),
            spans.all,
        )
    };
    let before = 1 + before % 64;
    let moved = [&[b' '].repeat(before), body].concat();
    if !body.starts_with(b"\xEF\xBB\xBF") {
        assert_eq!(
            read(body, 0),
            read(&moved, before),
            "{}",
            body.escape_ascii()
        );
    }
}

/// Spans of all that passes, from an offset on.
struct Spans {
    all: Vec<(usize, usize, bool)>,
    at: usize,
}

impl Spans {
    fn push(&mut self, span: Range<usize>, flag: bool) -> Result<(), JsonErrorKind> {
        self.all
            .push((span.start - self.at, span.end - self.at, flag));
        Ok(())
    }
}

impl Sink for Spans {
    fn name(&mut self, span: Range<usize>, escaped: bool) -> Result<(), JsonErrorKind> {
        self.push(span, escaped)
    }

    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind> {
        self.push(span, scalar == Scalar::String { escaped: true })
    }

    fn open(&mut self, object: bool, at: usize) -> Result<bool, JsonErrorKind> {
        self.push(at..at + 1, object).map(|()| true)
    }

    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind> {
        self.push(end - 1..end, false)
    }
}

/// The grammar takes what the other parser takes.
fn judge(body: &[u8]) {
    match scan::document(body, scan::DEPTH_MAX, &mut Ignore) {
        Ok(()) => {
            assert!(json::is_json(body));
            let mut tape = Tape::new();
            let root = tape.read(body, scan::DEPTH_MAX, body.len());
            same(
                root.expect("the grammar took it"),
                std::str::from_utf8(body).unwrap().trim(),
            );
        }
        Err(error) if error.kind == JsonErrorKind::Depth => {}
        Err(error) => {
            assert!(!json::is_json(body), "{error}");
            assert!(error.at <= body.len());
        }
    }
}

/// The index holds what the other parser finds, down to every scalar.
fn same(value: Value<'_>, source: &str) {
    match value.kind() {
        JsonKind::Object => {
            let expected = json::members(source.as_bytes()).expect("an object");
            assert_eq!(value.members().count(), expected.len());
            for ((name, value), (expected, source)) in value.members().zip(expected) {
                assert_eq!(name.bytes(), &expected.as_bytes()[1..expected.len() - 1]);
                same(value, source);
            }
        }
        JsonKind::Array => {
            let expected = json::elements(source.as_bytes()).expect("an array");
            assert_eq!(value.elements().count(), expected.len());
            value
                .elements()
                .zip(expected)
                .for_each(|(value, source)| same(value, source));
        }
        JsonKind::String => {
            let body = value.as_raw().expect("a string").bytes();
            assert_eq!(body, &source.as_bytes()[1..source.len() - 1]);
        }
        JsonKind::Number => assert_eq!(value.as_number(), Some(source)),
        JsonKind::Bool => assert_eq!(value.as_bool(), Some(source == "true")),
        JsonKind::Null => assert_eq!(source, "null"),
    }
    assert!(value.source() == source.as_bytes());
}

fn found(peek: &Peek, body: &[u8]) {
    let members = json::members(body).expect("a body that is routed is an object");
    let one = |name: &str| {
        let all = json::all(&members, name);
        assert!(all.len() <= 1, "{name} has one reading");
        all.first().copied()
    };
    let model = one("model").expect("a body that is routed has a model");
    assert_eq!(peek.source(body, Known::Model), Some(model.as_bytes()));
    if let Some(text) = json::text(model) {
        assert_eq!(peek.model(body).decode(), text);
        assert!(!text.is_empty());
    }
    assert_eq!(peek.stream(), one("stream") == Some("true"));
    assert_eq!(
        peek.allows_fallbacks(),
        one("allow_fallbacks") != Some("false")
    );
    let messages = one("messages").expect("a body that is routed has messages");
    assert!(
        !json::elements(messages.as_bytes())
            .expect("messages are a list")
            .is_empty()
    );
    let both = ["max_completion_tokens", "max_tokens"].into_iter();
    let max = both.filter_map(one).filter_map(count).max();
    assert_eq!(peek.max_tokens(body), max);
    assert_eq!(
        peek.choices(body),
        one("n").and_then(count).unwrap_or(1).max(1)
    );
    let options = one("stream_options").and_then(|it| json::members(it.as_bytes()));
    let usage = options
        .map(|options| json::all(&options, "include_usage"))
        .unwrap_or_default();
    assert_eq!(peek.asks_usage(), usage.last() == Some(&"true"));
    assert_eq!(peek.tail().member_count, members.len());
}

/// A number as a count: rounded up, from nought to the largest there is.
fn count(said: &str) -> Option<u64> {
    let number = || said.parse().map(|number: f64| number.ceil() as u64);
    said.parse().or_else(|_| number()).ok()
}

fn refused(fault: &PeekFault, body: &[u8]) {
    assert!(fault.at <= body.len() && !fault.to_string().is_empty());
    let kind = fault.kind;
    if let PeekFaultKind::Json(kind) = kind {
        let limit = matches!(kind, JsonErrorKind::Depth | JsonErrorKind::Members);
        assert!(limit || json::members(body).is_none(), "{kind:?}");
        return;
    }
    let members = json::members(body).expect("other faults come after those of the document");
    let Some(Param::Top(name)) = fault.param else {
        assert!(matches!(kind, PeekFaultKind::WrongEndpoint(_)), "{fault}");
        return;
    };
    let all = json::all(&members, name);
    let is_true = |test: &dyn Fn(&str) -> bool| all.iter().any(|value| test(value));
    assert!(match kind {
        PeekFaultKind::Json(_) => false,
        PeekFaultKind::Missing => all.is_empty(),
        PeekFaultKind::Repeated => all.len() > 1,
        PeekFaultKind::NotText => is_true(&|it| !it.starts_with('"') || it == "\"\""),
        PeekFaultKind::NotList =>
            is_true(&|it| json::elements(it.as_bytes()).is_none_or(|all| all.is_empty())),
        PeekFaultKind::NotBool => is_true(&|it| !matches!(it, "true" | "false" | "null")),
        PeekFaultKind::WrongEndpoint(_) | PeekFaultKind::Promise => is_true(&|it| it != "null"),
    });
}

fn relayed(body: &[u8]) {
    let Ok(peek) = peek_relayed(body, &Limits::default()) else {
        return;
    };
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let Some(members) = json::members(text) else {
        // What is no object has no model; how it goes on is not ours to say.
        assert_eq!(peek.source(body, Known::Model), None);
        return;
    };
    let all = json::all(&members, "model");
    assert!(all.len() <= 1);
    assert_eq!(
        peek.source(body, Known::Model),
        all.first().map(|it| it.as_bytes())
    );
}

struct Ignore;

impl Sink for Ignore {
    fn name(&mut self, _: std::ops::Range<usize>, _: bool) -> Result<(), JsonErrorKind> {
        Ok(())
    }

    fn scalar(&mut self, _: Scalar, _: std::ops::Range<usize>) -> Result<(), JsonErrorKind> {
        Ok(())
    }

    fn open(&mut self, _: bool, _: usize) -> Result<bool, JsonErrorKind> {
        Ok(false)
    }

    fn close(&mut self, _: usize) -> Result<(), JsonErrorKind> {
        Ok(())
    }
}
