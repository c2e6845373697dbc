//! The form of the answer's text, for the Anthropic wire.

use std::borrow::Cow;

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Block, Format, Function, Json, Request, SchemaFormat, TextRun, ThinkingMode, Tool, ToolChoice,
};
use crate::json::raw::Raw;
use crate::translate::adapt::fit::Fit;
use crate::translate::answer_context::JsonAnswer;
use crate::translate::schema;

/// Fits `request.format`.
///
/// # Errors
/// For a schema that cannot be said, and for a stream whose answer would have to be unwrapped.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Rejection> {
    let own = &mut request.reasoning.output_config;
    if own.iter().any(|(name, _)| name.is("format")) {
        // The client spoke the target's own words.
        request.format = Format::Text;
        return Ok(());
    }
    match core::mem::take(&mut request.format) {
        Format::Text => Ok(()),
        Format::JsonObject => {
            request
                .system
                .push(Block::text(Raw::from_checked(INSTRUCTION)));
            fit.notes.changed(Member::OutputFormat);
            Ok(())
        }
        Format::Schema(format) if fit.facts.structured_outputs == Some(true) => {
            native(fit, request, &format)
        }
        Format::Schema(format) => by_tool(fit, request, &format),
    }
}

fn native<'a>(
    fit: &mut Fit<'_>,
    request: &mut Request<'a>,
    format: &SchemaFormat<'a>,
) -> Result<(), Rejection> {
    let source = rooted(fit, request, &format.schema)?;
    let schema = schema::rewrite(&source).map_err(|fault| refuse(fault.text()))?;
    if schema.lossy {
        fit.notes.changed(Member::OutputFormat);
    }
    request.format = Format::Schema(SchemaFormat {
        schema: Json::Owned(schema.bytes),
        strict: true,
    });
    Ok(())
}

/// A tool whose input is the answer.
fn by_tool<'a>(
    fit: &mut Fit<'_>,
    request: &mut Request<'a>,
    format: &SchemaFormat<'a>,
) -> Result<(), Rejection> {
    let taken = |tool: &Tool<'_>| matches!(tool, Tool::Function(f) if f.name == TOOL);
    if request.tools.iter().any(taken) {
        return Err(refuse(
            "the name `json_response` is taken by a tool of the request",
        ));
    }
    let source = rooted(fit, request, &format.schema)?;
    let schema = schema::with_type(&source).map_or(source, Json::Owned);
    let alone = request.tools.is_empty() || request.tool_choice == Some(ToolChoice::None);
    let manual = request.reasoning.mode == Some(ThinkingMode::Enabled);
    let named = matches!(request.tool_choice, Some(ToolChoice::Tool(_)));
    if !named {
        let free = manual || !fit.facts.forced_tools;
        request.tool_choice = Some(match (free, alone) {
            (true, _) => ToolChoice::Auto,
            (false, true) => ToolChoice::Tool(Cow::Borrowed(TOOL)),
            (false, false) => ToolChoice::Any,
        });
    }
    if alone {
        request.parallel_tool_calls = Some(false);
    }
    request.tools.push(Tool::Function(Function {
        name: Cow::Borrowed(TOOL),
        description: Raw::from_plain(DESCRIPTION).map(TextRun::Raw),
        schema: Some(schema),
        strict: None,
        custom: false,
        cache: None,
    }));
    fit.answer.json_answer = JsonAnswer::Tool;
    Ok(())
}

/// The schema with an object at its root: as it is, or wrapped.
fn rooted<'a>(
    fit: &mut Fit<'_>,
    request: &Request<'_>,
    schema: &Json<'a>,
) -> Result<Json<'a>, Rejection> {
    if schema::is_object_schema(schema) {
        return Ok(schema.clone());
    }
    if request.stream {
        let text = "a stream needs a schema with an object at its root";
        return Err(refuse(text));
    }
    fit.answer.json_wrapped = true;
    Ok(Json::Owned(schema::wrapped(schema)))
}

#[cold]
fn refuse(text: &str) -> Rejection {
    Rejection::invalid(
        "response_format.json_schema.schema",
        format!("response_format.json_schema.schema: {text}"),
    )
}

/// What asks for JSON where no schema exists.
const INSTRUCTION: &[u8] = b"Answer with one JSON object and nothing else.";
const DESCRIPTION: &str = "Give the answer to the user by calling this tool.";
/// The tool whose input is the answer.
const TOOL: &str = "json_response";
