//! Calls of custom tools towards clients of the Anthropic wire, whose tools take objects alone.

use ringway::chat::usage::End;
use ringway::wire::kind::Wire::OpenAiChat as O;
use serde_json::{Value, json};

use crate::modes::whole;
use crate::support::{Out, context, translate};

#[test]
fn calls_of_custom_tools_are_alike_whole_and_streamed() {
    let texts = [
        "",
        "ls -l",
        "a\n\"q\" \\ é \u{1F600}",
        "{\"a\":1}",
        "}{",
        "null",
        "[\"x\"]",
    ];
    for (first, second) in texts.into_iter().flat_map(|a| texts.map(|b| (a, b))) {
        for (said, behind) in [(None, None), (Some("before"), None), (None, Some("behind"))] {
            let custom = |index: usize, text: &str| json!({"index": index, "id": format!("c{index}"), "type": "custom", "custom": {"name": format!("t{index}"), "input": text}});
            let function = json!({"index": 1, "id": "c1", "type": "function", "function": {"name": "t1", "arguments": "{\"b\":2}"}});
            let calls = json!([custom(0, first), function, custom(2, second)]);
            let message = json!({"role": "assistant", "content": said, "tool_calls": calls});
            let answer = json!({"id": "1", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
            let whole = whole(O, &answer.to_string(), &context());
            for cut in [1, 3, 100] {
                let mut deltas = Vec::new();
                deltas.extend(said.map(|text| json!({ "content": text })));
                for call in calls.as_array().unwrap() {
                    deltas.extend(in_pieces(call, cut));
                }
                deltas.extend(behind.map(|text| json!({ "content": text })));
                let body = stream_of(&deltas);
                let mut blocks = streamed_blocks(&translate(O, context(), &body));
                if let Some(text) = behind {
                    let last = blocks.pop().unwrap();
                    assert_eq!(last["text"], text);
                }
                assert_eq!(json!(blocks), whole["content"], "{body}");
                assert_eq!(blocks[usize::from(said.is_some())]["input"]["input"], first);
            }
        }
    }
}

/// A call as a stream tells it: its text `cut` characters at a time.
fn in_pieces(call: &Value, cut: usize) -> Vec<Value> {
    let kind = call["type"].as_str().unwrap();
    let member = if kind == "custom" {
        "input"
    } else {
        "arguments"
    };
    let text: Vec<char> = call[kind][member].as_str().unwrap().chars().collect();
    let mut start = call.clone();
    start[kind][member] = json!("");
    let start = json!({ "tool_calls": [start] });
    let pieces = text.chunks(cut).map(|piece| {
        let piece: String = piece.iter().collect();
        json!({"tool_calls": [{"index": call["index"], kind: {member: piece}}]})
    });
    core::iter::once(start).chain(pieces).collect()
}

fn stream_of(deltas: &[Value]) -> String {
    let chunk = |delta: &Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
        format!(
            "data: {}\n\n",
            json!({"id": "1", "model": "m", "choices": [choice]})
        )
    };
    let mut body: String = deltas.iter().map(|it| chunk(it, Value::Null)).collect();
    body += &chunk(&json!({}), json!("tool_calls"));
    body + "data: [DONE]\n\n"
}

/// The blocks of a stream of the Anthropic wire, put together as its clients do.
fn streamed_blocks(out: &Out) -> Vec<Value> {
    assert_eq!(out.end, End::Complete, "{}", out.text());
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for line in out.text().lines() {
        let Some(data) = line.strip_prefix("data: ") else {
            continue;
        };
        let event: Value = serde_json::from_str(data).unwrap();
        let at = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        if event["type"] == "content_block_start" {
            blocks.push(event["content_block"].clone());
            inputs.push(String::new());
        } else if let Some(json) = event["delta"]["partial_json"].as_str() {
            inputs[at] += json;
        } else if let Some(text) = event["delta"]["text"].as_str() {
            let so_far = blocks[at]["text"].as_str().unwrap().to_owned();
            blocks[at]["text"] = json!(so_far + text);
        }
    }
    for (block, input) in blocks.iter_mut().zip(&inputs).filter(|it| !it.1.is_empty()) {
        block["input"] = serde_json::from_str(input).unwrap();
    }
    blocks
}
