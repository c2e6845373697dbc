//! The body of an answer through its transforms: any cut gives what the whole gives.

use core::cell::RefCell;

use super::Transforms;
use super::mode::{Found, Mode};
use super::scrub::Scrubber;
use crate::chat::error::ErrorFacts;
use crate::chat::usage::End;
use crate::json::nesting::Nesting;
use crate::json::tape::Tape;
use crate::translate::answer_context::AnswerContext;
use crate::translate::response::AnswerFacts;
use crate::translate::stream::StreamTranslator;
use crate::translate::tap::Tap;
use crate::translate::usage_strip::UsageStrip;
use crate::wire::kind::Wire;

/// What came of a body.
#[derive(Debug, PartialEq)]
struct Outcome {
    out: String,
    end: End,
    deltas: u32,
    events: u32,
    content: bool,
    facts: AnswerFacts,
    said: Option<ErrorFacts>,
}

/// Runs a body through its chain as a relay does: piece by piece, up to an event that ends it.
fn run(mode: Mode, pieces: &[&[u8]], clean: bool) -> Outcome {
    let mut transforms = Transforms::new(Scrubber::owned(KEY), mode);
    let (mut out, tape) = (Vec::new(), RefCell::new(Tape::new()));
    let mut progress = Vec::new();
    for piece in pieces {
        let pushed = transforms.push(piece, &mut out, &tape);
        progress.push(pushed);
        if matches!(pushed.end, End::UpstreamError | End::Truncated) {
            break;
        }
    }
    progress.extend(transforms.flush(&mut out, &tape));
    progress.push(transforms.finish(clean, &mut out, &tape));
    Outcome {
        out: String::from_utf8(out).unwrap(),
        end: progress.last().unwrap().end,
        deltas: progress.iter().map(|it| it.deltas).sum(),
        events: progress.iter().map(|it| it.events).sum(),
        content: progress.iter().any(|it| it.content),
        facts: transforms.facts(),
        said: transforms.upstream_error(),
    }
}

/// Every way of a body: its name, and what makes its mode.
type Way = (&'static str, Box<dyn Fn(&[u8]) -> Mode>);

fn streams(wire: Wire, other: Wire) -> Vec<Way> {
    let watched = move |is_stripped: bool| Mode::Watched {
        wire,
        tap: Box::new(Tap::new(wire, EVENT_MAX)),
        strip: is_stripped.then(|| Box::new(UsageStrip::new(EVENT_MAX))),
        unmark: None,
    };
    let behind_own_bytes = move |_: &[u8]| {
        let mut mode = watched(true);
        mode.follow_own_bytes();
        mode
    };
    let translated = move |_: &[u8]| {
        let context = AnswerContext::default();
        let translator = StreamTranslator::new(wire, other, context, EVENT_MAX);
        Mode::Translated(Box::new(translator))
    };
    vec![
        ("plain", Box::new(|_| Mode::Plain)),
        ("relayed", Box::new(move |_| Mode::relayed(wire, true))),
        ("watched", Box::new(move |_| watched(false))),
        ("stripped", Box::new(move |_| watched(true))),
        ("behind own bytes", Box::new(behind_own_bytes)),
        ("translated", Box::new(translated)),
    ]
}

fn documents(wire: Wire) -> Vec<Way> {
    let whole = move |len: Option<u64>| Mode::Whole {
        wire,
        len,
        nesting: len.is_none().then(Nesting::default),
        found: Found::Unread,
        kept: Some(Vec::new()),
        unasked: false,
    };
    vec![
        ("relayed", Box::new(move |_| Mode::relayed(wire, false))),
        (
            "of a length",
            Box::new(move |it| whole(Some(it.len() as u64))),
        ),
        ("until close", Box::new(move |_| whole(None))),
    ]
}

/// Checks every cut in two and the single bytes against the whole, ended well and broken off; gives
/// what came of the whole ended well.
fn same_for_all_cuts(way: &Way, body: &[u8]) -> Outcome {
    let (name, mode) = way;
    // One whose declared length has come cannot break off any more.
    let ends: &[bool] = match *name {
        "of a length" => &[true],
        _ => &[false, true],
    };
    for &clean in ends {
        let whole = run(mode(body), &[body], clean);
        for at in 0..=body.len() {
            let (head, tail) = body.split_at(at);
            let cut = run(mode(body), &[head, tail], clean);
            assert_eq!(cut, whole, "{name}, cut at {at}");
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(run(mode(body), &bytes, clean), whole, "{name}, by bytes");
        assert!(clean || whole.end != End::Complete, "{name}: no end came");
    }
    run(mode(body), &[body], true)
}

#[test]
fn any_cut_of_a_stream_is_transformed_like_the_whole() {
    let (openai, anthropic) = (Wire::OpenAiChat, Wire::AnthropicMessages);
    for (wire, other, body, deltas) in [
        (openai, anthropic, OPENAI, 2),
        (anthropic, openai, ANTHROPIC, 1),
    ] {
        for way in streams(wire, other) {
            let came = same_for_all_cuts(&way, body.as_bytes());
            assert_eq!(came.end, End::Complete, "{}", way.0);
            assert!(!came.out.contains("sk-secret") && came.out.contains("*********-1"));
            if !["plain", "relayed"].contains(&way.0) {
                assert_eq!((came.deltas, came.content), (deltas, true), "{}", way.0);
                let usage = (came.facts.usage.input, came.facts.usage.output);
                assert_eq!(usage, (Some(7), Some(2)), "{}", way.0);
                assert_eq!(came.facts.model.as_deref(), Some("m-*********"));
            }
            let has_chunk = came.out.contains(r#""choices":[]"#);
            let keeps = wire == openai && ["plain", "relayed", "watched"].contains(&way.0);
            assert_eq!(has_chunk, keeps, "{}", way.0);
            assert_eq!(
                came.out.starts_with('\u{FEFF}'),
                way.0 != "behind own bytes" && way.0 != "translated"
            );
        }
    }
}

#[test]
fn any_cut_of_a_stream_that_fails_or_ends_early_is_transformed_like_the_whole() {
    let (openai, anthropic) = (Wire::OpenAiChat, Wire::AnthropicMessages);
    for (wire, other, error) in [
        (openai, anthropic, OPENAI_ERROR),
        (anthropic, openai, ANTHROPIC_ERROR),
    ] {
        for way in streams(wire, other) {
            // With its blank line, and without: then it is whole at the body's end alone.
            for body in [error, error.trim_end()] {
                let came = same_for_all_cuts(&way, body.as_bytes());
                assert!(!came.out.contains("sk-secret"), "{}: {}", way.0, came.out);
                if !["plain", "relayed"].contains(&way.0) {
                    assert_eq!(came.end, End::UpstreamError, "{}", way.0);
                    let message = came.said.unwrap().message.unwrap();
                    assert_eq!(message, format!("no {}", "*".repeat(19)), "{}", way.0);
                }
            }
        }
        for way in streams(wire, other).into_iter().skip(2) {
            let (cut, _) = error.split_at(error.find("\n\n").unwrap() + 2);
            let came = same_for_all_cuts(&way, cut.as_bytes());
            assert_eq!(came.end, End::Truncated, "{}", way.0);
        }
    }
}

#[test]
fn any_cut_of_a_document_is_transformed_like_the_whole() {
    let wire = Wire::OpenAiChat;
    for (body, end) in [
        (DOCUMENT, End::Complete),
        (
            r#"{"error":{"message":"no sk-s\u0065cret"}}"#,
            End::UpstreamError,
        ),
        (r#"{"a":"sk-secret"}"#, End::UpstreamError),
        ("sk-secret is no JSON", End::Truncated),
        ("", End::Truncated),
    ] {
        for way in documents(wire) {
            let came = same_for_all_cuts(&way, body.as_bytes());
            let is_relayed = way.0 == "relayed";
            assert!(
                is_relayed || came.end == end,
                "{} {body}: {:?}",
                way.0,
                came.end
            );
            assert_eq!(came.out.len(), body.len(), "lengths stay");
            assert!(!came.out.contains("sk-secret") && !came.out.contains("u0065"));
            if end == End::Complete {
                assert_eq!(came.facts.usage.input, Some(7), "{}", way.0);
                assert_eq!(came.facts.model.as_deref(), Some("m-*********"));
            }
        }
    }
}

/// The provider's credential.
const KEY: &[u8] = b"sk-secret";
/// Longer than any event.
const EVENT_MAX: usize = 1 << 20;

const OPENAI: &str = "\u{FEFF}data: {\"id\":\"1\",\"model\":\"m-sk-secret\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a sk-\"}}]}\n\n\
: a comment\n\n\
data: {\"id\":\"1\",\"model\":\"m-sk-secret\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"sk\\u002dsecret-1\"},\"finish_reason\":null}]}\r\n\r\n\
data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
data: {\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n\
data: [DONE]\n\n";

const ANTHROPIC: &str = "\u{FEFF}event: message_start\n\
data: {\"type\":\"message_start\",\"message\":{\"id\":\"1\",\"model\":\"m-sk-secret\",\"content\":[],\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n\
data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
data: {\"type\":\"ping\"}\n\n\
data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"sk\\u002dsecret-1\"}}\n\n\
data: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n\
event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

const OPENAI_ERROR: &str = "data: {\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n\
data: {\"error\":{\"message\":\"no \\u0073\\u006b-secret\",\"code\":500}}\n\n";

const ANTHROPIC_ERROR: &str = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"1\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n\
event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no \\u0073\\u006b-secret\"}}\n\n";

const DOCUMENT: &str = r#" {"id":"1","object":"chat.completion","model":"m-sk-secret","choices":[{"index":0,"message":{"role":"assistant","content":"sk\u002dsecr\u0065t"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}} "#;
