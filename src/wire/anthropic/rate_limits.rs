//! Rate limits in response heads of the Anthropic wire:
//! `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}`, a reset as an RFC 3339 time.

use crate::chat::rate_limit::{Figure, Measure, RateLimit};
use crate::http1::date::{civil, days};
use crate::wire::common::time_text::{digits, text_of, whole};

/// What field names begin with.
pub const PREFIX: &str = "anthropic-ratelimit-";

/// What a field says, by its name in lower case; `now_ms`: milliseconds since 1970.
#[must_use]
pub fn read<'v>(name: &str, value: &'v str, now_ms: u64) -> Option<RateLimit<'v>> {
    let (measure, figure) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let left_ms = |time: &str| Some(rfc3339_ms(time)?.saturating_sub(now_ms));
    Some(RateLimit {
        measure: Measure::from_name(measure)?,
        figure: Figure::read(figure, value, left_ms)?,
    })
}

/// Name and value of the field that says it; nothing where its time is past what a clock can say.
#[must_use]
pub fn write(limit: &RateLimit<'_>, now_ms: u64) -> Option<(String, String)> {
    let (figure, measure) = (limit.figure.name(), limit.measure.name());
    if let Figure::Reset(ms) = limit.figure {
        now_ms.checked_add(ms)?;
    }
    let name = format!("{PREFIX}{measure}-{figure}");
    let time = |ms: u64| rfc3339(now_ms.saturating_add(ms));
    Some((name, limit.figure.value(time)))
}

/// Milliseconds since 1970 of an RFC 3339 time.
#[must_use]
pub fn rfc3339_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1970..=9999).contains(&year) {
        return None;
    }
    let (clock, offset_minutes) = zone(time)?;
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second: f64 = parts.next()?.parse().ok()?;
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && (0.0..61.0).contains(&second);
    if !in_range || parts.next().is_some() {
        return None;
    }
    let days = i64::try_from(days(year, month, day)).ok()?;
    let minutes = days * 1440 + hour * 60 + minute - offset_minutes;
    let ms = minutes.checked_mul(60_000)?;
    u64::try_from(ms).ok()?.checked_add(whole(second * 1000.0)?)
}

/// An RFC 3339 time in UTC, to the second (rounded up: a limit is not open before).
#[must_use]
pub fn rfc3339(ms: u64) -> String {
    text_of(|out| write_rfc3339(ms, out))
}

/// Appends an RFC 3339 time in UTC, to the second (rounded up).
pub fn write_rfc3339(ms: u64, out: &mut Vec<u8>) {
    let seconds = ms.div_ceil(1000);
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    for (value, count, end) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (clock / 3600, 2, b':'),
        (clock / 60 % 60, 2, b':'),
        (clock % 60, 2, b'Z'),
    ] {
        digits(value, count, out);
        out.push(end);
    }
}

/// The clock part and the zone's offset in minutes.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (clock, offset) = time.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some((clock, sign * (hours * 60 + minutes)))
}

fn number(digits: &str) -> Option<i64> {
    let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}
