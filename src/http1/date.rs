//! Dates in heads: a second as RFC 9110, 5.6.7 writes it.

/// Length of a whole field line: `date: Sun, 06 Nov 1994 08:49:37 GMT` and its CRLF.
pub const DATE_LINE_BYTES: usize = 37;

/// The field line of a second since 1970.
#[must_use]
pub fn date_line(unix_seconds: u64) -> [u8; DATE_LINE_BYTES] {
    let mut line = *b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
    let days = unix_seconds / 86_400;
    let (year, month, day) = civil(days);
    let second = unix_seconds % 86_400;
    let name = |names: &'static [u8], at: u64| {
        let start = usize::try_from(at * 3).unwrap_or(0);
        names.get(start..start + 3).unwrap_or_default()
    };
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = line.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    put(6, name(b"ThuFriSatSunMonTueWed", days % 7));
    put(11, &two(day));
    put(14, name(MONTHS, month - 1));
    put(18, &two(year / 100));
    put(20, &two(year));
    put(23, &two(second / 3_600));
    put(26, &two(second / 60 % 60));
    put(29, &two(second % 60));
    line
}

/// The second since 1970 of a date like `Sun, 06 Nov 1994 08:49:37 GMT`. Its older forms, which nobody
/// writes any more, are none; the day's name is not looked at.
#[must_use]
pub fn read(text: &[u8]) -> Option<u64> {
    let part = |at: usize, len: usize| text.get(at..at + len);
    let number = |at, len| {
        let digits = part(at, len)?;
        let is_number = digits.iter().all(u8::is_ascii_digit);
        let value = |sum, digit: &u8| sum * 10 + u64::from(digit - b'0');
        is_number.then(|| digits.iter().fold(0, value))
    };
    let marks = [
        (3, ", "),
        (7, " "),
        (11, " "),
        (16, " "),
        (19, ":"),
        (22, ":"),
        (25, " GMT"),
    ];
    let has = |(at, mark): (usize, &str)| part(at, mark.len()) == Some(mark.as_bytes());
    if text.len() != 29 || !marks.into_iter().all(has) {
        return None;
    }
    let name = part(8, 3)?;
    let month = MONTHS.chunks(3).position(|month| month == name)? as u64 + 1;
    let [day, year] = [number(5, 2)?, number(12, 4)?];
    let [hour, minute, second] = [number(17, 2)?, number(20, 2)?, number(23, 2)?];
    if !(1..=31).contains(&day) || year < 1970 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since 1970 of a day; nought before then. Years begin in March here, as in [`civil`].
#[must_use]
pub const fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month < 3 {
        (year.saturating_sub(1), month + 9)
    } else {
        (year, month - 3)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    (365 * year + leap_days + (153 * month + 2) / 5 + day).saturating_sub(719_469)
}

const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";

/// The last two digits of a number.
fn two(number: u64) -> [u8; 2] {
    let digit = |value: u64| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(number / 10), digit(number)]
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years begin in March here,
/// so that the day that comes and goes is the last of one.
#[must_use]
pub const fn civil(days: u64) -> (u64, u64, u64) {
    // 719,468 days lie between March of the year nought and 1970; 146,097 make four centuries.
    let days = days + 719_468;
    let day = days % 146_097;
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = year + days / 146_097 * 400;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
}

#[cfg(test)]
mod tests {
    use ringway_test_support::stride::STRIDE;

    use super::{date_line, read};

    fn check(unix_seconds: u64, expected: &str) {
        let line = date_line(unix_seconds);
        let text = core::str::from_utf8(&line).unwrap();
        assert_eq!(text, format!("date: {expected} GMT\r\n"));
        let date = line.get(6..35).unwrap();
        assert_eq!(read(date), Some(unix_seconds), "{expected}");
    }

    #[test]
    fn date_line_of_known_seconds_is_as_the_rfc_has_it() {
        check(0, "Thu, 01 Jan 1970 00:00:00");
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37");
        check(951_782_399, "Mon, 28 Feb 2000 23:59:59");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00");
        check(1_709_251_199, "Thu, 29 Feb 2024 23:59:59");
        check(1_709_251_200, "Fri, 01 Mar 2024 00:00:00");
        check(4_107_542_399, "Sun, 28 Feb 2100 23:59:59");
        check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00");
        check(253_402_300_799, "Fri, 31 Dec 9999 23:59:59");
    }

    #[test]
    fn what_is_no_date_of_the_rfc_is_none() {
        for text in [
            "",
            "9",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 6  Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:49:+7 GMT",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn date_line_of_every_day_follows_the_day_before() {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let (mut year, mut month, mut day) = (1970, 0, 1);
        for days in 0..200_000 / (STRIDE * STRIDE) as u64 {
            let line = date_line(days * 86_400);
            let text = core::str::from_utf8(line.get(11..22).unwrap()).unwrap();
            let name = MONTHS.get(month).unwrap();
            assert_eq!(text, format!("{day:02} {name} {year}"));
            assert_eq!(
                read(line.get(6..35).unwrap()),
                Some(days * 86_400),
                "{text}"
            );
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = LENGTHS.get(month).unwrap() + u32::from(leap && month == 1);
            day += 1;
            if day > last {
                (day, month) = (1, month + 1);
            }
            if month == 12 {
                (month, year) = (0, year + 1);
            }
        }
    }
}
