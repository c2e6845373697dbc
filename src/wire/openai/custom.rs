//! Custom tools: free text in, where the Anthropic wire has JSON objects only.
//!
//! Such a tool was declared upstream with one string member called `input`; a call's text is that
//! member's value.

use crate::json::raw::Raw;
use crate::json::scan::DEPTH_MAX;
use crate::json::tape::{Tape, Value};
use crate::limits::EVENT_VALUES_MAX;

/// Hands the text of a call to `sink`. Arguments of another shape than the declared one are the
/// text as they stand: a call never loses what the model said.
pub fn with_input(arguments: Raw<'_>, tape: &mut Tape, sink: impl FnOnce(Raw<'_>)) {
    let mut json = Vec::new();
    arguments.decode_into(&mut json);
    let read = tape.read(&json, DEPTH_MAX, EVENT_VALUES_MAX).ok();
    let input = read
        .and_then(|root| root.get("input"))
        .and_then(Value::as_raw);
    sink(input.unwrap_or(arguments));
}
