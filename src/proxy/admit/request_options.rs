//! The head's fields with which a client steers the gateway itself, judged before any routing.
//!
//! Such a field is never ignored: what it says is done, or the request is refused, whichever
//! target it would have gone to.

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::config::schema::file::TargetOrder;
use crate::http1::head::RequestHead;

/// Why the fields of this head cannot be obeyed, if so.
#[must_use]
pub fn fault(head: &RequestHead, buf: &[u8]) -> Option<Rejection> {
    let refused = |message: &'static str, word, param: &'static str| {
        Rejection::new(ErrorKind::InvalidRequest, message, word).with_param(param)
    };
    if names_two_providers(head, buf) {
        let message = "x-ringway-provider and x-portkey-provider: expected one provider, found two; \
                       send one of the two headers, once";
        return Some(refused(message, "two_providers", PROVIDERS[0]));
    }
    for (name, message) in [
        (STRICT, "x-ringway-strict: expected one value, found two"),
        (
            REASONING,
            "x-ringway-reasoning: expected one value, found two",
        ),
        (ROUTING, "x-ringway-routing: expected one value, found two"),
    ] {
        if says_two(head.fields.values(buf, name)) {
            return Some(refused(message, "bad_wish", name));
        }
    }
    if head.field(buf, STRICT).is_some_and(|v| flag(v).is_none()) {
        let message = "x-ringway-strict: expected 1 or 0";
        return Some(refused(message, "bad_wish", STRICT));
    }
    if head
        .field(buf, REASONING)
        .is_some_and(|value| !CARRIERS.contains(&value))
    {
        let message = "x-ringway-reasoning: expected none, text, details, thinking_blocks or \
                       content_blocks";
        return Some(refused(message, "bad_wish", REASONING));
    }
    if head
        .field(buf, ROUTING)
        .is_some_and(|value| order(value).is_none())
    {
        let message = BAD_ROUTING;
        return Some(refused(message, "bad_wish", ROUTING));
    }
    None
}

/// The rejection of a provider header that names nobody.
#[must_use]
pub fn unknown_provider() -> Rejection {
    let message = "the provider header names no configured provider";
    Rejection::new(ErrorKind::InvalidRequest, message, "unknown_provider")
}

/// The order that a word of [`ROUTING`] or of the body's `routing` asks for.
#[must_use]
pub fn order(word: &[u8]) -> Option<TargetOrder> {
    if word == b"price" {
        return Some(TargetOrder::Cost);
    }
    let mut all = TargetOrder::ALL.into_iter();
    all.find(|order| order.name().as_bytes() == word)
}

/// The client's own id of a trace, if a header holds one that can be repeated.
#[must_use]
pub fn trace_id<'b>(head: &RequestHead, buf: &'b [u8]) -> Option<&'b str> {
    let said = TRACES.iter().find_map(|name| head.field(buf, name))?;
    let is_visible = |byte: &u8| matches!(byte, 0x21..=0x7E);
    let is_good = (1..=TRACE_BYTES_MAX).contains(&said.len()) && said.iter().all(is_visible);
    core::str::from_utf8(said).ok().filter(|_| is_good)
}

/// Whether a header names the provider of a bare model.
pub fn names_provider(head: &RequestHead, buf: &[u8]) -> bool {
    PROVIDERS.iter().any(|name| head.field(buf, name).is_some())
}

/// Whether the headers that name a provider contradict each other; an `@` makes no difference.
fn names_two_providers(head: &RequestHead, buf: &[u8]) -> bool {
    let values = PROVIDERS
        .iter()
        .flat_map(|name| head.fields.values(buf, name));
    says_two(values.map(|value| value.strip_prefix(b"@").unwrap_or(value)))
}

/// Whether a field stands with two different values.
fn says_two<'b>(mut values: impl Iterator<Item = &'b [u8]>) -> bool {
    let first = values.next();
    first.is_some_and(|first| values.any(|value| value != first))
}

/// What a switch says.
#[must_use]
pub fn flag(value: &[u8]) -> Option<bool> {
    match value {
        b"1" => Some(true),
        b"0" => Some(false),
        _ if value.eq_ignore_ascii_case(b"true") => Some(true),
        _ if value.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// Name the provider of a bare model.
pub const PROVIDERS: [&str; 2] = ["x-ringway-provider", "x-portkey-provider"];
/// Overrides the order of a model's targets.
pub const ROUTING: &str = "x-ringway-routing";
/// What is said of a value of it that means nothing.
pub const BAD_ROUTING: &str =
    "x-ringway-routing: expected priority, weighted, latency, throughput, cost or price";
/// Name the session that a request belongs to.
pub const SESSIONS: [&str; 2] = ["x-session-id", "x-session-affinity"];
/// Carry a client's own id of a trace.
const TRACES: [&str; 2] = ["x-ringway-trace-id", "x-portkey-trace-id"];
/// Longest id of a trace that is repeated.
const TRACE_BYTES_MAX: usize = 128;
/// Turns losses of a translation into refusals.
pub const STRICT: &str = "x-ringway-strict";
/// Overrides the members that carry reasoning in translated answers.
pub const REASONING: &str = "x-ringway-reasoning";

/// What [`REASONING`] may say; the translator reads the same words.
const CARRIERS: [&[u8]; 5] = [
    b"none",
    b"text",
    b"details",
    b"thinking_blocks",
    b"content_blocks",
];
