//! A neutral request as a body of the Anthropic wire.
//!
//! The caller has fitted the request: every block here can be said. `messages` is written last and
//! always as blocks, so that the body of one turn is a prefix of the next one's and the provider's
//! cache finds it again.

use crate::chat::request::{
    Block, Display, DocumentSource, Format, Function, Json, Message, Reasoning, Request,
    ResultContent, Role, ServiceTier, Source, ThinkingMode, Tool, ToolChoice, ToolResult, ToolUse,
};
use crate::json::raw::Raw;
use crate::json::write::Writer;
use crate::wire::common::write as shared;

/// Appends the body.
pub fn write(request: &Request<'_>, model: &str, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.open_object().name("model").string(model);
    if let Some(tokens) = request.max_tokens {
        w.name("max_tokens").number(tokens);
    }
    if request.stream {
        w.name("stream").boolean(true);
    }
    sampling(request, &mut w);
    thinking(&request.reasoning, &mut w);
    output_config(request, &mut w);
    if let Some(user) = request.user {
        w.name("metadata").open_object();
        w.name("user_id").raw(user).close_object();
    }
    match request.service_tier {
        Some(ServiceTier::Auto) => w.name("service_tier").string("auto"),
        Some(ServiceTier::Standard) => w.name("service_tier").string("standard_only"),
        Some(ServiceTier::Flex) | None => &mut w,
    };
    cache(request.cache.as_ref(), &mut w);
    tools(request, &mut w);
    if !request.system.is_empty() {
        w.name("system").open_array();
        blocks(&request.system, &mut w);
        w.close_array();
    }
    w.name("messages").open_array();
    for turn in &request.messages {
        message(turn, &mut w);
    }
    w.close_array().close_object();
}

fn sampling(request: &Request<'_>, w: &mut Writer<'_>) {
    for (name, digits) in [
        ("temperature", request.temperature),
        ("top_p", request.top_p),
        ("top_k", request.top_k),
    ] {
        if let Some(digits) = digits {
            w.name(name).value(digits.as_bytes());
        }
    }
    if !request.stop.is_empty() {
        w.name("stop_sequences").open_array();
        for stop in &request.stop {
            w.raw(*stop);
        }
        w.close_array();
    }
}

fn thinking(reasoning: &Reasoning<'_>, w: &mut Writer<'_>) {
    if let Some(source) = reasoning.thinking {
        w.name("thinking").value(source);
        return;
    }
    let Some(mode) = reasoning.mode else { return };
    w.name("thinking").open_object();
    w.name("type").string(match mode {
        ThinkingMode::Disabled => "disabled",
        ThinkingMode::Enabled => "enabled",
        ThinkingMode::Adaptive => "adaptive",
        ThinkingMode::BetweenTools => "between_tools",
    });
    if let Some(budget) = reasoning.budget {
        w.name("budget_tokens").number(budget);
    }
    match reasoning.display {
        Some(Display::Summarized) => w.name("display").string("summarized"),
        Some(Display::Omitted) => w.name("display").string("omitted"),
        None => w,
    };
    w.close_object();
}

fn output_config(request: &Request<'_>, w: &mut Writer<'_>) {
    let reasoning = &request.reasoning;
    let schema = match &request.format {
        Format::Schema(format) => Some(&format.schema),
        Format::Text | Format::JsonObject => None,
    };
    if reasoning.effort.is_none() && schema.is_none() && reasoning.output_config.is_empty() {
        return;
    }
    w.name("output_config").open_object();
    if let Some(effort) = reasoning.effort {
        w.name("effort").string(effort.name());
    }
    if let Some(schema) = schema {
        w.name("format").open_object();
        w.name("type").string("json_schema");
        w.name("schema").value(schema).close_object();
    }
    for (name, source) in &reasoning.output_config {
        w.name_raw(*name).value(source);
    }
    w.close_object();
}

fn tools(request: &Request<'_>, w: &mut Writer<'_>) {
    if request.tools.is_empty() {
        return;
    }
    w.name("tools").open_array();
    for tool in &request.tools {
        match tool {
            Tool::Function(tool) => function(tool, w),
            Tool::Versioned { source, .. } => {
                w.value(source);
            }
        }
    }
    w.close_array();
    let single = request.parallel_tool_calls == Some(false);
    let (kind, name) = match &request.tool_choice {
        Some(ToolChoice::Any) => ("any", None),
        Some(ToolChoice::Tool(name)) => ("tool", Some(name)),
        Some(ToolChoice::None) => ("none", None),
        None if !single => return,
        Some(ToolChoice::Auto | ToolChoice::Allowed { .. }) | None => ("auto", None),
    };
    w.name("tool_choice").open_object();
    w.name("type").string(kind);
    if let Some(name) = name {
        w.name("name").string(name);
    }
    if single && kind != "none" {
        w.name("disable_parallel_tool_use").boolean(true);
    }
    w.close_object();
}

fn function(tool: &Function<'_>, w: &mut Writer<'_>) {
    w.open_object().name("name").string(&tool.name);
    if let Some(description) = &tool.description {
        w.name("description");
        shared::text(description, w);
    }
    w.name("input_schema");
    match &tool.schema {
        Some(schema) => w.value(schema),
        None => w.value(br#"{"type":"object","properties":{}}"#),
    };
    if tool.strict == Some(true) {
        w.name("strict").boolean(true);
    }
    cache(tool.cache.as_ref(), w);
    w.close_object();
}

fn message(turn: &Message<'_>, w: &mut Writer<'_>) {
    w.open_object().name("role").string(match turn.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    });
    w.name("content").open_array();
    blocks(&turn.blocks, w);
    w.close_array().close_object();
}

fn blocks(list: &[Block<'_>], w: &mut Writer<'_>) {
    for one in list {
        block(one, w);
    }
}

fn block(one: &Block<'_>, w: &mut Writer<'_>) {
    match one {
        Block::Text {
            text: body,
            cache: mark,
        } => {
            w.open_object().name("type").string("text").name("text");
            shared::text(body, w);
            cache(mark.as_ref(), w);
            w.close_object();
        }
        Block::Image {
            source: from,
            cache: mark,
        } => {
            w.open_object().name("type").string("image").name("source");
            source(from, w);
            cache(mark.as_ref(), w);
            w.close_object();
        }
        Block::Document {
            source: from,
            title,
            cache: mark,
        } => {
            w.open_object()
                .name("type")
                .string("document")
                .name("source");
            document(from, w);
            if let Some(title) = title.filter(|title| !title.is_empty()) {
                w.name("title").raw(title);
            }
            cache(mark.as_ref(), w);
            w.close_object();
        }
        Block::SearchResult {
            title,
            source,
            text,
            cache: mark,
        } => search_result((*title, *source), text, mark.as_ref(), w),
        Block::ToolUse(call) => tool_use(call, w),
        Block::ToolResult(result) => tool_result(result, w),
        Block::Thinking {
            text: body,
            signature,
        } => {
            w.open_object()
                .name("type")
                .string("thinking")
                .name("thinking");
            shared::text(body, w);
            if let Some(signature) = signature {
                w.name("signature").raw(*signature);
            }
            w.close_object();
        }
        Block::Redacted { data } => {
            w.open_object().name("type").string("redacted_thinking");
            w.name("data").raw(*data).close_object();
        }
        Block::Foreign { source, .. } => {
            w.value(source);
        }
    }
}

fn search_result(
    (title, source): (Raw<'_>, Raw<'_>),
    text: &[Raw<'_>],
    mark: Option<&Json<'_>>,
    w: &mut Writer<'_>,
) {
    w.open_object().name("type").string("search_result");
    w.name("source").raw(source).name("title").raw(title);
    w.name("content").open_array();
    for part in text {
        block(&Block::text(*part), w);
    }
    w.close_array();
    cache(mark, w);
    w.close_object();
}

fn tool_use(call: &ToolUse<'_>, w: &mut Writer<'_>) {
    w.open_object().name("type").string("tool_use");
    w.name("id")
        .string(&call.id)
        .name("name")
        .string(&call.name);
    w.name("input").value(&call.input);
    cache(call.cache.as_ref(), w);
    w.close_object();
}

fn tool_result(result: &ToolResult<'_>, w: &mut Writer<'_>) {
    w.open_object().name("type").string("tool_result");
    w.name("tool_use_id").string(&result.id);
    match &result.content {
        ResultContent::Absent => {}
        ResultContent::Text(text) => {
            w.name("content").raw(*text);
        }
        ResultContent::Blocks(list) => {
            w.name("content").open_array();
            blocks(list, w);
            w.close_array();
        }
    }
    if result.is_error {
        w.name("is_error").boolean(true);
    }
    cache(result.cache.as_ref(), w);
    w.close_object();
}

fn document(from: &DocumentSource<'_>, w: &mut Writer<'_>) {
    match from {
        DocumentSource::Pdf(inner) => source(inner, w),
        DocumentSource::Text(body) => {
            w.open_object().name("type").string("text");
            w.name("media_type").string("text/plain").name("data");
            shared::text(body, w);
            w.close_object();
        }
        DocumentSource::Content(list) => {
            w.open_object().name("type").string("content");
            w.name("content").open_array();
            blocks(list, w);
            w.close_array().close_object();
        }
    }
}

fn source(from: &Source<'_>, w: &mut Writer<'_>) {
    w.open_object().name("type");
    match from {
        Source::Base64 { media, data } => {
            w.string("base64").name("media_type").string(media);
            w.name("data").raw(*data);
        }
        Source::Url(url) => {
            w.string("url").name("url").raw(*url);
        }
        Source::File(id) => {
            w.string("file").name("file_id").raw(*id);
        }
    }
    w.close_object();
}

fn cache(mark: Option<&Json<'_>>, w: &mut Writer<'_>) {
    if let Some(mark) = mark {
        w.name("cache_control").value(mark);
    }
}
