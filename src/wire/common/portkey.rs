//! Portkey's spelling of server tools: `{"type":"web_search","web_search":{"name":"web_search_2025…"}}`.
//!
//! The version stands where the name belongs and the name where the version does; both are
//! swapped: `{"type":"web_search_2025…","name":"web_search",…}`. On a body of the Anthropic wire
//! that is otherwise sent as it stands, [`tool_edits`] names the spans to replace.

use core::ops::Range;

use crate::json::tape::{JsonKind, Value};
use crate::json::write::Writer;

/// Type, name and source of the tool that `value` spells in Portkey's way, if it does.
#[must_use]
pub fn swapped_tool(value: Value<'_>) -> Option<(String, String, Vec<u8>)> {
    let outer = value.get_set("type")?.as_raw()?;
    let inner = value
        .members()
        .find(|(name, _)| name.bytes() == outer.bytes())
        .map(|(_, inner)| inner)
        .filter(|inner| inner.kind() == JsonKind::Object)?;
    let kind = inner.get_set("name")?.as_raw()?;
    if outer.is("function") || outer.is("custom") {
        return None;
    }
    let mut source = Vec::new();
    let mut w = Writer::new(&mut source);
    w.open_object();
    w.name("type").raw(kind).name("name").raw(outer);
    for (name, member) in inner.members() {
        if !name.is("name") && !name.is("type") {
            w.name_raw(name).value(member.source());
        }
    }
    for (name, member) in value.members() {
        if !name.is("type") && !name.is("name") && name.bytes() != outer.bytes() {
            w.name_raw(name).value(member.source());
        }
    }
    w.close_object();
    Some((kind.decode(), outer.decode(), source))
}

/// Spans of a body of the Anthropic wire to replace, and what with; nothing in almost all bodies.
#[must_use]
pub fn tool_edits(root: Value<'_>) -> Vec<(Range<usize>, Vec<u8>)> {
    let Some(tools) = root.get_set("tools") else {
        return Vec::new();
    };
    let edit = |tool: Value<'_>| Some((tool.span(), swapped_tool(tool)?.2));
    tools.elements().filter_map(edit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::tape::Tape;

    #[test]
    fn a_tool_with_a_name_beside_its_type_comes_out_with_one() {
        let body = br#"{"tools":[{"type":"x","x":{"name":"kind_1"},"name":"real","a":1}]}"#;
        let mut tape = Tape::new();
        let edits = tool_edits(tape.read(body, 16, 100).unwrap());
        assert_eq!(edits[0].1, br#"{"type":"kind_1","name":"x","a":1}"#);
    }

    #[test]
    fn pk9_edits_swap_type_and_name_and_touch_nothing_else() {
        let body = br#"{"tools":[{"name":"f","input_schema":{}}, {"type":"web_search","web_search":{"name":"web_search_20250305","max_uses":2}}]}"#;
        let mut tape = Tape::new();
        let edits = tool_edits(tape.read(body, 16, 100).unwrap());
        let [(span, bytes)] = edits.as_slice() else {
            panic!("one edit expected, found {edits:?}")
        };
        assert!(body[span.clone()].starts_with(br#"{"type":"web_search","#));
        let expected = br#"{"type":"web_search_20250305","name":"web_search","max_uses":2}"#;
        assert_eq!(bytes, expected);
    }
}
