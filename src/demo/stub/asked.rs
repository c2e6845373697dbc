//! Requests of both wires, read as strictly as the providers read them.
//!
//! What a provider refuses is refused here: missing members, members that it does not know, roles
//! that are none. So a gateway that lets members of the other wire through is found out.
//!
//! Not here: whether parts, schemas and histories make sense beyond that.

use crate::demo::stub::fault::Fault;
use crate::demo::stub::schema;
use crate::json::tape::{JsonKind, Tape, Value};
use crate::limits::Limits;
use crate::wire::kind::Wire;

/// What an answer depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The model's name.
    pub model: String,
    /// As a stream.
    pub stream: bool,
    /// With a usage chunk (OpenAI wire).
    pub include_usage: bool,
    /// Most tokens.
    pub output_max: u64,
    /// Tools that may be called.
    pub tools: Vec<Tool>,
    /// The last turn brings tool results.
    pub has_results: bool,
    /// The last text of a user.
    pub last_text: String,
    /// A value that fits the schema that the answer must have.
    pub schema_example: Option<String>,
    /// Words of all texts, and some for each tool: the same on both wires.
    pub input_tokens: u64,
}

/// A tool that may be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Arguments that it takes.
    pub example: String,
}

/// Reads the body of a chat.
///
/// # Errors
/// What the provider of this wire would refuse.
pub fn read(wire: Wire, body: &[u8]) -> Result<Asked, Fault> {
    let mut tape = Tape::new();
    let root = document(&mut tape, body)?;
    known_members(wire, root)?;
    let mut asked = Asked {
        model: model(wire, root)?,
        stream: root.get_set("stream").and_then(Value::as_bool) == Some(true),
        output_max: output_max(wire, root)?,
        ..Asked::default()
    };
    match wire {
        Wire::OpenAiChat => read_openai(root, &mut asked)?,
        Wire::AnthropicMessages => read_anthropic(root, &mut asked)?,
    }
    Ok(asked)
}

/// Reads the body of `count_tokens`.
///
/// # Errors
/// As [`read`].
pub fn count(body: &[u8]) -> Result<Asked, Fault> {
    let wire = Wire::AnthropicMessages;
    let mut tape = Tape::new();
    let root = document(&mut tape, body)?;
    for name in ["max_tokens", "stream"] {
        if root.get(name).is_some() {
            return Err(unknown(wire, name));
        }
    }
    known_members(wire, root)?;
    let mut asked = Asked {
        model: model(wire, root)?,
        ..Asked::default()
    };
    read_anthropic(root, &mut asked)?;
    Ok(asked)
}

fn document<'t>(tape: &'t mut Tape, body: &'t [u8]) -> Result<Value<'t>, Fault> {
    let limits = Limits::default();
    let root = tape.read(body, limits.json_depth_max, limits.json_values_max);
    let root = root.map_err(|error| Fault::new(400, format!("the body is no JSON: {error}")))?;
    if root.kind() == JsonKind::Object {
        Ok(root)
    } else {
        Err(Fault::new(400, "the body is no JSON object".to_owned()))
    }
}

fn known_members(wire: Wire, root: Value<'_>) -> Result<(), Fault> {
    let known: &[&str] = match wire {
        Wire::OpenAiChat => &OPENAI_MEMBERS,
        Wire::AnthropicMessages => &ANTHROPIC_MEMBERS,
    };
    for (name, _) in root.members() {
        if !known.iter().any(|known| name.is(known)) {
            return Err(unknown(wire, &name.decode()));
        }
    }
    Ok(())
}

fn unknown(wire: Wire, name: &str) -> Fault {
    match wire {
        Wire::OpenAiChat => Fault::of(name, format!("Unrecognized request argument: {name}"))
            .coded("unknown_parameter"),
        Wire::AnthropicMessages => {
            Fault::of(name, format!("{name}: Extra inputs are not permitted"))
        }
    }
}

fn missing(wire: Wire, name: &str) -> Fault {
    match wire {
        Wire::OpenAiChat => Fault::of(name, format!("Missing required parameter: '{name}'."))
            .coded("missing_required_parameter"),
        Wire::AnthropicMessages => Fault::of(name, format!("{name}: Field required")),
    }
}

fn model(wire: Wire, root: Value<'_>) -> Result<String, Fault> {
    let model = root.get_set("model").and_then(Value::as_raw);
    let model = model.filter(|model| !model.is_empty());
    Ok(model.ok_or_else(|| missing(wire, "model"))?.decode())
}

/// The output limit; without one there is none on the OpenAI wire.
fn output_max(wire: Wire, root: Value<'_>) -> Result<u64, Fault> {
    let name = match wire {
        Wire::OpenAiChat if root.get_set("max_completion_tokens").is_some() => {
            "max_completion_tokens"
        }
        Wire::OpenAiChat | Wire::AnthropicMessages => "max_tokens",
    };
    let Some(said) = root.get_set(name) else {
        return match wire {
            Wire::OpenAiChat => Ok(u64::MAX),
            Wire::AnthropicMessages => Err(missing(wire, name)),
        };
    };
    said.as_u64()
        .filter(|&most| most > 0)
        .ok_or_else(|| Fault::of(name, format!("{name}: expected a whole number above 0")))
}

fn read_openai(root: Value<'_>, asked: &mut Asked) -> Result<(), Fault> {
    let wire = Wire::OpenAiChat;
    let options = root.get_set("stream_options");
    if options.is_some() && !asked.stream {
        let text = "The 'stream_options' parameter is only allowed with 'stream'.".to_owned();
        return Err(Fault::of("stream_options", text));
    }
    let wants_usage = options.and_then(|options| options.get("include_usage"));
    asked.include_usage = wants_usage.and_then(Value::as_bool) == Some(true);
    for message in messages(wire, root)? {
        let role = role(
            message,
            &[
                "system",
                "developer",
                "user",
                "assistant",
                "tool",
                "function",
            ],
        )?;
        texts(message.get("content"), &role, asked);
        asked.has_results = role == "tool" || role == "function";
    }
    for tool in elements(root, "tools") {
        let function = tool.get("function").or_else(|| tool.get("custom"));
        let function = function.ok_or_else(|| missing(wire, "tools[].function"))?;
        declare(wire, function, function.get("parameters"), asked)?;
    }
    let choice = root.get_set("tool_choice");
    let named = choice.and_then(|choice| choice.get("function")?.get("name"));
    choose(
        named,
        choice.is_some_and(|choice| choice.is_str("none")),
        asked,
    );
    if root.get("parallel_tool_calls").and_then(Value::as_bool) == Some(false) {
        asked.tools.truncate(1);
    }
    let format = root.get_set("response_format");
    shape(
        format.and_then(|format| format.get("json_schema")?.get("schema")),
        asked,
    );
    Ok(())
}

fn read_anthropic(root: Value<'_>, asked: &mut Asked) -> Result<(), Fault> {
    let wire = Wire::AnthropicMessages;
    texts(root.get("system"), "system", asked);
    for message in messages(wire, root)? {
        let role = role(message, &["user", "assistant", "system"])?;
        let content = message.get("content");
        texts(content, &role, asked);
        let blocks = content.into_iter().flat_map(Value::elements);
        let is_result =
            |block: Value<'_>| block.get("type").is_some_and(|t| t.is_str("tool_result"));
        asked.has_results = blocks.into_iter().any(is_result);
    }
    for tool in elements(root, "tools") {
        if tool.get("type").is_none_or(|kind| kind.is_str("custom")) {
            let schema = tool.get_set("input_schema");
            let schema = schema.ok_or_else(|| missing(wire, "tools[].input_schema"))?;
            declare(wire, tool, Some(schema), asked)?;
        }
    }
    let choice = root.get_set("tool_choice");
    let is_none = choice.is_some_and(|choice| choice.get("type").is_some_and(|t| t.is_str("none")));
    choose(choice.and_then(|choice| choice.get("name")), is_none, asked);
    let single = choice.and_then(|choice| choice.get("disable_parallel_tool_use"));
    if single.and_then(Value::as_bool) == Some(true) {
        asked.tools.truncate(1);
    }
    let format = root
        .get_set("output_config")
        .and_then(|config| config.get("format"));
    let format = format.or_else(|| root.get_set("output_format"));
    shape(format.and_then(|format| format.get("schema")), asked);
    Ok(())
}

fn messages<'t>(wire: Wire, root: Value<'t>) -> Result<impl Iterator<Item = Value<'t>>, Fault> {
    let list = root.get_set("messages");
    let list = list.ok_or_else(|| missing(wire, "messages"))?;
    if list.elements().next().is_none() {
        let text = "messages: at least one message is required".to_owned();
        return Err(Fault::of("messages", text));
    }
    Ok(list.elements())
}

fn role(message: Value<'_>, known: &[&str]) -> Result<String, Fault> {
    let role = message.get("role").and_then(Value::as_raw);
    let role = role.map_or_else(String::new, |role| role.decode());
    if known.contains(&role.as_str()) {
        return Ok(role);
    }
    let text = format!("messages: expected a role of {}", known.join(", "));
    Err(Fault::of("messages", text))
}

/// Counts the words of a content: a string, or parts with texts.
fn texts(content: Option<Value<'_>>, role: &str, asked: &mut Asked) {
    let Some(content) = content else { return };
    let parts = content.elements().filter_map(|part| part.get("text"));
    for text in core::iter::once(content).chain(parts) {
        let Some(text) = text.as_raw() else { continue };
        let text = text.decode();
        asked.input_tokens += text.split_whitespace().count() as u64;
        if role == "user" {
            asked.last_text = text;
        }
    }
}

fn elements<'t>(root: Value<'t>, name: &str) -> impl Iterator<Item = Value<'t>> {
    root.get(name).into_iter().flat_map(Value::elements)
}

fn declare(
    wire: Wire,
    tool: Value<'_>,
    parameters: Option<Value<'_>>,
    asked: &mut Asked,
) -> Result<(), Fault> {
    let name = tool.get("name").and_then(Value::as_raw);
    let name = name.ok_or_else(|| missing(wire, "tools[].name"))?.decode();
    let mut example = Vec::new();
    schema::example(parameters, &mut example);
    let example = String::from_utf8(example).unwrap_or_default();
    asked.input_tokens += TOOL_TOKENS;
    asked.tools.push(Tool { name, example });
    Ok(())
}

fn choose(named: Option<Value<'_>>, none: bool, asked: &mut Asked) {
    if none {
        asked.tools.clear();
    }
    if let Some(named) = named {
        asked.tools.retain(|tool| named.is_str(&tool.name));
    }
}

fn shape(wanted: Option<Value<'_>>, asked: &mut Asked) {
    if let Some(wanted) = wanted {
        let mut example = Vec::new();
        schema::example(Some(wanted), &mut example);
        asked.schema_example = String::from_utf8(example).ok();
    }
}

/// What a declared tool costs.
const TOOL_TOKENS: u64 = 10;

const OPENAI_MEMBERS: [&str; 37] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

const ANTHROPIC_MEMBERS: [&str; 28] = [
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "fallbacks",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "thread",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "compaction",
    "billing_policy",
    "fallback_credit_token",
];

#[cfg(test)]
mod tests;
