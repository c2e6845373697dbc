//! Response headers across wires: rate limits and what to do about them.
//!
//! `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}` and
//! `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` are each other's forms; a reset is a
//! time (RFC 3339) on the one wire and a duration (`6m0s`) on the other, counted from `now`.
//! `retry-after`, `retry-after-ms` and `x-should-retry` mean the same on both.
//!
//! Not here: request ids, and headers on the same wire.

use crate::http1::date::{civil, days};
use crate::json::write::number_into;
use crate::wire::kind::Wire;

/// Gives `sink` the client's form of those of a provider's response fields that cross.
/// `now_ms`: milliseconds since 1970.
pub fn map<'b>(
    wires: (Wire, Wire),
    fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    now_ms: u64,
    mut sink: impl FnMut(&str, &[u8]),
) {
    for (name, value) in fields {
        let same = SAME
            .iter()
            .find(|same| name.eq_ignore_ascii_case(same.as_bytes()));
        if let Some(same) = same {
            sink(same, value);
            continue;
        }
        let text = |bytes| core::str::from_utf8(bytes).ok();
        if let (Some(name), Some(value)) = (text(name), text(value))
            && let Some((name, value)) = rate_limit(wires, name, value, now_ms)
        {
            sink(&name, value.as_bytes());
        }
    }
}

fn rate_limit(
    wires: (Wire, Wire),
    name: &str,
    value: &str,
    now_ms: u64,
) -> Option<(String, String)> {
    // Nearly all fields are others: those cost no copy of their name.
    let start = match wires.0 {
        Wire::AnthropicMessages => "anthropic-ratelimit-",
        Wire::OpenAiChat => "x-ratelimit-",
    };
    name.get(..start.len())
        .filter(|it| it.eq_ignore_ascii_case(start))?;
    let name = name.to_ascii_lowercase();
    match wires {
        (Wire::AnthropicMessages, Wire::OpenAiChat) => {
            let (what, measure) = name.strip_prefix(start)?.split_once('-')?;
            known(what, measure)?;
            let value = match measure {
                "reset" => duration(rfc3339_ms(value)?.saturating_sub(now_ms)),
                _ => count(value)?,
            };
            Some((format!("x-ratelimit-{measure}-{what}"), value))
        }
        (Wire::OpenAiChat, Wire::AnthropicMessages) => {
            let (measure, what) = name.strip_prefix(start)?.split_once('-')?;
            known(what, measure)?;
            let value = match measure {
                "reset" => rfc3339(now_ms.checked_add(duration_ms(value)?)?),
                _ => count(value)?,
            };
            Some((format!("anthropic-ratelimit-{what}-{measure}"), value))
        }
        (Wire::OpenAiChat, Wire::OpenAiChat)
        | (Wire::AnthropicMessages, Wire::AnthropicMessages) => None,
    }
}

/// One value for `anthropic-beta` from several: each flag once, in order, those that `keep` refuses
/// left out and listed behind.
#[must_use]
pub fn betas<'v>(
    values: impl IntoIterator<Item = &'v str>,
    keep: impl Fn(&str) -> bool,
) -> (Option<String>, Vec<&'v str>) {
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    let flags = values.into_iter().flat_map(|value| value.split(','));
    for flag in flags.map(str::trim) {
        let plain = (1..=BETA_BYTES_MAX).contains(&flag.len());
        if !plain || !flag.bytes().all(|b| b.is_ascii_graphic()) {
            continue;
        }
        let list = if keep(flag) { &mut kept } else { &mut left };
        if list.len() < BETAS_MAX && !list.contains(&flag) {
            list.push(flag);
        }
    }
    ((!kept.is_empty()).then(|| kept.join(",")), left)
}

fn known(what: &str, measure: &str) -> Option<()> {
    let known = ["requests", "tokens"].contains(&what)
        && ["limit", "remaining", "reset"].contains(&measure);
    known.then_some(())
}

/// A plain number, so that nothing else can travel as one.
fn count(value: &str) -> Option<String> {
    let value = value.trim();
    let plain = (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| value.to_owned())
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

fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut text = Vec::with_capacity(24);
    write(&mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Appends the last so many digits of a number, four at most.
fn digits(mut value: u64, count: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 4];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    let start = digits.len().saturating_sub(count);
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
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

/// A number of milliseconds, rounded; nothing past what a limit can mean.
fn whole(ms: f64) -> Option<u64> {
    const MS_MAX: f64 = 1e13;
    if !(0.0..=MS_MAX).contains(&ms) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range"
    )]
    Some(ms.round() as u64)
}

/// Fields that mean the same on both wires.
const SAME: [&str; 3] = ["retry-after", "retry-after-ms", "x-should-retry"];

/// Longest flag, and most flags, of `anthropic-beta`.
const BETA_BYTES_MAX: usize = 128;
const BETAS_MAX: usize = 64;
