//! Answers whose request changed their form: carriers of reasoning, old and custom tools,
//! structured answers, renamed tools; and what the translator offers beside its bytes.

use ringway::chat::error::{ApiError, ErrorKind};
use ringway::chat::event::StreamFault;
use ringway::chat::usage::{End, StopReason};
use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::answer_context::{AnswerContext, JsonAnswer};
use ringway::translate::response::{self, AnswerFault};
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::{self, Tap, Whole};
use ringway::wire::kind::Wire::{self, AnthropicMessages as A, OpenAiChat as O};
use ringway::wire::openai::settings::{Needs, ReasoningMembers};
use serde_json::{Value, json};

use crate::goldens::{WIRES, fixture, fixtures};
use crate::meaning::{frames, parse};
use crate::support::{EVENT_BYTES_MAX, context, needing, other, tap_pieces, translate};

/// The deltas of a translated Anthropic stream, the role and the end apart.
fn deltas(body: &str, context: AnswerContext) -> Vec<Value> {
    let out = translate(A, context, body);
    assert_eq!(out.end, End::Complete, "{}", out.text());
    let frames = frames(&out.bytes);
    let frames = frames.iter().filter(|frame| !frame.starts_with("[DONE]"));
    let deltas = frames.map(|frame| parse(frame)["choices"][0]["delta"].clone());
    deltas
        .filter(|it| it["role"].is_null() && it.as_object().is_some_and(|it| !it.is_empty()))
        .collect()
}

fn stream(name: &str) -> String {
    fixture(A, "streams", &format!("{name}.sse"))
}

pub(crate) fn whole(from: Wire, body: &str, context: &AnswerContext) -> Value {
    let mut out = Vec::new();
    let (mut tape, limits) = (Tape::new(), Limits::default());
    let wires = (from, other(from));
    response::translate(
        wires,
        body.as_bytes(),
        context,
        &mut tape,
        &limits,
        &mut out,
    )
    .unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn message(body: &str, context: &AnswerContext) -> Value {
    whole(A, body, context)["choices"][0]["message"].clone()
}

fn carrying(reasoning: ReasoningMembers) -> AnswerContext {
    needing(Needs {
        reasoning,
        ..Needs::default()
    })
}

#[test]
fn reasoning_none_leaves_no_carrier() {
    let context = carrying(ReasoningMembers::NONE);
    assert_eq!(
        deltas(&stream("thinking"), context.clone()),
        [json!({"content": "Four"})]
    );
    let body = fixture(A, "answers", "thinking.json");
    let expected = json!({"role": "assistant", "content": "Four", "refusal": null});
    assert_eq!(message(&body, &context), expected);
}

#[test]
fn reasoning_text_alone_leaves_signatures_out() {
    let context = carrying(ReasoningMembers {
        text: true,
        ..ReasoningMembers::NONE
    });
    let expected = [
        json!({"reasoning_content": "Let me"}),
        json!({"reasoning_content": " see.\n"}),
        json!({"content": "Four"}),
    ];
    assert_eq!(deltas(&stream("thinking"), context), expected);
}

#[test]
fn thinking_blocks_come_whole_with_their_signature() {
    let context = carrying(ReasoningMembers {
        thinking_blocks: true,
        ..ReasoningMembers::NONE
    });
    let block = |thinking: &str, signature: &str| json!({"thinking_blocks": [{"type": "thinking", "thinking": thinking, "signature": signature}]});
    let expected = [
        block("A", "s1"),
        json!({"thinking_blocks": [{"type": "redacted_thinking", "data": "ZGF0YQ=="}]}),
        block("B", "s2"),
        json!({"content": "Done"}),
    ];
    assert_eq!(
        deltas(&stream("thinking-redacted-between"), context.clone()),
        expected
    );
    let body = fixture(A, "answers", "thinking.json");
    let blocks = message(&body, &context)["thinking_blocks"].clone();
    let expected = json!([
        {"type": "thinking", "thinking": "2+2", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "thinking", "thinking": "", "signature": "c2ln2"},
    ]);
    assert_eq!(blocks, expected);
}

#[test]
fn pk5_pk6_content_blocks_stand_beside_the_other_carriers() {
    let context = carrying(ReasoningMembers {
        content_blocks: true,
        ..ReasoningMembers::default()
    });
    let block =
        |index: u64, name: &str, text: &str| json!([{"index": index, "delta": {name: text}}]);
    let all = deltas(&stream("thinking"), context.clone());
    let blocks: Vec<&Value> = all.iter().map(|delta| &delta["content_blocks"]).collect();
    let expected = [
        &block(0, "thinking", "Let me"),
        &block(0, "thinking", " see.\n"),
        &block(0, "signature", "EqQBsig=="),
        &block(1, "text", "Four"),
    ];
    assert_eq!(blocks, expected);
    assert_eq!(all[0]["reasoning_content"], "Let me");
    assert_eq!(all[3]["content"], "Four");
    let body = fixture(A, "answers", "server-tool-with-citations.json");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        message(&body, &context)["content_blocks"],
        answer["content"]
    );
    let body = fixture(A, "answers", "tools.json");
    let blocks = message(&body, &context)["content_blocks"].clone();
    assert_eq!(
        blocks,
        json!([{"type": "text", "text": "Asking."}]),
        "calls have their own place"
    );
}

#[test]
fn pk5_strict_answers_have_no_content_blocks() {
    for (_, body) in fixtures(A, "streams") {
        assert!(
            !translate(A, context(), &body)
                .text()
                .contains("content_blocks")
        );
    }
}

#[test]
fn legacy_functions_are_answered_in_their_own_form() {
    let context = needing(Needs {
        legacy_function: true,
        ..Needs::default()
    });
    let expected = [
        json!({"function_call": {"name": "f", "arguments": ""}}),
        json!({"function_call": {"arguments": "{\"a\":1}"}}),
    ];
    let body = stream("tool-empty-input-then-fragments");
    assert_eq!(deltas(&body, context.clone()), expected);
    let out = translate(A, context.clone(), &body);
    assert!(out.text().contains("\"finish_reason\":\"function_call\""));
    let answer = whole(A, &fixture(A, "answers", "tools.json"), &context);
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["function_call"]["name"], "f");
    assert_eq!(choice["finish_reason"], "function_call");
    assert!(choice["message"]["tool_calls"].is_null());
}

#[test]
fn custom_tools_get_their_text_unwrapped_at_the_end_of_the_call() {
    let custom = |name: &str| {
        needing(Needs {
            custom_tools: [name.to_owned()].into(),
            ..Needs::default()
        })
    };
    let body = stream("tool-empty-input-then-fragments")
        .replace(r#"{\"a\":1}"#, r#"{\"input\":\"a\\n\\u00e9\"}"#);
    let start = json!([{"index": 0, "id": "toolu_1", "type": "custom", "custom": {"name": "f", "input": ""}}]);
    let piece = json!([{"index": 0, "custom": {"input": "a\né"}}]);
    let expected = [
        json!({ "tool_calls": start }),
        json!({ "tool_calls": piece }),
    ];
    assert_eq!(deltas(&body, custom("f")), expected);
    let answer = json!({
        "id": "msg_1", "type": "message", "model": "m", "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"input": "a\né"}}],
    });
    let mut context = custom("own");
    context.tool_names = [("f".to_owned(), b"own".to_vec())].into();
    let calls = message(&answer.to_string(), &context)["tool_calls"].clone();
    let expected =
        json!([{"id": "t", "type": "custom", "custom": {"name": "own", "input": "a\né"}}]);
    assert_eq!(calls, expected);
}

#[test]
fn custom_tool_input_of_another_shape_is_not_lost() {
    let context = needing(Needs {
        custom_tools: ["f".to_owned()].into(),
        ..Needs::default()
    });
    let all = deltas(&stream("tool-empty-input-then-fragments"), context);
    assert_eq!(all[1]["tool_calls"][0]["custom"]["input"], "{\"a\":1}");
}

#[test]
fn structured_answer_by_tool_becomes_the_content() {
    let context = AnswerContext {
        json_answer: JsonAnswer::Tool,
        ..context()
    };
    let body = stream("tools-parallel-after-text");
    let only = body.replace("weather", "json_response").replace(
        "toolu_2\",\"name\":\"time",
        "toolu_2\",\"name\":\"json_response",
    );
    // The first call alone is the answer, without the text before it.
    let expected = [
        json!({"content": "{\"city\":"}),
        json!({"content": "\"Paris\"}"}),
    ];
    assert_eq!(deltas(&only, context.clone()), expected);
    let out = translate(A, context.clone(), &only);
    assert!(
        out.text().contains("\"finish_reason\":\"stop\""),
        "{}",
        out.text()
    );
    let mut translator = StreamTranslator::new(A, O, context.clone(), EVENT_BYTES_MAX);
    translator.push(only.as_bytes(), &mut Vec::new());
    assert_eq!(translator.stop(), Some(StopReason::EndTurn));
    // Beside a call of the client's own the call keeps its place, numbered from 0.
    let mixed = body.replace("weather", "json_response");
    let all = deltas(&mixed, context.clone());
    assert_eq!(all.last().unwrap()["tool_calls"][0]["index"], 0);
    let out = translate(A, context.clone(), &mixed);
    assert!(
        out.text().contains("\"finish_reason\":\"tool_calls\""),
        "{}",
        out.text()
    );
    let answer = fixture(A, "answers", "tools.json")
        .replace("\"name\": \"f\"", "\"name\": \"json_response\"");
    let message = message(&answer, &context);
    let text = message["content"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(text).unwrap(),
        json!({"z": 1, "a": [2.5]})
    );
    assert_eq!(message["tool_calls"].as_array().unwrap().len(), 1);
}

#[test]
fn structured_answer_without_its_call_is_the_text_that_was_held() {
    let context = AnswerContext {
        json_answer: JsonAnswer::Tool,
        ..context()
    };
    // The answer was not called, other tools were: the text waits for it to the end, once.
    let plain = stream("tools-parallel-after-text");
    let all = deltas(&plain, context.clone());
    assert_eq!(all[0]["tool_calls"][0]["index"], 0);
    let texts: Vec<&Value> = all
        .iter()
        .map(|it| &it["content"])
        .filter(|it| it.is_string())
        .collect();
    assert_eq!(texts, ["Looking."]);
    let text = stream("text");
    let told = |context| {
        let contents = deltas(&text, context).into_iter();
        let contents = contents.filter_map(|delta| delta["content"].as_str().map(str::to_owned));
        contents.collect::<String>()
    };
    assert_eq!(told(context.clone()), told(AnswerContext::default()));
    // What waits is counted and bounded.
    let mut translator = StreamTranslator::new(A, O, context.clone(), 4_096);
    let delta = |text: &str| {
        format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
             \"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
        )
    };
    let mut out = Vec::new();
    translator.push(delta(&"x".repeat(3_000)).as_bytes(), &mut out);
    assert!(translator.held_bytes() >= 3_000);
    assert_eq!(translator.end(), End::Open);
    translator.push(delta(&"x".repeat(1_000)).as_bytes(), &mut out);
    assert_eq!(translator.end(), End::Open);
    translator.push(delta(&"x".repeat(97)).as_bytes(), &mut out);
    assert_eq!(translator.fault(), Some(StreamFault::TooLarge));
}

#[test]
fn whole_structured_answer_is_the_first_call_and_the_rest_is_noted() {
    let context = AnswerContext {
        json_answer: JsonAnswer::Tool,
        ..context()
    };
    let call = |n: u32| json!({"type": "tool_use", "id": format!("t{n}"), "name": "json_response", "input": {"a": n}});
    let text = |text: &str| json!({"type": "text", "text": text});
    for (content, notes) in [
        (json!([text("Sure: "), call(1), call(2)]), "dropped=content"),
        (json!([call(1), text("Done.")]), "dropped=content"),
        (json!([text(" \n"), call(1)]), ""),
        (json!([call(1)]), ""),
    ] {
        let body = json!({"id": "m", "type": "message", "model": "m", "stop_reason": "tool_use", "content": content});
        let (mut tape, mut out) = (Tape::new(), Vec::new());
        let (body, limits) = (body.to_string(), Limits::default());
        let facts = response::translate(
            (A, O),
            body.as_bytes(),
            &context,
            &mut tape,
            &limits,
            &mut out,
        );
        assert_eq!(facts.unwrap().notes.header(), notes, "{body}");
        let answer: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(answer["choices"][0]["message"]["content"], r#"{"a":1}"#);
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    }
}

#[test]
fn wrapped_structured_answer_is_unwrapped() {
    let context = AnswerContext {
        json_wrapped: true,
        ..context()
    };
    let answer = |text: &str| {
        json!({
            "id": "m", "type": "message", "model": "m", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": text}],
        })
        .to_string()
    };
    let content = |text: &str| message(&answer(text), &context)["content"].clone();
    assert_eq!(content(r#"{"value": [1, "a\n"]}"#), r#"[1, "a\n"]"#);
    assert_eq!(content("I cannot."), "I cannot.");
    let tool = AnswerContext {
        json_answer: JsonAnswer::Tool,
        ..context.clone()
    };
    let body = json!({
        "id": "m", "type": "message", "model": "m", "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": "t", "name": "json_response", "input": {"value": [1]}}],
    });
    let choice = whole(A, &body.to_string(), &tool)["choices"][0].clone();
    assert_eq!(choice["message"]["content"], "[1]");
    assert_eq!(choice["finish_reason"], "stop");
}

#[test]
fn ni17_tool_inputs_keep_digits_and_order_to_the_byte() {
    let body = r#"{"id":"m","type":"message","model":"m","content":[{"type":"tool_use","id":"t","name":"f","input":{"z":1.50, "a":12345678901234567890,"z":"\u00e9"}}],"stop_reason":"tool_use"}"#;
    let mut out = Vec::new();
    let (mut tape, limits) = (Tape::new(), Limits::default());
    response::translate(
        (A, O),
        body.as_bytes(),
        &context(),
        &mut tape,
        &limits,
        &mut out,
    )
    .unwrap();
    let out = String::from_utf8(out).unwrap();
    let expected = r#""arguments":"{\"z\":1.50, \"a\":12345678901234567890,\"z\":\"\\u00e9\"}""#;
    assert!(out.contains(expected), "{out}");
    let mut back = Vec::new();
    response::translate(
        (O, A),
        out.as_bytes(),
        &context(),
        &mut tape,
        &limits,
        &mut back,
    )
    .unwrap();
    let back = String::from_utf8(back).unwrap();
    assert!(
        back.contains(r#""input":{"z":1.50, "a":12345678901234567890,"z":"\u00e9"}"#),
        "{back}"
    );
}

#[test]
fn bodies_that_are_no_answer_are_faults_and_write_nothing() {
    let cases = [
        (O, "", true),
        (O, "<html>502</html>", true),
        (O, r#"{"choices":[]}"#, false),
        (O, r#"{"choices":[{"message":"x"}]}"#, false),
        (O, r#"{"error":{"message":"no"}}"#, false),
        (
            O,
            r#"{"choices":[{"message":{},"finish_reason":"error"}]}"#,
            false,
        ),
        (O, "[]", false),
        (
            A,
            r#"{"type":"error","error":{"type":"api_error","message":"no"}}"#,
            false,
        ),
        (A, r#"{"type":"message","content":"text"}"#, false),
        (A, r#"{"choices":[{"message":{"content":"x"}}]}"#, false),
        (A, r#"{"type":"message","content":[]"#, true),
    ];
    for (from, body, is_syntax) in cases {
        let mut out = Vec::new();
        let (mut tape, limits) = (Tape::new(), Limits::default());
        let wires = (from, other(from));
        let fault = response::translate(
            wires,
            body.as_bytes(),
            &context(),
            &mut tape,
            &limits,
            &mut out,
        );
        assert_eq!(
            matches!(fault, Err(AnswerFault::Json(_))),
            is_syntax,
            "{body}"
        );
        assert_eq!(
            matches!(fault, Err(AnswerFault::NotAnAnswer)),
            !is_syntax,
            "{body}"
        );
        assert!(out.is_empty(), "{body}");
        let told = tap::whole(from, body.as_bytes(), &mut tape);
        assert_eq!(told.is_none(), is_syntax, "{body}");
        if let Some(Whole::Answer(facts)) = told {
            assert_eq!(facts.stop, None, "{body}");
        }
    }
}

#[test]
fn ping_is_written_until_the_end_and_is_a_comment_before_the_start() {
    for (from, ping) in [
        (A, ": ping\n\n"),
        (O, "event: ping\ndata: {\"type\":\"ping\"}\n\n"),
    ] {
        let mut translator = StreamTranslator::new(from, other(from), context(), EVENT_BYTES_MAX);
        let pinged = |translator: &mut StreamTranslator| {
            let mut out = Vec::new();
            translator.ping(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(pinged(&mut translator), ": ping\n\n");
        let body = fixture(from, "streams", "text.sse");
        let (first, rest) = body.split_at(body.len() / 2);
        translator.push(first.as_bytes(), &mut Vec::new());
        assert_eq!(pinged(&mut translator), ping);
        translator.push(rest.as_bytes(), &mut Vec::new());
        assert_eq!(pinged(&mut translator), "");
    }
}

#[test]
fn fail_writes_one_error_and_nothing_follows() {
    let error = ApiError {
        kind: ErrorKind::Timeout,
        message: "upstream sent nothing for 600000 ms",
        param: None,
        code: None,
    };
    for from in WIRES {
        let mut translator = StreamTranslator::new(from, other(from), context(), EVENT_BYTES_MAX);
        let body = fixture(from, "streams", "text.sse");
        let mut out = Vec::new();
        translator.push(&body.as_bytes()[..body.len() / 2], &mut out);
        out.clear();
        translator.fail(&error, "req_1", &mut out);
        assert!(core::str::from_utf8(&out).unwrap().contains("600000 ms"));
        assert_eq!(translator.end(), End::Truncated);
        out.clear();
        translator.fail(&error, "req_1", &mut out);
        translator.push(&body.as_bytes()[body.len() / 2..], &mut out);
        translator.finish(false, &mut out);
        translator.ping(&mut out);
        assert!(out.is_empty());
    }
}

#[test]
fn to4_tap_and_translator_count_the_same_events_and_deltas() {
    for wire in WIRES {
        for (name, body) in fixtures(wire, "streams") {
            let translated = translate(wire, context(), &body);
            if translated.end == End::Truncated {
                continue;
            }
            let (tap, told) = tap_pieces(wire, &[body.as_bytes()], true);
            assert_eq!(told.end, translated.end, "{name}");
            assert_eq!(told.content, translated.content, "{name}");
            assert_eq!(told.events, translated.events, "{name}");
            let mut translator =
                StreamTranslator::new(wire, other(wire), context(), EVENT_BYTES_MAX);
            translator.push(body.as_bytes(), &mut Vec::new());
            assert_eq!(tap.usage(), translator.usage(), "{name}");
        }
    }
}

#[test]
fn tap_counts_deltas_with_their_text_and_nothing_else() {
    let cases = [
        (O, "text", 2),
        (O, "reasoning-content", 3),
        (O, "tools-interleaved", 5),
        (O, "content-parts", 2),
        (O, "refusal", 2),
        (A, "text", 2),
        (A, "thinking", 3),
        (A, "tools-parallel-after-text", 4),
        (A, "padded", 2),
        (A, "tool-without-arguments", 0),
    ];
    for (wire, name, deltas) in cases {
        let body = fixture(wire, "streams", &format!("{name}.sse"));
        let (_, told) = tap_pieces(wire, &[body.as_bytes()], true);
        assert_eq!(told.deltas, deltas, "{name}");
    }
}

#[test]
fn tap_takes_no_index_of_a_tool_call_for_a_choice() {
    for index in ["", ",\"index\":0"] {
        let stream = format!(
            "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"index\":1,\"id\":\"a\",\
             \"function\":{{\"name\":\"f\",\"arguments\":\"{{}}\"}}}}]}}{index}}}]}}\n\n\
             data: {{\"choices\":[{{\"delta\":{{}}{index},\"finish_reason\":\"tool_calls\"}}]}}\n\n"
        );
        let (_, told) = tap_pieces(O, &[stream.as_bytes()], true);
        assert_eq!((told.end, told.deltas), (End::Complete, 1), "{stream}");
    }
}

#[test]
fn tap_says_whether_an_event_is_unfinished() {
    let cases = [
        ("", true),
        ("data: {}\n\n", true),
        ("data: {}\n", false),
        ("data: {}\r\n\r", true),
        ("data: {}\r\n\r\n", true),
        ("data: {}\n\n: c\n", false),
        ("data: {}\n\nda", false),
    ];
    for (body, between) in cases {
        for pieces in [vec![body.as_bytes()], body.as_bytes().chunks(1).collect()] {
            let mut tap = Tap::new(O, EVENT_BYTES_MAX);
            for piece in pieces {
                tap.push(piece);
            }
            assert_eq!(tap.is_between_frames(), between, "{body:?}");
        }
    }
}

/// What passes of `body`, cut into `pieces`, and how the tap sees it end.
fn passed(wire: Wire, pieces: &[&[u8]]) -> (Vec<u8>, End) {
    let mut tap = Tap::new(wire, EVENT_BYTES_MAX);
    let mut out = Vec::new();
    for piece in pieces {
        tap.push(piece);
        out.extend_from_slice(&piece[..tap.passed()]);
    }
    (out, tap.end())
}

#[test]
fn tap_ends_a_stream_behind_the_event_that_broke_it_however_it_is_cut() {
    let cases = [
        (O, "data: {oops\n\n", End::Truncated),
        (O, "data: oops\r\n\r\n", End::Truncated),
        (O, "data:\u{0}\n\n", End::Truncated),
        (
            O,
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\n\n",
            End::Truncated,
        ),
        (
            O,
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a}}]}\n\n",
            End::Truncated,
        ),
        (
            O,
            "data: {\"error\":{\"message\":\"no\"}}\n\n",
            End::UpstreamError,
        ),
        (A, "event: content_block_delta\ndata: x\n\n", End::Truncated),
        (A, "event: message_stop\ndata: {\n\n", End::Truncated),
        (A, "event: error\ndata: no\n\n", End::Truncated),
        (
            A,
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\n\n",
            End::Truncated,
        ),
        (
            A,
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a}}\n\n",
            End::Truncated,
        ),
        (
            A,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no\"}}\n\n",
            End::UpstreamError,
        ),
    ];
    for (wire, bad, end) in cases {
        let text = fixture(wire, "streams", "text.sse");
        let start: String = text.split_inclusive("\n\n").take(2).collect();
        let rest: String = text.split_inclusive("\n\n").skip(2).collect();
        let body = [&*start, bad, &rest].concat();
        // The LF of a cut CRLF belongs to what follows.
        let expected = [&*start, bad].concat();
        let trimmed = expected.strip_suffix("\r\n").map(|it| format!("{it}\r"));
        for at in 0..=body.len() {
            let (a, b) = body.as_bytes().split_at(at);
            let (out, told) = passed(wire, &[a, b]);
            assert_eq!(told, end, "{bad:?} cut at {at}");
            let out = String::from_utf8(out).unwrap();
            assert!(
                out == expected || trimmed.as_ref() == Some(&out),
                "{bad:?} cut at {at}: {out}"
            );
        }
    }
}

#[test]
fn tap_passes_over_what_means_nothing_to_the_wire() {
    let cases = [
        (O, "event: heartbeat\ndata: ok\n\n"),
        (O, "data: \"ping\"\n\n"),
        (O, "data: [1]\n\n"),
        (O, "data: true\n\n"),
        (O, ": comment\n\n"),
        (O, "data:\n\n"),
        (A, "event: heartbeat\ndata: ok\n\n"),
        (A, "event: ping\ndata: ok\n\n"),
        (A, "data: ok\n\n"),
        (A, "data: [DONE]\n\n"),
        (A, "event: message_delta\ndata: [1]\n\n"),
    ];
    for (wire, odd) in cases {
        let text = fixture(wire, "streams", "text.sse");
        let plain = tap_pieces(wire, &[text.as_bytes()], true).1;
        for place in 0..text.matches("\n\n").count() {
            let mut events: Vec<&str> = text.split_inclusive("\n\n").collect();
            events.insert(place, odd);
            let body = events.concat();
            for pieces in [vec![body.as_bytes()], body.as_bytes().chunks(1).collect()] {
                assert_eq!(
                    passed(wire, &pieces),
                    (body.clone().into_bytes(), End::Complete)
                );
                let (_, told) = tap_pieces(wire, &pieces, true);
                assert_eq!(
                    (told.deltas, told.end),
                    (plain.deltas, plain.end),
                    "{odd:?}"
                );
            }
        }
    }
}

#[test]
fn tap_knows_a_terminator_that_lacks_its_blank_line() {
    for wire in WIRES {
        let text = fixture(wire, "streams", "text.sse");
        for lacking in 0..=3 {
            let cut = &text.as_bytes()[..text.len() - lacking];
            let (tap, told) = tap_pieces(wire, &[cut], false);
            assert_eq!(told.end, End::Truncated);
            assert_eq!(
                tap.is_terminated(),
                lacking <= 2,
                "{wire:?} lacks {lacking}"
            );
        }
    }
}

#[test]
fn p3_two_choices_are_finished_when_both_are() {
    let body = fixture(O, "streams", "two-choices.sse");
    assert_eq!(tap_pieces(O, &[body.as_bytes()], true).1.end, End::Complete);
    let one = body.rsplit_once("data: ").unwrap().0;
    assert_eq!(tap_pieces(O, &[one.as_bytes()], true).1.end, End::Truncated);
    // Several choices in one chunk, the second of which finishes.
    let chunk = |second: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a\"}},\"finish_reason\":null}},{{\"index\":1,\"delta\":{{}},\"finish_reason\":{second}}}]}}\n\n"
        )
    };
    let body = chunk("\"stop\"")
        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
    assert_eq!(tap_pieces(O, &[body.as_bytes()], true).1.end, End::Complete);
}

#[test]
fn an_answer_that_names_no_model_is_of_the_one_that_was_asked() {
    let asked = AnswerContext {
        model: Some("a/\"b\"".into()),
        ..context()
    };
    let bodies = |model: &str| {
        [
            (
                O,
                format!(r#"{{{model}"id":"c","choices":[{{"message":{{"content":"x"}}}}]}}"#),
                format!(
                    "data: {{{model}\"id\":\"c\",\"choices\":[{{\"delta\":{{\"content\":\"x\"}}}}]}}\n\n"
                ),
            ),
            (
                A,
                format!(r#"{{{model}"id":"m","type":"message","content":[]}}"#),
                format!(
                    "data: {{\"type\":\"message_start\",\"message\":{{{model}\"id\":\"m\"}}}}\n\n"
                ),
            ),
        ]
    };
    for (model, expected) in [
        ("", "a/\"b\""),
        (r#""model":"","#, "a/\"b\""),
        (r#""model":null,"#, "a/\"b\""),
        (r#""model":"own","#, "own"),
    ] {
        for (from, answer, stream) in bodies(model) {
            assert_eq!(whole(from, &answer, &asked)["model"], expected);
            let out = translate(from, asked.clone(), &stream);
            let text = out.text();
            let said = serde_json::to_string(expected).unwrap();
            assert!(text.contains(&format!("\"model\":{said}")), "{text}");
        }
    }
}

#[test]
fn choice_0_is_the_answer_wherever_it_stands() {
    let choice = |index: &str, text: &str| {
        format!(
            r#"{{{index}"finish_reason":"stop","message":{{"role":"assistant","content":"{text}"}}}}"#
        )
    };
    for (list, expected) in [
        (
            [choice(r#""index":1,"#, "b"), choice(r#""index":0,"#, "a")],
            "a",
        ),
        (
            [choice(r#""index":0,"#, "a"), choice(r#""index":1,"#, "b")],
            "a",
        ),
        ([choice("", "a"), choice("", "b")], "a"),
        (
            [choice(r#""index":2,"#, "a"), choice(r#""index":1,"#, "b")],
            "a",
        ),
    ] {
        let body = format!(r#"{{"id":"1","model":"m","choices":[{}]}}"#, list.join(","));
        assert_eq!(
            whole(O, &body, &context())["content"][0]["text"],
            expected,
            "{body}"
        );
    }
}

#[test]
fn what_only_one_wire_has_is_noted_of_whole_answers() {
    let notes = |from, body: &str, context: &AnswerContext| {
        let limits = Limits::default();
        let wires = (from, other(from));
        let facts = response::translate(
            wires,
            body.as_bytes(),
            context,
            &mut Tape::new(),
            &limits,
            &mut Vec::new(),
        );
        facts.unwrap().notes.header()
    };
    let picture = r#"{"id":"1","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}}]}"#;
    assert_eq!(notes(O, picture, &context()), "dropped=images");
    let searched = r#"{"id":"m","type":"message","model":"m","stop_reason":"end_turn","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"a"}]}"#;
    assert_eq!(
        notes(A, searched, &context()),
        "dropped=server_tool_use,web_search_tool_result"
    );
    // Where the client asked for the blocks themselves nothing of them is lost.
    let carried = carrying(ReasoningMembers {
        content_blocks: true,
        ..ReasoningMembers::default()
    });
    assert_eq!(notes(A, searched, &carried), "");
}
