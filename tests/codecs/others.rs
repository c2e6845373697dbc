//! What services of the OpenAI wire say in words of their own, towards clients of the Anthropic wire:
//! sources beside the answer, summaries, signatures of a whole message, counts beside an error.

use ringway::chat::usage::End;
use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::models::ModelTable;
use ringway::translate::request;
use ringway::translate::request_context::{Hints, RequestContext};
use ringway::translate::response;
use ringway::translate::stream::StreamTranslator;
use ringway::translate::tap::Tap;
use ringway::wire::kind::{Dialect, Wire};
use serde_json::{Value, json};

const WIRES: (Wire, Wire) = (Wire::OpenAiChat, Wire::AnthropicMessages);

/// A whole answer's content, and its notes.
fn whole(body: &Value) -> (Vec<Value>, String) {
    let (context, limits) = (AnswerContext::default(), Limits::default());
    let body = serde_json::to_vec(body).unwrap();
    let mut out = Vec::new();
    let mut tape = Tape::new();
    let told = response::translate(WIRES, &body, &context, &mut tape, &limits, &mut out).unwrap();
    let answer: Value = serde_json::from_slice(&out).unwrap();
    let content = answer["content"].as_array().unwrap().clone();
    (content, told.notes.header())
}

/// The blocks of a translated stream, put together as clients do, and its notes.
fn streamed(chunks: &[Value]) -> (Vec<Value>, String) {
    let context = AnswerContext::default();
    let mut translator = StreamTranslator::new(WIRES.0, WIRES.1, context, 1 << 20);
    let mut out = Vec::new();
    for chunk in chunks {
        translator.push(format!("data: {chunk}\n\n").as_bytes(), &mut out);
        assert!(translator.held_bytes() < 1 << 20);
    }
    translator.push(b"data: [DONE]\n\n", &mut out);
    assert_eq!(translator.finish(true, &mut out).end, End::Complete);
    let mut blocks: Vec<Value> = Vec::new();
    for line in String::from_utf8(out).unwrap().lines() {
        let Some(data) = line.strip_prefix("data: ") else {
            continue;
        };
        let event: Value = serde_json::from_str(data).unwrap();
        if event["type"] == "content_block_start" {
            assert_eq!(event["index"], blocks.len());
            blocks.push(event["content_block"].clone());
        } else if event["type"] == "content_block_delta" {
            let delta = &event["delta"];
            let block = blocks.last_mut().unwrap();
            for name in ["text", "thinking", "signature"] {
                if let Some(piece) = delta[name].as_str() {
                    block[name] = json!(block[name].as_str().unwrap().to_owned() + piece);
                }
            }
            if delta["type"] == "citations_delta" {
                let mut list = block["citations"].as_array().cloned().unwrap_or_default();
                list.push(delta["citation"].clone());
                block["citations"] = json!(list);
            }
        }
    }
    (blocks, translator.notes().header())
}

fn chunk(delta: Value) -> Value {
    json!({"id": "1", "model": "m", "choices": [{"index": 0, "delta": delta}]})
}

fn finish() -> Value {
    json!({"id": "1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
}

fn answer(message: Value) -> Value {
    json!({"id": "1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})
}

/// The next turn, whose history holds `content`, as the service gets it.
fn next_turn(content: &[Value], change: impl FnOnce(&mut Dialect)) -> (Value, String) {
    let mut dialect = Dialect::default();
    change(&mut dialect);
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": "go on"}]});
    let (table, limits) = (ModelTable::builtin(), Limits::default());
    let context = RequestContext {
        from: WIRES.1,
        to: WIRES.0,
        dialect: &dialect,
        model: "m",
        facts: table.facts("m"),
        hints: Hints::default(),
        limits: &limits,
        created: 1,
        seed: 2,
    };
    let (body, mut out) = (serde_json::to_vec(&body).unwrap(), Vec::new());
    let told = request::translate(&body, &mut Tape::new(), &context, &mut out).unwrap();
    let sent: Value = serde_json::from_slice(&out).unwrap();
    (sent["messages"][1].clone(), told.notes.header())
}

#[test]
fn sources_are_citations_of_the_text_that_refers_to_them() {
    let results = json!([
        {"title": "One", "url": "https://1.example", "snippet": "first"},
        {"title": "Two", "url": "https://2.example", "snippet": "second"}]);
    let listed = json!(["https://1.example", "https://2.example"]);
    let mut body = answer(json!({"role": "assistant", "content": "a[2] b[1] c[2]"}));
    body["citations"] = listed.clone();
    body["search_results"] = results.clone();
    let (content, notes) = whole(&body);
    let cited = |content: &[Value]| -> Vec<(String, String)> {
        let list = content[0]["citations"].as_array().unwrap();
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        list.iter()
            .map(|it| (text(it, "url"), text(it, "cited_text")))
            .collect()
    };
    let one = ("https://1.example".to_owned(), "first".to_owned());
    let two = ("https://2.example".to_owned(), "second".to_owned());
    assert_eq!(cited(&content), [one.clone(), two.clone()]);
    assert_eq!(notes, "");
    // The lists come with every chunk, or with the last one; the number is cut between two.
    for with_each in [true, false] {
        let mut chunks: Vec<Value> = ["a[", "2] b", "[1] ", "c[2]"]
            .map(|it| chunk(json!({"content": it})))
            .to_vec();
        chunks.push(finish());
        let last = chunks.len() - 1;
        for (at, chunk) in chunks.iter_mut().enumerate() {
            if with_each || at == last {
                chunk["citations"] = listed.clone();
                chunk["search_results"] = results.clone();
            }
        }
        let (blocks, notes) = streamed(&chunks);
        assert_eq!(blocks.len(), 1);
        assert_eq!(blocks[0]["text"], "a[2] b[1] c[2]");
        let mut told = cited(&blocks);
        told.sort();
        assert_eq!(told, [one.clone(), two.clone()], "{with_each}");
        assert_eq!(notes, "", "{with_each}");
    }
}

#[test]
fn sources_without_a_place_and_files_are_named() {
    let mut body = answer(
        json!({"role": "assistant", "content": "a[1]", "annotations": [
        {"type": "file", "file": {"hash": "h", "name": "a.pdf", "content": [{"type": "text", "text": "x"}]}}]}),
    );
    body["citations"] = json!(["https://1.example", "https://2.example"]);
    let (content, notes) = whole(&body);
    assert_eq!(content[0]["citations"].as_array().unwrap().len(), 1);
    assert_eq!(notes, "dropped=annotations,citations");
    let mut last = finish();
    last["search_results"] = json!([{"title": "t", "url": "https://1.example"}]);
    let file = json!({"content": "a", "annotations": [{"type": "file", "file": {"hash": "h"}}]});
    let (blocks, notes) = streamed(&[chunk(file), last]);
    assert_eq!(blocks[0].get("citations"), None);
    assert_eq!(notes, "dropped=annotations,search_results");
}

#[test]
fn summary_comes_back_as_one_with_its_format_and_id() {
    let detail = |text: &str| {
        json!({"type": "reasoning.summary", "summary": text,
        "format": "openai-responses-v1", "id": "rs_1", "index": 0})
    };
    let sealed = json!({"type": "reasoning.encrypted", "data": "gAAA", "format": "openai-responses-v1",
        "id": "rs_1", "index": 1});
    let message = json!({"role": "assistant", "content": "a", "reasoning": "one two",
        "reasoning_details": [detail("one two"), sealed]});
    let (content, _) = whole(&answer(message));
    let (blocks, notes) = streamed(&[
        chunk(json!({"reasoning": "one ", "reasoning_details": [detail("one ")]})),
        chunk(json!({"reasoning": "two", "reasoning_details": [detail("two")]})),
        chunk(json!({"content": "", "reasoning_details": [sealed]})),
        chunk(json!({"content": "a"})),
        finish(),
    ]);
    assert_eq!(notes, "");
    assert_eq!(content, blocks);
    let (sent, notes) = next_turn(&content, |it| it.reasoning_details_back = true);
    let mut expected = detail("one two");
    expected["index"] = json!(0);
    assert_eq!(sent["reasoning_details"], json!([expected, sealed]));
    assert_eq!(notes, "");
    // One that names no format has none when it comes back; nothing stands in its place.
    let plain = json!({"type": "reasoning.summary", "summary": "s"});
    let message = json!({"role": "assistant", "content": "a", "reasoning_details": [plain]});
    let (content, _) = whole(&answer(message));
    let (sent, _) = next_turn(&content, |it| it.reasoning_details_back = true);
    assert_eq!(
        sent["reasoning_details"],
        json!([{"type": "reasoning.summary", "summary": "s", "index": 0}])
    );
}

#[test]
fn signature_of_a_message_survives_the_next_turn() {
    let extra = json!({"google": {"thought": true, "thought_signature": "AVSo+/=="}});
    let message = json!({"role": "assistant", "content": "Noon.", "extra_content": extra,
        "thought_signature": "AVSo+/=="});
    let call = json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}});
    let (content, notes) = whole(&answer(message));
    assert_eq!(notes, "");
    let streams = [
        vec![
            chunk(json!({"content": "Noon.", "extra_content": extra})),
            finish(),
        ],
        vec![
            chunk(json!({"content": "Noon."})),
            chunk(json!({"extra_content": extra})),
            finish(),
        ],
        vec![
            chunk(json!({"content": "Noon.", "thought_signature": "AVSo+/=="})),
            finish(),
        ],
        vec![
            chunk(json!({"content": "Noon."})),
            chunk(json!({"tool_calls": [call]})),
            chunk(json!({"extra_content": extra})),
            finish(),
        ],
    ];
    let told = streams.iter().map(|chunks| streamed(chunks).0);
    for content in told.chain([content]) {
        // The client's part of the history, less the calls that have no result here.
        let content: Vec<Value> = content
            .into_iter()
            .filter(|it| it["type"] != "tool_use")
            .collect();
        let (sent, notes) = next_turn(&content, |it| it.thought_signatures = true);
        assert_eq!(
            sent["extra_content"]["google"]["thought_signature"],
            "AVSo+/=="
        );
        assert_eq!(
            (sent["content"].as_str(), notes.as_str()),
            (Some("Noon."), "")
        );
        let (sent, notes) = next_turn(&content, |it| it.reasoning_details_back = true);
        assert_eq!(sent.get("reasoning_details"), None);
        assert_eq!(
            (sent.get("extra_content"), notes.as_str()),
            (None, "dropped=thought_signature")
        );
    }
}

#[test]
fn counts_beside_an_error_are_told() {
    let body = json!({"id": "1", "model": "m", "error": {"code": 502, "message": "gone"},
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}});
    let stream = format!(
        "data: {}\n\ndata: {body}\n\n",
        chunk(json!({"content": "a"}))
    );
    let mut out = Vec::new();
    let mut translator = StreamTranslator::new(WIRES.0, WIRES.1, AnswerContext::default(), 1 << 20);
    assert_eq!(
        translator.push(stream.as_bytes(), &mut out).end,
        End::UpstreamError
    );
    let mut tap = Tap::new(Wire::OpenAiChat, 1 << 20);
    assert_eq!(tap.push(stream.as_bytes()).end, End::UpstreamError);
    for usage in [translator.usage(), tap.usage()] {
        assert_eq!((usage.input, usage.output), (Some(12), Some(3)));
    }
}

#[test]
fn what_a_stream_of_the_anthropic_wire_cannot_say_is_named() {
    let mut translator = StreamTranslator::new(WIRES.1, WIRES.0, AnswerContext::default(), 1 << 20);
    let mut out = Vec::new();
    for event in [
        json!({"type": "message_start", "message": {"id": "1", "model": "m"}}),
        json!({"type": "content_block_start", "index": 0, "content_block":
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "a"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta",
            "citation": {"type": "char_location", "cited_text": "x"}}}),
    ] {
        translator.push(format!("data: {event}\n\n").as_bytes(), &mut out);
    }
    assert_eq!(
        translator.notes().header(),
        "dropped=citations,server_tool_use"
    );
}
