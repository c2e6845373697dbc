//! The tables of stop reasons, usage and tiers, row by row, streamed and whole.

use ringway::chat::usage::End;
use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::response;
use ringway::wire::kind::Wire::{self, AnthropicMessages as A, OpenAiChat as O};
use serde_json::{Value, json};

use crate::goldens::fixtures;
use crate::meaning::{Meaning, frames, of_stream, parse};
use crate::support::{context, other, translate};

fn whole(from: Wire, body: &Value) -> Value {
    whole_text(from, &body.to_string())
}

fn whole_text(from: Wire, body: &str) -> Value {
    let mut out = Vec::new();
    let (mut tape, limits) = (Tape::new(), Limits::default());
    let wires = (from, other(from));
    response::translate(
        wires,
        body.as_bytes(),
        &context(),
        &mut tape,
        &limits,
        &mut out,
    )
    .unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// Translates a stream of these events and returns those that come out.
fn streamed(from: Wire, events: &[Value], last: &str) -> Vec<Value> {
    let mut body: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    body += last;
    let out = translate(from, context(), &body);
    let frames = frames(&out.bytes);
    frames
        .iter()
        .filter(|it| !it.starts_with("[DONE]"))
        .map(|it| parse(it))
        .collect()
}

fn anthropic_end(reason: &Value, usage: &Value) -> (Value, Value) {
    let content = json!([{"type": "tool_use", "id": "t", "name": "f", "input": {}}]);
    let answer = json!({
        "id": "msg_1", "type": "message", "model": "m", "content": content,
        "stop_reason": reason, "usage": usage,
    });
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "m"}}),
        json!({"type": "content_block_start", "index": 0, "content_block": content[0]}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}),
        json!({"type": "message_stop"}),
    ];
    let events = streamed(A, &events, "");
    let finish = events
        .iter()
        .find(|event| event["choices"][0]["finish_reason"].is_string());
    let usage = events.last().unwrap()["usage"].clone();
    let answer = whole(A, &answer);
    let finish = finish.unwrap()["choices"][0]["finish_reason"].clone();
    assert_eq!(
        answer["choices"][0]["finish_reason"], finish,
        "whole and streamed differ"
    );
    if !usage.is_null() {
        assert_eq!(answer["usage"], usage, "whole and streamed differ");
    }
    (finish, usage)
}

fn openai_end(reason: &Value, delta: &Value, usage: &Value) -> (Value, Value) {
    let mut message = delta.clone();
    message["role"] = json!("assistant");
    let answer = json!({
        "id": "c", "model": "m", "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
    });
    let events = [
        json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]}),
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}),
    ];
    let events = streamed(O, &events, "data: [DONE]\n\n");
    let end = events
        .iter()
        .find(|event| event["type"] == "message_delta")
        .unwrap();
    let answer = whole(O, &answer);
    assert_eq!(
        answer["stop_reason"], end["delta"]["stop_reason"],
        "whole and streamed differ"
    );
    if !usage.is_null() {
        assert_eq!(answer["usage"], end["usage"], "whole and streamed differ");
    }
    (end["delta"]["stop_reason"].clone(), end["usage"].clone())
}

#[test]
fn stop_reasons_of_the_anthropic_wire_become_finish_reasons() {
    let cases = [
        (json!("end_turn"), "stop"),
        (json!("stop_sequence"), "stop"),
        (json!("max_tokens"), "length"),
        (json!("model_context_window_exceeded"), "length"),
        (json!("tool_use"), "tool_calls"),
        (json!("refusal"), "content_filter"),
        (json!("pause_turn"), "length"),
        (json!("compaction"), "length"),
        (json!("brand_new"), "stop"),
        (json!(null), "stop"),
    ];
    for (reason, finish) in cases {
        let usage = json!({"input_tokens": 1, "output_tokens": 1});
        assert_eq!(anthropic_end(&reason, &usage).0, finish, "{reason}");
    }
}

#[test]
fn finish_reasons_of_the_openai_wire_become_stop_reasons() {
    let text = json!({"content": "Hi"});
    let call = json!({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{}"}}]});
    let refusal = json!({"refusal": "No"});
    let cases = [
        ("stop", &text, "end_turn"),
        ("stop", &call, "tool_use"),
        ("stop", &refusal, "refusal"),
        ("length", &text, "max_tokens"),
        ("length", &call, "max_tokens"),
        ("length", &refusal, "max_tokens"),
        ("tool_calls", &call, "tool_use"),
        ("tool_calls", &text, "end_turn"),
        ("function_call", &text, "end_turn"),
        ("content_filter", &text, "refusal"),
        ("eos", &text, "end_turn"),
        ("COMPLETE", &text, "end_turn"),
        ("model_length", &text, "max_tokens"),
        ("STOP", &text, "end_turn"),
        ("end_turn", &call, "tool_use"),
        ("max_tokens", &text, "max_tokens"),
        ("MAX_TOKENS", &text, "max_tokens"),
        ("SAFETY", &text, "refusal"),
        ("recitation", &text, "refusal"),
        ("something_new", &text, "end_turn"),
    ];
    for (reason, delta, stop) in cases {
        let found = openai_end(&json!(reason), delta, &Value::Null).0;
        assert_eq!(found, stop, "{reason} after {delta}");
    }
}

#[test]
fn b_answers_that_were_given_up_are_errors_streamed_and_whole() {
    for (reason, kind) in [
        ("error", "api_error"),
        ("abort", "api_error"),
        ("ABORT", "api_error"),
        ("insufficient_system_resource", "overloaded_error"),
    ] {
        let choice = json!({"index": 0, "delta": {"content": "Hi"}, "finish_reason": reason});
        let chunk = json!({"id": "c", "model": "m", "choices": [choice]});
        let out = translate(O, context(), &format!("data: {chunk}\n\ndata: [DONE]\n\n"));
        assert_eq!(out.end, End::UpstreamError, "{reason}");
        let text = String::from_utf8(out.bytes).unwrap();
        assert!(text.contains(kind), "{text}");
        assert!(!text.contains("message_stop"), "{text}");
        let choice = json!({"index": 0, "message": {"content": "Hi"}, "finish_reason": reason});
        let answer = json!({"id": "c", "choices": [choice]}).to_string();
        let (mut tape, limits) = (Tape::new(), Limits::default());
        let mut out = Vec::new();
        let answer = answer.as_bytes();
        response::translate((O, A), answer, &context(), &mut tape, &limits, &mut out).unwrap_err();
    }
}

#[test]
fn calls_without_a_name_are_none_streamed_and_whole() {
    let nameless = json!({"arguments": "", "name": ""});
    for delta in [
        json!({"content": "Hi", "function_call": nameless}),
        json!({"content": "Hi", "tool_calls": [{"index": 0, "function": nameless}]}),
        json!({"content": "Hi", "tool_calls": [{"index": 0, "id": "t", "function": {}}]}),
        json!({"content": "Hi", "tool_calls": [{"index": 0, "id": "t"}]}),
    ] {
        let found = openai_end(&json!("tool_calls"), &delta, &Value::Null).0;
        assert_eq!(found, "end_turn", "{delta}");
        let mut message = delta.clone();
        message["role"] = json!("assistant");
        let choice = json!({"index": 0, "message": message, "finish_reason": "function_call"});
        let answer = whole(O, &json!({"id": "c", "model": "m", "choices": [choice]}));
        assert_eq!(answer["content"], json!([{"type": "text", "text": "Hi"}]));
    }
}

#[test]
fn b_calls_with_arguments_and_no_name_are_faults_streamed_and_whole() {
    for arguments in ["{\"a\":1}", "{"] {
        let call = json!({"index": 0, "id": "t", "function": {"arguments": arguments}});
        let delta = json!({"content": "Hi", "tool_calls": [call]});
        let choice = json!({"index": 0, "delta": delta, "finish_reason": "tool_calls"});
        let chunk = json!({"id": "c", "model": "m", "choices": [choice]});
        let out = translate(O, context(), &format!("data: {chunk}\n\ndata: [DONE]\n\n"));
        assert_eq!(out.end, End::Truncated, "{arguments}");
        let choice = json!({"index": 0, "message": delta, "finish_reason": "tool_calls"});
        let answer = json!({"id": "c", "choices": [choice]}).to_string();
        let (mut tape, limits) = (Tape::new(), Limits::default());
        let (mut out, answer) = (Vec::new(), answer.as_bytes());
        response::translate((O, A), answer, &context(), &mut tape, &limits, &mut out).unwrap_err();
    }
}

#[test]
fn b_what_an_answer_says_that_the_other_wire_cannot_is_noted() {
    for (more, notes) in [
        (json!({"images": [{"type": "image_url"}]}), "dropped=images"),
        (json!({"audio": {"id": "a", "data": "AA"}}), "dropped=audio"),
        (json!({"audio": {"id": "a", "data": ""}}), ""),
        (json!({"audio": null, "images": [], "citations": []}), ""),
        (json!({"citations": ["https://a"]}), "dropped=citations"),
    ] {
        let mut message = more.clone();
        message["content"] = json!("Hi");
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        let answer = json!({"id": "c", "choices": [choice]}).to_string();
        let (mut tape, limits) = (Tape::new(), Limits::default());
        let (mut out, answer) = (Vec::new(), answer.as_bytes());
        let found = response::translate((O, A), answer, &context(), &mut tape, &limits, &mut out);
        assert_eq!(found.unwrap().notes.header(), notes, "{more}");
    }
}

#[test]
fn usage_of_the_anthropic_wire_is_added_up() {
    let cases = [
        (
            json!({"input_tokens": 17, "cache_read_input_tokens": 1370, "cache_creation_input_tokens": 0, "output_tokens": 874}),
            json!({
                "prompt_tokens": 1387, "completion_tokens": 874, "total_tokens": 2261,
                "prompt_tokens_details": {"cached_tokens": 1370, "cache_write_tokens": 0},
                "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1370,
            }),
        ),
        (
            json!({"input_tokens": 3, "output_tokens": 4, "cache_creation":
                {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 6}}),
            json!({
                "prompt_tokens": 14, "completion_tokens": 4, "total_tokens": 18,
                "prompt_tokens_details": {"cache_write_tokens": 11},
                "cache_creation_input_tokens": 11,
            }),
        ),
        (
            json!({"input_tokens": 3, "output_tokens": 4}),
            json!({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}),
        ),
        (
            json!({"input_tokens": 3, "output_tokens": 4, "output_tokens_details": {"thinking_tokens": 2}}),
            json!({
                "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7,
                "completion_tokens_details": {"reasoning_tokens": 2},
            }),
        ),
        (
            json!({"input_tokens": u64::MAX, "cache_read_input_tokens": 1, "output_tokens": 4}),
            json!({
                "prompt_tokens": u64::MAX, "completion_tokens": 4, "total_tokens": u64::MAX,
                "prompt_tokens_details": {"cached_tokens": 1}, "cache_read_input_tokens": 1,
            }),
        ),
    ];
    for (usage, expected) in cases {
        assert_eq!(
            anthropic_end(&json!("end_turn"), &usage).1,
            expected,
            "{usage}"
        );
    }
}

#[test]
fn usage_of_the_openai_wire_is_taken_apart() {
    let counts = |input: u64, written: u64, read: u64| {
        json!({
            "input_tokens": input, "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read, "output_tokens": 4,
        })
    };
    let cases = [
        (json!({"prompt_tokens": 100}), json!({}), counts(100, 0, 0)),
        (
            json!({"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 90}}),
            json!({}),
            counts(10, 0, 90),
        ),
        (
            json!({"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}}),
            json!({}),
            counts(10, 30, 60),
        ),
        (
            json!({"prompt_tokens": 100, "prompt_cache_hit_tokens": 90}),
            json!({}),
            counts(10, 0, 90),
        ),
        (
            json!({"prompt_tokens": 100, "cached_tokens": 90}),
            json!({}),
            counts(10, 0, 90),
        ),
        (
            json!({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 90}}),
            json!({}),
            counts(0, 0, 90),
        ),
        (
            json!({"prompt_tokens": 100, "completion_tokens_details": {"reasoning_tokens": 2}}),
            json!({"output_tokens_details": {"thinking_tokens": 2}}),
            counts(100, 0, 0),
        ),
    ];
    for (mut usage, more, mut expected) in cases {
        usage["completion_tokens"] = json!(4);
        usage["total_tokens"] = json!(usage["prompt_tokens"].as_u64().unwrap() + 4);
        for (name, value) in more.as_object().unwrap() {
            expected[name] = value.clone();
        }
        let found = openai_end(&json!("stop"), &json!({"content": "Hi"}), &usage).1;
        assert_eq!(found, expected, "{usage}");
    }
}

#[test]
fn ni17_reasoning_apart_from_the_output_is_a_part_of_it_and_counted_once() {
    for (usage, output, thinking) in [
        // Within the output, as the wire has it.
        (
            json!({"prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 39,
                "completion_tokens_details": {"reasoning_tokens": 20}}),
            30,
            json!(20),
        ),
        // xAI, and Vertex.
        (
            json!({"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 39,
                "completion_tokens_details": {"reasoning_tokens": 20}}),
            30,
            json!(20),
        ),
        // Gemini, which does not say what it is; and where nothing else came of it.
        (
            json!({"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 39}),
            30,
            json!(null),
        ),
        (
            json!({"prompt_tokens": 9, "total_tokens": 39}),
            30,
            json!(null),
        ),
        // Totals that say nothing.
        (
            json!({"prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 0}),
            30,
            json!(null),
        ),
        (
            json!({"prompt_tokens": 9, "completion_tokens": 30, "total_tokens": "99"}),
            30,
            json!(null),
        ),
        (
            json!({"prompt_tokens": 9, "completion_tokens": 30, "total_tokens": null}),
            30,
            json!(null),
        ),
        // More reasoning than output, without a word of it in the total.
        (
            json!({"prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 39,
                "completion_tokens_details": {"reasoning_tokens": 31}}),
            30,
            json!(31),
        ),
    ] {
        let found = openai_end(&json!("stop"), &json!({"content": "Hi"}), &usage).1;
        assert_eq!(found["output_tokens"], output, "{usage}");
        assert_eq!(
            found["output_tokens_details"]["thinking_tokens"], thinking,
            "{usage}"
        );
    }
}

#[test]
fn m5_of_members_that_stand_twice_in_answers_the_last_counts_streamed_and_whole() {
    let content = r#""content":"first","content":"last""#;
    let calls = r#""tool_calls":[{"index":0,"id":"x","id":"y","function":{"name":"f","name":"g","arguments":"{}","arguments":"{\"a\":1}"}}]"#;
    for (members, expected) in [
        (content, json!({"type": "text", "text": "last"})),
        (
            calls,
            json!({"type": "tool_use", "id": "y", "name": "g", "input": {"a": 1}}),
        ),
    ] {
        let choice = |place: &str| {
            format!(
                r#"{{"index":0,"{place}":{{{members}}},"finish_reason":"x","finish_reason":"length"}}"#
            )
        };
        let answer = format!(
            r#"{{"id":"c","model":"m","choices":[{}]}}"#,
            choice("message")
        );
        let answer = whole_text(O, &answer);
        assert_eq!(answer["content"], json!([expected]));
        assert_eq!(answer["stop_reason"], "max_tokens");
        let chunk = format!(
            r#"{{"id":"c","model":"m","choices":[{}]}}"#,
            choice("delta")
        );
        let out = translate(O, context(), &format!("data: {chunk}\n\ndata: [DONE]\n\n"));
        let meaning = of_stream(A, &out.bytes);
        assert_eq!(meaning.stop, "length");
        let text = expected["text"].as_str().unwrap_or_default();
        assert_eq!(meaning.text, text);
        for (name, input) in meaning.tools {
            assert_eq!(
                (json!(name), &input),
                (expected["name"].clone(), &expected["input"])
            );
        }
    }
    let block = r#"{"type":"text","text":"first","text":"last"}"#;
    let answer = format!(
        r#"{{"type":"message","content":[{block}],"stop_reason":"x","stop_reason":"max_tokens"}}"#
    );
    let answer = whole_text(A, &answer);
    assert_eq!(answer["choices"][0]["message"]["content"], "last");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    let events = [
        format!(r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#),
        r#"{"type":"message_delta","delta":{"stop_reason":"x","stop_reason":"max_tokens"}}"#
            .to_owned(),
        r#"{"type":"message_stop"}"#.to_owned(),
    ];
    let body: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    let meaning = of_stream(O, &translate(A, context(), &body).bytes);
    assert_eq!((&*meaning.text, &*meaning.stop), ("last", "length"));
}

#[test]
fn losses_of_whole_answers_are_noted() {
    let page = json!({"type": "web_search_result_location", "url": "u", "title": "t"});
    let letters = json!({"type": "char_location", "document_index": 0, "cited_text": "x"});
    for (citations, stop, notes) in [
        (json!(null), json!("end_turn"), ""),
        (json!([page]), json!("end_turn"), ""),
        (
            json!([page, letters]),
            json!("end_turn"),
            "dropped=citations",
        ),
        (json!(null), json!(null), "changed=stop_reason"),
        (
            json!([letters]),
            json!("brand_new"),
            "dropped=citations; changed=stop_reason",
        ),
    ] {
        let block = json!({"type": "text", "text": "x", "citations": citations});
        let answer = json!({"type": "message", "content": [block], "stop_reason": stop});
        let (mut tape, limits, mut out) = (Tape::new(), Limits::default(), Vec::new());
        let body = answer.to_string();
        let facts = response::translate(
            (A, O),
            body.as_bytes(),
            &context(),
            &mut tape,
            &limits,
            &mut out,
        );
        assert_eq!(facts.unwrap().notes.header(), notes, "{answer}");
    }
}

#[test]
fn ids_of_calls_are_spelled_in_letters_that_are_taken_back() {
    let ids = ["functions.f:0", "functions_f_0", "toolu_1"];
    let call = |(index, id): (usize, &&str)| json!({"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let calls: Vec<Value> = ids.iter().enumerate().map(call).collect();
    let body = |member: &str| {
        let said = json!({"role": "assistant", "tool_calls": calls});
        json!({"id": "c", "model": "m", "choices": [{"index": 0, member: said, "finish_reason": "tool_calls"}]})
    };
    let answer = whole(O, &body("message"));
    let stream = streamed(O, &[body("delta")], "data: [DONE]\n\n");
    let blocks = stream.iter().map(|event| &event["content_block"]);
    let blocks: Vec<Value> = blocks.filter(|it| it.is_object()).cloned().collect();
    for list in [answer["content"].as_array().unwrap(), &blocks] {
        let found: Vec<&str> = list.iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(found, ["functions_x2e_f_x3a_0", "functions_f_0", "toolu_1"]);
    }
}

/// The citations of an Anthropic stream with the number of their block.
fn cited(events: &[Value]) -> Vec<(u64, String)> {
    let deltas = events
        .iter()
        .filter(|event| event["delta"]["type"] == "citations_delta");
    let found = deltas.map(|event| {
        let words = event["delta"]["citation"]["cited_text"].as_str().unwrap();
        (event["index"].as_u64().unwrap(), words.to_owned())
    });
    found.collect()
}

#[test]
fn citations_carry_the_cited_words_streamed_and_whole() {
    let text = "h\u{e9} w\u{f6}rld \u{1f600} \"q\"";
    let page = |start: u64, end: u64| json!({"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": start, "end_index": end}});
    let chunk =
        |delta: Value| json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]});
    let call = json!([{"index": 0, "id": "x", "function": {"name": "f", "arguments": "{}"}}]);
    let ranges = [
        ((0, 2), "h\u{e9}"),
        ((3, 8), "w\u{f6}rld"),
        ((9, 13), "\u{1f600} \"q"),
        ((90, 99), ""),
    ];
    let pages: Vec<Value> = ranges
        .iter()
        .map(|((start, end), _)| page(*start, *end))
        .collect();
    let message = json!({"role": "assistant", "content": text, "annotations": pages});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let answer = whole(O, &json!({"id": "c", "model": "m", "choices": [choice]}));
    let list = answer["content"][0]["citations"].as_array().unwrap();
    let words: Vec<&str> = list
        .iter()
        .map(|it| it["cited_text"].as_str().unwrap())
        .collect();
    let expected: Vec<&str> = ranges.iter().map(|(_, words)| *words).collect();
    assert_eq!(words, expected);
    let pieces = text
        .split_inclusive(' ')
        .map(|piece| chunk(json!({"content": piece})));
    let mut events: Vec<Value> = pieces.collect();
    // In the chunk of the call that ends the text, before it.
    events.push(chunk(json!({"annotations": pages, "tool_calls": call})));
    // The text is over: there is no place for it.
    events.push(chunk(json!({"annotations": [page(0, 2)]})));
    let found = cited(&streamed(O, &events, "data: [DONE]\n\n"));
    let expected: Vec<(u64, String)> = words.iter().map(|it| (0, (*it).to_owned())).collect();
    assert_eq!(found, expected);
    // Some services search first and cite before they speak; thinking is not what is cited.
    let mut events = vec![
        chunk(json!({"content": "", "annotations": pages})),
        chunk(json!({"reasoning_content": "hm", "annotations": []})),
        chunk(json!({"content": text})),
        chunk(json!({"annotations": [page(0, 2)], "tool_calls": call})),
    ];
    let found = cited(&streamed(O, &events, "data: [DONE]\n\n"));
    let in_text = |word: &&str| (1, (*word).to_owned());
    let mut late: Vec<(u64, String)> = vec![in_text(&words[0])];
    late.extend(words.iter().map(in_text));
    assert_eq!(found, late);
    // No text comes for them.
    events.remove(2);
    assert_eq!(cited(&streamed(O, &events, "data: [DONE]\n\n")), []);
}

#[test]
fn service_tiers_are_named_in_the_other_wires_words() {
    let tiers = [
        ("standard", json!("default")),
        ("priority", json!("priority")),
        ("batch", json!("flex")),
        ("new", json!(null)),
    ];
    for (tier, expected) in tiers {
        let answer = json!({
            "id": "m", "type": "message", "model": "m", "content": [], "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": tier},
        });
        assert_eq!(whole(A, &answer)["service_tier"], expected, "{tier}");
        let events = [
            json!({"type": "message_start", "message": answer}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        ];
        let chunks = streamed(A, &events, "data: {\"type\":\"message_stop\"}\n\n");
        assert_eq!(chunks.len(), 3, "{chunks:?}");
        for chunk in chunks {
            assert_eq!(chunk["service_tier"], expected, "{tier}");
            assert_eq!(chunk["model"], "m");
        }
    }
}

#[test]
fn what_both_wires_can_say_survives_the_way_there_and_back() {
    for wire in [A, O] {
        for (name, body) in fixtures(wire, "streams") {
            let there = translate(wire, context(), &body);
            let back = translate(other(wire), context(), there.text());
            if there.end != End::Complete {
                assert_eq!(back.end, End::UpstreamError, "{name}");
                continue;
            }
            assert_eq!(back.end, End::Complete, "{name}");
            let bare = |mut meaning: Meaning| {
                meaning.usage = meaning.usage.filter(|usage| usage.0 + usage.3 > 0);
                meaning.terminated = true;
                meaning
            };
            let before = bare(of_stream(other(wire), &there.bytes));
            let after = bare(of_stream(wire, &back.bytes));
            assert_eq!(after, before, "{name}");
        }
    }
}
