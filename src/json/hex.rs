//! Hexadecimal digits of lower case, as ids and digests are written in JSON and elsewhere.

/// The digits of four bytes, all eight at once: each half of a byte in a byte of its own, then `0` or the
/// way to `a` added.
#[must_use]
pub const fn digits(bytes: [u8; 4]) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut halves = u32::from_be_bytes(bytes) as u64;
    halves = (halves | (halves << 16)) & 0x0000_FFFF_0000_FFFF;
    halves = (halves | (halves << 8)) & 0x00FF_00FF_00FF_00FF;
    halves = (halves | (halves << 4)) & (ONES * 0x0F);
    let letters = ((halves + ONES * 6) >> 4) & ONES;
    let digits = halves + ONES * b'0' as u64 + letters * (b'a' - b'0' - 10) as u64;
    digits.to_be_bytes()
}

/// Appends the digits of `bytes`, two for each.
pub fn into(bytes: &[u8], out: &mut Vec<u8>) {
    let (words, rest) = bytes.as_chunks();
    for word in words {
        out.extend_from_slice(&digits(*word));
    }
    for byte in rest {
        let [.., high, low] = digits([0, 0, 0, *byte]);
        out.extend_from_slice(&[high, low]);
    }
}

/// The digits of `bytes`.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(2 * bytes.len());
    into(bytes, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..=bytes.len() {
            let bytes = bytes.get(..length).unwrap();
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(text(bytes), expected);
        }
    }
}
