//! Tools, the choice among them and their calls in a body of the OpenAI wire.

use crate::chat::request::{Function, Request, SearchSize, Tool, ToolChoice, ToolUse, WebSearch};
use crate::json::write::Writer;
use crate::wire::common::write as shared;
use crate::wire::kind::Dialect;

/// Writes the search of the web that the provider offers.
pub(super) fn web_search(search: &WebSearch<'_>, w: &mut Writer<'_>) {
    w.name("web_search_options").open_object();
    if let Some(size) = search.size {
        w.name("search_context_size").string(match size {
            SearchSize::Low => "low",
            SearchSize::Medium => "medium",
            SearchSize::High => "high",
        });
    }
    if search.located {
        w.name("user_location").open_object();
        w.name("type").string("approximate");
        w.name("approximate").open_object();
        for (name, text) in &search.location {
            w.name(name).raw(*text);
        }
        w.close_object().close_object();
    }
    w.close_object();
}

/// Writes the tools, and which of them to call.
pub(super) fn tools(request: &Request<'_>, dialect: &Dialect, w: &mut Writer<'_>) {
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
    match &request.tool_choice {
        None | Some(ToolChoice::Allowed { .. }) => {}
        Some(ToolChoice::Auto) => {
            w.name("tool_choice").string("auto");
        }
        Some(ToolChoice::None) => {
            w.name("tool_choice").string("none");
        }
        Some(ToolChoice::Any) => {
            let word = if dialect.tool_choice_any {
                "any"
            } else {
                "required"
            };
            w.name("tool_choice").string(word);
        }
        Some(ToolChoice::Tool(name)) => {
            w.name("tool_choice").open_object();
            w.name("type")
                .string("function")
                .name("function")
                .open_object();
            w.name("name").string(name).close_object().close_object();
        }
    }
    if request.parallel_tool_calls == Some(false) {
        w.name("parallel_tool_calls").boolean(false);
    }
}

fn function(tool: &Function<'_>, w: &mut Writer<'_>) {
    w.open_object().name("type").string("function");
    w.name("function").open_object();
    w.name("name").string(&tool.name);
    if let Some(description) = &tool.description {
        w.name("description");
        shared::text(description, w);
    }
    if let Some(schema) = &tool.schema {
        w.name("parameters").value(schema);
    }
    if let Some(strict) = tool.strict {
        w.name("strict").boolean(strict);
    }
    w.close_object();
    if let Some(mark) = &tool.cache {
        w.name("cache_control").value(mark);
    }
    w.close_object();
}

/// Writes a call of the assistant.
pub(super) fn tool_call(call: &ToolUse<'_>, w: &mut Writer<'_>) {
    w.open_object().name("id").string(&call.id);
    w.name("type")
        .string("function")
        .name("function")
        .open_object();
    w.name("name").string(&call.name);
    // The input as it stood, within a string.
    let input = core::str::from_utf8(&call.input).unwrap_or("{}");
    w.name("arguments").string(input);
    w.close_object();
    if let Some(signature) = &call.signature {
        w.name("extra_content")
            .open_object()
            .name("google")
            .open_object();
        w.name("thought_signature").string(signature);
        w.close_object().close_object();
    }
    w.close_object();
}
