//! From the document to the schema: names, types and ranges of every section but `[[provider]]`
//! (see `config::read_provider`), `[[tenant]]`, `[[key]]` (see
//! `config::read_key`), `[prices]`, `[budgets]` (see `config::read_price`) and `[limits]` (see
//! `config::limits`).

use core::ops::RangeInclusive;
use std::path::PathBuf;

use crate::config::read::fields::TableReader;
use crate::config::read::node::ConfigNode;
use crate::config::read::residency::residency;
use crate::config::read::tables::facts;
use crate::config::read::{address, key, limits, price, provider, store, target};
use crate::config::schema::fault::{Faults, Located, nearest, shown};
use crate::config::schema::file::{
    Config, DefaultRuleConfig, Driver, ListenAddress, LogSink, ModelConfig, ModelFactsConfig,
    ServerConfig, TargetConfig, TargetOrder, UsageRecords,
};
use crate::limits::MIB;

/// Reads a whole document. With faults the rest is still as good as it can be.
pub fn read(document: ConfigNode, faults: &mut Faults) -> Config {
    let mut config = Config::default();
    let Some(mut fields) = TableReader::new(document, "", faults) else {
        return config;
    };
    let server_node = fields.node("server");
    let providers = fields.tables("provider");
    let models = fields.tables("model");
    config.defaults = defaults(&mut fields);
    let tenants = fields.tables("tenant");
    let keys = fields.tables("key");
    config.model_facts = model_facts(&mut fields);
    let prices = fields.open_table("prices").unwrap_or_default();
    config.request_prices = price::requests(&mut fields);
    let budgets_node = fields.node("budgets");
    let limits_node = fields.node("limits");
    let usage_node = fields.node("usage");
    let store_node = fields.node("store");
    let faults = fields.finish();
    if let Some((node, place)) = server_node {
        config.server = server(node, &place.path, faults);
    }
    if let Some((node, place)) = limits_node {
        (config.limits, config.shared) = limits::read(node, &place.path, faults);
    }
    let prices = prices.into_iter();
    config.prices = prices
        .filter_map(|(ids, node)| price::price(ids, node, faults))
        .collect();
    if let Some((node, place)) = budgets_node {
        config.budgets = price::budgets(node, &place.path, faults);
    }
    if let Some((node, place)) = usage_node {
        config.usage = usage(node, &place.path, faults);
    }
    if let Some((node, place)) = store_node {
        config.store = store::store(node, &place.path, faults);
    }
    for (node, path) in providers {
        config.providers.extend(provider::read(node, &path, faults));
    }
    for (node, path) in models {
        config.models.extend(model(node, &path, faults));
    }
    for (node, path) in tenants {
        config.tenants.extend(key::tenant(node, &path, faults));
    }
    for (node, path) in keys {
        config.keys.extend(key::key(node, &path, faults));
    }
    config
}

fn server(node: ConfigNode, path: &str, faults: &mut Faults) -> ServerConfig {
    let mut server = ServerConfig::default();
    let Some(mut fields) = TableReader::new(node, path, faults) else {
        return server;
    };
    if let Some(given) = some_texts(&mut fields, "listen", "name at least one address") {
        server.listen = listen(given, fields.faults);
    }
    if let Some(given) = fields.text("admin") {
        server.admin = admin(given, fields.faults);
    }
    if let Some(given) = fields.whole("workers", 1..=WORKERS_MAX) {
        server.workers = usize::try_from(given.value).ok();
    }
    if let Some(given) = fields.choice("driver", &DRIVERS) {
        server.driver = given.value;
    }
    if let Some(given) = fields.text("log") {
        server.log = log_sink(given, fields.faults);
    }
    server.tls_cert = fields
        .text("tls_cert")
        .map(|given| given.map(PathBuf::from));
    server.tls_key = fields.text("tls_key").map(|given| given.map(PathBuf::from));
    server.open = is_set(fields.flag("open"));
    server.behind_tls_proxy = is_set(fields.flag("behind_tls_proxy"));
    server.admin_key = store::source(&mut fields, None, ["admin_key_file", "admin_key_env"]);
    server.admin_open = is_set(fields.flag("admin_open"));
    server.server_timing = fields.flag("server_timing").is_none_or(|given| given.value);
    server.capability_gate = fields
        .flag("capability_gate")
        .is_none_or(|given| given.value);
    let early = fields.whole("early_head_after_ms", EARLY_MS);
    server.early_head_after_ms = early.map_or(0, |given| given.value);
    server.public_catalogue = is_set(fields.flag("public_catalogue"));
    server.cors_origins = fields.texts("cors_origins").unwrap_or_default();
    server.gateway_key_header = fields.text("gateway_key_header");
    server.header_prefix = fields.text("header_prefix");
    server.custody_origin = target::label(&mut fields, "custody_origin");
    fields.finish();
    server
}

fn usage(node: ConfigNode, path: &str, faults: &mut Faults) -> UsageRecords {
    let mut usage = UsageRecords::default();
    let Some(mut fields) = TableReader::new(node, path, faults) else {
        return usage;
    };
    let cure = "it is the folder that usage records are kept in";
    let journal = fields.required_text("journal", cure);
    usage.journal = journal.map(|given| given.map(PathBuf::from));
    if let Some(given) = fields.whole("flush_ms", FLUSH_MS) {
        usage.flush_ms = given.value;
    }
    if let Some(given) = fields.whole("journal_bytes_max", JOURNAL_BYTES) {
        usage.journal_bytes_max = given.value;
    }
    usage.keep_days = fields.whole("keep_days", KEEP_DAYS);
    fields.finish();
    usage
}

/// Reads listen addresses; an address that is none is a fault.
pub fn listen(given: Vec<Located<String>>, faults: &mut Faults) -> Vec<Located<ListenAddress>> {
    given
        .into_iter()
        .filter_map(|given| one_address(given, faults))
        .collect()
}

/// Reads the admin listener's address, or `off`.
pub fn admin(given: Located<String>, faults: &mut Faults) -> Option<Located<ListenAddress>> {
    if given.value == "off" {
        return None;
    }
    one_address(given, faults)
}

/// Names of the drivers.
pub const DRIVERS: [(&str, Driver); 3] = [
    ("auto", Driver::Auto),
    ("uring", Driver::Uring),
    ("epoll", Driver::Epoll),
];

/// Range of `flush_ms`.
const FLUSH_MS: RangeInclusive<u64> = 1..=60_000;
/// Range of `journal_bytes_max`.
const JOURNAL_BYTES: RangeInclusive<u64> = MIB as u64..=1 << 40;
/// Range of `keep_days`; a hundred years are for ever.
const KEEP_DAYS: RangeInclusive<u64> = 1..=36_500;
/// After how long an early head goes out: nought for never, an hour at most.
const EARLY_MS: RangeInclusive<u64> = 0..=3_600_000;

/// Most data threads.
pub const WORKERS_MAX: u64 = 1024;

fn one_address(given: Located<String>, faults: &mut Faults) -> Option<Located<ListenAddress>> {
    match address::parse(&given.value) {
        Ok(address) => Some(given.map(|_| address)),
        Err(text) => {
            faults.push(&given.place, text);
            None
        }
    }
}

fn log_sink(given: Located<String>, faults: &mut Faults) -> LogSink {
    match given.value.as_str() {
        "stdout" => LogSink::Stdout,
        "stderr" => LogSink::Stderr,
        "off" => LogSink::Off,
        path if path.starts_with('/') || path.starts_with("./") => LogSink::File(path.into()),
        other => {
            let text = format!(
                "expected stdout, stderr, off or a path that starts with `/` or `./`, \
                 found `{}`",
                shown(other)
            );
            faults.push(&given.place, text);
            LogSink::default()
        }
    }
}

fn model(node: ConfigNode, path: &str, faults: &mut Faults) -> Option<ModelConfig> {
    let mut fields = TableReader::new(node, path, faults)?;
    let id = fields.required_text("id", "it is what clients say as `model`");
    let aliases = fields.texts("alias").unwrap_or_default();
    let cure = "name at least one as \"provider/upstream-model\"";
    fields.require("targets", cure);
    let targets = targets(&mut fields, cure);
    let early = fields.whole("early_head_after_ms", EARLY_MS);
    let words = TargetOrder::ALL.map(|order| (order.name(), order));
    let order = fields.choice("order", &words);
    let first_token = fields.whole("first_token_timeout_ms", limits::WAIT_OR_NONE);
    let rate = fields.whole("stream_rate_min", limits::STREAM_RATE);
    let residency = residency(&mut fields);
    fields.finish();
    Some(ModelConfig {
        id,
        aliases,
        targets,
        early_head_after_ms: early.map(|given| given.value),
        order: order.map_or_else(TargetOrder::default, |given| given.value),
        first_token_ms: first_token.map(|given| given.value),
        stream_rate_min: rate.map(|given| given.value),
        residency,
    })
}

fn targets(fields: &mut TableReader<'_>, cure: &str) -> Vec<TargetConfig> {
    let Some(items) = fields.items("targets") else {
        return Vec::new();
    };
    if items.is_empty() {
        let place = fields.place();
        let text = format!("`targets` is empty; {cure}");
        fields.faults.push(&place, text);
    }
    let read = items.into_iter();
    read.filter_map(|(node, place)| target::target(node, place, fields.faults))
        .collect()
}

/// Strings, at least one.
fn some_texts(
    fields: &mut TableReader<'_>,
    name: &'static str,
    cure: &str,
) -> Option<Vec<Located<String>>> {
    let before = fields.faults.len();
    let given = fields.texts(name)?;
    if given.is_empty() && fields.faults.len() == before {
        let place = fields.place();
        fields
            .faults
            .push(&place, format!("`{name}` is empty; {cure}"));
    }
    Some(given)
}

fn defaults(fields: &mut TableReader<'_>) -> Option<Vec<DefaultRuleConfig>> {
    let rules = fields.open_table("defaults")?;
    let read = rules.into_iter().filter_map(|(ids, node)| {
        let provider = fields.text_of(node, ids.place.clone())?;
        Some(DefaultRuleConfig { ids, provider })
    });
    Some(read.collect())
}

fn model_facts(fields: &mut TableReader<'_>) -> Vec<ModelFactsConfig> {
    let patterns = fields.open_table("model_facts").unwrap_or_default();
    let read = patterns.into_iter().map(|(ids, node)| {
        let facts = facts(node, &ids.place, fields.faults);
        ModelFactsConfig { ids, facts }
    });
    read.collect()
}

fn is_set(given: Option<Located<bool>>) -> bool {
    given.is_some_and(|given| given.value)
}

/// What a fault says about a name that nobody has.
#[must_use]
pub fn no_such(kind: &str, given: &str, known: &[&str]) -> String {
    let given = shown(given);
    let close = nearest(&given, known.iter().copied());
    let hint = close.map_or_else(String::new, |name| {
        format!("; did you mean `{}`?", shown(name))
    });
    if known.is_empty() {
        return format!("no {kind} `{given}`; none is configured");
    }
    let known: Vec<String> = known.iter().map(|name| shown(name)).collect();
    format!("no {kind} `{given}`; known: {}{hint}", known.join(", "))
}
