//! What the head of a provider's answer says of its content.

use crate::proxy::upstream::Upstream;

/// What the content type of a success says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// One document.
    Json,
    /// A stream.
    Events,
    /// No content type at all.
    Unnamed,
    /// A page: what stands before providers says so of itself.
    Page,
    /// Anything else.
    Other,
}

/// What an answer's head says of its body.
#[must_use]
pub fn content_kind(upstream: &Upstream) -> Content {
    let Some(value) = upstream.head.field(&upstream.buf, "content-type") else {
        return Content::Unnamed;
    };
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let media = value.get(..end).unwrap_or_default().trim_ascii();
    let is = |name: &[u8]| media.eq_ignore_ascii_case(name);
    let suffix = media.len().saturating_sub(b"+json".len());
    let suffix = media.get(suffix..).unwrap_or_default();
    if media.is_empty() {
        Content::Unnamed
    } else if is(b"application/json") || suffix.eq_ignore_ascii_case(b"+json") {
        Content::Json
    } else if is(b"text/event-stream") {
        Content::Events
    } else if is(b"text/html") || is(b"application/xhtml+xml") {
        Content::Page
    } else {
        Content::Other
    }
}

/// Whether the body is compressed.
#[must_use]
pub fn is_encoded(upstream: &Upstream) -> bool {
    upstream
        .head
        .fields
        .values(&upstream.buf, "content-encoding")
        .any(|value| !value.is_empty() && !value.eq_ignore_ascii_case(b"identity"))
}

/// The length that an answer to HEAD declares.
#[must_use]
pub fn declared_length(upstream: &Upstream) -> Option<u64> {
    let value = upstream.head.field(&upstream.buf, "content-length")?;
    core::str::from_utf8(value).ok()?.parse().ok()
}
