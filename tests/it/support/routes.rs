//! Requests that are routed, targets that do well or fail, and what is told of both.

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::Answer;
use crate::support::gateway::{Gateway, MODEL};
use crate::support::http::{answer, json, post};
use crate::support::script::{Script, always};
use crate::support::wires::{chat, error_body, path, whole};

/// Asks for a whole answer with these fields and, at the start of the body, members.
pub(crate) fn ask(gateway: &Gateway, wire: Wire, fields: &str, members: &str) -> Answer {
    let body = chat(wire, MODEL, false).replacen('{', &format!("{{{members}"), 1);
    gateway.client().ask(post(path(wire), fields, body))
}

/// Asks for the usual chat, whole or streamed.
pub(crate) fn ask_chat(gateway: &Gateway, wire: Wire, stream: bool) -> Answer {
    let body = chat(wire, MODEL, stream);
    gateway.client().ask(post(path(wire), "", body))
}

/// A target that answers whole.
pub(crate) fn good(wire: Wire) -> Script {
    always(json(whole(wire)))
}

/// A target that answers with this status and these fields.
pub(crate) fn failing(status: &str, fields: &str, wire: Wire) -> Script {
    let fields = format!("content-type: application/json\r\n{fields}");
    let body = error_body(wire, "some_error", "no luck");
    always(answer(status, &fields, body))
}

/// The words of a log line for what decided.
pub(crate) fn words(line: &Value) -> Vec<&str> {
    let route = line["route"].as_array();
    let words = route.into_iter().flatten();
    words.map(|word| word.as_str().unwrap()).collect()
}

/// How providers and targets stand.
pub(crate) fn routing(gateway: &Gateway) -> Value {
    let got = gateway.ask_api("GET", "/api/routing", "");
    assert_eq!(got.status, 200);
    got.json()
}
