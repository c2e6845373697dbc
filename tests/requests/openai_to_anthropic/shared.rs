//! What the tables of this direction have in common.

use serde_json::Value;

use crate::support::{Run, chat, json};

/// Takes temperature, effort and budgets apart from each other: nothing special.
pub(crate) const PLAIN: &str = "claude-sonnet-4-20250514";
pub(crate) const OPUS_5: &str = "claude-opus-5";
pub(crate) const OPUS_4_5: &str = "claude-opus-4-5";
pub(crate) const SONNET_4_5: &str = "claude-sonnet-4-5";

/// One member in, one member out (`null`: absent), and the notes.
#[track_caller]
pub(crate) fn check(model: &str, members: &str, name: &str, expected: &str, notes: &str) {
    let out = Run::to_anthropic(model).ok(&chat(members));
    let found = out.json.get(name).cloned().unwrap_or(Value::Null);
    assert_eq!(found, json(expected), "{members} at {model}: {}", out.json);
    assert_eq!(out.notes, notes, "{members} at {model}");
}
