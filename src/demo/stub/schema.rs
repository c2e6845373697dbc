//! A value that fits a JSON schema: what the stub calls tools with.
//!
//! A schema's own `default`, `const` or first `enum` value is taken as it stands; else something
//! small of its type. Members that are not required are left out, unless none is.
//!
//! Not here: the rest of JSON Schema (lengths, patterns, conditions).

use crate::json::tape::{JsonKind, Value};
use crate::json::write::Writer;

/// Appends a value that fits `schema`; a schema that is none is taken as an empty object.
pub fn example(schema: Option<Value<'_>>, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    match schema {
        Some(schema) => {
            let mut maker = Maker {
                root: schema,
                left: VALUES_MAX,
            };
            maker.write(schema, DEPTH_MAX, &mut writer);
        }
        None => {
            writer.open_object().close_object();
        }
    }
}

/// Makes one value.
struct Maker<'t> {
    root: Value<'t>,
    /// Values that may still be made: references can branch.
    left: u32,
}

impl Maker<'_> {
    fn write(&mut self, schema: Value<'_>, depth: u32, w: &mut Writer<'_>) {
        let schema = resolved(schema, self.root);
        let given = schema
            .get("default")
            .or_else(|| schema.get("const"))
            .or_else(|| schema.get("enum").and_then(|list| list.elements().next()));
        if let Some(given) = given {
            w.value(given.source());
            return;
        }
        let (Some(below), Some(left)) = (depth.checked_sub(1), self.left.checked_sub(1)) else {
            w.null();
            return;
        };
        self.left = left;
        let choice = ["anyOf", "oneOf", "allOf"]
            .iter()
            .find_map(|name| schema.get(name)?.elements().next());
        if let Some(choice) = choice {
            return self.write(choice, below, w);
        }
        let kind = schema.get("type");
        let kind = kind
            .filter(|kind| kind.kind() == JsonKind::Array)
            .map_or(kind, |kinds| kinds.elements().next());
        let is = |name: &str| kind.is_some_and(|kind| kind.is_str(name));
        if is("string") {
            w.string("stub");
        } else if is("integer") || is("number") {
            let least = schema
                .get("minimum")
                .filter(|least| least.kind() == JsonKind::Number);
            w.value(least.map_or(b"1", |least| least.source()));
        } else if is("boolean") {
            w.boolean(true);
        } else if is("null") {
            w.null();
        } else if is("array") {
            w.open_array();
            if let Some(items) = schema.get("items") {
                self.write(items, below, w);
            }
            w.close_array();
        } else {
            self.members(schema, below, w);
        }
    }

    fn members(&mut self, schema: Value<'_>, depth: u32, w: &mut Writer<'_>) {
        let required = schema.get("required");
        w.open_object();
        let properties = schema.get("properties");
        for (name, member) in properties.into_iter().flat_map(Value::members) {
            let wanted = required.is_none_or(|names| {
                let mut names = names.elements().filter_map(Value::as_raw);
                names.any(|each| each.decode() == name.decode())
            });
            if wanted {
                w.name_raw(name);
                self.write(member, depth, w);
            }
        }
        w.close_object();
    }
}

/// Follows one reference into `$defs` or `definitions`.
fn resolved<'t>(schema: Value<'t>, root: Value<'t>) -> Value<'t> {
    let target = schema
        .get("$ref")
        .and_then(Value::as_raw)
        .and_then(|place| {
            let place = place.decode();
            let (folder, name) = place.strip_prefix("#/")?.split_once('/')?;
            root.get(folder)?.get(name)
        });
    target.unwrap_or(schema)
}

/// Levels that are filled in; below them is `null`.
const DEPTH_MAX: u32 = 16;
/// Values that are filled in; the rest is `null`.
const VALUES_MAX: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::example;
    use crate::json::tape::Tape;

    #[test]
    fn example_fits_the_schema_and_keeps_given_values_as_they_stand() {
        let cases = [
            ("{}", "{}"),
            (r#"{"type":"string"}"#, r#""stub""#),
            (r#"{"type":["integer","null"],"minimum":1.50}"#, "1.50"),
            (r#"{"enum":["a\u0062",2]}"#, r#""a\u0062""#),
            (
                r#"{"type":"object","properties":{"a":{"type":"boolean"},"b":{"default":null}},"required":["b"]}"#,
                r#"{"b":null}"#,
            ),
            (
                r##"{"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"array","items":{"const":3}}}}"##,
                r#"{"a":[3]}"#,
            ),
        ];
        for (schema, expected) in cases {
            let mut tape = Tape::new();
            let value = tape.read(schema.as_bytes(), 32, 1000).unwrap();
            let mut out = Vec::new();
            example(Some(value), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{schema}");
        }
    }

    #[test]
    fn example_of_a_schema_that_contains_itself_ends() {
        let text = br##"{"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"properties":{"a":{"$ref":"#/$defs/A"}}}}}"##;
        let mut tape = Tape::new();
        let value = tape.read(text, 32, 1000).unwrap();
        let mut out = Vec::new();
        example(Some(value), &mut out);
        assert!(tape.read(&out, 64, 1000).is_ok());
    }
}
