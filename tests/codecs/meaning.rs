//! What a stream or an answer means, by a reader written for the tests alone: serde_json and a
//! line splitter, nothing of the codecs.

use std::collections::BTreeMap;

use ringway::wire::kind::Wire;
use serde_json::Value;

/// What an answer says, whichever wire said it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Meaning {
    pub(crate) text: String,
    pub(crate) thinking: String,
    pub(crate) signatures: Vec<String>,
    pub(crate) redacted: Vec<String>,
    /// Name and arguments of each call.
    pub(crate) tools: Vec<(String, Value)>,
    /// `end`, `length`, `tools`, `refusal`; empty if the answer did not end.
    pub(crate) stop: String,
    /// All input, cache read, cache written, output, reasoning.
    pub(crate) usage: Option<(u64, u64, u64, u64, Option<u64>)>,
    pub(crate) error: Option<String>,
    pub(crate) terminated: bool,
}

pub(crate) fn of_stream(wire: Wire, body: &[u8]) -> Meaning {
    let frames = frames(body);
    match wire {
        Wire::OpenAiChat => openai_stream(&frames),
        Wire::AnthropicMessages => anthropic_stream(&frames),
    }
}

pub(crate) fn of_answer(wire: Wire, body: &[u8]) -> Meaning {
    let root: Value = serde_json::from_slice(body).unwrap();
    match wire {
        Wire::OpenAiChat => openai_answer(&root),
        Wire::AnthropicMessages => anthropic_answer(&root),
    }
}

/// The data of every event, by the plainest reading of the standard.
pub(crate) fn frames(body: &[u8]) -> Vec<String> {
    let text = core::str::from_utf8(body).unwrap();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut frames = Vec::new();
    let mut data: Option<String> = None;
    for line in text.split('\n') {
        if line.is_empty() {
            frames.extend(data.take());
        } else if let Some(value) = line.strip_prefix("data:") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            data = Some(data.map_or_else(|| value.to_owned(), |all| format!("{all}\n{value}")));
        }
    }
    frames.extend(data);
    frames.retain(|frame| !frame.is_empty());
    frames
}

/// The document, with halves of escaped pairs (which serde_json refuses) made readable.
pub(crate) fn parse(frame: &str) -> Value {
    let whole = serde_json::from_str(frame);
    whole.unwrap_or_else(|_| {
        let readable = frame
            .replace(r"\ud83d", "<high>")
            .replace(r"\ude00", "<low>");
        serde_json::from_str(&readable).unwrap()
    })
}

#[derive(Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

/// The calls that there are: one without a name cannot be run.
fn calls_meaning<'c>(calls: impl Iterator<Item = &'c Call>) -> Vec<(String, Value)> {
    let named = calls.filter(|call| !call.name.is_empty());
    named.map(call_meaning).collect()
}

fn call_meaning(call: &Call) -> (String, Value) {
    let text = if call.arguments.is_empty() {
        "{}"
    } else {
        &call.arguments
    };
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    (call.name.clone(), value)
}

fn openai_stream(frames: &[String]) -> Meaning {
    let mut meaning = Meaning::default();
    let mut calls: Vec<(Option<u64>, Call)> = Vec::new();
    let mut signatures: BTreeMap<u64, String> = BTreeMap::new();
    let mut finish = String::new();
    let mut refusal = String::new();
    for frame in frames {
        if frame.starts_with("[DONE]") {
            meaning.terminated = true;
            break;
        }
        let chunk = parse(frame);
        let usage = [&chunk["usage"], &chunk["x_groq"]["usage"]];
        if let Some(usage) = usage.into_iter().find(|usage| usage.is_object()) {
            meaning.usage = Some(openai_usage(usage));
        }
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            meaning.error = Some(string(&error["message"]));
            break;
        }
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            if choice["index"].as_u64().unwrap_or(0) != 0 {
                continue;
            }
            let delta = &choice["delta"];
            openai_words(delta, &mut meaning, &mut signatures);
            refusal += &string(&delta["refusal"]);
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                openai_call(call, &mut calls);
            }
            if delta["function_call"].is_object() {
                if calls.is_empty() {
                    calls.push((None, Call::default()));
                }
                let call = &mut calls[0].1;
                call.name += &string(&delta["function_call"]["name"]);
                call.arguments += &string(&delta["function_call"]["arguments"]);
            }
            if finish.is_empty() {
                finish = string(&choice["finish_reason"]);
            }
        }
    }
    meaning.tools = calls_meaning(calls.iter().map(|(_, call)| call));
    meaning.signatures.extend(signatures.into_values());
    if meaning.terminated || !finish.is_empty() {
        meaning.stop = openai_stop(&finish, !meaning.tools.is_empty(), &refusal);
    }
    meaning.text += &refusal;
    meaning
}

fn openai_words(delta: &Value, meaning: &mut Meaning, signatures: &mut BTreeMap<u64, String>) {
    // Of the whole message (Gemini 2.5): its clients carry it along.
    let signature = string(&delta["extra_content"]["google"]["thought_signature"]);
    if !signature.is_empty() {
        meaning
            .signatures
            .push(format!("ringway:message/::{signature}"));
    }
    let plain = [&delta["reasoning_content"], &delta["reasoning"]];
    let plain = plain.into_iter().map(string).find(|text| !text.is_empty());
    let details = delta["reasoning_details"].as_array();
    let mut told = plain.clone().unwrap_or_default();
    for detail in details.into_iter().flatten() {
        // Of another format: its clients carry format and id along.
        let sealed = |data: String| match detail["format"].as_str() {
            None | Some("anthropic-claude-v1") => data,
            Some(format) => format!("ringway:{format}:{}:{data}", string(&detail["id"])),
        };
        if plain.is_none() {
            told += &string(&detail["text"]);
            told += &string(&detail["summary"]);
        }
        let signature = string(&detail["signature"]);
        if !signature.is_empty() {
            let index = detail["index"].as_u64().unwrap_or(0);
            *signatures.entry(index).or_default() += &sealed(signature);
        }
        if detail["type"] == "reasoning.encrypted" {
            meaning.redacted.push(sealed(string(&detail["data"])));
        }
    }
    meaning.thinking += &told;
    match &delta["content"] {
        Value::String(text) => meaning.text += text,
        Value::Array(parts) => {
            for part in parts {
                meaning.text += &string(&part["text"]);
                if told.is_empty() {
                    for inner in part["thinking"].as_array().into_iter().flatten() {
                        meaning.thinking += &string(&inner["text"]);
                    }
                }
            }
        }
        _ => {}
    }
}

fn openai_call(piece: &Value, calls: &mut Vec<(Option<u64>, Call)>) {
    let index = piece["index"].as_u64();
    let id = string(&piece["id"]);
    let known = calls.iter().rposition(|(own, call)| match index {
        Some(_) => *own == index,
        None => id.is_empty() || call.id == id,
    });
    let at = known.unwrap_or_else(|| {
        calls.push((index, Call::default()));
        calls.len() - 1
    });
    let call = &mut calls[at].1;
    if call.id.is_empty() {
        call.id = id;
    }
    if call.name.is_empty() {
        call.name = string(&piece["function"]["name"]);
    }
    call.arguments += &string(&piece["function"]["arguments"]);
}

fn openai_stop(finish: &str, tools: bool, refusal: &str) -> String {
    let stop = match finish {
        "length" | "model_length" => "length",
        _ if !refusal.is_empty() => "refusal",
        "content_filter" => "refusal",
        _ if tools => "tools",
        _ => "end",
    };
    stop.to_owned()
}

fn openai_usage(usage: &Value) -> (u64, u64, u64, u64, Option<u64>) {
    let details = &usage["prompt_tokens_details"];
    let cached = [
        &details["cached_tokens"],
        &usage["prompt_cache_hit_tokens"],
        &usage["cached_tokens"],
    ];
    let cached = cached.into_iter().find_map(Value::as_u64).unwrap_or(0);
    let written = details["cache_write_tokens"].as_u64().unwrap_or(0);
    // Some services report more cached tokens than tokens: uncached input is then 0.
    let all = usage["prompt_tokens"].as_u64().unwrap_or(0);
    let output = usage["completion_tokens"].as_u64().unwrap_or(0);
    // Some services count reasoning in the total alone.
    let apart = match usage["total_tokens"].as_u64() {
        Some(total) if total > all + output => total - all - output,
        _ => 0,
    };
    (
        all.max(cached + written),
        cached,
        written,
        output + apart,
        usage["completion_tokens_details"]["reasoning_tokens"].as_u64(),
    )
}

fn openai_answer(root: &Value) -> Meaning {
    let choice = &root["choices"][0];
    let message = &choice["message"];
    let mut meaning = Meaning {
        terminated: true,
        ..Meaning::default()
    };
    let mut signatures = BTreeMap::new();
    openai_words(message, &mut meaning, &mut signatures);
    meaning.signatures.extend(signatures.into_values());
    let refusal = string(&message["refusal"]);
    meaning.text += &refusal;
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let functions = calls.map(|call| &call["function"]);
    let calls: Vec<Call> = functions
        .chain([&message["function_call"]])
        .map(|function| Call {
            id: String::new(),
            name: string(&function["name"]),
            arguments: string(&function["arguments"]),
        })
        .collect();
    meaning.tools = calls_meaning(calls.iter());
    let finish = string(&choice["finish_reason"]);
    meaning.stop = openai_stop(&finish, !meaning.tools.is_empty(), &refusal);
    meaning.usage = root["usage"]
        .is_object()
        .then(|| openai_usage(&root["usage"]));
    meaning
}

#[derive(Default)]
struct AnthropicUsage(BTreeMap<String, u64>);

impl AnthropicUsage {
    fn lay(&mut self, usage: &Value) {
        for name in [
            "input_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "output_tokens",
        ] {
            let rounds = usage["iterations"].as_array().into_iter().flatten();
            let rounds: Vec<u64> = rounds.filter_map(|round| round[name].as_u64()).collect();
            let own = usage[name].as_u64();
            let count = if rounds.is_empty() {
                own
            } else {
                Some(rounds.iter().sum())
            };
            if let Some(count) = count {
                self.0.insert(name.to_owned(), count);
            }
        }
        if let Some(count) = usage["output_tokens_details"]["thinking_tokens"].as_u64() {
            self.0.insert("thinking".to_owned(), count);
        }
    }

    fn meaning(&self) -> Option<(u64, u64, u64, u64, Option<u64>)> {
        let count = |name: &str| self.0.get(name).copied().unwrap_or(0);
        let (read, written) = (
            count("cache_read_input_tokens"),
            count("cache_creation_input_tokens"),
        );
        (!self.0.is_empty()).then(|| {
            let input = count("input_tokens") + read + written;
            (
                input,
                read,
                written,
                count("output_tokens"),
                self.0.get("thinking").copied(),
            )
        })
    }
}

fn anthropic_stream(frames: &[String]) -> Meaning {
    let mut meaning = Meaning::default();
    let mut usage = AnthropicUsage::default();
    let mut calls: BTreeMap<u64, Call> = BTreeMap::new();
    for frame in frames {
        let event = parse(frame);
        let index = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => usage.lay(&event["message"]["usage"]),
            "content_block_start" => {
                let block = &event["content_block"];
                anthropic_words(block, &mut meaning);
                if block["type"] == "tool_use" {
                    let arguments = match block["input"].as_object() {
                        Some(input) if !input.is_empty() => block["input"].to_string(),
                        _ => String::new(),
                    };
                    calls.insert(
                        index,
                        Call {
                            id: string(&block["id"]),
                            name: string(&block["name"]),
                            arguments,
                        },
                    );
                }
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                anthropic_words(delta, &mut meaning);
                if let Some(call) = calls.get_mut(&index) {
                    call.arguments += &string(&delta["partial_json"]);
                }
            }
            "message_delta" => {
                usage.lay(&event["usage"]);
                if let Some(reason) = event["delta"]["stop_reason"].as_str() {
                    meaning.stop = anthropic_stop(reason);
                }
            }
            "message_stop" => {
                meaning.terminated = true;
                break;
            }
            "error" => {
                meaning.error = Some(string(&event["error"]["message"]));
                break;
            }
            _ => {}
        }
    }
    meaning.tools = calls.values().map(call_meaning).collect();
    meaning.usage = usage.meaning();
    meaning
}

fn anthropic_words(block: &Value, meaning: &mut Meaning) {
    let silent = !matches!(
        block["type"].as_str(),
        Some(
            "text"
                | "thinking"
                | "redacted_thinking"
                | "text_delta"
                | "thinking_delta"
                | "signature_delta"
        )
    );
    if silent {
        return;
    }
    meaning.text += &string(&block["text"]);
    meaning.thinking += &string(&block["thinking"]);
    let signature = string(&block["signature"]);
    if !signature.is_empty() {
        meaning.signatures.push(signature);
    }
    if block["type"] == "redacted_thinking" {
        meaning.redacted.push(string(&block["data"]));
    }
}

fn anthropic_stop(reason: &str) -> String {
    let stop = match reason {
        "max_tokens" | "model_context_window_exceeded" | "pause_turn" | "compaction" => "length",
        "tool_use" => "tools",
        "refusal" => "refusal",
        _ => "end",
    };
    stop.to_owned()
}

fn anthropic_answer(root: &Value) -> Meaning {
    let mut meaning = Meaning {
        terminated: true,
        ..Meaning::default()
    };
    for block in root["content"].as_array().unwrap() {
        anthropic_words(block, &mut meaning);
        if block["type"] == "tool_use" {
            meaning
                .tools
                .push((string(&block["name"]), block["input"].clone()));
        }
    }
    meaning.stop = anthropic_stop(&string(&root["stop_reason"]));
    let mut usage = AnthropicUsage::default();
    usage.lay(&root["usage"]);
    meaning.usage = usage.meaning();
    meaning
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
