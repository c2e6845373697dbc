//! Event streams that are valid in their wire, then damaged.

use ringway::wire::kind::Wire;
use serde_json::{Value, json};

use crate::cook::Cook;
use crate::recipe_request::{STOPS, anthropic_usage, openai_usage};

/// A stream of `wire`, with the line ends and comments that a stream may have.
pub fn stream(cook: &mut Cook<'_>, wire: Wire) -> Vec<u8> {
    let mut events = match wire {
        Wire::OpenAiChat => openai(cook),
        Wire::AnthropicMessages => anthropic(cook),
    };
    while cook.rarely(4) {
        disorder(cook, &mut events);
    }
    let end = cook.one(&["\n", "\r\n", "\r"]);
    let mut out = Vec::new();
    for event in &events {
        let name = event["type"].as_str().unwrap_or_default();
        if wire == Wire::AnthropicMessages {
            out.extend_from_slice(format!("event: {name}{end}").as_bytes());
        }
        // Blanks between tokens may be line ends: a document in several data lines.
        let text = if cook.rarely(8) {
            format!("{event:#}").replace('\n', &format!("{end}data: "))
        } else {
            event.to_string()
        };
        let gap = cook.one(&["", " "]);
        out.extend_from_slice(format!("data:{gap}{text}{end}{end}").as_bytes());
        if cook.rarely(8) {
            out.extend_from_slice(format!(": ping{end}{end}").as_bytes());
        }
    }
    if wire == Wire::OpenAiChat && !cook.rarely(6) {
        out.extend_from_slice(format!("data: [DONE]{end}{end}").as_bytes());
    }
    while cook.rarely(6) {
        cook.scratch(&mut out);
    }
    out
}

/// Removes, repeats or moves an event, or changes one.
fn disorder(cook: &mut Cook<'_>, events: &mut Vec<Value>) {
    if events.is_empty() {
        return;
    }
    let at = cook.below(events.len());
    match cook.below(5) {
        0 => drop(events.remove(at)),
        1 => events.insert(at, events[at].clone()),
        2 => {
            let to = cook.below(events.len());
            events.swap(at, to);
        }
        3 => cook.change(&mut events[at]),
        _ => events.truncate(at),
    }
}

fn openai(cook: &mut Cook<'_>) -> Vec<Value> {
    let (id, model) = (cook.text(), cook.text());
    let chunk = |choices: Value| {
        json!({"id": id, "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": choices})
    };
    let choice = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
    let mut events = vec![choice(json!({"role": "assistant", "content": ""}))];
    for _ in 0..cook.below(6) {
        let kind = cook.below(8);
        let call = cook.below(3);
        if kind == 3 {
            let start = json!({"index": call, "id": cook.text(), "type": "function",
                "function": {"name": cook.text(), "arguments": ""}});
            events.push(choice(json!({"tool_calls": [start]})));
        }
        for _ in 0..cook.below(4) {
            let text = cook.text();
            events.push(choice(match kind {
                0 | 1 => json!({"content": text}),
                2 => json!({"reasoning_content": text}),
                3 => json!({"tool_calls": [{"index": call, "function": {"arguments": text}}]}),
                4 => json!({"reasoning": text, "reasoning_details": [{"type": "reasoning.text",
                    "text": text, "signature": cook.text(), "format": "anthropic-claude-v1"}]}),
                5 => json!({"refusal": text}),
                6 => json!({"annotations": [{"type": "url_citation", "url_citation":
                    {"url": text, "start_index": 0, "end_index": cook.below(9)}}]}),
                _ => json!({"function_call": {"name": "f", "arguments": text}}),
            }));
        }
    }
    if cook.rarely(8) {
        events.push(json!({"error": {"message": cook.text(), "type": "server_error"}}));
    }
    let finish = cook.one(&[
        "stop",
        "length",
        "tool_calls",
        "content_filter",
        "function_call",
    ]);
    events.push(chunk(
        json!([{"index": 0, "delta": {}, "finish_reason": finish}]),
    ));
    if cook.below(2) == 0 {
        let mut last = chunk(json!([]));
        last["usage"] = openai_usage(cook);
        events.push(last);
    }
    events
}

fn anthropic(cook: &mut Cook<'_>) -> Vec<Value> {
    let usage = anthropic_usage(cook);
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": cook.text(),
        "type": "message", "role": "assistant", "model": cook.text(), "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage}}),
    ];
    for index in 0..cook.below(5) {
        block(cook, index, &mut events);
    }
    if cook.rarely(8) {
        events.push(json!({"type": "error", "error":
            {"type": "overloaded_error", "message": cook.text()}}));
    }
    let stop = cook.one(&STOPS);
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": stop,
        "stop_sequence": null}, "usage": anthropic_usage(cook)}),
    );
    events.push(json!({"type": "message_stop"}));
    events
}

/// A block from its start to its stop.
fn block(cook: &mut Cook<'_>, index: usize, events: &mut Vec<Value>) {
    let kind = cook.below(6);
    let start = match kind {
        0 => json!({"type": "text", "text": ""}),
        1 => json!({"type": "thinking", "thinking": "", "signature": ""}),
        2 => json!({"type": "tool_use", "id": cook.text(), "name": cook.text(), "input": {}}),
        3 => json!({"type": "redacted_thinking", "data": cook.text()}),
        4 => json!({"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}),
        _ => {
            json!({"type": "tool_use", "id": cook.text(), "name": "f", "input": {"a": cook.text()}})
        }
    };
    events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
    if cook.rarely(6) {
        events.push(json!({"type": "ping"}));
    }
    for _ in 0..cook.below(4) {
        let text = cook.text();
        let delta = match kind {
            0 if cook.rarely(6) => json!({"type": "citations_delta", "citation": {
                "type": "web_search_result_location", "url": text, "title": "t", "cited_text": "c"}}),
            0 => json!({"type": "text_delta", "text": text}),
            1 if cook.rarely(4) => json!({"type": "signature_delta", "signature": text}),
            1 => json!({"type": "thinking_delta", "thinking": text}),
            3 => return events.push(json!({"type": "content_block_stop", "index": index})),
            _ => json!({"type": "input_json_delta", "partial_json": text}),
        };
        events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
    }
    events.push(json!({"type": "content_block_stop", "index": index}));
}
