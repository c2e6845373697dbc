//! Tables of plain values whose meaning is known elsewhere.

use crate::config::read::fields::{quoted, wrong_type};
use crate::config::read::node::{ConfigNode, ConfigValue};
use crate::config::schema::fault::{Faults, Located, Location};
use crate::config::schema::file::Fact;

/// Members of a table as plain values.
pub fn facts(
    node: ConfigNode,
    place: &Location,
    faults: &mut Faults,
) -> Vec<(Located<String>, Fact)> {
    let entries = match node.value {
        ConfigValue::Table(entries) => entries,
        other => {
            faults.push(place, wrong_type("a table", &other));
            return Vec::new();
        }
    };
    let read = entries.into_iter().filter_map(|entry| {
        let place = Location {
            line: entry.line,
            path: format!("{}.{}", place.path, quoted(&entry.name)),
        };
        let value = match entry.node.value {
            ConfigValue::Flag(value) => Fact::Flag(value),
            ConfigValue::Text(value) => Fact::Text(value),
            ConfigValue::Whole(value) if value >= 0 => Fact::Whole(value.unsigned_abs()),
            other => {
                let expected = "a string, a whole number from 0 on, true or false";
                faults.push(&place, wrong_type(expected, &other));
                return None;
            }
        };
        let name = entry.name;
        Some((Located { value: name, place }, value))
    });
    read.collect()
}
