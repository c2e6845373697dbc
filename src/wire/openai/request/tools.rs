//! Tools of the OpenAI wire: functions, custom tools, and what Anthropic-minded clients add.

use std::borrow::Cow;

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{Function, Json, Request, TextRun, Tool, ToolChoice};
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};
use crate::wire::common::members::Members;
use crate::wire::common::portkey;
use crate::wire::common::read::{self, FieldPath};
use crate::wire::openai::request::parts;

/// Reads tools and what to do with them.
///
/// # Errors
/// A refusal where a tool or the choice is of the wrong form.
pub fn read<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let place = FieldPath::root("tools");
    if let Some(value) = members.get("tools") {
        read::array(value, &place)?;
        for (index, value) in value.elements().enumerate() {
            let place = place.element(index);
            let tool = tool(value, &place, request)?;
            request.tools.push(tool);
        }
    }
    if let Some(value) = members.get("functions") {
        functions(value, request)?;
    }
    if let Some(value) = members.get("tool_choice") {
        let chosen = choice(value, &FieldPath::root("tool_choice"), request)?;
        request.tool_choice = Some(chosen);
    }
    if let Some(value) = members.get("function_call") {
        let place = FieldPath::root("function_call");
        let chosen = match value.kind() {
            JsonKind::String => choice(value, &place, request)?,
            _ => {
                let name = read::string_member(read::object(value, &place)?, "name", &place)?;
                read::strays(value, &["name"], request);
                ToolChoice::Tool(read::decoded(name))
            }
        };
        request.tool_choice.get_or_insert(chosen);
    }
    if let Some(value) = members.get("parallel_tool_calls") {
        let place = FieldPath::root("parallel_tool_calls");
        request.parallel_tool_calls = Some(read::boolean(value, &place)?);
    }
    Ok(())
}

fn functions<'t>(value: Value<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let place = FieldPath::root("functions");
    read::array(value, &place)?;
    request.legacy_functions = request.tools.is_empty();
    for (index, value) in value.elements().enumerate() {
        let function = function(value, &place.element(index))?;
        read::strays(value, &FUNCTION, request);
        request.tools.push(Tool::Function(function));
    }
    // One call at a time is all that this form can say.
    request.parallel_tool_calls = Some(false);
    Ok(())
}

fn tool<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'_>,
) -> Result<Tool<'t>, Rejection> {
    read::object(value, place)?;
    let kind = read::string_maybe(value, "type", place)?;
    match kind {
        Some(kind) if kind.is("custom") => custom(value, place, request),
        Some(kind) if !kind.is("function") => versioned(value, place),
        _ => {
            let inner = read::object_member(value, "function", place)?;
            read::strays(value, &["type", "function", "cache_control", MARK], request);
            read::strays(inner, &FUNCTION, request);
            let mut function = function(inner, &place.member("function"))?;
            function.cache = parts::mark(value, place)?.or(function.cache);
            Ok(Tool::Function(function))
        }
    }
}

fn function<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Function<'t>, Rejection> {
    read::object(value, place)?;
    let schema = match value.get_set("parameters") {
        Some(schema) => Some(read::opaque(schema, &place.member("parameters"))?.source()),
        None => None,
    };
    Ok(Function {
        name: name(value, place)?,
        description: read::string_maybe(value, "description", place)?.map(TextRun::Raw),
        schema: schema.map(Json::Borrowed),
        strict: value.get_set("strict").and_then(Value::as_bool),
        custom: false,
        cache: parts::mark(value, place)?,
    })
}

fn custom<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'_>,
) -> Result<Tool<'t>, Rejection> {
    let cache = parts::mark(value, place)?;
    let inner = read::object_member(value, "custom", place)?;
    read::strays(value, &["type", "custom", "cache_control", MARK], request);
    read::strays(inner, &["name", "description", "format"], request);
    let place = place.member("custom");
    let mut description = read::string_maybe(inner, "description", &place)?.map(TextRun::Raw);
    if let Some(format) = inner.get_set("format")
        && let Some(grammar) = grammar(format, &place.member("format"))?
    {
        request.list(Member::Tools);
        description = Some(grammar.behind(description));
    }
    Ok(Tool::Function(Function {
        name: name(inner, &place)?,
        description,
        schema: Some(Json::Borrowed(CUSTOM_SCHEMA)),
        strict: None,
        custom: true,
        cache,
    }))
}

/// The grammar that a custom tool's input must match.
struct Grammar<'t> {
    /// `lark` or `regex`.
    syntax: Raw<'t>,
    definition: Raw<'t>,
}

impl<'t> Grammar<'t> {
    /// The tool's description with the grammar at its end: a function has no other place for it.
    fn behind(self, description: Option<TextRun<'t>>) -> TextRun<'t> {
        let mut parts = match description {
            Some(TextRun::Raw(text)) if !text.is_empty() => vec![text, GRAMMAR_GAP],
            _ => Vec::new(),
        };
        let Self { syntax, definition } = self;
        parts.extend([GRAMMAR_START, syntax, GRAMMAR_END, definition]);
        TextRun::Joined(parts)
    }
}

/// The grammar in a custom tool's `format`; none for free text.
fn grammar<'t>(format: Value<'t>, place: &FieldPath<'_>) -> Result<Option<Grammar<'t>>, Rejection> {
    let kind = read::string_member(read::object(format, place)?, "type", place)?;
    match read::decoded(kind).as_ref() {
        "text" => Ok(None),
        "grammar" => {
            // Responses has both members beside the type.
            let (inner, place) = match format.get_set("grammar") {
                Some(inner) => (inner, place.member("grammar")),
                None => (format, *place),
            };
            read::object(inner, &place)?;
            Ok(Some(Grammar {
                syntax: read::string_member(inner, "syntax", &place)?,
                definition: read::string_member(inner, "definition", &place)?,
            }))
        }
        _ => Err(place.member("type").refuse("expected text or grammar")),
    }
}

/// A tool of the Anthropic wire: as it stands, or in Portkey's spelling.
fn versioned<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Tool<'t>, Rejection> {
    let kind = read::string_member(value, "type", place)?;
    if let Some((kind, name, source)) = portkey::swapped_tool(value) {
        if let Some(inner) = value.get(&name) {
            read::single(inner, place)?;
        }
        return Ok(Tool::Versioned {
            kind: Cow::Owned(kind),
            name: Cow::Owned(name),
            source: Json::Owned(source),
        });
    }
    let kind = read::decoded(kind);
    if !is_versioned(&kind) {
        let place = place.member("type");
        return Err(place.refuse("expected function, custom or a versioned tool type"));
    }
    let name = read::string_maybe(value, "name", place)?;
    Ok(Tool::Versioned {
        name: name.map_or_else(|| kind.clone(), read::decoded),
        kind,
        source: Json::Borrowed(value.source()),
    })
}

/// `web_search_20250305` and the like.
fn is_versioned(kind: &str) -> bool {
    let date = kind.rsplit('_').next().unwrap_or_default();
    kind == "mcp_toolset" || (date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()))
}

fn name<'t>(value: Value<'t>, place: &FieldPath<'_>) -> Result<Cow<'t, str>, Rejection> {
    let name = read::string_member(value, "name", place)?;
    if name.is_empty() {
        return Err(place
            .member("name")
            .refuse("expected a name, found an empty string"));
    }
    Ok(read::decoded(name))
}

fn choice<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'_>,
) -> Result<ToolChoice<'t>, Rejection> {
    const EXPECTED: &str = "expected none, auto, required or an object that names tools";
    if let Some(word) = value.as_raw() {
        return match read::decoded(word).as_ref() {
            "auto" => Ok(ToolChoice::Auto),
            "required" | "any" => Ok(ToolChoice::Any),
            "none" => Ok(ToolChoice::None),
            _ => Err(place.refuse(EXPECTED)),
        };
    }
    let kind = read::string_member(read::object(value, place)?, "type", place)?;
    match read::decoded(kind).as_ref() {
        kind @ ("function" | "custom") => named(value, kind, place, request).map(ToolChoice::Tool),
        "allowed_tools" => allowed(value, place, request),
        _ => Err(place.refuse(EXPECTED)),
    }
}

/// The name in `{"type":"function","function":{"name"}}`, or beside the type.
fn named<'t>(
    value: Value<'t>,
    kind: &str,
    place: &FieldPath<'_>,
    request: &mut Request<'_>,
) -> Result<Cow<'t, str>, Rejection> {
    let inner = match value.get_set(kind) {
        Some(inner) => {
            read::strays(value, &["type", kind], request);
            read::strays(read::object(inner, place)?, &["name"], request);
            inner
        }
        None => {
            read::strays(value, &["type", "name"], request);
            value
        }
    };
    Ok(read::decoded(read::string_member(inner, "name", place)?))
}

fn allowed<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'_>,
) -> Result<ToolChoice<'t>, Rejection> {
    let inner = value.get_set("allowed_tools");
    if inner.is_some() {
        read::strays(value, &["type", "allowed_tools"], request);
    }
    let inner = inner.unwrap_or(value);
    let place = place.member("allowed_tools");
    read::object(inner, &place)?;
    read::strays(inner, &["type", "mode", "tools"], request);
    let mode = read::string_maybe(inner, "mode", &place)?;
    let place = place.member("tools");
    let tools = inner.get_set("tools");
    let tools = tools.ok_or_else(|| place.refuse("expected an array, found nothing"))?;
    let mut names = Vec::new();
    for (index, tool) in read::array(tools, &place)?.elements().enumerate() {
        let place = place.element(index);
        let kind = read::string_maybe(read::object(tool, &place)?, "type", &place)?;
        let kind = kind.and_then(Raw::plain);
        names.push(named(tool, kind.unwrap_or("function"), &place, request)?);
    }
    Ok(ToolChoice::Allowed {
        names,
        required: mode.is_some_and(|mode| mode.is("required")),
    })
}

const GRAMMAR_GAP: Raw<'_> = Raw::from_checked(b"\\n\\n");
const GRAMMAR_START: Raw<'_> = Raw::from_checked(b"The input must match this ");
const GRAMMAR_END: Raw<'_> = Raw::from_checked(b" grammar:\\n");
const CUSTOM_SCHEMA: &[u8] =
    br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;
/// Members of a function that have a word.
const FUNCTION: [&str; 6] = [
    "name",
    "description",
    "parameters",
    "strict",
    "cache_control",
    MARK,
];
const MARK: &str = "prompt_cache_breakpoint";
