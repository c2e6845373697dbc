//! From configuration to plan: every reference checked, every fault collected.
//!
//! Reads nothing: keys and certificates come in as `config::material`. The same configuration
//! gives the same plan.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::load::file::Loaded;
use crate::config::load::material::{Material, ProviderMaterial, SharedMaterial, TlsMaterial};
use crate::config::read::address;
use crate::config::schema::fault::{Faults, Located, shown};
use crate::config::schema::file::{
    Config, DefaultRuleConfig, KeySource, ListenAddress, SharedDown, Stated, UsageRecords,
};
use crate::config::schema::file::{ModelConfig, ProviderConfig, ServerConfig};
use crate::govern::lease::lease_queue::{LeaseQueue, WhenDown};
use crate::limits::Limits;
use crate::provider::table;
use crate::route::compile::model_facts::table_of;
use crate::route::compile::policy::{StatedFacts, all_facts};
use crate::route::compile::provider::{self, is_token};
use crate::route::compile::target::{self, DeploymentPlaces, ProviderNames, check_id, number};
use crate::route::compile::{consistency, key};
use crate::route::plan::client_key::{AuthMode, ClientKeys, digest_of};
use crate::route::plan::compiled::{
    DefaultRule, Model, Plan, ServerPlan, SharedCounters, UsagePlan,
};
use crate::route::plan::custody::{self, CustodyFields};
use crate::route::plan::glob::Glob;
use crate::route::plan::header::is_withheld;
use crate::route::plan::plan_ids::PlanIds;
use crate::route::plan::prices::{Prices, RequestPrices};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::Target;
use crate::route::plan::tenant::AccountRegistry;
use crate::translate::models::{ModelFacts, ModelTable};
use crate::wire::kind::Wire;

/// A plan and what came up while it was made.
#[derive(Debug)]
pub struct Compiled {
    /// What is run on.
    pub plan: Plan,
    /// What is probably not meant, one a line.
    pub warnings: Vec<String>,
    /// Environment variables that held a key: to be taken out of the process environment.
    pub secret_variables: Vec<String>,
}

/// Compiles what was loaded; with any fault, its own or of loading, there is no plan.
pub fn compile(loaded: Loaded) -> Result<Compiled, Faults> {
    compile_after(loaded, PlanIds::default())
}

/// The same for a process that has run on other plans: `ids` are those of the last one.
pub fn compile_after(loaded: Loaded, ids: PlanIds) -> Result<Compiled, Faults> {
    let Loaded {
        config,
        material,
        mut faults,
    } = loaded;
    let secret_variables = material.secret_variables.clone();
    let plan = plan(config, material, ids, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Compiled {
        plan,
        warnings: faults.warning_lines(),
        secret_variables,
    })
}

/// The plan as far as it goes; good only if no fault was added.
fn plan(config: Config, material: Material, ids: PlanIds, faults: &mut Faults) -> Plan {
    let parts = consistency::ConfigParts::of(&config);
    let plan = plan_of(config, material, ids, faults);
    if faults.is_empty() {
        consistency::check(&parts, &plan, faults);
    }
    plan
}

fn plan_of(config: Config, material: Material, mut ids: PlanIds, faults: &mut Faults) -> Plan {
    let Config {
        server: given,
        providers,
        models,
        defaults,
        tenants,
        keys,
        model_facts,
        prices,
        request_prices,
        budgets,
        limits,
        usage,
        store,
        shared: _,
    } = config;
    let names = ProviderNames::new(&providers, faults);
    let stated: Vec<Stated> = providers.iter().map(|each| each.stated.clone()).collect();
    let auth_mode = auth_mode_of(&material);
    let has_keys = !keys.is_empty() || auth_mode != AuthMode::Configured;
    check_keys(&given, &providers, has_keys, faults);
    let gateway_key_header = gateway_key_header(given.gateway_key_header.as_ref(), faults);
    let around = (&limits, gateway_key_header.as_deref(), &*given.listen);
    let mut compiled = providers_of(providers, material.providers, around, faults);
    let residencies: Vec<_> = models.iter().map(|it| it.residency.clone()).collect();
    let (mut models, by_id) = models_of(models, (&names, &stated), faults);
    let target_count = number(&mut models, &mut compiled, &mut ids, faults);
    let known = StatedFacts::new(all_facts(&compiled, &models), names.all());
    for (model, given) in models.iter_mut().zip(residencies) {
        model.residency = given.map(|given| known.residency(given, faults));
    }
    let defaults = defaults_or_built_in(defaults, &names, &compiled, faults);
    let facts = table_of(model_facts, faults);
    let target_facts = facts_of(&models, target_count, &facts);
    let prices = Prices::new(prices, faults);
    let target_prices = prices_of(&models, target_count, &compiled, &prices);
    let own_tenants = key::tenants(tenants, &keys, (&known, auth_mode), faults);
    let own_keys = key::keys(keys, &known, faults);
    let (shared, mut accounts) = shared_of(material.shared);
    let table = ClientKeys::new(&own_keys, &own_tenants, auth_mode, &mut accounts);
    Plan {
        custody: custody_of(&given, &compiled, (&models, target_count), faults),
        usage: usage_of(&usage, material.journal, store.is_some(), faults),
        tiers: known.tiers(),
        by_number: by_number(&models, target_count),
        deployments: deployments(&models),
        has_residency: models.iter().any(|model| model.residency.is_some()),
        server: server_of(given, material.tls, faults),
        keys: table,
        store: material.store,
        shared,
        admin_digest: material.admin_key.map(|key| digest_of(key.expose())),
        configured_keys: own_keys,
        configured_tenants: own_tenants,
        accounts,
        providers: compiled,
        limits,
        models,
        target_count,
        by_id,
        defaults,
        gateway_key_header,
        facts,
        target_facts,
        prices,
        target_prices,
        request_prices: RequestPrices::new(&request_prices, faults),
        budgets,
        ids,
    }
}

fn providers_of(
    given: Vec<ProviderConfig>,
    material: Vec<ProviderMaterial>,
    (limits, header, listen): (&Limits, Option<&str>, &[Located<ListenAddress>]),
    faults: &mut Faults,
) -> Vec<Provider> {
    let compiled = given.into_iter().zip(material);
    let compiled = compiled.filter_map(|(provider, material)| {
        provider::compile(provider, material, limits, header, listen, faults)
    });
    compiled.collect()
}

fn defaults_or_built_in(
    given: Option<Vec<DefaultRuleConfig>>,
    names: &ProviderNames,
    providers: &[Provider],
    faults: &mut Faults,
) -> Vec<DefaultRule> {
    match given {
        Some(rules) => defaults_of(rules, names, faults),
        None => built_in_defaults(providers),
    }
}

/// What several replicas share, and the registry of the accounts that do.
fn shared_of(material: Option<SharedMaterial>) -> (Option<SharedCounters>, AccountRegistry) {
    let Some(material) = material else {
        return (None, AccountRegistry::default());
    };
    let pool = Arc::new(LeaseQueue::new(match material.down {
        SharedDown::Local => WhenDown::Local,
        SharedDown::Closed => WhenDown::Closed,
    }));
    let accounts = AccountRegistry::shared_by(Arc::clone(&pool));
    (Some(SharedCounters { material, pool }), accounts)
}

/// A store has not been read when the plan is made.
const fn auth_mode_of(material: &Material) -> AuthMode {
    match material.store {
        Some(_) => AuthMode::Unread,
        None => AuthMode::Configured,
    }
}

fn check_keys(
    given: &ServerConfig,
    providers: &[ProviderConfig],
    has_keys: bool,
    faults: &mut Faults,
) {
    check_open(given, has_keys, faults);
    check_callers(providers, has_keys, faults);
}

fn check_open(given: &ServerConfig, has_keys: bool, faults: &mut Faults) {
    if !given.admin_open
        && let Some(admin) = &given.admin
        && !address::is_local(&admin.value)
    {
        let text = "others reach this address, and the admin listener asks for no key; use \
                    127.0.0.1 or a Unix socket, or say admin_open = true";
        faults.push(&admin.place, text);
    }
    if given.open || has_keys {
        return;
    }
    for listen in given
        .listen
        .iter()
        .filter(|listen| !address::is_local(&listen.value))
    {
        let text = "others reach this address, and no [[key]] is configured; add one (`ringway \
                    key` makes it), or say open = true";
        faults.push(&listen.place, text);
    }
}

/// With client keys of ours, what a caller presents is never a provider's key.
fn check_callers(providers: &[ProviderConfig], has_keys: bool, faults: &mut Faults) {
    for provider in providers {
        if let KeySource::Caller(place) = &provider.key
            && has_keys
        {
            let text = "with [[key]] or [store] callers present the gateway's keys, which never go to \
                        a provider; use key_file or key_env, or take those out";
            faults.push(place, text);
        }
    }
    check_shared_callers(providers, faults);
}

/// A caller's key is meant for the one provider of its wire; of two that take it, one would get a
/// key that is the other's.
fn check_shared_callers(providers: &[ProviderConfig], faults: &mut Faults) {
    let mut taken: Vec<(Wire, &str)> = Vec::new();
    for provider in providers {
        let kind = provider
            .kind
            .as_ref()
            .and_then(|kind| table::find(&kind.value));
        let (KeySource::Caller(place), Some(kind)) = (&provider.key, kind) else {
            continue;
        };
        let name = provider.name.as_ref().map_or("", |name| &name.value);
        match taken.iter().find(|(wire, _)| *wire == kind.wire) {
            None => taken.push((kind.wire, name)),
            Some((wire, first)) => {
                let text = format!(
                    "`{}` takes the caller's key on the {} wire already, and it would go to \
                     `{}` too; give one of the two a key of ours by key_file or key_env",
                    shown(first),
                    wire.name(),
                    shown(name)
                );
                faults.push(place, text);
            }
        }
    }
}

fn gateway_key_header(given: Option<&Located<String>>, faults: &mut Faults) -> Option<Box<str>> {
    let given = given?;
    let lower = given.value.to_ascii_lowercase();
    if !is_token(&lower) {
        faults.push(&given.place, "expected a header name");
    } else if is_withheld(&lower) {
        let name = shown(&lower);
        let text = format!("{name} is read anyway, or frames the message; name another header");
        faults.push(&given.place, text);
    }
    Some(lower.into())
}

fn usage_of(
    given: &UsageRecords,
    journal: Option<PathBuf>,
    has_store: bool,
    faults: &mut Faults,
) -> Option<UsagePlan> {
    if let Some(days) = given.keep_days.as_ref().filter(|_| !has_store) {
        let text = "there is no [store] that would keep them; `journal_bytes_max` is the journal's \
                    bound";
        faults.push(&days.place, text);
    }
    Some(UsagePlan {
        journal: journal?,
        flush_ms: given.flush_ms,
        journal_bytes_max: given.journal_bytes_max,
        keep_days: given.keep_days.as_ref().map(|given| given.value),
    })
}

fn header_prefix(given: Option<&Located<String>>, faults: &mut Faults) -> String {
    let Some(given) = given else {
        return custody::PREFIX.to_owned();
    };
    let lower = given.value.to_ascii_lowercase();
    let named = lower
        .strip_prefix("x-")
        .and_then(|rest| rest.strip_suffix('-'));
    let is_good = named.is_some_and(|name| is_token(name) && name.len() <= PREFIX_BYTES_MAX);
    if !is_good {
        let text = format!(
            "expected a prefix such as `x-ringway-`: `x-`, a name of at most {PREFIX_BYTES_MAX} \
             characters and `-`, found `{}`",
            shown(&given.value)
        );
        faults.push(&given.place, text);
    } else if NOT_PREFIXES.contains(&&*lower) {
        let text = format!("headers that start with {lower} have a meaning of their own");
        faults.push(&given.place, text);
    }
    lower
}

/// Longest name within a prefix of header names.
const PREFIX_BYTES_MAX: usize = 32;
/// What starts the names of headers that others give a meaning.
const NOT_PREFIXES: [&str; 6] = [
    "x-request-",
    "x-ratelimit-",
    "x-should-",
    "x-stainless-",
    "x-forwarded-",
    "x-api-",
];

fn models_of(
    given: Vec<ModelConfig>,
    providers: (&ProviderNames, &[Stated]),
    faults: &mut Faults,
) -> (Vec<Model>, HashMap<Box<str>, usize>) {
    let mut by_id: HashMap<Box<str>, usize> = HashMap::new();
    let mut models = Vec::with_capacity(given.len());
    let mut places = DeploymentPlaces::default();
    for (index, model) in given.into_iter().enumerate() {
        for id in model.id.iter().chain(&model.aliases) {
            check_id(&id.value, &id.place, faults);
            match by_id.entry(id.value.as_str().into()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(index);
                }
                Entry::Occupied(_) => {
                    let text = format!("the id `{}` stands for a model already", shown(&id.value));
                    faults.push(&id.place, text);
                }
            }
        }
        models.push(Model {
            residency: None,
            targets: target::targets(&model.targets, providers, &mut places, faults),
            order: model.order,
            first_token_ms: model.first_token_ms,
            stream_rate_min: model.stream_rate_min,
            aliases: model
                .aliases
                .into_iter()
                .map(|id| id.value.into())
                .collect(),
            id: model.id.map_or_else(Box::default, |id| id.value.into()),
            early_head_after_ms: model.early_head_after_ms,
        });
    }
    (models, by_id)
}

/// Where each numbered target stands.
fn by_number(models: &[Model], count: usize) -> Box<[(usize, usize)]> {
    let mut places = vec![(0, 0); count];
    for (index, model) in models.iter().enumerate() {
        for target in &model.targets {
            if let Some(place) = target.number.and_then(|number| places.get_mut(number)) {
                *place = (index, target.option);
            }
        }
    }
    places.into()
}

/// The targets that state something of their own, by their models.
fn deployments(models: &[Model]) -> HashMap<Box<str>, Vec<Target>> {
    let mut found: HashMap<Box<str>, Vec<Target>> = HashMap::new();
    let targets = models.iter().flat_map(|model| &model.targets);
    for target in targets.filter(|target| target.facts.is_some()) {
        let of_model = found.entry(target.model.clone()).or_default();
        if !of_model.iter().any(|known| known.is_same(target)) {
            of_model.push(target.clone());
        }
    }
    found
}

/// What is known of each numbered target.
fn facts_of(models: &[Model], count: usize, table: &ModelTable) -> Vec<ModelFacts> {
    let mut known = vec![ModelFacts::UNKNOWN; count];
    for target in models.iter().flat_map(|model| &model.targets) {
        if let Some(place) = target.number.and_then(|number| known.get_mut(number)) {
            *place = *table.facts(&target.model);
        }
    }
    known
}

fn custody_of(
    given: &ServerConfig,
    providers: &[Provider],
    (models, count): (&[Model], usize),
    faults: &mut Faults,
) -> CustodyFields {
    let prefix = header_prefix(given.header_prefix.as_ref(), faults);
    let origin = given.custody_origin.as_ref();
    let origin = origin.map_or(custody::ORIGIN, |origin| &origin.value);
    let targets: Vec<&Target> = models.iter().flat_map(|model| &model.targets).collect();
    CustodyFields::new((&prefix, origin), providers, &targets, count)
}

/// The number of the price of each numbered target.
fn prices_of(
    models: &[Model],
    count: usize,
    providers: &[Provider],
    prices: &Prices,
) -> Vec<Option<usize>> {
    let mut known = vec![None; count];
    for target in models.iter().flat_map(|model| &model.targets) {
        let place = target.number.and_then(|number| known.get_mut(number));
        if let (Some(place), Some(provider)) = (place, providers.get(target.provider)) {
            *place = prices.find(provider, &target.model);
        }
    }
    known
}

fn defaults_of(
    given: Vec<DefaultRuleConfig>,
    names: &ProviderNames,
    faults: &mut Faults,
) -> Vec<DefaultRule> {
    let rules = given.into_iter().filter_map(|rule| {
        let provider = names.index(&rule.provider.value, &rule.provider.place, faults)?;
        Some(DefaultRule {
            ids: Glob::new(&rule.ids.value),
            provider,
        })
    });
    rules.collect()
}

/// Each kind's own ids go to the first provider of that kind.
fn built_in_defaults(providers: &[Provider]) -> Vec<DefaultRule> {
    let mut rules = Vec::new();
    for kind in &table::KINDS {
        let first = providers
            .iter()
            .position(|provider| provider.kind == kind.name);
        let Some(provider) = first else { continue };
        rules.extend(kind.default_ids.iter().map(|ids| DefaultRule {
            ids: Glob::new(ids),
            provider,
        }));
    }
    rules
}

fn server_of(given: ServerConfig, tls: Option<TlsMaterial>, faults: &mut Faults) -> ServerPlan {
    let mut listen: Vec<ListenAddress> = Vec::with_capacity(given.listen.len());
    for address in given.listen {
        if listen.contains(&address.value) && !has_any_port(&address.value) {
            faults.push(&address.place, "the address stands here already");
        }
        listen.push(address.value);
    }
    if let Some(admin) = &given.admin
        && listen.contains(&admin.value)
        && !has_any_port(&admin.value)
    {
        faults.push(
            &admin.place,
            "clients have this address; the admin listener wants its own",
        );
    }
    for origin in &given.cors_origins {
        check_origin(origin, faults);
    }
    ServerPlan {
        listen,
        admin: given.admin.map(|admin| admin.value),
        workers: given.workers,
        driver: given.driver,
        tls,
        log: given.log,
        server_timing: given.server_timing,
        capability_gate: given.capability_gate,
        public_catalogue: given.public_catalogue,
        early_head_after_ms: given.early_head_after_ms,
        cors_origins: given
            .cors_origins
            .into_iter()
            .map(|origin| origin.value.into())
            .collect(),
    }
}

/// Whether the system chooses the port, so that two listeners never meet.
const fn has_any_port(address: &ListenAddress) -> bool {
    match address {
        ListenAddress::Tcp(address) => address.port() == 0,
        ListenAddress::Unix(_) => false,
    }
}

fn check_origin(origin: &Located<String>, faults: &mut Faults) {
    if origin.value == "*" {
        return;
    }
    let after = origin
        .value
        .split_once("://")
        .map_or("", |(_, after)| after);
    let is_plain = |byte: u8| matches!(byte, 0x21..=0x7E) && byte != b'/' && byte != b',';
    if after.is_empty() || !after.bytes().all(is_plain) {
        let text = "expected `*` or an origin such as https://app.example.com, without a path";
        faults.push(&origin.place, text);
    }
}

#[cfg(test)]
pub(crate) mod tests;
