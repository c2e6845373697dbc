//! What a request will cost in tokens, before anybody knows.
//!
//! Input by the length of its body: a quarter of its ASCII bytes and one for every other character,
//! framing included, which lies above the true count for prose and code. Parts that are images or
//! documents by their type count by the piece instead: [`PIECE_TOKENS`], and as much again for every
//! [`PIECE_BYTES`] of them. What lies behind an address is not seen. The true figures settle it.

/// Tokens of a body, estimated from above. `pieces` of it, `piece_bytes` long together, are images,
/// documents or recordings in base64.
#[must_use]
pub fn input_tokens(body: &[u8], (pieces, piece_bytes): (u64, usize)) -> u64 {
    let large = u64::try_from(piece_bytes).unwrap_or(u64::MAX) / PIECE_BYTES;
    let pieces = pieces.saturating_add(large).saturating_mul(PIECE_TOKENS);
    let text = body.len().saturating_sub(piece_bytes);
    let others = match body.is_ascii() {
        true => (0, 0),
        false => (count_from(0x80, body), count_from(0xC0, body)),
    };
    let ascii = text.saturating_sub(others.0).div_ceil(4) as u64;
    ascii.saturating_add(others.1 as u64).saturating_add(pieces)
}

/// How many bytes are at least so large. The counts of short blocks fit a byte: the compiler adds
/// many of them at a time.
fn count_from(least: u8, body: &[u8]) -> usize {
    let of_block = |block: &[u8]| {
        let count = |count: u8, &byte: &u8| count.wrapping_add(u8::from(byte >= least));
        usize::from(block.iter().fold(0, count))
    };
    body.chunks(128).map(of_block).sum()
}

/// Tokens of an image, and of a page or two.
pub const PIECE_TOKENS: u64 = 2_000;
/// Base64 of a page or two.
pub const PIECE_BYTES: u64 = 75_000;

#[cfg(test)]
mod tests {
    use super::input_tokens;

    #[test]
    fn text_counts_by_length_and_other_scripts_by_character() {
        let text = |body: &str| input_tokens(body.as_bytes(), (0, 0));
        assert_eq!(text(""), 0);
        assert_eq!(text("{\"a\":\"bcd\"}"), 3);
        let prose = "The quick brown fox jumps over the lazy dog. ".repeat(100);
        assert_eq!(text(&prose), 1125);
        assert_eq!(text(&"日本語".repeat(100)), 300);
        // Whatever it looks like.
        assert_eq!(text(&"QUJD".repeat(100_000)), 100_000);
    }

    #[test]
    fn pieces_count_by_number_and_size_and_not_by_their_bytes() {
        let body = [b'A'; 400_040];
        assert_eq!(input_tokens(&body, (1, 400_000)), 10 + 2_000 + 5 * 2_000);
        assert_eq!(input_tokens(&body[..74_999], (1, 74_999)), 2_000);
        assert_eq!(input_tokens(&body[..75_000], (1, 75_000)), 4_000);
        assert_eq!(input_tokens(&body[..13_000], (2, 13_000)), 4_000);
        // More than there is counts as all there is.
        assert_eq!(input_tokens("日本".as_bytes(), (1, 6)), 2_002);
        assert_eq!(input_tokens(b"a", (u64::MAX, usize::MAX)), u64::MAX);
    }
}
