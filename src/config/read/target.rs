//! What is stated of a deployment, and the targets of a `[[model]]` that may state it each.

use crate::config::read::fields::{TableReader, wrong_type};
use crate::config::read::node::{ConfigNode, ConfigValue};
use crate::config::schema::fault::{Faults, Located, Location, shown};
use crate::config::schema::file::{Stated, TargetConfig};
use crate::config::schema::network::Network;

/// What a provider or a target states of itself.
pub fn stated(fields: &mut TableReader<'_>) -> Stated {
    Stated {
        tier: word(fields, "tier"),
        region: word(fields, "region"),
        jurisdiction: word(fields, "jurisdiction"),
        custody_label: label(fields, "custody_label"),
        credential_source: word(fields, "credential_source"),
        networks: networks(fields),
    }
}

fn networks(fields: &mut TableReader<'_>) -> Option<Vec<Network>> {
    let given = fields.texts("networks")?;
    let mut networks = Vec::with_capacity(given.len());
    for network in given {
        match Network::parse(&network.value) {
            Ok(read) => networks.push(read),
            Err(text) => fields.faults.push(&network.place, text),
        }
    }
    if networks.is_empty() && fields.faults.is_empty() {
        let place = fields.place();
        let text = "`networks` is empty and would allow no address; leave it out to allow all";
        fields.faults.push(&place, text);
    }
    Some(networks)
}

/// One target: `"provider/upstream-model"`, or a table with that as `model`.
pub fn target(node: ConfigNode, place: Location, faults: &mut Faults) -> Option<TargetConfig> {
    match node.value {
        ConfigValue::Text(text) if text.is_empty() => {
            faults.push(&place, "expected a string that is not empty");
            None
        }
        ConfigValue::Text(value) => Some(TargetConfig {
            model: Located { value, place },
            stated: Stated::default(),
            weight: WEIGHT,
            priority: 0,
        }),
        ConfigValue::Table(_) => of_table(node, &place, faults),
        other @ (ConfigValue::Whole(_)
        | ConfigValue::Flag(_)
        | ConfigValue::List(_)
        | ConfigValue::Other(_)) => {
            faults.push(&place, wrong_type("a string or a table", &other));
            None
        }
    }
}

fn of_table(node: ConfigNode, place: &Location, faults: &mut Faults) -> Option<TargetConfig> {
    let mut fields = TableReader::new(node, &place.path, faults)?;
    let model = fields.required_text("model", "it is \"provider/upstream-model\"");
    let stated = stated(&mut fields);
    let mut number = |name, range| {
        let given = fields.whole(name, range)?;
        u32::try_from(given.value).ok()
    };
    let weight = number("weight", 1..=WEIGHT_MAX);
    let priority = number("priority", 0..=PRIORITY_MAX);
    fields.finish();
    Some(TargetConfig {
        model: model?,
        stated,
        weight: weight.unwrap_or(WEIGHT),
        priority: priority.unwrap_or(0),
    })
}

/// The weight of a target that says none.
const WEIGHT: u32 = 1;
const WEIGHT_MAX: u64 = 1_000_000;
const PRIORITY_MAX: u64 = 1_000_000;

/// A name that clients, keys and answers say.
fn word(fields: &mut TableReader<'_>, name: &'static str) -> Option<Located<String>> {
    let given = fields.text(name)?;
    if is_word(&given.value) {
        return Some(given);
    }
    let text = format!(
        "expected at most {WORD_BYTES_MAX} letters, digits, `-`, `_`, `.` and `:`, found `{}`",
        shown(&given.value)
    );
    fields.faults.push(&given.place, text);
    None
}

/// A text that stands in a header.
pub fn label(fields: &mut TableReader<'_>, name: &'static str) -> Option<Located<String>> {
    let given = fields.text(name)?;
    if is_label(&given.value) {
        return Some(given);
    }
    let text = format!(
        "expected at most {WORD_BYTES_MAX} characters of visible ASCII without spaces around \
         them, found `{}`",
        shown(&given.value)
    );
    fields.faults.push(&given.place, text);
    None
}

/// Whether a text is a name of a tier, a region, a jurisdiction or a source of credentials.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !text.is_empty() && text.len() <= WORD_BYTES_MAX && text.chars().all(is_plain)
}

/// Whether a text can stand in a header as it is.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let is_visible = |byte: u8| matches!(byte, 0x20..=0x7E);
    text.len() <= WORD_BYTES_MAX && text.trim() == text && text.bytes().all(is_visible)
}

/// Longest of the names that are stated of a deployment.
const WORD_BYTES_MAX: usize = 64;
