//! JSON schemas between the wires' subsets.
//!
//! Structured outputs of the Anthropic wire take a part of JSON Schema. [`rewrite`] keeps what is
//! taken as it stands, closes every object, and puts what is not taken into `description` as
//! words, so that the model still reads it. References within the schema stay, unless one leads
//! back to itself.
//!
//! Everything else is copied by span. Nesting is that of the request, which is bounded; work is
//! linear in the schema.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::json::raw::Raw;
use crate::json::scan::DEPTH_MAX;
use crate::json::tape::{JsonKind, Tape, Value};
use crate::json::write::Writer;
use crate::wire::common::read::decoded;

/// A schema in the target's subset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The schema.
    pub bytes: Vec<u8>,
    /// Something was put into words, or an open object closed.
    pub lossy: bool,
}

/// Why a schema cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaFault {
    /// Not an object.
    NotASchema,
    /// A reference leads back to itself.
    Recursive,
    /// A reference leads out of the schema, or to nothing in it.
    External,
}

impl SchemaFault {
    /// What is wrong, for the client.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotASchema => "expected an object",
            Self::Recursive => "the model takes no schema that refers to itself",
            Self::External => "the model takes references to `#/$defs/` only",
        }
    }
}

/// The schema `source` in the subset of structured outputs.
///
/// # Errors
/// When it cannot be said at all.
pub fn rewrite(source: &[u8]) -> Result<Rewritten, SchemaFault> {
    let mut tape = Tape::new();
    let root = read(&mut tape, source).ok_or(SchemaFault::NotASchema)?;
    references(root)?;
    let mut bytes = Vec::with_capacity(source.len() + source.len() / 4);
    let mut rewriter = Rewriter {
        w: Writer::new(&mut bytes),
        lossy: false,
    };
    rewriter.schema(root);
    let lossy = rewriter.lossy;
    Ok(Rewritten { bytes, lossy })
}

/// The schema with `"type":"object"`, if it names no type.
#[must_use]
pub fn with_type(source: &[u8]) -> Option<Vec<u8>> {
    let mut tape = Tape::new();
    let root = read(&mut tape, source)?;
    if root.get("type").is_some() {
        return None;
    }
    let mut out = Vec::with_capacity(source.len() + 16);
    let mut w = Writer::new(&mut out);
    w.open_object().name("type").string("object");
    for (name, value) in root.members() {
        w.name_raw(name).value(value.source());
    }
    w.close_object();
    Some(out)
}

/// Whether the schema asks for an object.
#[must_use]
pub fn is_object_schema(source: &[u8]) -> bool {
    let mut tape = Tape::new();
    let Some(root) = read(&mut tape, source) else {
        return false;
    };
    match root.get_set("type") {
        Some(kind) => kind.is_str("object"),
        None => {
            let choices = ["anyOf", "oneOf", "enum", "const", "items"];
            !choices.iter().any(|name| root.get(name).is_some())
        }
    }
}

/// `{"value": <schema>}` as a schema; definitions move to the new root, where references look.
#[must_use]
pub fn wrapped(source: &[u8]) -> Vec<u8> {
    let mut tape = Tape::new();
    let mut out = Vec::with_capacity(source.len() + 96);
    let root = read(&mut tape, source);
    let mut w = Writer::new(&mut out);
    w.open_object().name("type").string("object");
    w.name("properties").open_object().name("value");
    match root {
        None => {
            w.value(b"{}");
        }
        Some(root) => {
            w.open_object();
            for (name, value) in root.members().filter(|(name, _)| !is_definitions(*name)) {
                w.name_raw(name).value(value.source());
            }
            w.close_object();
        }
    }
    w.close_object();
    w.name("required")
        .open_array()
        .string("value")
        .close_array();
    w.name("additionalProperties").boolean(false);
    let members = root.into_iter().flat_map(Value::members);
    for (name, value) in members.filter(|(name, _)| is_definitions(*name)) {
        w.name_raw(name).value(value.source());
    }
    w.close_object();
    out
}

/// Whether OpenAI's strict mode takes the schema: every object closed, every property required.
#[must_use]
pub fn is_strict(source: &[u8]) -> bool {
    let mut tape = Tape::new();
    read(&mut tape, source).is_some_and(strict_below)
}

fn strict_below(value: Value<'_>) -> bool {
    if value.kind() == JsonKind::Array {
        return value.elements().all(strict_below);
    }
    if value.kind() != JsonKind::Object {
        return true;
    }
    strict_here(value)
        && value
            .members()
            .all(|(name, inner)| match decoded(name).as_ref() {
                // Names of the client's, schemas behind them.
                "properties" | "$defs" | "definitions" => {
                    inner.members().all(|(_, schema)| strict_below(schema))
                }
                "enum" | "const" | "default" | "examples" | "required" => true,
                _ => strict_below(inner),
            })
}

fn strict_here(value: Value<'_>) -> bool {
    let Some(properties) = value.get_set("properties") else {
        return !value.get("type").is_some_and(is_object_type) || closed(value);
    };
    let required: BTreeSet<Cow<'_, str>> = value
        .get_set("required")
        .into_iter()
        .flat_map(Value::elements)
        .filter_map(|name| name.as_raw().map(decoded))
        .collect();
    closed(value)
        && properties
            .members()
            .all(|(name, _)| required.contains(&decoded(name)))
}

fn closed(value: Value<'_>) -> bool {
    value.get("additionalProperties").and_then(Value::as_bool) == Some(false)
}

struct Rewriter<'o> {
    w: Writer<'o>,
    lossy: bool,
}

impl Rewriter<'_> {
    fn schema(&mut self, value: Value<'_>) {
        if value.kind() != JsonKind::Object {
            // `true`, `false`, or nonsense for the provider to judge.
            self.w.value(value.source());
            return;
        }
        self.w.open_object();
        let mut words = Vec::new();
        let doubled = value.get("anyOf").is_some();
        for (name, member) in value.members() {
            if (doubled && name.is("oneOf")) || !self.member(name, member) {
                words.push((name, member));
            }
        }
        self.describe(value.get_set("description"), &words);
        let open =
            value.get("type").is_some_and(is_object_type) || value.get("properties").is_some();
        if open {
            if value
                .get("additionalProperties")
                .is_some_and(|more| more.as_bool() != Some(false))
            {
                self.lossy = true;
            }
            if value.get_set("properties").is_none() && !closed(value) {
                // Any members before, none now.
                self.lossy = true;
            }
            self.w.name("additionalProperties").boolean(false);
        }
        self.w.close_object();
    }

    /// Writes a member that is taken; `description` and the closing of objects come after all.
    fn member(&mut self, name: Raw<'_>, value: Value<'_>) -> bool {
        match decoded(name).as_ref() {
            "description" | "additionalProperties" => {}
            "type" | "enum" | "const" | "required" | "title" | "default" | "$ref" => {
                self.w.name_raw(name).value(value.source());
            }
            "properties" | "$defs" | "definitions" => {
                self.w.name_raw(name).open_object();
                for (key, inner) in value.members() {
                    self.w.name_raw(key);
                    self.schema(inner);
                }
                self.w.close_object();
            }
            "items" if value.kind() == JsonKind::Object => {
                self.w.name("items");
                self.schema(value);
            }
            "anyOf" | "oneOf" | "allOf" => self.list(name, value),
            "minItems" if value.as_u64().is_some_and(|least| least <= 1) => {
                self.w.name("minItems").value(value.source());
            }
            "format" if FORMATS.iter().any(|known| value.is_str(known)) => {
                self.w.name("format").value(value.source());
            }
            "pattern" if value.as_raw().is_some_and(is_simple_pattern) => {
                self.w.name("pattern").value(value.source());
            }
            "$schema" | "$id" | "$comment" => {}
            _ => return false,
        }
        true
    }

    fn list(&mut self, name: Raw<'_>, value: Value<'_>) {
        match name.is("oneOf") {
            true => self.w.name("anyOf"),
            false => self.w.name_raw(name),
        };
        self.w.open_array();
        for inner in value.elements() {
            self.schema(inner);
        }
        self.w.close_array();
    }

    /// The description, with what the subset has no member for put into words behind it.
    fn describe(&mut self, description: Option<Value<'_>>, words: &[(Raw<'_>, Value<'_>)]) {
        let own = description.and_then(Value::as_raw).unwrap_or(Raw::EMPTY);
        if words.is_empty() {
            if description.is_some() {
                self.w.name("description").raw(own);
            }
            return;
        }
        self.lossy = true;
        let mut text = own.bytes().to_vec();
        for (name, value) in words {
            if !text.is_empty() {
                text.extend_from_slice(b"; ");
            }
            text.extend_from_slice(name.bytes());
            text.extend_from_slice(b": ");
            match value.as_raw() {
                Some(raw) => text.extend_from_slice(raw.bytes()),
                None => escape(value.source(), &mut text),
            }
        }
        self.w.name("description").raw(Raw::from_checked(&text));
    }
}

/// Checks that references stay within the schema and none leads back to itself.
///
/// Definitions are nodes, references arrows; what is left when no node without an open arrow
/// remains is a circle.
fn references(root: Value<'_>) -> Result<(), SchemaFault> {
    let mut paths = BTreeMap::new();
    let mut bodies = vec![root];
    for (group, list) in root.members().filter(|(name, _)| is_definitions(*name)) {
        for (name, schema) in list.members() {
            let path = format!("#/{}/{}", group.decode(), name.decode());
            paths.insert(path, bodies.len());
            bodies.push(schema);
        }
    }
    let mut arrows = Vec::new();
    for (at, body) in bodies.iter().enumerate() {
        let mut found = Vec::new();
        collect(*body, at == 0, &mut found);
        let targets: Result<Vec<usize>, SchemaFault> = found
            .iter()
            .map(|path| match paths.get(path) {
                Some(&target) => Ok(target),
                None if path == "#" => Err(SchemaFault::Recursive),
                None => Err(SchemaFault::External),
            })
            .collect();
        arrows.push(targets?);
    }
    if has_circle(&arrows) {
        return Err(SchemaFault::Recursive);
    }
    Ok(())
}

/// The references in `value`; at the root, definitions are bodies of their own.
fn collect(value: Value<'_>, is_root: bool, found: &mut Vec<String>) {
    for (name, inner) in value.members() {
        match inner.as_raw() {
            Some(path) if name.is("$ref") => found.push(path.decode()),
            _ if is_root && is_definitions(name) => {}
            _ => collect(inner, false, found),
        }
    }
    for inner in value.elements() {
        collect(inner, false, found);
    }
}

fn has_circle(arrows: &[Vec<usize>]) -> bool {
    let mut incoming = vec![0usize; arrows.len()];
    for &target in arrows.iter().flatten() {
        if let Some(count) = incoming.get_mut(target) {
            *count += 1;
        }
    }
    let mut free: Vec<usize> = (0..arrows.len())
        .filter(|&at| incoming.get(at) == Some(&0))
        .collect();
    let mut gone = 0;
    while let Some(at) = free.pop() {
        gone += 1;
        for &target in arrows.get(at).into_iter().flatten() {
            let Some(count) = incoming.get_mut(target) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                free.push(target);
            }
        }
    }
    gone < arrows.len()
}

fn read<'t>(tape: &'t mut Tape, source: &'t [u8]) -> Option<Value<'t>> {
    let root = tape.read(source, DEPTH_MAX, usize::MAX).ok()?;
    (root.kind() == JsonKind::Object).then_some(root)
}

fn is_definitions(name: Raw<'_>) -> bool {
    name.is("$defs") || name.is("definitions")
}

/// `"object"`, or a list with it.
fn is_object_type(kind: Value<'_>) -> bool {
    kind.is_str("object") || kind.elements().any(|kind| kind.is_str("object"))
}

/// Whether the expression is one that every engine reads alike: no groups with a meaning, no
/// references back, no word borders.
fn is_simple_pattern(pattern: Raw<'_>) -> bool {
    let pattern = pattern.decode();
    let complex = ["(?", "\\b", "\\B", "\\p", "\\P", "\\k"];
    let back = |window: &[u8]| matches!(window, [b'\\', b'1'..=b'9']);
    !complex.iter().any(|sign| pattern.contains(sign)) && !pattern.as_bytes().windows(2).any(back)
}

fn escape(source: &[u8], out: &mut Vec<u8>) {
    if let Ok(text) = core::str::from_utf8(source) {
        crate::json::write::escape_into(text, out);
    }
}

/// String formats of the subset.
const FORMATS: [&str; 10] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];
#[cfg(test)]
mod tests;
