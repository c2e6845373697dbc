//! Rate limits in response heads of the OpenAI wire: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`,
//! a reset as a duration (`6m0s`).

use crate::chat::rate_limit::{Figure, Measure, RateLimit};
use crate::json::write::number_into;
use crate::wire::common::time_text::{digits, text_of, whole};

/// What field names begin with.
pub const PREFIX: &str = "x-ratelimit-";

/// What a field says, by its name in lower case.
#[must_use]
pub fn read<'v>(name: &str, value: &'v str) -> Option<RateLimit<'v>> {
    let (figure, measure) = name.strip_prefix(PREFIX)?.split_once('-')?;
    Some(RateLimit {
        measure: Measure::from_name(measure)?,
        figure: Figure::read(figure, value, duration_ms)?,
    })
}

/// Name and value of the field that says it.
#[must_use]
pub fn write(limit: &RateLimit<'_>) -> (String, String) {
    let (figure, measure) = (limit.figure.name(), limit.measure.name());
    let name = format!("{PREFIX}{figure}-{measure}");
    (name, limit.figure.value(duration))
}

/// Milliseconds of a duration as OpenAI writes it: `8.64s`, `6m0s`, `1h2m3s`, `12ms`.
#[must_use]
pub fn duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at_checked(end)?;
        let units = [
            ("ms", 1.0),
            ("h", 3_600_000.0),
            ("m", 60_000.0),
            ("s", 1000.0),
        ];
        let found = units
            .iter()
            .find_map(|(unit, ms)| Some((after.strip_prefix(unit)?, ms)));
        let (after, ms) = found?;
        let amount = digits.parse::<f64>().ok()? * ms;
        total = total.checked_add(whole(amount)?)?;
        rest = after;
    }
    Some(total)
}

/// A duration as OpenAI writes it.
#[must_use]
pub fn duration(ms: u64) -> String {
    text_of(|out| write_duration(ms, out))
}

/// Appends a duration as OpenAI writes it.
pub fn write_duration(ms: u64, out: &mut Vec<u8>) {
    if ms < 1000 {
        number_into(ms, out);
        return out.extend_from_slice(b"ms");
    }
    let (seconds, thousandths) = (ms / 1000, ms % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        number_into(hours, out);
        out.push(b'h');
    }
    if hours > 0 || minutes > 0 {
        number_into(minutes, out);
        out.push(b'm');
    }
    number_into(seconds, out);
    if thousandths > 0 {
        out.push(b'.');
        let (part, count) = match thousandths {
            whole if whole % 100 == 0 => (whole / 100, 1),
            whole if whole % 10 == 0 => (whole / 10, 2),
            whole => (whole, 3),
        };
        digits(part, count, out);
    }
    out.push(b's');
}
