//! Times as operators write and read them: UTC, a day or a second, as RFC 3339 has them.

use crate::http1::date::{civil, days};

/// Unix milliseconds of `2027-01-31` (its first moment) or `2027-01-31T08:30:00Z`, from 1970 to 9999.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, Some(time.strip_suffix('Z')?)),
        None => (text, None),
    };
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let [hour, minute, second] = match time {
        Some(time) => numbers(time, ':', [2, 2, 2])?,
        None => [0; 3],
    };
    let is_date = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    is_date.then_some(seconds * 1_000)
}

/// Milliseconds of a span such as `90s`, `15m`, `24h` or `7d`; at most a hundred years.
#[must_use]
pub fn span(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let unit_ms: u64 = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let digits = text.strip_suffix(unit)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| is_number)?;
    count.checked_mul(unit_ms).filter(|ms| *ms <= SPAN_MAX_MS)
}

/// A moment: what [`parse`] reads, or a span that lies so far before now. None lies before 1970.
#[must_use]
pub fn moment(text: &str, now_ms: u64) -> Option<u64> {
    parse(text).or_else(|| Some(now_ms.saturating_sub(span(text)?)))
}

/// What [`moment`] reads, for messages.
pub const EXPECTED_MOMENT: &str = "expected a day (2027-01-31), a second (2027-01-31T08:30:00Z) or \
                                   a span until now (90s, 15m, 24h, 7d)";

/// `2027-01-31T08:30:00Z`; parts of a second are left out.
#[must_use]
pub fn text(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (year, month, day) = civil(seconds / 86_400);
    let second = seconds % 86_400;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let second = second % 60;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

const fn days_of(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Three numbers of exactly so many digits.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut found = [0; 3];
    let mut parts = text.split(between);
    for (place, digits) in found.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        *place = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(found)
}

/// Longest span: a hundred years.
const SPAN_MAX_MS: u64 = 36_525 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::{parse, span, text};

    #[test]
    fn every_day_of_five_centuries_reads_back_as_it_was_written() {
        for day in 0..5 * 146_097_u64 / 4 {
            let said = text(day * 86_400_000 + 3_661_000);
            assert_eq!(parse(&said), Some(day * 86_400_000 + 3_661_000), "{said}");
            let (date, _) = said.split_once('T').unwrap();
            assert_eq!(parse(date), Some(day * 86_400_000), "{said}");
        }
        assert_eq!(text(1_798_761_599_999), "2026-12-31T23:59:59Z");
        assert_eq!(parse("2000-02-29"), Some(951_782_400_000));
    }

    #[test]
    fn spans_are_a_number_and_a_unit() {
        for (said, ms) in [
            ("90s", Some(90_000)),
            ("15m", Some(900_000)),
            ("24h", Some(86_400_000)),
            ("36525d", Some(3_155_760_000_000)),
            ("36526d", None),
            ("99999999999999999999d", None),
            ("0s", Some(0)),
            ("", None),
            ("h", None),
            ("24", None),
            ("-1h", None),
            ("+1h", None),
            ("1é", None),
        ] {
            assert_eq!(span(said), ms, "{said}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for wrong in [
            "",
            "2027",
            "2027-13-01",
            "2027-00-01",
            "2027-02-29",
            "2100-02-29",
            "1969-12-31",
            "2027-1-31",
            "2027-01-31T",
            "2027-01-31T08:30:00",
            "2027-01-31T08:30Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T08:60:00Z",
            "2027-01-31T08:30:60Z",
            "2027-01-31 08:30:00Z",
            "+027-01-31",
            "2027-01-31-01",
            "tomorrow",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
