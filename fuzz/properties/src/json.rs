//! JSON as another parser reads it: a document apart into the sources of its parts.
//!
//! Sources stay as they are, so digits, escapes and repeated members can be compared.

use std::fmt;

use serde_json::Deserializer;
use serde_json::value::RawValue;

use serde::de::{Deserialize, MapAccess, Visitor};

/// Whether `text` is one JSON document, whatever its strings and numbers come to.
pub fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(text).is_ok()
}

/// The members of an object in order, repeats kept: sources of name and value.
pub fn members(text: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut parser = Deserializer::from_slice(text);
    let members = Members::deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    Some(members.0)
}

/// The sources of an array's elements.
pub fn elements(text: &[u8]) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_slice(text).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// What a string means; nothing for other values and for halves of surrogate pairs.
pub fn text(source: &str) -> Option<String> {
    serde_json::from_str(source).ok()
}

/// The sources of all values called `name`.
pub fn all<'t>(members: &[(&str, &'t str)], name: &str) -> Vec<&'t str> {
    let named = members
        .iter()
        .filter(|(each, _)| text(each).as_deref() == Some(name));
    named.map(|&(_, value)| value).collect()
}

/// The source of the first value called `name` in an object.
pub fn first<'t>(object: &'t str, name: &str) -> Option<&'t str> {
    all(&members(object.as_bytes())?, name).first().copied()
}

struct Members<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: serde::Deserializer<'t>>(parser: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'t> Visitor<'t> for Collect {
            type Value = Members<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push((name.get(), value.get()));
                }
                Ok(Members(members))
            }
        }
        parser.deserialize_map(Collect)
    }
}
