//! Cutting, truncating and damaging every fixture.

use ringway::chat::usage::End;
use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::goldens::{WIRES, fixture, fixtures};
use crate::support::{
    context, pairs, strip_pieces, tap_pieces, translate_between, translate_pieces,
};

#[test]
fn translator_any_split_of_every_fixture_yields_the_same_bytes() {
    for wires in pairs() {
        for (name, body) in fixtures(wires.0, "streams") {
            let body = body.as_bytes();
            let whole = translate_between(wires, context(), &[body], true);
            for at in 0..=body.len() {
                let (a, b) = body.split_at(at);
                let split = translate_between(wires, context(), &[a, b], true);
                assert_eq!(split, whole, "{name} cut at {at}");
            }
            let bytes: Vec<&[u8]> = body.chunks(1).collect();
            let bytes = translate_between(wires, context(), &bytes, true);
            assert_eq!(bytes, whole, "{name} byte by byte");
        }
    }
}

#[test]
fn tap_any_split_of_every_fixture_sees_the_same() {
    for wire in WIRES {
        for (name, body) in fixtures(wire, "streams") {
            let body = body.as_bytes();
            let (whole_tap, whole) = tap_pieces(wire, &[body], true);
            let mut splits: Vec<Vec<&[u8]>> = (0..=body.len())
                .map(|at| vec![&body[..at], &body[at..]])
                .collect();
            splits.push(body.chunks(1).collect());
            for (at, pieces) in splits.iter().enumerate() {
                let (tap, split) = tap_pieces(wire, pieces, true);
                assert_eq!(split, whole, "{name} cut at {at}");
                assert_eq!(tap.usage(), whole_tap.usage(), "{name} cut at {at}");
                assert_eq!(tap.stop(), whole_tap.stop(), "{name} cut at {at}");
                let between = (tap.is_between_frames(), whole_tap.is_between_frames());
                assert_eq!(between.0, between.1, "{name} cut at {at}");
            }
        }
    }
}

#[test]
fn strip_any_split_of_every_fixture_takes_the_usage_chunk_alone() {
    for (name, body) in fixtures(Wire::OpenAiChat, "streams") {
        let whole = strip_pieces(&[body.as_bytes()]);
        let usage = "\"choices\":[],\"usage\":{";
        assert!(
            !core::str::from_utf8(&whole).unwrap().contains(usage),
            "{name}"
        );
        if !body.contains(usage) {
            assert_eq!(whole, body.as_bytes(), "{name}");
        }
        // Every line end there is: a cut CRLF around the chunk leaves nothing behind.
        for ending in ["\n", "\r\n", "\r"] {
            let body = body.replace("\r\n", "\n").replace('\n', ending);
            let whole = strip_pieces(&[body.as_bytes()]);
            for at in 0..=body.len() {
                let (a, b) = body.as_bytes().split_at(at);
                assert_eq!(strip_pieces(&[a, b]), whole, "{name} cut at {at}");
            }
            let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            assert_eq!(strip_pieces(&bytes), whole, "{name} byte by byte");
        }
    }
}

#[test]
fn strip_takes_the_usage_chunk_however_it_is_spelled_and_nothing_else() {
    let usage = r#"{"prompt_tokens":3,"choices":[7],"d":{"choices":{}}}"#;
    let blanks = " ".repeat(200);
    let gone = [
        format!(r#"{{"choices":[],"usage":{usage}}}"#),
        format!(r#"{{"usage":{usage},"choices":[]}}"#),
        format!(r#"{{"usage":{usage},"choices" {blanks}:{blanks}[ {blanks}]}}"#),
        format!(r#"{{"ch\u006fices":[],"usage":{usage}}}"#),
        format!(r#"{{"x":{{"choices":[1]}},"usage":{usage},"ch\u006fices":[ ]}}"#),
        r#"{"choices":[],"us\u0061ge":{}}"#.to_owned(),
        r#"{"id":"choices","choices":[],"usage":{}}"#.to_owned(),
        r#"{"\"choices":[1],"choices":[],"usage":{}}"#.to_owned(),
        r#"{"x":{"choices":1},"y":{"usage":1},"choices":[],"usage":{}}"#.to_owned(),
        r#"{"choices":[],"choices":[],"usage":null,"usage":{}}"#.to_owned(),
    ];
    let stays = [
        format!(r#"{{"choices":[{{"index":0}}],"usage":{usage}}}"#),
        format!(r#"{{"usage":{usage},"choices":[{{"index":0}}]}}"#),
        format!(r#"{{"usage":{usage},"ch\u006fices":[0]}}"#),
        r#"{"usage":null,"choices":[]}"#.to_owned(),
        r#"{"usage":{"choices":[]}}"#.to_owned(),
        r#"{"x":{"choices":[],"usage":{}},"choices":[1]}"#.to_owned(),
        r#"{"choices":"[]","usage":{}}"#.to_owned(),
        r#"{"error":{"choices":[],"usage":{}}}"#.to_owned(),
        r#"{"choices":[],"choices":[1],"usage":{}}"#.to_owned(),
        r#"{"choices":[1],"choices":[],"usage":{}}"#.to_owned(),
        r#"{"x":"{","choices":"","choices":[],"usage":{}}"#.to_owned(),
        r#"{"choices":[],"usage":{},"usage":null}"#.to_owned(),
    ];
    let rows = gone
        .iter()
        .map(|it| (it, ""))
        .chain(stays.iter().map(|it| (it, "stays")));
    for (chunk, fate) in rows {
        strip_in_all_cuts(&format!("data: {chunk}\n\n"), fate.is_empty());
    }
}

#[test]
fn strip_takes_the_usage_chunk_however_its_lines_stand() {
    let chunk = "data: {\"choices\":[],\"usage\":{}}\n\n";
    let gone = [
        format!(": ping\n{chunk}"),
        format!(":\n:{{\"choices\":[1]\nevent: \"choices\":1\n{chunk}"),
        format!("event: {{\"choices\":1\ndata\n{chunk}"),
        "data: {\ndata: \"choices\":\ndata: [],\"usage\":{}}\n\n".to_owned(),
        "data: {\ndata:\"choices\": [\n: x\ndata: ]\ndata: ,\"usage\":{}}\n\n".to_owned(),
        "data: {\"choices\"\r\ndata::[],\"usage\":\r\ndata:{}}\r\n\r\n".to_owned(),
    ];
    let stays = [
        format!(": {chunk}"),
        "data: {\ndata: \"choices\": [\ndata: 1\ndata: ],\"usage\":{}}\n\n".to_owned(),
        format!("data: {{\"choices\":[],\"usage\":{{}}}}\n{chunk}"),
    ];
    for (event, goes) in gone
        .iter()
        .map(|it| (it, true))
        .chain(stays.iter().map(|it| (it, false)))
    {
        strip_in_all_cuts(event, goes);
    }
}

/// Holds what becomes of an event amid a stream against what is to, however the stream is cut.
fn strip_in_all_cuts(event: &str, goes: bool) {
    let (start, end) = ("data: {\"choices\":[{}]}\n\n", "data: [DONE]\n\n");
    let body = [start, event, end].concat();
    let expected = if goes {
        [start, end].concat()
    } else {
        body.clone()
    };
    for at in 0..=body.len() {
        let (a, b) = body.as_bytes().split_at(at);
        let out = String::from_utf8(strip_pieces(&[a, b])).unwrap();
        assert_eq!(out, expected, "{event} cut at {at}");
    }
    let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    let out = strip_pieces(&bytes);
    assert_eq!(out, expected.as_bytes(), "{event} byte by byte");
}

#[test]
fn truncation_at_every_byte_never_looks_finished() {
    for from in WIRES {
        for (name, body) in fixtures(from, "streams") {
            for at in 0..=body.len() {
                let cut = &body.as_bytes()[..at];
                for clean in [false, true] {
                    let out = translate_pieces(from, context(), &[cut], clean);
                    let (_, tap) = tap_pieces(from, &[cut], clean);
                    let case = format!("{name} cut at {at}, clean {clean}");
                    let may_finish = finished(from, cut, clean);
                    let told = out.text().contains(terminator(from));
                    assert!(!told || may_finish, "{case}: {}", out.text());
                    assert!(told || out.end != End::Complete, "{case}");
                    assert!(clean || out.end != End::Complete, "{case}");
                    assert!(tap.end != End::Complete || may_finish, "{case}");
                    assert!(clean || tap.end != End::Complete, "{case}");
                    let errors = out.text().matches("\"error\":{").count();
                    assert_eq!(
                        usize::from(told) + errors,
                        1,
                        "{case}: one end\n{}",
                        out.text()
                    );
                }
            }
        }
    }
}

/// The terminator of the client's wire.
fn terminator(from: Wire) -> &'static str {
    match from {
        Wire::OpenAiChat => "event: message_stop",
        Wire::AnthropicMessages => "data: [DONE]",
    }
}

/// Whether what came of a body allows a finished answer, by a plain reading of the issue.
fn finished(wire: Wire, cut: &[u8], clean: bool) -> bool {
    let text = String::from_utf8_lossy(cut)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let (whole, rest) = text.rsplit_once("\n\n").unwrap_or(("", &text));
    let whole = format!("{whole}\n\n");
    let mut frames: Vec<&str> = whole
        .lines()
        .filter_map(|it| it.strip_prefix("data:"))
        .collect();
    let last = rest.lines().find_map(|line| line.strip_prefix("data:"));
    if clean {
        frames.extend(last);
    }
    let terminated = frames.iter().any(|frame| match wire {
        Wire::OpenAiChat => frame.trim().starts_with("[DONE]"),
        Wire::AnthropicMessages => frame.contains("\"message_stop\""),
    });
    let stopped = frames
        .iter()
        .filter_map(|frame| serde_json::from_str(frame).ok());
    let stopped = stopped.into_iter().any(|frame: Value| {
        !frame["choices"][0]["finish_reason"].is_null() || !frame["delta"]["stop_reason"].is_null()
    });
    terminated || (clean && stopped)
}

#[test]
fn damage_at_random_places_never_panics_and_ends_once_however_it_is_cut() {
    let rounds = std::env::var("DAMAGE_ROUNDS").map_or(60, |rounds| rounds.parse().unwrap());
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for from in WIRES {
        for (_, body) in fixtures(from, "streams") {
            for _ in 0..rounds {
                let mut body = body.clone().into_bytes();
                for _ in 0..=random(4) {
                    let at = random(body.len());
                    match random(3) {
                        0 => body[at] = u8::try_from(random(256)).unwrap(),
                        1 => drop(body.remove(at)),
                        _ => body.insert(at, b"{}[]\",:\\\n\r"[random(10)]),
                    }
                }
                let out = translate_pieces(from, context(), &[&body], true);
                assert_ne!(out.end, End::Open);
                let told = out.text().contains(terminator(from));
                assert_eq!(told, out.end == End::Complete);
                let (_, tap) = tap_pieces(from, &[&body], true);
                assert_ne!(tap.end, End::Open);
                let strip = strip_pieces(&[&body]);
                let (a, b) = body.split_at(random(body.len()));
                assert_eq!(translate_pieces(from, context(), &[a, b], true), out);
                assert_eq!(tap_pieces(from, &[a, b], true).1, tap);
                assert_eq!(strip_pieces(&[a, b]), strip);
            }
        }
    }
}

#[test]
fn last_event_that_is_not_whole_is_no_end_for_tap_and_translator() {
    let streams = [
        (
            Wire::OpenAiChat,
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        ),
        (
            Wire::AnthropicMessages,
            "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
        ),
    ];
    for (wire, start) in streams {
        for (rest, end) in [
            ("", End::Complete),
            ("da", End::Truncated),
            ("data", End::Truncated),
            ("data:", End::Truncated),
            ("data: ", End::Truncated),
            ("data: {\"type\":\"ping", End::Truncated),
            ("event: other\ndata: {\"a\":", End::Truncated),
            ("event: other\ndata: 50 per c", End::Truncated),
            (
                "event: other\ndata: {\ndata: \"a\":1\ndata: }",
                End::Complete,
            ),
            ("event: other\ndata: 50 per cent\n\n", End::Complete),
        ] {
            let stream = format!("{start}{rest}");
            let translated = translate_pieces(wire, context(), &[stream.as_bytes()], true);
            assert_eq!(translated.end, end, "{wire:?} {rest:?}");
            let watched = tap_pieces(wire, &[stream.as_bytes()], true).1;
            assert_eq!(watched.end, end, "{wire:?} {rest:?}");
        }
    }
}

#[test]
fn translator_event_over_the_limit_ends_with_an_error() {
    use ringway::translate::stream::StreamTranslator;
    let frame = |length: usize| {
        let head = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
        let tail = "\"}}]}";
        let fill = "x".repeat(length - head.len() - tail.len());
        format!("{head}{fill}{tail}\n\n")
    };
    for (length, end) in [(1000, End::Open), (1001, End::Truncated)] {
        let (from, to) = (Wire::OpenAiChat, Wire::AnthropicMessages);
        let mut translator = StreamTranslator::new(from, to, context(), 1000);
        let mut out = Vec::new();
        let progress = translator.push(frame(length).as_bytes(), &mut out);
        assert_eq!(progress.end, end, "{length}");
    }
}

#[test]
fn tap_and_strip_hold_events_against_the_limit_the_same_however_cut() {
    use ringway::translate::tap::Tap;
    use ringway::translate::usage_strip::UsageStrip;
    let chunk = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}";
    for ending in ["\n", "\r\n", "\r"] {
        let stream = format!("data: {{}}{ending}{ending}{chunk}{ending}{ending}");
        // Up to the first byte of the last line end.
        let length = chunk.len() + ending.len() + 1;
        for (max, known) in [(length, true), (length - 1, false)] {
            for at in 0..=stream.len() {
                let (a, b) = stream.as_bytes().split_at(at);
                let (mut tap, mut strip) =
                    (Tap::new(Wire::AnthropicMessages, max), UsageStrip::new(max));
                let (mut events, mut out) = (0, Vec::new());
                for piece in [a, b] {
                    events += tap.push(piece).events;
                    strip.push(piece, &mut out);
                }
                strip.finish(&mut out);
                let case = format!("{ending:?} cut at {at}, limit {max}");
                assert_eq!(events, 1 + u32::from(known), "{case}");
                assert_eq!(out == stream.as_bytes(), !known, "{case}");
            }
        }
    }
}

#[test]
fn tap_that_lets_go_of_half_an_event_passes_over_it_and_no_other() {
    use ringway::translate::tap::Tap;
    for wire in WIRES {
        let body = fixture(wire, "streams", "text.sse");
        let (_, all) = tap_pieces(wire, &[body.as_bytes()], true);
        for at in 1..body.len() {
            let (start, rest) = body.as_bytes().split_at(at);
            let mut tap = Tap::new(wire, 1 << 20);
            let mut events = tap.push(start).events;
            let half = !tap.is_between_frames();
            tap.let_go();
            assert_eq!(tap.held_bytes(), 0, "{at}");
            events += tap.push(rest).events;
            events += tap.finish(true).events;
            assert!(
                events == all.events || (half && events + 1 == all.events),
                "{at}"
            );
            assert!(half || tap.model().is_some(), "{at}");
        }
    }
}

#[test]
fn strip_that_lets_go_of_half_an_event_loses_no_byte_of_it() {
    use ringway::translate::usage_strip::UsageStrip;
    let chunk = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3}}\n\n";
    let other = "data: {\"choices\":[{\"index\":0}]}\n\n";
    let stream = format!("{other}{chunk}data: [DONE]\n\n");
    let stripped = format!("{other}data: [DONE]\n\n");
    for at in 0..=stream.len() {
        let (start, rest) = stream.as_bytes().split_at(at);
        let (mut strip, mut out) = (UsageStrip::new(1 << 20), Vec::new());
        strip.push(start, &mut out);
        strip.let_go(&mut out);
        assert_eq!(strip.held_bytes(), 0, "{at}");
        strip.push(rest, &mut out);
        strip.finish(&mut out);
        // What was let go can no longer be taken out.
        let amid = (other.len() + 1..other.len() + chunk.len()).contains(&at);
        let expected = if amid { &stream } else { &stripped };
        assert_eq!(out, expected.as_bytes(), "{at}");
    }
}

#[test]
fn strip_holds_no_more_than_its_limit_however_large_the_piece() {
    use ringway::translate::usage_strip::UsageStrip;
    let max = 1000;
    let long = format!("data: {{\"model\":\"{}\"}}\n\n", "m".repeat(100_000));
    for at in [1, 10, max - 1, max, max + 1, long.len() - 1, long.len()] {
        let (mut strip, mut out) = (UsageStrip::new(max), Vec::new());
        let (start, rest) = long.as_bytes().split_at(at);
        for piece in [start, rest, b"data: {"] {
            strip.push(piece, &mut out);
            assert!(strip.held_bytes() <= 2 * max, "cut at {at}");
        }
        strip.finish(&mut out);
        assert_eq!(out, format!("{long}data: {{").as_bytes(), "cut at {at}");
    }
}

#[test]
fn names_of_the_upstream_stand_in_every_chunk_up_to_their_limit() {
    for (length, kept) in [(256, true), (257, false)] {
        let name = "n".repeat(length);
        let body = fixture(Wire::AnthropicMessages, "streams", "text.sse");
        let body = body.replace("msg_01X", &name).replace("claude-x-1", &name);
        let out = translate_pieces(Wire::AnthropicMessages, context(), &[body.as_bytes()], true);
        assert_eq!(out.end, End::Complete);
        assert_eq!(
            out.text().contains(&format!("\"id\":\"{name}\"")),
            kept,
            "{length}"
        );
        assert_eq!(
            out.text().contains(&format!("\"model\":\"{name}\"")),
            kept,
            "{length}"
        );
    }
}

/// A frame that means nothing, so that the one behind it is read in full.
const fn no_op(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "data: {\"choices\":[]}\n\n",
        Wire::AnthropicMessages => "data: {\"type\":\"nothing\"}\n\n",
    }
}

#[test]
fn frames_like_the_one_before_mean_what_they_mean_when_read_in_full() {
    for from in WIRES {
        for (name, body) in fixtures(from, "streams") {
            let body = body.replace("\r\n", "\n");
            // Ahead of the first chunk it would start the answer without a name.
            let start = body.find("\"choices\"").unwrap_or_default();
            let (ahead, rest) = body.split_at(start);
            let rest = rest.replace("\n\n", &format!("\n\n{}", no_op(from)));
            let apart = [ahead, &rest].concat();
            let (short, full) = (
                translate_pieces(from, context(), &[body.as_bytes()], true),
                translate_pieces(from, context(), &[apart.as_bytes()], true),
            );
            assert_eq!(short.text(), full.text(), "{name}");
            assert_eq!(short.end, full.end, "{name}");
            let (short, full) = (
                tap_pieces(from, &[body.as_bytes()], true).1,
                tap_pieces(from, &[apart.as_bytes()], true).1,
            );
            assert_eq!((short.deltas, short.end), (full.deltas, full.end), "{name}");
        }
    }
}

#[test]
fn tap_and_translator_agree_on_what_may_follow_the_last_event() {
    let openai = r#"data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    let anthropic = [
        r#"event: message_start
data: {"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}}"#,
        r#"event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#,
    ]
    .join("\n\n");
    for (wire, body) in WIRES.into_iter().zip([openai.to_owned(), anthropic]) {
        for (rest, complete) in [
            ("", true),
            (": keep-alive", true),
            (": keep-alive\n", true),
            (":", true),
            (":a\r:b\r\n", true),
            ("\n: a\n\n:b", true),
            ("  ", true),
            (" \t\n: a", true),
            (": a\nevent: x", false),
            (": a\nevent: x\n", false),
            (": a\nid: 1\n", false),
            ("retry: 10", false),
            ("  : a", false),
            ("da", false),
            ("data: {\"a\"", false),
        ] {
            let body = format!("{body}\n\n{rest}");
            for at in body.len() - rest.len() - 2..=body.len() {
                let (a, b) = body.split_at(at);
                let pieces = [a.as_bytes(), b.as_bytes()];
                let (tap, _) = tap_pieces(wire, &pieces, true);
                let out = translate_pieces(wire, context(), &pieces, true);
                let expected = if complete {
                    End::Complete
                } else {
                    End::Truncated
                };
                assert_eq!(
                    (tap.end(), out.end),
                    (expected, expected),
                    "{rest:?} cut at {at}"
                );
            }
        }
    }
}
