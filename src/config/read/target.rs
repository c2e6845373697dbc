//! What is stated of a deployment, and the targets of a `[[model]]` that may state it each.

use crate::config::read::fields::{Fields, wrong_type};
use crate::config::read::node::{Node, Value};
use crate::config::schema::fault::{At, Faults, Place, shown};
use crate::config::schema::file::{Stated, Target};
use crate::config::schema::network::Network;

/// What a provider or a target states of itself.
pub fn stated(fields: &mut Fields<'_>) -> Stated {
    Stated {
        tier: word(fields, "tier"),
        region: word(fields, "region"),
        jurisdiction: word(fields, "jurisdiction"),
        custody_label: label(fields, "custody_label"),
        credential_source: word(fields, "credential_source"),
        networks: networks(fields),
    }
}

fn networks(fields: &mut Fields<'_>) -> Option<Vec<Network>> {
    let said = fields.texts("networks")?;
    let mut networks = Vec::with_capacity(said.len());
    for network in said {
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
pub fn target(node: Node, place: Place, faults: &mut Faults) -> Option<Target> {
    match node.value {
        Value::Text(text) if text.is_empty() => {
            faults.push(&place, "expected a string that is not empty");
            None
        }
        Value::Text(value) => Some(Target {
            model: At { value, place },
            stated: Stated::default(),
            weight: WEIGHT,
            priority: 0,
        }),
        Value::Table(_) => of_table(node, &place, faults),
        other @ (Value::Whole(_) | Value::Flag(_) | Value::List(_) | Value::Other(_)) => {
            faults.push(&place, wrong_type("a string or a table", &other));
            None
        }
    }
}

fn of_table(node: Node, place: &Place, faults: &mut Faults) -> Option<Target> {
    let mut fields = Fields::new(node, &place.path, faults)?;
    let model = fields.required_text("model", "it is \"provider/upstream-model\"");
    let stated = stated(&mut fields);
    let mut number = |name, range| {
        let said = fields.whole(name, range)?;
        u32::try_from(said.value).ok()
    };
    let weight = number("weight", 1..=WEIGHT_MAX);
    let priority = number("priority", 0..=PRIORITY_MAX);
    fields.finish();
    Some(Target {
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
fn word(fields: &mut Fields<'_>, name: &'static str) -> Option<At<String>> {
    let said = fields.text(name)?;
    if is_word(&said.value) {
        return Some(said);
    }
    let text = format!(
        "expected at most {WORD_BYTES_MAX} letters, digits, `-`, `_`, `.` and `:`, found `{}`",
        shown(&said.value)
    );
    fields.faults.push(&said.place, text);
    None
}

/// A text that stands in a header.
pub fn label(fields: &mut Fields<'_>, name: &'static str) -> Option<At<String>> {
    let said = fields.text(name)?;
    if is_label(&said.value) {
        return Some(said);
    }
    let text = format!(
        "expected at most {WORD_BYTES_MAX} characters of visible ASCII without spaces around \
         them, found `{}`",
        shown(&said.value)
    );
    fields.faults.push(&said.place, text);
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
