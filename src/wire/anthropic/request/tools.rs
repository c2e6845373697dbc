//! Tools of the Anthropic wire: the client's own, and versioned ones.

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Function, Json, Request, SearchSize, TextRun, Tool, ToolChoice, WebSearch,
};
use crate::json::tape::Value;
use crate::wire::common::members::Members;
use crate::wire::common::portkey;
use crate::wire::common::read::{self, FieldPath};

/// Reads tools and what to do with them.
///
/// # Errors
/// A refusal where a tool or the choice is of the wrong form.
pub fn read<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    if let Some(value) = members.get("tools") {
        let place = FieldPath::root("tools");
        for (index, value) in read::array(value, &place)?.elements().enumerate() {
            if let Some(function) = tool(value, &place.element(index), request)? {
                request.tools.push(Tool::Function(function));
            }
        }
    }
    if let Some(value) = members.get("tool_choice") {
        choice(value, request)?;
    }
    Ok(())
}

/// One tool: the client's own, or `None` for a versioned one that is noted in the request.
///
/// # Errors
/// A refusal where it is of the wrong form.
pub fn tool<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'t>,
) -> Result<Option<Function<'t>>, Rejection> {
    read::object(value, place)?;
    if let Some(kind) = read::string_maybe(value, "type", place)?
        && !kind.is("custom")
    {
        let swapped = portkey::swapped_tool(value).map(|(kind, ..)| kind);
        let kind = swapped.unwrap_or_else(|| kind.decode());
        match kind.starts_with("web_search_") {
            true => web_search(value, place, request)?,
            false => request.list(Member::ServerTools),
        }
        return Ok(None);
    }
    read::strays(value, &KNOWN, request);
    for (name, member) in LISTED {
        if value.get_set(name).is_some() {
            request.list(member);
        }
    }
    let place_of_schema = place.member("input_schema");
    let schema = match value.get_set("input_schema") {
        Some(schema) => Some(read::opaque(schema, &place_of_schema)?.source()),
        None => return Err(place_of_schema.refuse("expected an object, found nothing")),
    };
    let mark = value.get_set("cache_control");
    Ok(Some(Function {
        name: read::decoded(read::string_member(value, "name", place)?),
        description: read::string_maybe(value, "description", place)?.map(TextRun::Raw),
        schema: schema.map(Json::Borrowed),
        strict: value.get_set("strict").and_then(Value::as_bool),
        custom: false,
        cache: mark.map(|mark| Json::Borrowed(mark.source())),
    }))
}

fn web_search<'t>(
    value: Value<'t>,
    place: &FieldPath<'_>,
    request: &mut Request<'t>,
) -> Result<(), Rejection> {
    // Portkey's form has the members one level down.
    let value = read::single(value.get_set("web_search").unwrap_or(value), place)?;
    read::strays(value, &SEARCH, request);
    let uses = value.get_set("max_uses").and_then(Value::as_u64);
    let mut search = WebSearch {
        size: uses.map(|uses| match uses {
            0..=1 => SearchSize::Low,
            2..=5 => SearchSize::Medium,
            _ => SearchSize::High,
        }),
        ..WebSearch::default()
    };
    if let Some(location) = value.get_set("user_location") {
        read::single(location, &place.member("user_location"))?;
        read::strays(
            location,
            &[LOCATION.as_slice(), &["type"]].concat(),
            request,
        );
        search.located = true;
        for (name, member) in location.members() {
            let known = LOCATION.into_iter().find(|known| name.is(known));
            if let (Some(name), Some(text)) = (known, member.as_raw()) {
                search.location.push((name, text));
            }
        }
    }
    request.web_search = Some(search);
    Ok(())
}

fn choice<'t>(value: Value<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let place = FieldPath::root("tool_choice");
    let kind = read::string_member(read::object(value, &place)?, "type", &place)?;
    request.tool_choice = Some(match read::decoded(kind).as_ref() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Any,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Tool(read::decoded(read::string_member(value, "name", &place)?)),
        _ => {
            return Err(place
                .member("type")
                .refuse("expected auto, any, tool or none"));
        }
    });
    let single = value
        .get_set("disable_parallel_tool_use")
        .and_then(Value::as_bool);
    let known = ["type", "name", "disable_parallel_tool_use"];
    read::strays(value, &known, request);
    request.parallel_tool_calls = (single == Some(true)).then_some(false);
    Ok(())
}

/// Members of a tool that have a word, or are [`LISTED`]; others no other wire has.
const KNOWN: [&str; 8] = [
    "type",
    "name",
    "description",
    "input_schema",
    "strict",
    "cache_control",
    "defer_loading",
    "eager_input_streaming",
];
/// Members of the web search that have a word; a mark on it has nothing to keep.
const SEARCH: [&str; 6] = [
    "type",
    "name",
    "max_uses",
    "user_location",
    "cache_control",
    "web_search",
];
/// Members of a tool that say when it is loaded and how soon its input comes, not what it does.
const LISTED: [(&str, Member); 2] = [
    ("defer_loading", Member::DeferLoading),
    ("eager_input_streaming", Member::EagerInputStreaming),
];
const LOCATION: [&str; 4] = ["city", "country", "region", "timezone"];
