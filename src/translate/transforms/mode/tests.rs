//! What the relay asks of a body's mode beside its bytes.

use super::*;
use crate::chat::error::ErrorKind;
use crate::translate::answer_context::AnswerContext;

const OPENAI: Wire = Wire::OpenAiChat;
const ANTHROPIC: Wire = Wire::AnthropicMessages;

fn whole(unasked: bool) -> Mode {
    Mode::Whole {
        wire: OPENAI,
        len: None,
        nesting: None,
        found: Found::Unread,
        kept: Some(Vec::new()),
        unasked,
    }
}

fn watched(wire: Wire) -> Mode {
    Mode::Watched {
        wire,
        tap: Box::new(Tap::new(wire, EVENT_MAX)),
        strip: (wire == OPENAI).then(|| Box::new(UsageStrip::new(EVENT_MAX))),
        unmark: None,
    }
}

fn translated() -> Mode {
    let translator = StreamTranslator::new(ANTHROPIC, OPENAI, AnswerContext::default(), EVENT_MAX);
    Mode::Translated(Box::new(translator))
}

/// Pushes `body` and says what the client gets of it.
fn push(mode: &mut Mode, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    mode.push(body, &mut out, &RefCell::new(Tape::new()));
    out
}

fn finish(mode: &mut Mode, clean: bool) -> (End, Vec<u8>) {
    let mut out = Vec::new();
    let progress = mode.finish(clean, &mut out, &RefCell::new(Tape::new()));
    (progress.end, out)
}

fn failed(mode: &mut Mode) -> String {
    let mut out = Vec::new();
    let failure = ApiError {
        kind: ErrorKind::Api,
        message: "it broke",
        code: Some("stream_cut"),
        param: None,
    };
    mode.fail(&failure, "rw_1", &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_a_stream_may_grow_and_is_read_in_smaller_pieces() {
    // Mode, events pass, a stream of which the gateway is part, pings.
    let modes = [
        (Mode::Plain, false, false, false),
        (Mode::relayed(OPENAI, false), false, false, false),
        (Mode::relayed(OPENAI, true), true, false, false),
        (whole(false), false, false, false),
        (watched(OPENAI), true, true, false),
        (translated(), true, true, true),
    ];
    for (number, (mode, events, stream, pings)) in modes.into_iter().enumerate() {
        assert_eq!(mode.is_events(), events, "{number}");
        assert_eq!(mode.is_stream(), stream, "{number}");
        assert_eq!(mode.keeps_length(), !stream, "{number}");
        assert_eq!(mode.pings(), pings, "{number}");
        let bytes = if stream {
            MIDDLE_READ_BYTES
        } else {
            BUSY_READ_BYTES
        };
        assert_eq!(mode.read_bytes(), bytes, "{number}");
    }
}

#[test]
fn a_whole_answer_is_judged_by_what_it_turned_out_to_be() {
    let answer = br#"{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    for (body, end, is_error, is_garbage) in [
        (&answer[..], End::Complete, false, false),
        (
            br#"{"error":{"message":"no"}}"#,
            End::UpstreamError,
            true,
            false,
        ),
        (br#"{"a":1}"#, End::UpstreamError, true, false),
        (b"<html>", End::Truncated, false, true),
    ] {
        let mut mode = whole(false);
        assert_eq!(push(&mut mode, body), body);
        assert!(!mode.is_error() && !mode.is_garbage(), "not read yet");
        assert_eq!(finish(&mut mode, true).0, end);
        assert_eq!((mode.is_error(), mode.is_garbage()), (is_error, is_garbage));
        let message = mode.upstream_error().and_then(|it| it.message.clone());
        assert_eq!(message.is_some(), body.starts_with(b"{\"error\""));
    }
}

#[test]
fn what_begins_like_an_error_is_held_while_another_target_is_left() {
    for (body, is_held) in [
        ("", false),
        ("  ", false),
        ("{", true),
        ("{ \"er", true),
        ("{\"error\":", true),
        ("{\"ty", true),
        ("{\"type\"", true),
        ("{\"type\" : ", true),
        ("{\"type\":\"err", true),
        ("{\"type\":\"error\",", true),
        ("{\"type\":\"message\"", false),
        ("{\"id\":1", false),
        ("[", false),
    ] {
        let mut mode = whole(false);
        push(&mut mode, body.as_bytes());
        assert_eq!(mode.is_dubious(true), is_held, "{body}");
        assert!(!mode.is_dubious(false), "{body}");
        let mut unasked = whole(true);
        push(&mut unasked, body.as_bytes());
        assert!(unasked.is_dubious(false), "{body}");
    }
    for mode in [Mode::Plain, watched(OPENAI), translated()] {
        assert!(!mode.is_dubious(true));
    }
}

#[test]
fn memory_of_a_slow_answer_is_given_back_where_it_is_not_needed() {
    let begun = b"data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a";
    let other = b"event: message_start\ndata: {\"type\":\"message_start\",\"mess";
    for (mut mode, input, holds, gives) in [
        (Mode::Plain, &begun[..], false, true),
        (whole(false), begun, true, true),
        (watched(OPENAI), begun, true, true),
        (translated(), other, true, false),
    ] {
        let mut passed = push(&mut mode, input);
        assert_eq!(mode.held_bytes() > 0, holds);
        assert_eq!(mode.let_go(&mut passed), gives);
        assert_eq!(mode.held_bytes() > 0, holds && !gives);
        if gives {
            assert_eq!(passed, input, "what was held back has passed");
        }
    }
    // Passed on without its usage being read, as one is that is too long to be kept.
    let mut long = whole(false);
    push(&mut long, &vec![b' '; KEPT_BYTES_MAX]);
    assert!(long.held_bytes() >= KEPT_BYTES_MAX);
    push(&mut long, b" ");
    assert_eq!(long.held_bytes(), 0);
    assert_eq!(finish(&mut long, true).0, End::Complete);
}

#[test]
fn a_stream_that_broke_ends_in_one_error_and_nothing_else_does() {
    for mut mode in [Mode::Plain, Mode::relayed(OPENAI, true), whole(false)] {
        assert_eq!(failed(&mut mode), "");
    }
    let mut mode = watched(ANTHROPIC);
    push(&mut mode, b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
    assert!(failed(&mut mode).starts_with("event: error\ndata: {\"type\":\"error\""));
    // What has begun is closed first, so that the error is a frame of its own.
    push(&mut mode, b"event: ping\ndata: {\"ty");
    assert!(failed(&mut mode).starts_with("\n\nevent: error\n"));
    let mut ended = watched(OPENAI);
    let last = br#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    push(&mut ended, &[last, &b"\n\ndata: [DONE]\n"[..]].concat());
    assert_eq!(finish(&mut ended, false).0, End::Truncated);
    assert_eq!(failed(&mut ended), "", "the terminator has the last word");
    let mut translated = translated();
    assert!(failed(&mut translated).contains("it broke"));
    assert_eq!(translated.fault(), None, "it was no fault of the stream");
}

#[test]
fn pings_and_marks_are_for_streams_of_ours_alone() {
    for mut mode in [Mode::Plain, whole(false), watched(ANTHROPIC)] {
        let mut out = Vec::new();
        mode.ping(&mut out);
        assert!(out.is_empty());
    }
    let mut out = Vec::new();
    translated().ping(&mut out);
    assert!(out.starts_with(b":"), "a comment before the start");
    for (mut mode, is_taken) in [(watched(OPENAI), true), (Mode::Plain, false)] {
        mode.follow_own_bytes();
        let passed = push(&mut mode, b"\xEF\xBB\xBFdata: [DONE]\n\n");
        assert_eq!(passed.starts_with(b"data"), is_taken);
    }
}

/// Longer than any event here.
const EVENT_MAX: usize = 1 << 16;
