//! The text of a delta: its number, the moment it was sent, filler. What the provider writes and
//! the judge reads.
//!
//! ```text
//! @00002a.0000123456789abc@xxxxxxx
//!  number  monotonic ns     filler
//! ```

/// Bytes of a delta's text without filler.
pub const TOKEN_BYTES_MIN: usize = 25;
/// Where the number stands.
pub const NUMBER_AT: usize = 1;
/// Where the moment stands.
pub const STAMP_AT: usize = 8;
/// Digits of the number.
pub const NUMBER_DIGITS: usize = 6;
/// Digits of the moment.
pub const STAMP_DIGITS: usize = 16;
/// The filler.
pub const FILLER: u8 = b'x';

/// A delta's text of `bytes` bytes with zeros for number and moment.
#[must_use]
pub fn blank(bytes: usize) -> String {
    let filler = bytes.saturating_sub(TOKEN_BYTES_MIN);
    let filler = char::from(FILLER).to_string().repeat(filler);
    format!("@000000.0000000000000000@{filler}")
}

/// Writes `value` in lower-case hexadecimal digits, as many as there is room for.
pub fn put_hex(mut value: u64, room: &mut [u8]) {
    for digit in room.iter_mut().rev() {
        *digit = HEX.get((value & 15) as usize).copied().unwrap_or(b'0');
        value >>= 4;
    }
}

/// Reads lower-case hexadecimal digits.
#[must_use]
pub fn read_hex(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    for digit in digits {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(digit);
    }
    Some(value)
}

const HEX: &[u8; 16] = b"0123456789abcdef";

const _: () = assert!(STAMP_AT == NUMBER_AT + NUMBER_DIGITS + 1);
const _: () = assert!(TOKEN_BYTES_MIN == STAMP_AT + STAMP_DIGITS + 1);

#[cfg(test)]
mod tests {
    use super::{NUMBER_AT, NUMBER_DIGITS, TOKEN_BYTES_MIN, blank, put_hex, read_hex};

    #[test]
    fn hex_written_is_read_back() {
        let mut room = [0; 16];
        for value in [0, 1, 0xabc, u64::MAX] {
            put_hex(value, &mut room);
            assert_eq!(read_hex(&room), Some(value));
        }
        assert_eq!(read_hex(b"00G0"), None);
    }

    #[test]
    fn blank_has_the_length_that_was_asked() {
        assert_eq!(blank(0).len(), TOKEN_BYTES_MIN);
        assert_eq!(blank(TOKEN_BYTES_MIN).len(), TOKEN_BYTES_MIN);
        let longer = blank(40);
        assert_eq!(longer.len(), 40);
        assert_eq!(&longer[NUMBER_AT..NUMBER_AT + NUMBER_DIGITS], "000000");
    }
}
