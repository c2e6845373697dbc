//! What the head of a provider's answer says of its content.

use crate::http1::date;
use crate::proxy::upstream::attempt::Upstream;

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

/// For how many milliseconds the provider asks to be left alone. A date is held against the one that
/// the answer itself bears: its clock is not ours.
#[must_use]
pub fn retry_after_ms(upstream: &Upstream) -> Option<u64> {
    let number = |name| {
        let value = upstream.head.field(&upstream.buf, name)?;
        core::str::from_utf8(value).ok()
    };
    let exact = number("retry-after-ms").and_then(|text| thousandths(text, 1));
    let date = |name| {
        upstream
            .head
            .field(&upstream.buf, name)
            .and_then(date::read)
    };
    let by_date = || {
        let seconds = date("retry-after")?.saturating_sub(date("date")?);
        Some(seconds.saturating_mul(1_000))
    };
    exact
        .or_else(|| thousandths(number("retry-after")?, 1_000))
        .or_else(by_date)
}

/// A plain decimal, times `unit`, what lies behind thousandths dropped.
fn thousandths(text: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    let part = fraction.parse::<u64>().ok()?.saturating_mul(unit) / 1_000;
    let whole = whole.parse().unwrap_or(u64::MAX);
    Some(whole.saturating_mul(unit).saturating_add(part))
}

#[cfg(test)]
mod tests {
    use super::thousandths;

    #[test]
    fn lg10_retry_after_is_a_plain_decimal_or_nothing() {
        for (text, unit, expected) in [
            ("9", 1_000, Some(9_000)),
            ("0", 1_000, Some(0)),
            ("1.5", 1_000, Some(1_500)),
            ("0.0619", 1_000, Some(61)),
            ("250", 1, Some(250)),
            ("250.9", 1, Some(250)),
            ("99999999999999999999999", 1_000, Some(u64::MAX)),
            ("", 1_000, None),
            ("-1", 1_000, None),
            ("1e3", 1_000, None),
            (".5", 1_000, None),
            ("5.", 1_000, None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", 1_000, None),
        ] {
            assert_eq!(thousandths(text, unit), expected, "{text}");
        }
    }
}
