//! Tenants and client keys of the configuration: every fault collected.

use std::collections::HashMap;

use crate::config::schema::fault::{Faults, Located, nearest, shown};
use crate::config::schema::file::{AllowanceConfig, KeyConfig, TenantConfig};
use crate::govern::key::allowance::Allowance;
use crate::govern::key::client_key::{self, ID_BYTES_MAX, Key, Rules, Tenant, is_id};
use crate::govern::value::date;
use crate::route::compile::policy::StatedFacts;
use crate::route::plan::client_key::{AuthMode, id_of};
use crate::route::plan::prices::dollars;

/// The tenants that are configured. One without a key is probably not meant, unless a store has some.
pub(crate) fn tenants(
    given: Vec<TenantConfig>,
    keys: &[KeyConfig],
    (known, auth_mode): (&StatedFacts, AuthMode),
    faults: &mut Faults,
) -> Vec<Tenant> {
    check_tenant_ids(&given, keys, faults);
    let mut tenants: Vec<Tenant> = Vec::with_capacity(given.len());
    for tenant in given {
        let allowance = allowance(tenant.allowance, faults);
        let residency = tenant.residency.map(|given| known.residency(given, faults));
        let Some(name) = tenant.name else { continue };
        check_tenant(&name, faults);
        if tenants.iter().any(|known| *known.name == *name.value) {
            faults.push(&name.place, "the tenant stands here already");
        }
        let has_key = || keys.iter().any(|key| key.tenant.value == name.value);
        if auth_mode == AuthMode::Configured && !has_key() {
            faults.warn(&name.place, "no [[key]] is of this tenant");
        }
        let id = tenant.id.map(|given| checked_tenant_id(given, faults));
        tenants.push(Tenant {
            id: id.unwrap_or_default(),
            name: name.value.into(),
            residency,
            allowance,
        });
    }
    tenants
}

fn checked_tenant_id(given: Located<String>, faults: &mut Faults) -> Box<str> {
    if let Err(fault) = client_key::check_tenant(&given.value) {
        faults.push(&given.place, fault.text);
    }
    given.value.into()
}

/// Two tenants with one id would be one: their records, sums and limits go by it. One that says no id has
/// its name for one, as far as the configuration knows.
fn check_tenant_ids(given: &[TenantConfig], keys: &[KeyConfig], faults: &mut Faults) {
    let mut known: HashMap<&str, &str> = HashMap::new();
    let named = given.iter().filter_map(|tenant| {
        let name = tenant.name.as_ref()?;
        Some((tenant.id.as_ref().unwrap_or(name), name.value.as_str()))
    });
    let has_rules = |name: &str| {
        let mut names = given.iter().filter_map(|tenant| tenant.name.as_ref());
        names.any(|known| known.value == name)
    };
    let unnamed = keys.iter().filter(|key| !has_rules(&key.tenant.value));
    let unnamed = unnamed.map(|key| (&key.tenant, key.tenant.value.as_str()));
    for (id, name) in named.chain(unnamed) {
        let first = *known.entry(&id.value).or_insert(name);
        if first != name {
            let text = format!("tenant {first:?} has this id already");
            faults.push(&id.place, text);
        }
    }
}

/// The names of tenants that keys say, likewise.
#[must_use]
pub fn names_alone(given: &[KeyConfig]) -> Vec<Box<str>> {
    let names = given.iter().map(|key| key.tenant.value.as_str().into());
    names.collect()
}

/// The tenants that are configured, for commands: these may not have what the rest of a configuration
/// points at, so that what is wrong is reported by others.
#[must_use]
pub fn tenants_alone(given: Vec<TenantConfig>) -> Vec<Tenant> {
    let nothing = StatedFacts::default();
    tenants(
        given,
        &[],
        (&nothing, AuthMode::Stored),
        &mut Faults::new(""),
    )
}

/// The ids of the keys that are configured, likewise.
#[must_use]
pub fn ids_alone(given: &[KeyConfig]) -> Vec<Box<str>> {
    let ids = given.iter().filter_map(|key| match (&key.id, &key.sha256) {
        (Some(id), _) => Some(id.value.as_str().into()),
        (None, Some(sha256)) => Some(id_of(&sha256.value)),
        (None, None) => None,
    });
    ids.collect()
}

/// The keys that are configured.
pub(crate) fn keys(given: Vec<KeyConfig>, known: &StatedFacts, faults: &mut Faults) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::with_capacity(given.len());
    for key in given {
        check_tenant(&key.tenant, faults);
        let expires_ms = key.expires.and_then(|given| expiry(&given, faults));
        let tiers = key.tiers.map(|given| known.checked_tiers(given, faults));
        let residency = key.residency.map(|given| known.residency(given, faults));
        let allowance = allowance(key.allowance, faults);
        check_relay(key.relay.as_deref().unwrap_or_default(), faults);
        let Some(sha256) = key.sha256 else { continue };
        let digest = sha256.value;
        if keys.iter().any(|known| known.digest == digest) {
            faults.push(&sha256.place, "the key stands here already");
        }
        let id = match key.id {
            Some(given) => checked_id(given, &keys, faults),
            None => id_of(&digest),
        };
        keys.push(Key {
            id,
            digest,
            tenant: key.tenant.value.into(),
            expires_ms,
            rules: Rules {
                models: key.models.map(texts),
                tiers,
                residency,
                relay: key.relay.map(texts),
                allowance,
                metadata: key
                    .metadata
                    .into_iter()
                    .map(|(name, word)| (name.value, word))
                    .collect(),
            },
            ..Key::default()
        });
    }
    keys
}

fn allowance(given: AllowanceConfig, faults: &mut Faults) -> Allowance {
    let AllowanceConfig {
        requests_per_minute,
        tokens_per_minute,
        concurrent,
        budget_day,
        budget_month,
    } = given;
    Allowance {
        requests_per_minute,
        tokens_per_minute,
        concurrent,
        budget_day: budget_day.and_then(|given| dollars(&given, faults)),
        budget_month: budget_month.and_then(|given| dollars(&given, faults)),
    }
}

fn texts(given: Vec<Located<String>>) -> Vec<String> {
    given.into_iter().map(|given| given.value).collect()
}

fn check_tenant(name: &Located<String>, faults: &mut Faults) {
    if let Err(fault) = client_key::check_new_tenant(&name.value) {
        faults.push(&name.place, fault.text);
    }
}

/// A word that no path is called by is a fault; one that this program does not know may be a provider's
/// own.
fn check_relay(words: &[Located<String>], faults: &mut Faults) {
    let is_name = |text: &str| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        !text.is_empty() && text.bytes().all(fits)
    };
    for given in words {
        let word = given.value.as_str();
        if word == "*" || RELAY_NAMES.contains(&word) {
            continue;
        }
        if !is_name(word) {
            let text = format!(
                "expected `*` or the first segment of a path behind /v1, such as files or batches, in \
                 small letters, found `{}`",
                shown(word)
            );
            faults.push(&given.place, text);
            continue;
        }
        let hint = nearest(word, RELAY_NAMES).map_or_else(
            || "; right if a provider has a path of that name".to_owned(),
            |name| format!("; did you mean `{name}`?"),
        );
        let text = format!("no endpoint with state is known by the name `{word}`{hint}");
        faults.warn(&given.place, text);
    }
}

/// What is known of the names that `relay` lists.
const RELAY_NAMES: [&str; 23] = [
    "assistants",
    "audio",
    "batches",
    "chat_completions",
    "chatkit",
    "containers",
    "conversations",
    "evals",
    "files",
    "fine_tuning",
    "images",
    "memory_stores",
    "models",
    "organization",
    "organizations",
    "projects",
    "realtime",
    "responses",
    "skills",
    "threads",
    "uploads",
    "vector_stores",
    "videos",
];

fn expiry(given: &Located<String>, faults: &mut Faults) -> Option<u64> {
    let read = date::parse(&given.value);
    if read.is_none() {
        let text = format!(
            "expected a day or a second in UTC, such as 2027-01-31 or 2027-01-31T08:30:00Z, found `{}`",
            shown(&given.value)
        );
        faults.push(&given.place, text);
    }
    read
}

fn checked_id(given: Located<String>, keys: &[Key], faults: &mut Faults) -> Box<str> {
    if !is_id(&given.value) {
        let text = format!(
            "expected an id of letters, digits, `_`, `-` and `.`, {ID_BYTES_MAX} at most, found `{}`",
            shown(&given.value)
        );
        faults.push(&given.place, text);
    }
    if keys.iter().any(|known| *known.id == *given.value) {
        faults.push(&given.place, "a key of this id stands here already");
    }
    given.value.into()
}
