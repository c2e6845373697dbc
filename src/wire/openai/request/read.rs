//! A request body of the OpenAI wire, read into the neutral vocabulary.
//!
//! Takes what OpenAI's own SDKs send and the members that Anthropic-minded clients add on this
//! wire (`thinking`, `output_config`, `cache_control`, `top_k`, `anthropic_beta`). [`MEMBERS`] is
//! the whole list; what is not on it is a hint.
//!
//! Not here: what a target can say (see `translate`).

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Effort, Format, Json, Reasoning, Request, SchemaFormat, SearchSize, ServiceTier, ThinkingMode,
    WebSearch,
};
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};
use crate::wire::common::members::{Members, Neutral, Row, Rule};
use crate::wire::common::read::{self, FieldPath};
use crate::wire::openai::request::{messages, tools};

/// Every member that this wire is known to have.
pub const MEMBERS: &[Row] = &[
    ("model", Rule::Read, Neutral::Null),
    ("messages", Rule::Read, Neutral::Null),
    ("max_completion_tokens", Rule::Read, Neutral::Null),
    ("max_tokens", Rule::Read, Neutral::Null),
    ("temperature", Rule::Read, Neutral::Null),
    ("top_p", Rule::Read, Neutral::Null),
    ("top_k", Rule::Read, Neutral::Null),
    ("stop", Rule::Read, Neutral::Null),
    ("stream", Rule::Read, Neutral::Null),
    ("stream_options", Rule::Read, Neutral::Null),
    ("tools", Rule::Read, Neutral::Null),
    ("functions", Rule::Read, Neutral::Null),
    ("tool_choice", Rule::Read, Neutral::Null),
    ("function_call", Rule::Read, Neutral::Null),
    ("parallel_tool_calls", Rule::Read, Neutral::Null),
    ("response_format", Rule::Read, Neutral::Null),
    ("reasoning_effort", Rule::Read, Neutral::Null),
    ("reasoning", Rule::Read, Neutral::Null),
    ("thinking", Rule::Read, Neutral::Null),
    ("output_config", Rule::Read, Neutral::Null),
    ("safety_identifier", Rule::Read, Neutral::Null),
    ("user", Rule::Read, Neutral::Null),
    ("metadata", Rule::Read, Neutral::Null),
    ("service_tier", Rule::Read, Neutral::Null),
    ("web_search_options", Rule::Read, Neutral::Null),
    ("cache_control", Rule::Read, Neutral::Null),
    ("anthropic_beta", Rule::Read, Neutral::Null),
    ("allow_fallbacks", Rule::Own, Neutral::Null),
    ("routing", Rule::Own, Neutral::Null),
    ("privacy_tier", Rule::Own, Neutral::Null),
    ("pii_substitution", Rule::Own, Neutral::Null),
    ("verbosity", Rule::Listed(Member::Verbosity), Neutral::Null),
    ("seed", Rule::Listed(Member::Seed), Neutral::Null),
    (
        "logit_bias",
        Rule::Listed(Member::LogitBias),
        Neutral::Empty,
    ),
    (
        "frequency_penalty",
        Rule::Listed(Member::FrequencyPenalty),
        Neutral::Number(0),
    ),
    (
        "presence_penalty",
        Rule::Listed(Member::PresencePenalty),
        Neutral::Number(0),
    ),
    (
        "prediction",
        Rule::Listed(Member::Prediction),
        Neutral::Null,
    ),
    ("store", Rule::Listed(Member::Store), Neutral::False),
    (
        "prompt_cache_key",
        Rule::Listed(Member::PromptCacheKey),
        Neutral::Null,
    ),
    (
        "prompt_cache_options",
        Rule::Listed(Member::PromptCacheOptions),
        Neutral::Null,
    ),
    (
        "prompt_cache_retention",
        Rule::Listed(Member::PromptCacheRetention),
        Neutral::Null,
    ),
    ("n", Rule::Listed(Member::ChoiceCount), Neutral::Number(1)),
    ("logprobs", Rule::Listed(Member::Logprobs), Neutral::False),
    (
        "top_logprobs",
        Rule::Listed(Member::TopLogprobs),
        Neutral::Number(0),
    ),
    ("audio", Rule::Listed(Member::Audio), Neutral::Null),
    (
        "modalities",
        Rule::Listed(Member::Modalities),
        Neutral::TextOnly,
    ),
    (
        "moderation",
        Rule::Listed(Member::Moderation),
        Neutral::Null,
    ),
    // Of the Anthropic wire: the answer on this one could not show whether they were kept.
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
];

/// Reads the body whose outermost object is `root`.
///
/// # Errors
/// A refusal that names the member where the body is no request of this wire.
pub fn read<'t>(root: Value<'t>) -> Result<Request<'t>, Rejection> {
    let mut request = Request::default();
    let members = Members::sort(root, MEMBERS, &mut request)?;
    sampling(&members, &mut request)?;
    stream(&members, &mut request)?;
    reasoning(&members, &mut request)?;
    format(&members, &mut request)?;
    identity(&members, &mut request)?;
    extensions(&members, &mut request)?;
    tools::read(&members, &mut request)?;
    messages::read(&members, &mut request)?;
    Ok(request)
}

fn sampling<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    for name in ["max_tokens", "max_completion_tokens"] {
        if let Some(value) = members.get(name) {
            request.max_tokens = Some(read::positive(value, &FieldPath::root(name))?);
        }
    }
    let digits = |name| match members.get(name) {
        Some(value) => read::number(value, &FieldPath::root(name)).map(Some),
        None => Ok(None),
    };
    request.temperature = digits("temperature")?;
    request.top_p = digits("top_p")?;
    request.top_k = digits("top_k")?;
    let place = FieldPath::root("stop");
    match members.get("stop") {
        None => {}
        Some(value) if value.kind() == JsonKind::Array => {
            for (index, element) in value.elements().enumerate() {
                request
                    .stop
                    .push(read::string(element, &place.element(index))?);
            }
        }
        Some(value) => {
            let stop = value.as_raw();
            let stop = stop.ok_or_else(|| place.expected("a string or an array", value))?;
            request.stop.push(stop);
        }
    }
    Ok(())
}

fn stream<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    if let Some(value) = members.get("stream") {
        request.stream = read::boolean(value, &FieldPath::root("stream"))?;
    }
    let place = FieldPath::root("stream_options");
    let Some(options) = members.get("stream_options") else {
        return Ok(());
    };
    read::object(options, &place)?;
    for (name, value) in options.members() {
        if name.is("include_usage") {
            let place = place.member("include_usage");
            request.include_usage = !value.is_null() && read::boolean(value, &place)?;
        } else if !name.is("include_obfuscation") && !value.is_null() {
            request.list(Member::StreamOptions);
        }
    }
    Ok(())
}

fn reasoning<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    // `default` is Groq's word for the model's own level.
    let level = members.get("reasoning_effort");
    if let Some(value) = level.filter(|level| !level.is_str("default")) {
        request.reasoning.effort = Some(effort(value, &FieldPath::root("reasoning_effort"))?);
    }
    if let Some(value) = members.get("reasoning") {
        unified(value, &mut request.reasoning)?;
        let known = ["effort", "max_tokens", "enabled", "exclude"];
        read::strays(value, &known, request);
    }
    if let Some(value) = members.get("thinking") {
        own_thinking(value, request)?;
    }
    if let Some(config) = members.get("output_config") {
        output_config(config, &mut request.reasoning)?;
    }
    // What names no budget is a level here, and does not go on as it stands.
    let reasoning = &request.reasoning;
    let is_switch = reasoning.mode == Some(ThinkingMode::Enabled) && reasoning.budget.is_none();
    if let Some(value) = members
        .get("thinking")
        .filter(|_| is_switch && !reasoning.native)
    {
        read::strays(value, &["type", "budget_tokens"], request);
    }
    Ok(())
}

/// `thinking` as Anthropic has it goes on as it stands. Without a type or a budget it is none of that:
/// other services keep hints of their own in it (`clear_thinking`).
fn own_thinking<'t>(value: Value<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    read::object(value, &FieldPath::root("thinking"))?;
    let known = ["type", "budget_tokens"];
    if known.iter().all(|name| value.get_set(name).is_none()) {
        read::strays(value, &known, request);
        return Ok(());
    }
    let reasoning = &mut request.reasoning;
    reasoning.thinking = Some(value.source());
    reasoning.mode = value.get_set("type").and_then(mode);
    reasoning.budget = value.get_set("budget_tokens").and_then(Value::as_u64);
    Ok(())
}

fn output_config<'t>(config: Value<'t>, reasoning: &mut Reasoning<'t>) -> Result<(), Rejection> {
    let place = FieldPath::root("output_config");
    read::object(config, &place)?;
    for (name, value) in config.members() {
        if value.is_null() {
            continue;
        }
        if name.is("effort") {
            reasoning.effort = Some(effort(value, &place.member("effort"))?);
            reasoning.native = true;
        } else {
            reasoning.output_config.push((name, value.source()));
        }
    }
    Ok(())
}

/// OpenRouter's one object for all: `{effort | max_tokens, enabled, exclude}`.
fn unified<'t>(value: Value<'t>, reasoning: &mut Reasoning<'t>) -> Result<(), Rejection> {
    let place = FieldPath::root("reasoning");
    read::object(value, &place)?;
    if let Some(enabled) = value.get_set("enabled") {
        let enabled = read::boolean(enabled, &place.member("enabled"))?;
        let level = if enabled {
            Effort::Medium
        } else {
            Effort::None
        };
        reasoning.effort = Some(reasoning.effort.filter(|_| enabled).unwrap_or(level));
    }
    if let Some(level) = value.get_set("effort") {
        reasoning.effort = Some(effort(level, &place.member("effort"))?);
    }
    if let Some(tokens) = value.get_set("max_tokens") {
        reasoning.budget = Some(read::positive(tokens, &place.member("max_tokens"))?);
    }
    if let Some(exclude) = value.get_set("exclude") {
        reasoning.hidden = read::boolean(exclude, &place.member("exclude"))?;
    }
    Ok(())
}

fn effort(value: Value<'_>, place: &FieldPath<'_>) -> Result<Effort, Rejection> {
    let known = value.as_raw().and_then(Effort::from_name);
    known.ok_or_else(|| place.refuse("expected none, minimal, low, medium, high, xhigh or max"))
}

fn mode(value: Value<'_>) -> Option<ThinkingMode> {
    let name = value.as_raw()?;
    let modes = [
        ("disabled", ThinkingMode::Disabled),
        ("enabled", ThinkingMode::Enabled),
        ("adaptive", ThinkingMode::Adaptive),
        ("between_tools", ThinkingMode::BetweenTools),
    ];
    modes
        .into_iter()
        .find(|(known, _)| name.is(known))
        .map(|(_, mode)| mode)
}

fn format<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let place = FieldPath::root("response_format");
    let Some(value) = members.get("response_format") else {
        return Ok(());
    };
    read::object(value, &place)?;
    let kind = read::string_member(value, "type", &place)?;
    read::strays(value, &["type", "json_schema"], request);
    request.format = if kind.is("text") {
        Format::Text
    } else if kind.is("json_object") {
        Format::JsonObject
    } else if kind.is("json_schema") {
        let inner = read::object_member(value, "json_schema", &place)?;
        // Name and description are for the other wire's logs alone.
        read::strays(inner, &["name", "description", "schema", "strict"], request);
        let strict = inner.get_set("strict").and_then(Value::as_bool) == Some(true);
        // Without a schema any JSON will do.
        match inner.get_set("schema") {
            None => Format::JsonObject,
            Some(schema) => Format::Schema(SchemaFormat {
                schema: Json::Borrowed(schema.source()),
                strict,
            }),
        }
    } else {
        let place = place.member("type");
        return Err(place.refuse("expected text, json_object or json_schema"));
    };
    Ok(())
}

fn identity<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    let text = |name| match members.get(name) {
        Some(value) => read::string(value, &FieldPath::root(name)).map(Some),
        None => Ok(None),
    };
    let mut in_metadata = None;
    if let Some(metadata) = members.get("metadata") {
        read::object(metadata, &FieldPath::root("metadata"))?;
        in_metadata = metadata.get_set("user_id").and_then(Value::as_raw);
        if metadata.members().any(|(name, _)| !name.is("user_id")) {
            request.list(Member::Metadata);
        }
    }
    let (safety, user) = (text("safety_identifier")?, text("user")?);
    request.user = safety.or(user).or(in_metadata);
    if let Some(tier) = text("service_tier")? {
        service_tier(tier, request);
    }
    Ok(())
}

/// A tier that no word stands for is a hint.
fn service_tier<'t>(tier: Raw<'t>, request: &mut Request<'t>) {
    if tier.is("auto") {
        return;
    }
    request.service_tier = if tier.is("default") {
        Some(ServiceTier::Standard)
    } else if tier.is("priority") || tier.is("fast") {
        Some(ServiceTier::Auto)
    } else if tier.is("flex") {
        Some(ServiceTier::Flex)
    } else {
        request.list(Member::ServiceTier);
        None
    };
}

fn extensions<'t>(members: &Members<'t>, request: &mut Request<'t>) -> Result<(), Rejection> {
    if let Some(value) = members.get("cache_control") {
        read::opaque(value, &FieldPath::root("cache_control"))?;
        request.cache = Some(Json::Borrowed(value.source()));
    }
    let place = FieldPath::root("anthropic_beta");
    match members.get("anthropic_beta") {
        None => {}
        Some(value) if value.kind() == JsonKind::Array => {
            for (index, element) in value.elements().enumerate() {
                request
                    .betas
                    .push(read::string(element, &place.element(index))?);
            }
        }
        Some(value) => request.betas.push(read::string(value, &place)?),
    }
    if let Some(value) = members.get("web_search_options") {
        request.web_search = Some(web_search(value)?);
        read::strays(value, &["search_context_size", "user_location"], request);
        if let Some(location) = value.get_set("user_location") {
            read::strays(location, &["type", "approximate"], request);
            if let Some(near) = location.get_set("approximate") {
                read::strays(near, &LOCATION, request);
            }
        }
    }
    Ok(())
}

fn web_search(value: Value<'_>) -> Result<WebSearch<'_>, Rejection> {
    let place = FieldPath::root("web_search_options");
    read::object(value, &place)?;
    let mut search = WebSearch::default();
    if let Some(size) = read::string_maybe(value, "search_context_size", &place)? {
        let sizes = [
            ("low", SearchSize::Low),
            ("medium", SearchSize::Medium),
            ("high", SearchSize::High),
        ];
        let known = sizes.into_iter().find(|(name, _)| size.is(name));
        let place = place.member("search_context_size");
        let refusal = || place.refuse("expected low, medium or high");
        search.size = Some(known.ok_or_else(refusal)?.1);
    }
    let Some(location) = value.get_set("user_location") else {
        return Ok(search);
    };
    let place = place.member("user_location");
    if let Some(near) = read::single(location, &place)?.get_set("approximate") {
        read::single(near, &place.member("approximate"))?;
        search.located = true;
        for (name, value) in near.members() {
            let known = LOCATION.into_iter().find(|known| name.is(known));
            if let (Some(name), Some(text)) = (known, value.as_raw()) {
                search.location.push((name, text));
            }
        }
    }
    Ok(search)
}

const LOCATION: [&str; 4] = ["city", "country", "region", "timezone"];
