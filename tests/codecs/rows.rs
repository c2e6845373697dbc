//! One test per reported behaviour that concerns answers; the row's id opens the name.

use ringway::chat::error::ErrorKind;
use ringway::chat::usage::End;
use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::response;
use ringway::translate::stream::StreamTranslator;
use ringway::wire::codec::ClientNeeds;
use ringway::wire::kind::Wire::{self, AnthropicMessages as A, OpenAiChat as O};
use serde_json::{Value, json};

use crate::goldens::{WIRES, fixture, fixtures};
use crate::meaning::{frames, of_stream, parse};
use crate::support::{
    EVENT_BYTES_MAX, Out, context, other, strip_pieces, tap_pieces, translate, translate_pieces,
};

fn run(from: Wire, name: &str) -> (Out, Vec<Value>) {
    let body = fixture(from, "streams", &format!("{name}.sse"));
    let out = translate(from, context(), &body);
    let events = values(&out);
    (out, events)
}

pub(crate) fn values(out: &Out) -> Vec<Value> {
    let frames = frames(&out.bytes);
    let frames = frames.iter().filter(|frame| !frame.starts_with("[DONE]"));
    frames.map(|frame| parse(frame)).collect()
}

/// The blocks of an Anthropic stream: kind and what their deltas carried, and that the grammar
/// holds: one open at a time, counted from 0, nothing behind a stop.
pub(crate) fn blocks(events: &[Value]) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open = None;
    for event in events {
        let index = event["index"].as_u64();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(open, None, "overlapping blocks");
                assert_eq!(index, Some(blocks.len() as u64), "indexes count from 0");
                open = index;
                let block = &event["content_block"];
                let kind = block["name"].as_str().or_else(|| block["type"].as_str());
                blocks.push((kind.unwrap().to_owned(), String::new()));
            }
            "content_block_delta" => {
                assert_eq!(open, index, "a delta of a block that is not open");
                let delta = &event["delta"];
                let names = ["text", "thinking", "signature", "partial_json"];
                for piece in names.into_iter().filter_map(|name| delta[name].as_str()) {
                    blocks.last_mut().unwrap().1 += piece;
                }
            }
            "content_block_stop" => {
                assert_eq!(open.take(), index, "a stop of a block that is not open");
            }
            "message_delta" => {
                assert_eq!(open, None, "a block is open at the end");
                assert!(
                    event["usage"]["output_tokens"].is_u64(),
                    "clients break without usage"
                );
            }
            _ => {}
        }
    }
    blocks
}

pub(crate) fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

fn deltas<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    let all = events
        .iter()
        .map(|event| &event["choices"][0]["delta"][name]);
    all.filter(|delta| !delta.is_null()).collect()
}

fn last(events: &[Value]) -> &Value {
    events.last().unwrap()
}

fn finish_reason(events: &[Value]) -> String {
    let reasons = events
        .iter()
        .filter_map(|event| event["choices"][0]["finish_reason"].as_str());
    reasons.collect()
}

pub(crate) fn stop_reason(events: &[Value]) -> &str {
    let delta = events
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    delta["delta"]["stop_reason"].as_str().unwrap()
}

// A. Tool calls in streams.

#[test]
fn a1_interleaved_fragments_land_in_their_own_blocks() {
    let (_, events) = run(O, "tools-interleaved");
    let expected = [
        ("weather", r#"{"city":"Par}is"}"#),
        ("time", r#"{"zone":"CET"}"#),
    ];
    assert_eq!(blocks(&events), pairs(&expected));
}

#[test]
fn a2_three_calls_in_one_turn_yield_three_blocks() {
    let (_, events) = run(O, "tools-three-in-a-row");
    let expected = [
        ("f", r#"{"n":1}"#),
        ("f", r#"{"n":2}"#),
        ("g", r#"{"n":3}"#),
    ];
    assert_eq!(blocks(&events), pairs(&expected));
    let (_, events) = run(O, "tools-all-index-zero");
    let expected = [("f", r#"{"n":1}"#), ("g", r#"{"n":2}"#)];
    assert_eq!(blocks(&events), pairs(&expected));
}

/// A stream of the OpenAI wire whose chunks carry these lists of `tool_calls`.
pub(crate) fn calling(lists: &[Value]) -> String {
    let chunk = |delta: Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!(
            "data: {}\n\n",
            json!({"id": "c", "model": "m", "choices": [choice]})
        )
    };
    let calls = lists
        .iter()
        .map(|list| chunk(json!({ "tool_calls": list }), Value::Null));
    let last = chunk(json!({}), json!("tool_calls"));
    calls.collect::<String>() + &last + "data: [DONE]\n\n"
}

pub(crate) fn call(mut own: Value, name: &str, arguments: &str) -> Value {
    own["function"] = json!({"name": name, "arguments": arguments});
    own
}

#[test]
fn a2_whole_calls_that_nothing_numbers_are_calls_of_their_own() {
    let two = [("f", r#"{"n":1}"#), ("f", r#"{"n":2}"#)];
    let other = [("f", r#"{"n":1}"#), ("g", "{}")];
    let nothing = [("f", ""), ("g", r#"{"n":2}"#)];
    for (own, expected) in [
        (json!({"index": 0}), &two[..]),
        (json!({}), &two),
        (json!({"id": ""}), &two),
        (json!({"index": 0, "id": "x"}), &two),
        (json!({"index": 0}), &other),
        (json!({"id": "x"}), &other),
        (json!({"index": 0, "id": "x"}), &other),
        (json!({"index": 0}), &nothing),
    ] {
        let calls: Vec<Value> = expected
            .iter()
            .map(|(name, arguments)| call(own.clone(), name, arguments))
            .collect();
        let apart: Vec<Value> = calls.iter().map(|call| json!([call])).collect();
        for body in [calling(&apart), calling(&[json!(calls)])] {
            let out = translate(O, context(), &body);
            assert_eq!(blocks(&values(&out)), pairs(expected), "{own}");
            assert_eq!(stop_reason(&values(&out)), "tool_use");
        }
    }
}

#[test]
fn a2_name_repeated_in_every_piece_goes_on_with_the_call() {
    let pieces = [
        r#"{"a":{"b":"#,
        r#"1}"#,
        "",
        r#","c":"}{"#,
        r#""}"#,
        "",
        " ",
    ];
    for own in [
        json!({"index": 0}),
        json!({"index": 0, "id": "x"}),
        json!({}),
        json!({"id": "x"}),
    ] {
        let lists: Vec<Value> = pieces
            .iter()
            .map(|piece| json!([call(own.clone(), "f", piece)]))
            .collect();
        let out = translate(O, context(), &calling(&lists));
        let expected = [("f", r#"{"a":{"b":1},"c":"}{"} "#)];
        assert_eq!(blocks(&values(&out)), pairs(&expected), "{own}");
    }
}

#[test]
fn a2_whole_call_behind_repeated_pieces_is_told_from_them() {
    // The pieces between are like the one before but for their text.
    let pieces = [r#"{"a":["#, "1,", "2,", "3]}"];
    let mut lists: Vec<Value> = vec![json!([call(json!({"index": 0}), "f", "")])];
    lists.extend(
        pieces
            .iter()
            .map(|piece| json!([{"index": 0, "function": {"arguments": piece}}])),
    );
    lists.push(json!([call(json!({"index": 0}), "f", "{}")]));
    let out = translate(O, context(), &calling(&lists));
    let expected = [("f", r#"{"a":[1,2,3]}"#), ("f", "{}")];
    assert_eq!(blocks(&values(&out)), pairs(&expected));
}

#[test]
fn a9_arguments_that_are_an_object_are_the_input() {
    let object = json!({"a": 1, "b": "\"\n"});
    for own in [json!({"index": 0, "id": "x"}), json!({})] {
        let mut first = own.clone();
        first["function"] = json!({"name": "f", "arguments": object});
        let mut second = own;
        second["id"] = json!("y");
        second["function"] = json!({"name": "f", "arguments": {}});
        let body = calling(&[json!([first]), json!([second])]);
        let expected = [
            ("f".to_owned(), object.clone()),
            ("f".to_owned(), json!({})),
        ];
        let out = translate(O, context(), &body);
        assert_eq!(of_stream(A, &out.bytes).tools, expected);
    }
    let function = json!({"name": "f", "arguments": object});
    let choice = json!({"index": 0, "delta": {"function_call": function}, "finish_reason": "stop"});
    let chunk = json!({"id": "c", "model": "m", "choices": [choice]});
    let out = translate(O, context(), &format!("data: {chunk}\n\ndata: [DONE]\n\n"));
    assert_eq!(of_stream(A, &out.bytes).tools, [("f".to_owned(), object)]);
}

#[test]
fn a3_second_call_waits_until_the_first_is_whole_and_no_longer() {
    let body = fixture(O, "streams", "tools-interleaved.sse");
    let mut translator = StreamTranslator::new(O, A, context(), EVENT_BYTES_MAX);
    let mut starts = Vec::new();
    for record in body.split_inclusive("\n\n") {
        let mut out = Vec::new();
        translator.push(record.as_bytes(), &mut out);
        let out = String::from_utf8(out).unwrap();
        starts.push(out.matches("\"type\":\"tool_use\"").count());
    }
    // role, start 0, start 1, fragment 0, fragment 1, last fragment 0 (which lets 1 go), ...
    assert_eq!(starts, [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn a4_late_fragment_of_the_first_call_comes_before_its_stop() {
    let (_, events) = run(O, "tools-late-fragment-of-the-first");
    assert_eq!(
        blocks(&events),
        pairs(&[("f", r#"{"a":1}"#), ("g", r#"{"b":2}"#)])
    );
}

#[test]
fn a5_text_after_calls_gets_a_block_of_its_own() {
    let (out, events) = run(O, "tools-then-text");
    let expected = [("f", "{}"), ("g", r#"{"x":1}"#), ("text", "Both asked.")];
    assert_eq!(blocks(&events), pairs(&expected));
    let count = |name: &str| out.text().matches(name).count();
    assert_eq!(
        count("event: content_block_start"),
        count("event: content_block_stop")
    );
}

#[test]
fn a6_calls_behind_text_are_numbered_from_zero() {
    let (_, events) = run(A, "tools-parallel-after-text");
    let calls = deltas(&events, "tool_calls");
    let indexes: Vec<u64> = calls
        .iter()
        .map(|it| it[0]["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 0, 0, 1, 1]);
}

#[test]
fn a7_tool_without_arguments_yields_empty_object() {
    let (_, events) = run(A, "tool-without-arguments");
    let calls = deltas(&events, "tool_calls");
    let pieces = calls
        .iter()
        .map(|it| it[0]["function"]["arguments"].as_str().unwrap());
    assert_eq!(pieces.collect::<String>(), "{}");
}

#[test]
fn a7_white_space_before_arguments_is_not_written() {
    for (pieces, expected) in [
        (&["", " ", r#"{"a":1}"#][..], r#"{"a":1}"#),
        (&["", "\n\t", " \r", "{", "\n }"], "{\n }"),
        (&["", " ", "\n"], ""),
        (&["", "\n{", " }"], "\n{ }"),
    ] {
        let lists: Vec<Value> = pieces
            .iter()
            .map(|piece| json!([call(json!({"index": 0, "id": "x"}), "f", piece)]))
            .collect();
        let out = translate(O, context(), &calling(&lists));
        assert_eq!(
            blocks(&values(&out)),
            pairs(&[("f", expected)]),
            "{pieces:?}"
        );
        // The same behind a call that holds it back.
        let mut held = vec![json!([
            call(json!({"index": 0, "id": "x"}), "f", "{"),
            call(json!({"index": 1, "id": "y"}), "g", ""),
        ])];
        held.extend(
            pieces
                .iter()
                .map(|piece| json!([{"index": 1, "function": {"arguments": piece}}])),
        );
        held.push(json!([{"index": 0, "function": {"arguments": "}"}}]));
        let out = translate(O, context(), &calling(&held));
        let arguments = blocks(&values(&out))[1].1.clone();
        assert_eq!(arguments.trim(), expected.trim(), "{pieces:?}");
    }
}

#[test]
fn a8_empty_input_before_fragments_leaves_no_prefix() {
    let (out, _) = run(A, "tool-empty-input-then-fragments");
    let meaning = of_stream(O, &out.bytes);
    assert_eq!(meaning.tools, [("f".to_owned(), json!({"a": 1}))]);
}

#[test]
fn a10_tool_turn_that_ends_with_another_word_is_a_tool_turn() {
    for name in ["tools-stop-upper-case", "no-finish-reason-after-tool"] {
        assert_eq!(stop_reason(&run(O, name).1), "tool_use", "{name}");
    }
}

#[test]
fn a11_stop_after_calls_is_tool_use_when_translated_and_untouched_on_the_same_wire() {
    assert_eq!(stop_reason(&run(O, "tools-all-index-zero").1), "tool_use");
    assert_eq!(stop_reason(&run(O, "tool-calls-without-any").1), "end_turn");
    let body = fixture(O, "streams", "tools-all-index-zero.sse");
    assert_eq!(strip_pieces(&[body.as_bytes()]), body.as_bytes());
}

#[test]
fn a13_renamed_tools_have_their_own_names_in_the_answer() {
    for (from, name) in [(O, "tools-then-text"), (A, "tool-without-arguments")] {
        let mut context = context();
        let own = br"my.tool\u00e9".to_vec();
        context.tool_names = [("f".to_owned(), own.clone()), ("now".to_owned(), own)].into();
        let body = fixture(from, "streams", &format!("{name}.sse"));
        let out = translate(from, context, &body);
        assert!(
            out.text().contains(r#""name":"my.tool\u00e9""#),
            "{}",
            out.text()
        );
    }
}

// B. Thinking and signatures.

#[test]
fn b1_lg5_to7_signed_thinking_is_kept_both_ways_also_when_empty() {
    let (_, events) = run(A, "thinking-omitted-then-tool");
    let details = deltas(&events, "reasoning_details");
    let expected = json!([{
        "type": "reasoning.text", "signature": "EqQBsig==",
        "format": "anthropic-claude-v1", "index": 0,
    }]);
    assert_eq!(details, [&expected]);
    let (_, events) = run(O, "signature-after-text");
    assert_eq!(
        blocks(&events),
        pairs(&[("text", "Yes"), ("thinking", "c2ln")])
    );
}

#[test]
fn b3_signatures_and_encrypted_reasoning_of_foreign_formats_name_their_own() {
    let (out, events) = run(O, "reasoning-details-foreign");
    let expected = [
        // Behind the text of a summary stands that it is one, with its format.
        ("thinking", "Shortringway:summary/openai-responses-v1::"),
        ("redacted_thinking", ""),
        ("text", "Yes"),
    ];
    assert_eq!(blocks(&events), pairs(&expected));
    let data = r#"{"type":"redacted_thinking","data":"ringway:openai-responses-v1::xyz"}"#;
    assert!(out.text().contains(data), "{}", out.text());
    let signed = fixture(O, "streams", "reasoning-details-foreign.sse")
        .replace("\"data\":\"xyz\"", "\"signature\":\"xyz\"");
    let out = translate(O, context(), &signed);
    let expected = ["ringway:openai-responses-v1::xyz"];
    assert_eq!(of_stream(A, &out.bytes).signatures, expected);
}

#[test]
fn b4_reasoning_content_alone_is_a_thinking_block_closed_before_text() {
    let (_, events) = run(O, "reasoning-content");
    assert_eq!(
        blocks(&events),
        pairs(&[("thinking", "Let me see."), ("text", "Four")])
    );
}

#[test]
fn b5_signature_that_comes_apart_is_carried_on_the_turn() {
    let (out, _) = run(O, "signature-after-text");
    assert_eq!(of_stream(A, &out.bytes).signatures, ["c2ln"]);
}

#[test]
fn b5_signature_of_a_call_stands_within_its_id_and_goes_back_with_it() {
    let own = json!({"index": 0, "id": "c1", "extra_content": {"google": {"thought_signature": "Cp+/w=="}}});
    let body = calling(&[json!([call(own.clone(), "f", "{}")])]);
    let out = translate(O, context(), &body);
    let events = values(&out);
    let start = events
        .iter()
        .find(|event| event["content_block"]["type"] == "tool_use");
    let streamed = start.unwrap()["content_block"]["id"].clone();
    let message = json!({"role": "assistant", "tool_calls": [call(own, "f", "{}")]});
    let choice = json!({"index": 0, "message": message, "finish_reason": "tool_calls"});
    let answer = json!({"id": "c", "model": "m", "choices": [choice]}).to_string();
    let (mut tape, limits) = (Tape::new(), Limits::default());
    let mut whole = Vec::new();
    let body = answer.as_bytes();
    response::translate((O, A), body, &context(), &mut tape, &limits, &mut whole).unwrap();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["content"][0]["id"], streamed);
    assert_eq!(streamed, "c1__thought__Cp-p-sw-e-e");
}

#[test]
fn b6_bytes_of_thinking_are_the_same_on_the_same_wire() {
    let body = fixture(A, "streams", "thinking.sse").replace("see", "\\u0073\\ud83d é\t");
    let (tap, out) = tap_pieces(A, &[body.as_bytes()], true);
    assert_eq!((out.end, tap.upstream_error()), (End::Complete, None));
}

#[test]
fn b7_thinking_keeps_its_place_before_text_and_calls() {
    let chunk = r#"data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}],"content":"Hi","reasoning_content":"Hm"},"finish_reason":"stop"}]}"#;
    let out = translate(O, context(), &format!("{chunk}\n\ndata: [DONE]\n\n"));
    let expected = [("thinking", "Hm"), ("text", "Hi"), ("f", "{}")];
    assert_eq!(blocks(&values(&out)), pairs(&expected));
}

// C. Usage.

#[test]
fn c1_last_message_delta_carries_the_true_counts() {
    let (_, events) = run(O, "text");
    let zero = json!({"input_tokens": 0, "output_tokens": 0});
    assert_eq!(events[0]["message"]["usage"], zero);
    let delta = events
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    let expected = json!({
        "input_tokens": 17, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1370,
        "output_tokens": 874, "output_tokens_details": {"thinking_tokens": 64},
    });
    assert_eq!(delta["usage"], expected);
}

#[test]
fn c2_c3_c4_c5_counts_are_set_by_the_last_event_that_names_them() {
    let (_, events) = run(A, "usage-late-and-cumulative");
    let usage = &last(&events)["usage"];
    assert_eq!(usage["completion_tokens"], 15);
    assert_eq!(usage["prompt_tokens"], 18 + 8831);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 8831);
    let (_, events) = run(A, "two-message-deltas");
    assert_eq!(last(&events)["usage"]["completion_tokens"], 7);
    assert_eq!(last(&events)["usage"]["prompt_tokens"], 1387);
}

#[test]
fn c6_prompt_tokens_stand_in_the_last_chunk() {
    let (_, events) = run(A, "text");
    assert_eq!(last(&events)["choices"], json!([]));
    assert_eq!(last(&events)["usage"]["prompt_tokens"], 1387);
}

#[test]
fn c7_ni11_usage_chunk_comes_once_before_done_and_only_when_asked() {
    let body = fixture(A, "streams", "text.sse");
    let (out, events) = run(A, "text");
    let with_usage = events
        .iter()
        .filter(|event| event["usage"].is_object())
        .count();
    assert_eq!(with_usage, 1);
    assert!(
        out.text().ends_with("}}\n\ndata: [DONE]\n\n"),
        "{}",
        out.text()
    );
    let context = AnswerContext {
        needs: ClientNeeds::default(),
        ..context()
    };
    let out = translate(A, context, &body);
    assert!(!out.text().contains("usage"), "{}", out.text());
}

#[test]
fn c8_lg6_cached_input_is_added_one_way_and_subtracted_the_other() {
    let (_, events) = run(A, "text");
    let usage = &last(&events)["usage"];
    assert_eq!(usage["prompt_tokens"], 1387);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 1370);
    assert_eq!(usage["total_tokens"], 2261);
    let (_, events) = run(O, "reasoning-content");
    let delta = events
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    assert_eq!(delta["usage"]["input_tokens"], 7);
    assert_eq!(delta["usage"]["cache_read_input_tokens"], 4);
}

#[test]
fn c9_injected_usage_chunk_is_taken_out_and_read_on_the_way() {
    let body = fixture(O, "streams", "text.sse");
    let (tap, _) = tap_pieces(O, &[body.as_bytes()], true);
    assert_eq!(tap.usage().input_total(), 1387);
    let stripped = strip_pieces(&[body.as_bytes()]);
    let expected = body
        .split_inclusive("\n\n")
        .filter(|it| !it.contains("\"usage\":{"));
    assert_eq!(stripped, expected.collect::<String>().as_bytes());
}

// D. Truncation and errors within a stream.

#[test]
fn d1_reset_after_text_yields_an_error_and_no_end() {
    for from in WIRES {
        let body = fixture(from, "streams", "truncated-in-text.sse");
        let out = translate_pieces(from, context(), &[body.as_bytes()], false);
        assert_eq!(out.end, End::Truncated);
        let meaning = of_stream(other(from), &out.bytes);
        assert_eq!(
            meaning.error.as_deref(),
            Some("upstream stream ended early")
        );
        assert!(!meaning.terminated && meaning.stop.is_empty());
    }
}

#[test]
fn d2_d9_break_before_content_leaves_the_way_open_for_another_target() {
    let error = translate(
        A,
        context(),
        &fixture(A, "streams", "error-after-start.sse"),
    );
    assert_eq!((error.content, error.end), (false, End::UpstreamError));
    let role = fixture(O, "streams", "text.sse");
    let role = role.split_inclusive("\n\n").next().unwrap();
    let broken = translate_pieces(O, context(), &[role.as_bytes()], false);
    assert_eq!((broken.content, broken.end), (false, End::Truncated));
    for (wire, body) in [
        (A, fixture(A, "streams", "error-after-start.sse")),
        (O, role.to_owned()),
    ] {
        let (_, tap) = tap_pieces(wire, &[body.as_bytes()], false);
        assert!(!tap.content && tap.end != End::Complete);
    }
}

#[test]
fn d5_d6_anthropic_error_becomes_an_error_object_and_nothing_follows() {
    let (out, events) = run(A, "error-after-text");
    assert_eq!(out.end, End::UpstreamError);
    let error = json!({"message": "Overloaded", "type": "server_error", "param": null, "code": "overloaded"});
    assert_eq!(last(&events), &json!({ "error": error }));
    assert!(!out.text().contains("[DONE]") && finish_reason(&events).is_empty());
}

/// Frames that are no event of their wire and report an error, with its message, class and code.
const FLAT_ERRORS: [(&str, &str, ErrorKind, Option<&str>); 8] = [
    (
        r#"{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}"#,
        "too long",
        ErrorKind::InvalidRequest,
        Some("400"),
    ),
    (
        r#"{"object":"error"}"#,
        "upstream error",
        ErrorKind::Api,
        None,
    ),
    (r#"{"message":"words"}"#, "words", ErrorKind::Api, None),
    (r#"{"Message":"words"}"#, "words", ErrorKind::Api, None),
    (
        r#"{"detail":[{"msg":"words"}]}"#,
        "words",
        ErrorKind::Api,
        None,
    ),
    (r#"{"error":"words"}"#, "words", ErrorKind::Api, None),
    (
        r#"{"message":"slow down","code":429}"#,
        "slow down",
        ErrorKind::RateLimit,
        Some("429"),
    ),
    (
        r#"{"error":{"message":"busy","type":"overloaded_error"}}"#,
        "busy",
        ErrorKind::Overloaded,
        None,
    ),
];

#[test]
fn d8_errors_in_any_form_end_the_stream_and_are_handed_out_from_its_start() {
    for from in WIRES {
        let text = fixture(from, "streams", "truncated-in-text.sse");
        let end = match from {
            O => "data: [DONE]\n\n",
            A => "data: {\"type\":\"message_stop\"}\n\n",
        };
        for (frame, message, kind, code) in FLAT_ERRORS {
            for before in ["", &text] {
                let body = format!("{before}data: {frame}\n\n{end}");
                let mut translator =
                    StreamTranslator::new(from, other(from), context(), EVENT_BYTES_MAX);
                let mut out = Vec::new();
                let told = translator.push(body.as_bytes(), &mut out);
                assert_eq!(told.end, End::UpstreamError, "{body}");
                let meaning = of_stream(other(from), &out);
                assert_eq!(meaning.error.as_deref(), Some(message), "{frame}");
                assert!(!meaning.terminated && meaning.stop.is_empty(), "{frame}");
                let facts = translator.upstream_error().unwrap();
                if from == O {
                    assert_eq!((facts.kind, facts.code.as_deref()), (kind, code), "{frame}");
                }
                let (tap, told) = tap_pieces(from, &[body.as_bytes()], true);
                assert_eq!(told.end, End::UpstreamError, "{frame}");
                assert_eq!(tap.upstream_error(), Some(facts), "{frame}");
            }
        }
    }
}

#[test]
fn d7_end_behind_frames_that_are_no_chunks_is_none() {
    for strange in [
        r#"{"status":"queued"}"#,
        r#"{"id":"c","object":"ping"}"#,
        r#"{"usage":{"prompt_tokens":1}}"#,
        "{}",
    ] {
        let body = format!("data: {strange}\n\ndata: [DONE]\n\n");
        let out = translate(O, context(), &body);
        assert_eq!(out.end, End::Truncated, "{strange}");
        let meaning = of_stream(A, &out.bytes);
        let expected = Some("upstream sent a malformed stream");
        assert_eq!(meaning.error.as_deref(), expected, "{strange}");
        let text = fixture(O, "streams", "text.sse");
        let out = translate(O, context(), &format!("data: {strange}\n\n{text}"));
        assert_eq!(out.end, End::Complete, "{strange}");
    }
}

#[test]
fn d7_end_without_done_is_an_error_unless_a_finish_reason_came() {
    let (out, events) = run(O, "truncated-in-tool");
    assert_eq!(
        (out.end, &last(&events)["type"]),
        (End::Truncated, &json!("error"))
    );
    let (out, events) = run(O, "no-done");
    assert_eq!(
        (out.end, &last(&events)["type"]),
        (End::Complete, &json!("message_stop"))
    );
}

#[test]
fn d8_openai_error_becomes_an_error_event_of_the_mapped_type() {
    let cases = [
        (
            "error-after-text",
            "invalid_request_error",
            ErrorKind::InvalidRequest,
        ),
        ("error-first", "overloaded_error", ErrorKind::Overloaded),
        ("error-in-choice", "api_error", ErrorKind::Api),
    ];
    for (name, kind, neutral) in cases {
        let (out, events) = run(O, name);
        assert!(out.text().contains("event: error\n"), "{name}");
        assert_eq!(last(&events)["error"]["type"], kind, "{name}");
        let body = fixture(O, "streams", &format!("{name}.sse"));
        let mut translator = StreamTranslator::new(O, A, context(), EVENT_BYTES_MAX);
        translator.push(body.as_bytes(), &mut Vec::new());
        assert_eq!(translator.upstream_error().unwrap().kind, neutral, "{name}");
        let (tap, told) = tap_pieces(O, &[body.as_bytes()], true);
        assert_eq!(told.end, End::UpstreamError, "{name}");
        assert_eq!(tap.upstream_error().unwrap().kind, neutral, "{name}");
    }
}

// I. UTF-8.

#[test]
fn i1_i2_i3_characters_cut_at_every_offset_come_out_whole() {
    for from in WIRES {
        let body = fixture(from, "streams", "escapes.sse");
        for at in 0..body.len() {
            let (a, b) = body.as_bytes().split_at(at);
            let out = translate_pieces(from, context(), &[a, b], true);
            assert!(out.text().contains("é€😀") && !out.text().contains('\u{fffd}'));
        }
    }
}

#[test]
fn i4_halves_of_an_escaped_pair_pass_as_they_came() {
    for from in WIRES {
        let (out, _) = run(from, "escapes");
        assert!(out.text().contains(r#""\ud83d""#), "{}", out.text());
        assert!(
            out.text().contains(r#""\ude00 \u00e9\/\n\"q\""#),
            "{}",
            out.text()
        );
    }
}

// J. Framing.

#[test]
fn j1_j3_every_line_end_means_the_same() {
    for from in WIRES {
        for (name, body) in fixtures(from, "streams") {
            let body = body.replace("\r\n", "\n");
            let plain = translate(from, context(), &body);
            let (_, plain_tap) = tap_pieces(from, &[body.as_bytes()], true);
            for ending in ["\r\n", "\r"] {
                let body = body.replace('\n', ending);
                assert_eq!(
                    translate(from, context(), &body),
                    plain,
                    "{name} {ending:?}"
                );
                let (_, tap) = tap_pieces(from, &[body.as_bytes()], true);
                assert_eq!(tap, plain_tap, "{name} {ending:?}");
            }
        }
    }
}

#[test]
fn j2_data_without_a_space_is_read() {
    let (_, events) = run(O, "data-without-space");
    assert_eq!(blocks(&events), pairs(&[("text", "Hi")]));
}

#[test]
fn j4_comments_several_data_lines_and_a_whole_last_event_are_read() {
    for name in [
        "crlf-and-comments",
        "several-data-lines",
        "last-event-unterminated",
    ] {
        let (out, events) = run(O, name);
        assert_eq!(out.end, End::Complete, "{name}");
        assert_eq!(blocks(&events), pairs(&[("text", "Hi")]), "{name}");
    }
}

#[test]
fn j5_large_event_in_small_pieces_is_read_in_linear_time() {
    let text = "x".repeat(1_000_000);
    let body = format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":\"stop\"}}]}}\n\n"
    );
    let pieces: Vec<&[u8]> = body.as_bytes().chunks(1000).collect();
    let out = translate_pieces(O, context(), &pieces, true);
    assert!(out.text().contains(&text));
    assert_eq!(strip_pieces(&pieces), body.as_bytes());
    assert_eq!(tap_pieces(O, &pieces, true).1.end, End::Complete);
}

#[test]
fn j6_event_over_the_limit_is_an_error_in_translation_and_passes_the_tap() {
    let text = "x".repeat(EVENT_BYTES_MAX);
    let large = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let rest = fixture(O, "streams", "text.sse");
    let body = [large.as_bytes(), rest.as_bytes()].concat();
    for size in [body.len(), 100_000] {
        let pieces: Vec<&[u8]> = body.chunks(size).collect();
        assert_eq!(
            translate_pieces(O, context(), &pieces, true).end,
            End::Truncated
        );
        let (tap, out) = tap_pieces(O, &pieces, true);
        assert_eq!((out.end, tap.usage().output), (End::Complete, Some(874)));
        assert!(strip_pieces(&pieces).starts_with(large.as_bytes()));
    }
}

// O. Content shapes.

#[test]
fn o1_o2_empty_and_null_text_opens_no_block() {
    let (_, events) = run(O, "tools-without-ids");
    let kinds: Vec<String> = blocks(&events).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["f", "g"]);
    let (_, events) = run(O, "empty-answer");
    assert!(blocks(&events).is_empty());
}

#[test]
fn o8_content_filter_is_a_refusal() {
    for name in ["content-filter", "refusal"] {
        assert_eq!(stop_reason(&run(O, name).1), "refusal", "{name}");
    }
    assert_eq!(finish_reason(&run(A, "stop-refusal").1), "content_filter");
}

#[test]
fn o9_prelude_without_an_id_starts_the_answer_at_once() {
    let prelude =
        r#"data: {"id":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#;
    let context = AnswerContext {
        model: Some("asked".into()),
        ..context()
    };
    let mut translator = StreamTranslator::new(O, A, context, 1 << 20);
    let mut out = Vec::new();
    translator.push(format!("{prelude}\n\n").as_bytes(), &mut out);
    let start = String::from_utf8(out).unwrap();
    assert!(start.contains("event: message_start"), "{start}");
    assert!(start.contains(r#""model":"asked""#), "{start}");
    // The record names the model that a later chunk tells.
    assert_eq!(translator.model(), None);
    let chunk =
        r#"data: {"id":"A1","model":"gpt-x-2026","choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    translator.push(format!("{chunk}\n\n").as_bytes(), &mut Vec::new());
    assert_eq!(translator.model(), Some("gpt-x-2026"));
    // What is no chunk starts nothing.
    let mut translator = StreamTranslator::new(O, A, AnswerContext::default(), 1 << 20);
    let mut out = Vec::new();
    translator.push(b"data: {\"hello\":1}\n\n", &mut out);
    assert!(out.is_empty());
}

#[test]
fn o10_every_chunk_has_the_one_id_of_the_upstream() {
    for (_, body) in fixtures(A, "streams") {
        let out = translate(A, context(), &body);
        for event in values(&out).iter().filter(|event| event["error"].is_null()) {
            assert_eq!(event["id"], "msg_01X");
            assert_eq!(event["created"], 1_700_000_000);
        }
    }
}

// What current SDKs demand.

#[test]
fn p1_lg3_anthropic_grammar_holds_for_every_fixture() {
    for (name, body) in fixtures(O, "streams") {
        let out = translate(O, context(), &body);
        blocks(&values(&out));
        for record in out.text().split_terminator("\n\n") {
            let (event, data) = record.split_once('\n').unwrap();
            let event = event.strip_prefix("event: ").unwrap();
            let data = parse(data.strip_prefix("data: ").unwrap());
            assert_eq!(data["type"], event, "{name}");
        }
    }
}

#[test]
fn p1_role_and_annotations_come_in_one_delta_each() {
    for (name, body) in fixtures(A, "streams") {
        let events = values(&translate(A, context(), &body));
        assert!(deltas(&events, "role").len() <= 1, "{name}");
        assert!(deltas(&events, "annotations").len() <= 1, "{name}");
    }
}

#[test]
fn p3_call_is_closed_before_the_next_opens_and_never_swallowed() {
    for (name, body) in fixtures(O, "streams") {
        let out = translate(O, context(), &body);
        if out.end == End::Complete {
            let before = of_stream(O, body.as_bytes()).tools.len();
            let named = ["tools-all-index-zero.sse"].contains(&name.as_str());
            assert!(
                named || of_stream(A, &out.bytes).tools.len() == before,
                "{name}"
            );
        }
    }
}

// §12 of the translation tables.

#[test]
fn example_2_thinking_signature_and_a_bare_call_in_order() {
    let (out, events) = run(A, "thinking-omitted-then-tool");
    let kinds: Vec<String> = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"].as_object())
        .map(|delta| delta.keys().next().cloned().unwrap_or_default())
        .collect();
    assert_eq!(
        kinds,
        ["role", "reasoning_details", "tool_calls", "tool_calls", ""]
    );
    assert_eq!(finish_reason(&events), "tool_calls");
    assert!(out.text().ends_with("data: [DONE]\n\n"));
}

#[test]
fn example_3_usage_on_the_finishing_chunk_joins_the_stop_reason() {
    let (_, events) = run(O, "reasoning-content");
    let deltas: Vec<&Value> = events
        .iter()
        .filter(|it| it["type"] == "message_delta")
        .collect();
    assert_eq!(deltas.len(), 1);
    assert_eq!(deltas[0]["delta"]["stop_reason"], "end_turn");
    assert_eq!(deltas[0]["usage"]["output_tokens"], 9);
}

#[test]
fn example_4_prelude_yields_message_start_alone() {
    let body = fixture(O, "streams", "prelude-without-id.sse");
    let two: String = body.split_inclusive("\n\n").take(2).collect();
    let mut translator = StreamTranslator::new(O, A, context(), EVENT_BYTES_MAX);
    let mut out = Vec::new();
    let progress = translator.push(two.as_bytes(), &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(out.starts_with("event: message_start\n") && out.matches("event: ").count() == 1);
    assert!(!progress.content);
}

// What today's fastest gateway does wrong.

#[test]
fn p3_close_delimited_body_cut_amid_an_event_is_truncated() {
    for from in WIRES {
        let body = fixture(from, "streams", "text.sse");
        let cut = body.rfind("data: ").unwrap() + 9;
        let out = translate(from, context(), body.get(..cut).unwrap());
        let meaning = of_stream(other(from), &out.bytes);
        assert_eq!(out.end, End::Truncated);
        assert!(meaning.error.is_some() && !meaning.terminated);
        let (_, tap) = tap_pieces(from, &[&body.as_bytes()[..cut]], true);
        assert_eq!(tap.end, End::Truncated);
    }
}

#[test]
fn p3_unfinished_last_event_passes_on_the_same_wire() {
    let body = fixture(O, "streams", "text.sse");
    let cut = &body.as_bytes()[..body.find("lo ").unwrap()];
    assert_eq!(strip_pieces(&[cut]), cut);
}

#[test]
fn p3_error_within_a_stream_reaches_the_client_of_the_other_wire() {
    for from in WIRES {
        let (out, events) = run(from, "error-after-text");
        assert_eq!(out.end, End::UpstreamError);
        assert!(last(&events)["error"]["message"].is_string());
    }
}
