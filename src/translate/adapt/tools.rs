//! Tools and the choice among them, for the Anthropic wire.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{Function, Json, Request, SearchSize, Tool, ToolChoice, WebSearch};
use crate::json::write::Writer;
use crate::limits::STRICT_TOOLS_MAX;
use crate::translate::adapt::fit::Fit;
use crate::translate::adapt::names;
use crate::translate::schema;

/// Fits tools and choice.
///
/// # Errors
/// When the choice names a tool that is not there, or forces where the model cannot be forced.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Rejection> {
    names::rename_tools(request, names::ANTHROPIC_NAME_MAX, &mut fit.answer);
    let mut strict_count = 0;
    for tool in &mut request.tools {
        if let Tool::Function(function) = tool {
            let may_be_strict = strict_count < STRICT_TOOLS_MAX;
            schema_of(fit, function, may_be_strict);
            strict_count += usize::from(function.strict == Some(true));
        }
    }
    let search = request.web_search.take();
    request.tools.extend(search.as_ref().map(search_tool));
    choice(fit, request, search.is_some())?;
    if request.tools.is_empty() && names::has_tool_blocks(request) {
        request.tools.push(unused_tool());
        request.tool_choice = Some(ToolChoice::None);
    }
    Ok(())
}

/// The schema of a tool's input: an object's; inside the subset where `strict` is to hold, which it
/// cannot unless it `may_be_strict`.
fn schema_of(fit: &mut Fit<'_>, function: &mut Function<'_>, may_be_strict: bool) {
    let Some(source) = &function.schema else {
        function.strict = None;
        return;
    };
    if function.strict == Some(true) {
        let rewritten = if may_be_strict && fit.facts.structured_outputs == Some(true) {
            schema::rewrite(source).ok().filter(|schema| !schema.lossy)
        } else {
            None
        };
        match rewritten {
            Some(rewritten) => {
                function.schema = Some(Json::Owned(rewritten.bytes));
                return;
            }
            None => fit.notes.dropped(Member::StrictSchema),
        }
    }
    function.strict = None;
    if let Some(typed) = schema::with_type(source) {
        function.schema = Some(Json::Owned(typed));
    }
}

/// `searches`: the last of the tools is the one made of `web_search_options`, which no list of the
/// client's could name.
fn choice(fit: &Fit<'_>, request: &mut Request<'_>, searches: bool) -> Result<(), Rejection> {
    let Some(choice) = request.tool_choice.take() else {
        return Ok(());
    };
    if request.tools.is_empty() {
        return match choice {
            ToolChoice::Auto | ToolChoice::None => Ok(()),
            ToolChoice::Any | ToolChoice::Tool(_) | ToolChoice::Allowed { .. } => {
                Err(Rejection::invalid(
                    "tool_choice",
                    "tool_choice: a tool is asked for, but `tools` is empty",
                ))
            }
        };
    }
    let choice = match choice {
        ToolChoice::Allowed { names, required } => {
            let names: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
            let tools: BTreeSet<&str> = request.tools.iter().map(name_of).collect();
            if !names.is_subset(&tools) {
                return Err(undeclared());
            }
            let search = request.tools.pop_if(|_| searches);
            request.tools.retain(|tool| names.contains(name_of(tool)));
            request.tools.extend(search);
            if required {
                ToolChoice::Any
            } else {
                ToolChoice::Auto
            }
        }
        ToolChoice::Tool(name) => {
            if !request.tools.iter().any(|tool| name_of(tool) == name) {
                return Err(undeclared());
            }
            ToolChoice::Tool(name)
        }
        other => other,
    };
    let forced = matches!(choice, ToolChoice::Any | ToolChoice::Tool(_));
    if forced && !fit.facts.forced_tools {
        let text = "tool_choice: this model cannot be forced to call a tool: use \"auto\"";
        return Err(Rejection::invalid("tool_choice", text));
    }
    request.tool_choice = Some(choice);
    Ok(())
}

fn undeclared() -> Rejection {
    let text = "tool_choice: names a tool that `tools` does not hold";
    Rejection::invalid("tool_choice", text)
}

fn name_of<'r>(tool: &'r Tool<'_>) -> &'r str {
    match tool {
        Tool::Function(function) => &function.name,
        Tool::Versioned { name, .. } => name,
    }
}

/// Histories with tool blocks are refused without tools.
fn unused_tool<'a>() -> Tool<'a> {
    Tool::Function(Function {
        name: Cow::Borrowed("unused_tool"),
        description: None,
        schema: None,
        strict: None,
        custom: false,
        cache: None,
    })
}

/// `web_search_options` as the provider's own tool.
fn search_tool<'a>(search: &WebSearch<'_>) -> Tool<'a> {
    const KIND: &str = "web_search_20250305";
    let mut source = Vec::new();
    let mut w = Writer::new(&mut source);
    w.open_object();
    w.name("type")
        .string(KIND)
        .name("name")
        .string("web_search");
    if let Some(size) = search.size {
        w.name("max_uses").number(match size {
            SearchSize::Low => 1,
            SearchSize::Medium => 5,
            SearchSize::High => 10,
        });
    }
    if search.located {
        w.name("user_location").open_object();
        w.name("type").string("approximate");
        for (name, text) in &search.location {
            w.name(name).raw(*text);
        }
        w.close_object();
    }
    w.close_object();
    Tool::Versioned {
        kind: Cow::Borrowed(KIND),
        name: Cow::Borrowed("web_search"),
        source: Json::Owned(source),
    }
}
