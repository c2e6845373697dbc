//! `[[provider]]` from the document to the schema.

use std::path::PathBuf;

use crate::config::read::fields::{TableReader, wrong_type};
use crate::config::read::limits::{STREAM_RATE, WAIT_OR_NONE};
use crate::config::read::node::{ConfigNode, ConfigValue};
use crate::config::read::tables::facts;
use crate::config::read::target::stated;
use crate::config::schema::fault::{Faults, Located, Location};
use crate::config::schema::file::{
    KeyPlace, KeySource, ProviderConfig, ProviderTimeouts, TrustedRoots, UsageMode,
};
use crate::limits::PROVIDER_KEYS_MAX;

/// Reads one provider; `None` where it is no table.
pub fn read(node: ConfigNode, path: &str, faults: &mut Faults) -> Option<ProviderConfig> {
    let mut fields = TableReader::new(node, path, faults)?;
    let mut provider = ProviderConfig {
        place: fields.place(),
        name: fields.required_text("name", "targets and clients refer to it"),
        kind: fields.required_text("kind", "such as openai, anthropic or openai-compatible"),
        base_url: fields.text("base_url"),
        key: key_source(&mut fields),
        auth: fields.text("auth"),
        ca_file: fields.text("ca_file").map(|given| given.map(PathBuf::from)),
        timeouts: timeouts(&mut fields),
        ..ProviderConfig::default()
    };
    provider.headers = pairs(&mut fields, "headers");
    provider.forward_headers = fields.texts("forward_headers").unwrap_or_default();
    provider.allow_beta = fields.texts("allow_beta");
    provider.drop_beta = fields.texts("drop_beta").unwrap_or_default();
    provider.rename_beta = pairs(&mut fields, "rename_beta");
    if let Some(given) = fields.choice("roots", &ROOTS) {
        provider.roots = given.value;
    }
    if let Some(given) = fields.choice("usage", &USAGE) {
        provider.usage = given.value;
    }
    if let Some((node, place)) = fields.node("dialect") {
        provider.dialect = facts(node, &place, fields.faults);
    }
    provider.retry_on = retry_on(&mut fields);
    if let Some(given) = fields.whole("warm_count", 0..=WARM_MAX) {
        provider.warm_count = u32::try_from(given.value).unwrap_or(0);
    }
    let rate = fields.whole("stream_rate_min", STREAM_RATE);
    provider.stream_rate_min = rate.map(|given| given.value);
    provider.stated = stated(&mut fields);
    fields.finish();
    Some(provider)
}

const USAGE: [(&str, UsageMode); 2] = [
    ("inject", UsageMode::Inject),
    ("observe", UsageMode::Observe),
];

const ROOTS: [(&str, TrustedRoots); 2] = [
    ("bundled", TrustedRoots::Bundled),
    ("platform", TrustedRoots::Platform),
];

/// Most connections that a thread opens at start.
const WARM_MAX: u64 = 64;

/// From a millisecond to a day.
const WAIT_MS: core::ops::RangeInclusive<u64> = 1..=86_400_000;

fn timeouts(fields: &mut TableReader<'_>) -> ProviderTimeouts {
    let mut wait = |name| fields.whole(name, WAIT_MS).map(|given| given.value);
    let mut own = ProviderTimeouts {
        connect_ms: wait("connect_timeout_ms"),
        handshake_ms: wait("handshake_timeout_ms"),
        answer_head_ms: wait("answer_head_timeout_ms"),
        stream_stall_ms: wait("stream_stall_timeout_ms"),
        first_token_ms: None,
    };
    let given = fields.whole("first_token_timeout_ms", WAIT_OR_NONE);
    own.first_token_ms = given.map(|given| given.value);
    own
}

/// At most one of `key_file`, `key_env`, `key` and `keys`.
fn key_source(fields: &mut TableReader<'_>) -> KeySource {
    let file = fields.text("key_file");
    let variable = fields.text("key_env");
    let word = fields.text("key");
    let several = several(fields);
    let given = [
        file.as_ref().map(|given| &given.place),
        variable.as_ref().map(|given| &given.place),
        word.as_ref().map(|given| &given.place),
        several.as_ref().map(|given| &given.place),
    ];
    if let Some(second) = given.into_iter().flatten().nth(1) {
        let text = "a second source of the key; keep one of key_file, key_env, key and keys";
        fields.faults.push(second, text);
    }
    if let Some(several) = several {
        return KeySource::Several(several.value);
    }
    if let Some(file) = file {
        return KeySource::File(file.map(PathBuf::from));
    }
    if let Some(variable) = variable {
        return KeySource::Variable(variable);
    }
    let Some(word) = word else {
        return KeySource::Unset;
    };
    match word.value.as_str() {
        "caller" => KeySource::Caller(word.place),
        "none" => KeySource::Unneeded,
        _ => {
            let text = "expected \"caller\" or \"none\"; a key itself does not belong into the \
                        configuration: put it into a file of mode 0600 and name that as key_file, \
                        or name an environment variable as key_env";
            fields.faults.push(&word.place, text);
            KeySource::Unneeded
        }
    }
}

/// `keys = [{ file = "..." }, { env = "..." }]`: at least one.
fn several(fields: &mut TableReader<'_>) -> Option<Located<Vec<KeyPlace>>> {
    let (node, place) = fields.node("keys")?;
    let items = match node.value {
        ConfigValue::List(items) => items,
        other => {
            let text = wrong_type("an array of { file = ... } and { env = ... }", &other);
            fields.faults.push(&place, text);
            let value = Vec::new();
            return Some(Located { value, place });
        }
    };
    if items.is_empty() {
        let text = "name at least one key, as { file = \"...\" } or { env = \"...\" }";
        fields.faults.push(&place, text);
    }
    if items.len() > PROVIDER_KEYS_MAX {
        let text = format!(
            "expected at most {PROVIDER_KEYS_MAX} keys, found {}",
            items.len()
        );
        fields.faults.push(&place, text);
    }
    let mut value = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let path = format!("{}[{index}]", place.path);
        value.extend(key_place(item, &path, fields.faults));
    }
    Some(Located { value, place })
}

fn key_place(node: ConfigNode, path: &str, faults: &mut Faults) -> Option<KeyPlace> {
    let mut fields = TableReader::new(node, path, faults)?;
    let place = fields.place();
    let (file, variable) = (fields.text("file"), fields.text("env"));
    let faults = fields.finish();
    match (file, variable) {
        (Some(file), None) => Some(KeyPlace::File(file.map(PathBuf::from))),
        (None, Some(variable)) => Some(KeyPlace::Variable(variable)),
        (Some(_), Some(_)) | (None, None) => {
            faults.push(&place, "expected one of file and env");
            None
        }
    }
}

/// A table from names to strings.
fn pairs(fields: &mut TableReader<'_>, name: &'static str) -> Vec<(Located<String>, String)> {
    let entries = fields.open_table(name).unwrap_or_default();
    let read = entries.into_iter().filter_map(|(name, node)| {
        let value = fields.text_of(node, name.place.clone())?;
        Some((name, value.value))
    });
    read.collect()
}

/// Statuses as numbers, or `"4xx"` and `"5xx"` for all of a class.
fn retry_on(fields: &mut TableReader<'_>) -> Option<Vec<u16>> {
    let items = fields.items("retry_on")?;
    let mut statuses = Vec::new();
    for (node, place) in items {
        statuses.extend(statuses_of(&node.value, &place, fields.faults));
    }
    Some(statuses)
}

fn statuses_of(
    value: &ConfigValue,
    place: &Location,
    faults: &mut Faults,
) -> core::ops::Range<u16> {
    let status = match value {
        ConfigValue::Text(class) if class == "4xx" => return 400..500,
        ConfigValue::Text(class) if class == "5xx" => return 500..600,
        ConfigValue::Whole(status) => u16::try_from(*status).ok(),
        ConfigValue::Text(_) => None,
        other @ (ConfigValue::Flag(_)
        | ConfigValue::List(_)
        | ConfigValue::Table(_)
        | ConfigValue::Other(_)) => {
            faults.push(place, wrong_type("a status or \"5xx\"", other));
            return 0..0;
        }
    };
    let Some(status) = status.filter(|status| (400..600).contains(status)) else {
        faults.push(
            place,
            "expected a status from 400 to 599, \"4xx\" or \"5xx\"",
        );
        return 0..0;
    };
    status..status + 1
}
