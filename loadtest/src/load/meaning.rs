//! What the events and whole answers of both wires say, read through a general JSON parser.

use serde_json::Value;

use crate::load::order::Place;
use crate::wire::Wire;

/// What an event, or a whole answer, says.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    /// Text.
    pub text: String,
    /// Thinking.
    pub thinking: String,
    /// Pieces of tool arguments, each with the number of its call.
    pub arguments: Vec<(u64, String)>,
    /// Names of tools that are called.
    pub tools: Vec<String>,
    /// Input tokens.
    pub input: Option<u64>,
    /// Output tokens.
    pub output: Option<u64>,
    /// A reason to stop.
    pub stop: Option<String>,
    /// The stream is over.
    pub end: bool,
    /// An error.
    pub error: bool,
    /// The event's type; none in the OpenAI wire.
    pub kind: String,
    /// Where in a stream it belongs.
    pub place: Place,
}

/// Reads the data of one event.
///
/// # Errors
/// Data that is no JSON, or no event of the wire.
pub fn event(wire: Wire, data: &[u8]) -> Result<Said, String> {
    if wire == Wire::Openai && data == b"[DONE]" {
        return Ok(Said {
            end: true,
            ..Said::default()
        });
    }
    let value = parse(data)?;
    match wire {
        Wire::Openai => openai(&value, "delta"),
        Wire::Anthropic => anthropic_event(&value),
    }
}

/// Reads a whole answer.
///
/// # Errors
/// A body that is no JSON, or no answer of the wire.
pub fn whole(wire: Wire, body: &[u8]) -> Result<Said, String> {
    let value = parse(body)?;
    let mut said = match wire {
        Wire::Openai => openai(&value, "message")?,
        Wire::Anthropic => anthropic_message(&value),
    };
    said.end = said.stop.is_some();
    Ok(said)
}

fn parse(data: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(data).map_err(|fault| {
        let shown = data.get(..120).unwrap_or(data).escape_ascii();
        format!("no JSON: {fault}: {shown}")
    })
}

fn openai(value: &Value, part: &str) -> Result<Said, String> {
    let mut said = Said::default();
    if value["error"].is_object() {
        said.error = true;
        return Ok(said);
    }
    let choices = value["choices"].as_array();
    let choices = choices.ok_or_else(|| "an object without choices".to_owned())?;
    for (at, choice) in choices.iter().enumerate() {
        if choice["index"].as_u64() != Some(at as u64) {
            return Err(format!("choice {at} says that it is {}", choice["index"]));
        }
        let delta = &choice[part];
        said.text += delta["content"].as_str().unwrap_or_default();
        said.thinking += delta["reasoning_content"].as_str().unwrap_or_default();
        let calls = delta["tool_calls"].as_array();
        for (at, call) in calls.into_iter().flatten().enumerate() {
            let index = call["index"].as_u64().unwrap_or(at as u64);
            let function = &call["function"];
            if let Some(name) = function["name"].as_str().filter(|name| !name.is_empty()) {
                said.tools.push(name.to_owned());
            }
            let piece = function["arguments"].as_str().unwrap_or_default();
            said.arguments.push((index, piece.to_owned()));
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            said.stop = Some(reason.to_owned());
        }
    }
    said.input = value["usage"]["prompt_tokens"].as_u64();
    said.output = value["usage"]["completion_tokens"].as_u64();
    Ok(said)
}

fn anthropic_event(value: &Value) -> Result<Said, String> {
    let mut said = Said::default();
    let kind = value["type"].as_str().unwrap_or_default();
    let index = value["index"].as_u64().unwrap_or(u64::MAX);
    kind.clone_into(&mut said.kind);
    said.place = match kind {
        "message_start" => Place::Begin,
        "content_block_start" => Place::Open(index),
        "content_block_delta" => Place::Within(index),
        "content_block_stop" => Place::Close(index),
        "message_delta" | "message_stop" => Place::Behind,
        _ => Place::Any,
    };
    match kind {
        "message_start" => usage(&mut said, &value["message"]["usage"]),
        "content_block_start" => {
            let block = &value["content_block"];
            said.text += block["text"].as_str().unwrap_or_default();
            said.thinking += block["thinking"].as_str().unwrap_or_default();
            if block["type"] == "tool_use" {
                said.tools
                    .push(block["name"].as_str().unwrap_or_default().to_owned());
            }
        }
        "content_block_delta" => {
            let delta = &value["delta"];
            said.text += delta["text"].as_str().unwrap_or_default();
            said.thinking += delta["thinking"].as_str().unwrap_or_default();
            if let Some(piece) = delta["partial_json"].as_str() {
                said.arguments.push((index, piece.to_owned()));
            }
        }
        "message_delta" => {
            said.stop = value["delta"]["stop_reason"].as_str().map(str::to_owned);
            usage(&mut said, &value["usage"]);
        }
        "message_stop" => said.end = true,
        "error" => said.error = true,
        "content_block_stop" | "ping" => {}
        _ => return Err(format!("an event of type {kind:?}")),
    }
    Ok(said)
}

fn anthropic_message(value: &Value) -> Said {
    let mut said = Said {
        error: value["type"] == "error",
        stop: value["stop_reason"].as_str().map(str::to_owned),
        ..Said::default()
    };
    let blocks = value["content"].as_array();
    for (at, block) in blocks.into_iter().flatten().enumerate() {
        said.text += block["text"].as_str().unwrap_or_default();
        said.thinking += block["thinking"].as_str().unwrap_or_default();
        if block["type"] == "tool_use" {
            said.tools
                .push(block["name"].as_str().unwrap_or_default().to_owned());
            said.arguments.push((at as u64, block["input"].to_string()));
        }
    }
    usage(&mut said, &value["usage"]);
    said
}

fn usage(said: &mut Said, usage: &Value) {
    said.input = usage["input_tokens"].as_u64();
    said.output = usage["output_tokens"].as_u64();
}
