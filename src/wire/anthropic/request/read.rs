//! A request body of the Anthropic wire, read into the neutral vocabulary.
//!
//! [`MEMBERS`] is the whole list of members; what is not on it is a hint.
//!
//! Not here: what a target can say (see `translate`).

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Effort, Format, Json, Message, Request, Role, SchemaFormat, ServiceTier, ThinkingMode,
};
use crate::json::tape::{JsonKind, Value};
use crate::wire::anthropic::request::{blocks, tools};
use crate::wire::common::members::{Members, Neutral, Row, Rule};
use crate::wire::common::read::{self, FieldPath};

/// Every member that this wire is known to have.
pub const MEMBERS: &[Row] = &[
    ("model", Rule::Read, Neutral::Null),
    ("messages", Rule::Read, Neutral::Null),
    ("system", Rule::Read, Neutral::Null),
    ("max_tokens", Rule::Read, Neutral::Null),
    ("temperature", Rule::Read, Neutral::Null),
    ("top_p", Rule::Read, Neutral::Null),
    ("top_k", Rule::Read, Neutral::Null),
    ("stop_sequences", Rule::Read, Neutral::Null),
    ("stream", Rule::Read, Neutral::Null),
    ("tools", Rule::Read, Neutral::Null),
    ("tool_choice", Rule::Read, Neutral::Null),
    ("thinking", Rule::Read, Neutral::Null),
    ("output_config", Rule::Read, Neutral::Null),
    ("output_format", Rule::Read, Neutral::Null),
    ("metadata", Rule::Read, Neutral::Null),
    ("service_tier", Rule::Read, Neutral::Null),
    ("allow_fallbacks", Rule::Own, Neutral::Null),
    ("routing", Rule::Own, Neutral::Null),
    ("privacy_tier", Rule::Own, Neutral::Null),
    ("pii_substitution", Rule::Own, Neutral::Null),
    (
        "cache_control",
        Rule::Listed(Member::CacheControl),
        Neutral::Null,
    ),
    (
        "context_management",
        Rule::Listed(Member::ContextManagement),
        Neutral::Null,
    ),
    ("speed", Rule::Listed(Member::Speed), Neutral::Null),
    (
        "diagnostics",
        Rule::Listed(Member::Diagnostics),
        Neutral::Null,
    ),
    ("anthropic_beta", Rule::Listed(Member::Betas), Neutral::Null),
    (
        "inference_geo",
        Rule::Listed(Member::InferenceGeo),
        Neutral::Null,
    ),
    (
        "mcp_servers",
        Rule::Listed(Member::McpServers),
        Neutral::Empty,
    ),
    ("container", Rule::Listed(Member::Container), Neutral::Null),
    ("fallbacks", Rule::Listed(Member::Fallbacks), Neutral::Empty),
    ("thread", Rule::Listed(Member::Thread), Neutral::Null),
    (
        "compaction",
        Rule::Listed(Member::Compaction),
        Neutral::Null,
    ),
    (
        "billing_policy",
        Rule::Listed(Member::BillingPolicy),
        Neutral::Null,
    ),
];

/// Reads the body whose outermost object is `root`.
///
/// # Errors
/// A refusal that names the member where the body is no request of this wire.
pub fn read<'t>(root: Value<'t>) -> Result<Request<'t>, Rejection> {
    let mut request = Request::default();
    let members = Members::sort(root, MEMBERS, &mut request)?;
    limit(&members, &mut request)?;
    sampling(&members, &mut request)?;
    thinking(&members, &mut request)?;
    format(&members, &mut request)?;
    identity(&members, &mut request)?;
    tools::read(&members, &mut request)?;
    system(&members, &mut request)?;
    messages(&members, &mut request)?;
    Ok(request)
}

/// Reads a body of `count_tokens`: what fills the context, and nothing else.
///
/// # Errors
/// A refusal that names the member where it is of the wrong form.
pub fn read_countable<'t>(root: Value<'t>) -> Result<Request<'t>, Rejection> {
    let mut request = Request::default();
    let members = Members::sort(root, MEMBERS, &mut request)?;
    tools::read(&members, &mut request)?;
    system(&members, &mut request)?;
    messages(&members, &mut request)?;
    Ok(request)
}

fn limit(members: &Members<'_>, request: &mut Request<'_>) -> Result<(), Rejection> {
    let place = FieldPath::root("max_tokens");
    let tokens = members.get("max_tokens");
    let tokens = tokens.ok_or_else(|| place.refuse("expected a whole number, found nothing"))?;
    request.max_tokens = Some(read::positive(tokens, &place)?);
    Ok(())
}

fn sampling<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let digits = |name| match members.get(name) {
        Some(value) => read::number(value, &FieldPath::root(name)).map(Some),
        None => Ok(None),
    };
    request.temperature = digits("temperature")?;
    request.top_p = digits("top_p")?;
    request.top_k = digits("top_k")?;
    if let Some(value) = members.get("stream") {
        request.stream = read::boolean(value, &FieldPath::root("stream"))?;
    }
    if let Some(value) = members.get("stop_sequences") {
        let place = FieldPath::root("stop_sequences");
        for (index, element) in read::array(value, &place)?.elements().enumerate() {
            let stop = read::string(element, &place.element(index))?;
            request.stop.push(stop);
        }
    }
    Ok(())
}

fn thinking<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let reasoning = &mut request.reasoning;
    if let Some(value) = members.get("thinking") {
        let place = FieldPath::root("thinking");
        let kind = read::string_member(read::object(value, &place)?, "type", &place)?;
        reasoning.mode = match read::decoded(kind).as_ref() {
            "disabled" => Some(ThinkingMode::Disabled),
            "enabled" => Some(ThinkingMode::Enabled),
            "adaptive" => Some(ThinkingMode::Adaptive),
            "between_tools" => Some(ThinkingMode::BetweenTools),
            _ => {
                let text = "expected adaptive, enabled, disabled or between_tools";
                return Err(place.member("type").refuse(text));
            }
        };
        reasoning.budget = value.get_set("budget_tokens").and_then(Value::as_u64);
        read::strays(value, &["type", "budget_tokens"], request);
    }
    let Some(config) = members.get("output_config") else {
        return Ok(());
    };
    let place = FieldPath::root("output_config");
    read::object(config, &place)?;
    for (name, value) in config.members() {
        if name.is("effort") && !value.is_null() {
            let known = value.as_raw().and_then(Effort::from_name);
            let known = known.filter(|effort| *effort >= Effort::Low);
            let refusal = || {
                place
                    .member("effort")
                    .refuse("expected low, medium, high, xhigh or max")
            };
            request.reasoning.effort = Some(known.ok_or_else(refusal)?);
        } else if !name.is("effort") && !name.is("format") && !value.is_null() {
            request.list(read::unknown(name));
        }
    }
    Ok(())
}

fn format<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let new = members
        .get("output_config")
        .and_then(|config| config.get_set("format"));
    let (value, place) = match (new, members.get("output_format")) {
        (Some(value), _) => (value, FieldPath::root("output_config")),
        (None, Some(value)) => (value, FieldPath::root("output_format")),
        (None, None) => return Ok(()),
    };
    let kind = read::string_member(read::object(value, &place)?, "type", &place)?;
    read::strays(value, &["type", "schema"], request);
    let schema = value
        .get_set("schema")
        .filter(|schema| schema.kind() == JsonKind::Object);
    let Some(schema) = schema.filter(|_| kind.is("json_schema")) else {
        return Err(place.refuse("expected the type json_schema and a schema"));
    };
    request.format = Format::Schema(SchemaFormat {
        schema: Json::Borrowed(schema.source()),
        strict: true,
    });
    Ok(())
}

fn identity<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    if let Some(metadata) = members.get("metadata") {
        let place = FieldPath::root("metadata");
        read::object(metadata, &place)?;
        request.user = read::string_maybe(metadata, "user_id", &place)?;
        if metadata.members().any(|(name, _)| !name.is("user_id")) {
            request.list(Member::Metadata);
        }
    }
    if let Some(value) = members.get("service_tier") {
        let tier = read::string(value, &FieldPath::root("service_tier"))?;
        if tier.is("standard_only") {
            request.service_tier = Some(ServiceTier::Standard);
        } else if !tier.is("auto") {
            request.list(Member::ServiceTier);
        }
    }
    Ok(())
}

fn system<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let Some(value) = members.get("system") else {
        return Ok(());
    };
    let place = FieldPath::root("system");
    let mut system = blocks::read(value, &place, request)?;
    blocks::no_calls(&system, &place)?;
    if value.kind() == JsonKind::Array && system.first().is_some_and(blocks::is_attribution) {
        system.remove(0);
    }
    request.system = system;
    Ok(())
}

fn messages<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let place = FieldPath::root("messages");
    let value = members.get("messages");
    let value = value.ok_or_else(|| place.refuse("expected an array, found nothing"))?;
    for (index, message) in read::array(value, &place)?.elements().enumerate() {
        let place = place.element(index);
        let role = read::string_member(read::object(message, &place)?, "role", &place)?;
        let role = match read::decoded(role).as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => {
                return Err(place
                    .member("role")
                    .refuse("expected user, assistant or system"));
            }
        };
        let place = place.member("content");
        let content = message.get_set("content");
        let content = content.ok_or_else(|| place.refuse("expected content, found nothing"))?;
        read::strays(message, &["role", "content"], request);
        let blocks = blocks::read(content, &place, request)?;
        request.messages.push(Message {
            role,
            blocks,
            index,
        });
    }
    if request.messages.is_empty() {
        return Err(place.refuse("expected at least one message"));
    }
    Ok(())
}
