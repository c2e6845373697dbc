//! `[[tenant]]` and `[[key]]`: names, types and ranges.

use crate::config::read::fields::TableReader;
use crate::config::read::node::ConfigNode;
use crate::config::read::residency::residency;
use crate::config::schema::fault::{Faults, Located};
use crate::config::schema::file::{AllowanceConfig, KeyConfig, TenantConfig};
use crate::limits::RATE_MAX;

/// Reads one tenant.
pub fn tenant(node: ConfigNode, path: &str, faults: &mut Faults) -> Option<TenantConfig> {
    let mut fields = TableReader::new(node, path, faults)?;
    let name = fields.required_text("name", "keys say it as `tenant`");
    let id = fields.text("id");
    let residency = residency(&mut fields);
    let allowance = allowance(&mut fields);
    fields.finish();
    Some(TenantConfig {
        name,
        id,
        residency,
        allowance,
    })
}

/// Reads one key.
pub fn key(node: ConfigNode, path: &str, faults: &mut Faults) -> Option<KeyConfig> {
    let mut fields = TableReader::new(node, path, faults)?;
    let id = fields.text("id");
    let digest = fields.required_text("sha256", "`ringway key` prints one");
    let place = fields.place();
    let tenant = fields.text("tenant").unwrap_or_else(|| Located {
        value: TENANT.to_owned(),
        place,
    });
    let models = fields.texts("models");
    let tiers = fields.texts("tiers");
    let residency = residency(&mut fields);
    let relay = fields.texts("relay");
    let expires = fields.text("expires");
    let allowance = allowance(&mut fields);
    let metadata = words(&mut fields, "metadata");
    let faults = fields.finish();
    Some(KeyConfig {
        id,
        sha256: digest.and_then(|given| sha256(given, faults)),
        tenant,
        models,
        tiers,
        residency,
        relay,
        expires,
        allowance,
        metadata,
    })
}

fn sha256(given: Located<String>, faults: &mut Faults) -> Option<Located<[u8; 32]>> {
    let digest = digest_of_hex(&given.value);
    if digest.is_none() {
        let found = given.value.len();
        let text = format!(
            "expected 64 hexadecimal digits, the SHA-256 of a key as `ringway key` prints it, \
             found {found} characters"
        );
        faults.push(&given.place, text);
    }
    digest.map(|digest| given.map(|_| digest))
}

/// The tenant of keys that name none.
pub const TENANT: &str = "default";

fn digest_of_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let high = char::from(*pair.first()?).to_digit(16)?;
        let low = char::from(*pair.last()?).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(digest)
}

/// What a key or a tenant may use.
fn allowance(fields: &mut TableReader<'_>) -> AllowanceConfig {
    let mut whole = |name| fields.whole(name, 1..=RATE_MAX).map(|given| given.value);
    AllowanceConfig {
        requests_per_minute: whole("requests_per_minute"),
        tokens_per_minute: whole("tokens_per_minute"),
        concurrent: whole("concurrent"),
        budget_day: fields.amount("budget_day"),
        budget_month: fields.amount("budget_month"),
    }
}

/// A table of the operator's own names and words.
fn words(fields: &mut TableReader<'_>, name: &'static str) -> Vec<(Located<String>, String)> {
    let given = fields.open_table(name).unwrap_or_default();
    let read = given.into_iter().filter_map(|(name, node)| {
        let word = fields.text_of(node, name.place.clone())?;
        Some((name, word.value))
    });
    read.collect()
}
