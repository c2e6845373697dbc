//! What the tables of this direction have in common.

use serde_json::Value;

use crate::support::{Run, json, messages};

pub(crate) const GPT_4O: &str = "gpt-4o";
pub(crate) const GPT_5: &str = "gpt-5";
pub(crate) const GPT_5_6: &str = "gpt-5.6";
pub(crate) const LOCAL: &str = "some-local-model";

#[track_caller]
pub(crate) fn check(run: &Run<'_>, members: &str, name: &str, expected: &str, notes: &str) {
    let out = run.ok(&messages(members));
    let found = out.json.get(name).cloned().unwrap_or(Value::Null);
    assert_eq!(found, json(expected), "{members}: {}", out.json);
    assert_eq!(out.notes, notes, "{members}");
}

/// A request with these messages and a tool `f`.
pub(crate) fn conversation(list: &str) -> String {
    format!(
        r#"{{"model":"m","max_tokens":9,"messages":{list},"tools":[{{"name":"f","input_schema":{{"type":"object"}}}}]}}"#
    )
}
