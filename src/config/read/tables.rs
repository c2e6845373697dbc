//! Tables of plain values whose meaning is known elsewhere.

use crate::config::read::fields::{quoted, wrong_type};
use crate::config::read::node::{Node, Value};
use crate::config::schema::fault::{At, Faults, Place};
use crate::config::schema::file::Fact;

/// Members of a table as plain values.
pub fn facts(node: Node, place: &Place, faults: &mut Faults) -> Vec<(At<String>, Fact)> {
    let entries = match node.value {
        Value::Table(entries) => entries,
        other => {
            faults.push(place, wrong_type("a table", &other));
            return Vec::new();
        }
    };
    let read = entries.into_iter().filter_map(|entry| {
        let place = Place {
            line: entry.line,
            path: format!("{}.{}", place.path, quoted(&entry.name)),
        };
        let value = match entry.node.value {
            Value::Flag(value) => Fact::Flag(value),
            Value::Text(value) => Fact::Text(value),
            Value::Whole(value) if value >= 0 => Fact::Whole(value.unsigned_abs()),
            other => {
                let expected = "a string, a whole number from 0 on, true or false";
                faults.push(&place, wrong_type(expected, &other));
                return None;
            }
        };
        let name = entry.name;
        Some((At { value: name, place }, value))
    });
    read.collect()
}
