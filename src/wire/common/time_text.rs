//! What the spellings of times in response heads share.

/// The text that `write` appends.
pub fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut text = Vec::with_capacity(24);
    write(&mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Appends the last so many digits of a number, four at most.
pub fn digits(mut value: u64, count: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 4];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    let start = digits.len().saturating_sub(count);
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// A number of milliseconds, rounded; nothing past what a limit can mean.
#[must_use]
pub fn whole(ms: f64) -> Option<u64> {
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
