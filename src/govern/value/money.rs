//! Money: whole nano-dollars, read and shown as decimal dollars. No fraction is ever rounded away.

/// Nano-dollars of a plain decimal number of dollars: `12`, `0.075`; at most nine decimals.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_plain(whole) || !is_plain(part) || part.len() > DECIMALS {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<DECIMALS$}").parse().ok()?;
    whole.checked_mul(DOLLAR)?.checked_add(part)
}

/// Decimal dollars without trailing noughts, two decimals at least: `5.00`, `0.000125`.
#[must_use]
pub fn show(nanos: u64) -> String {
    let mut text = format!("{}.{:09}", nanos / DOLLAR, nanos % DOLLAR);
    let kept = text.trim_end_matches('0').len();
    let point = text.len() - DECIMALS;
    text.truncate(kept.max(point + 2));
    text
}

/// One dollar.
pub const DOLLAR: u64 = 1_000_000_000;
const DECIMALS: usize = 9;

#[cfg(test)]
mod tests {
    use super::{parse, show};

    #[test]
    fn dollars_are_read_and_shown_without_loss() {
        for (text, nanos, shown) in [
            ("0", 0, "0.00"),
            ("5", 5_000_000_000, "5.00"),
            ("12.5", 12_500_000_000, "12.50"),
            ("0.075", 75_000_000, "0.075"),
            ("0.000000001", 1, "0.000000001"),
            ("18446744073.709551615", u64::MAX, "18446744073.709551615"),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
            assert_eq!(show(nanos), shown);
            assert_eq!(parse(&show(nanos)), Some(nanos));
        }
    }

    #[test]
    fn what_is_no_plain_amount_is_refused() {
        for text in [
            "",
            ".",
            "5.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            " 1",
            "$1",
            "0.0000000001",
            "1.2.3",
            "18446744073.709551616",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
