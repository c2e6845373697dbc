//! What a request will cost in tokens, before anybody knows.
//!
//! Input by the length of its body alone: a quarter of its ASCII bytes and one for every other
//! character, framing included, which lies above the true count for prose and code. A long run of
//! base64 stands for an image or a document: `BLOB_TOKENS`, and as much again for every
//! `BLOB_BYTES` of it. What lies behind an address is not seen. The true figures settle it.

use memchr::{memchr2, memchr3_iter};

/// Tokens of a body, estimated from above.
#[must_use]
pub fn input_tokens(body: &[u8]) -> u64 {
    let mut blobs = 0u64;
    let mut blob_bytes = 0usize;
    let mut start = 0;
    for end in memchr3_iter(b'"', b' ', b'\\', body).chain([body.len()]) {
        let run = body.get(start..end).unwrap_or_default();
        start = end + 1;
        if is_blob(run) {
            blobs += 1 + run.len() as u64 / BLOB_BYTES;
            blob_bytes += run.len();
        }
    }
    let others = body.iter().filter(|&&byte| byte >= 0xC0).count() as u64;
    let ascii = body.iter().filter(|byte| byte.is_ascii()).count() - blob_bytes.min(body.len());
    ascii.div_ceil(4) as u64 + others + blobs * BLOB_TOKENS
}

/// Whether a run without blanks and quotes is base64, behind the label of a `data:` address or not.
fn is_blob(run: &[u8]) -> bool {
    run.len() >= BLOB_BYTES_MIN
        && run.is_ascii()
        && memchr2(b',', b'.', run.get(LABEL_BYTES..).unwrap_or_default()).is_none()
}

/// Tokens of an image, and of a page or two.
const BLOB_TOKENS: u64 = 2_000;
/// Base64 of a page or two.
const BLOB_BYTES: u64 = 75_000;
/// Words and addresses are shorter.
const BLOB_BYTES_MIN: usize = 2_048;
/// `data:image/png;base64,`
const LABEL_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::input_tokens;

    #[test]
    fn text_counts_by_length_and_other_scripts_by_character() {
        assert_eq!(input_tokens(b""), 0);
        assert_eq!(input_tokens(b"{\"a\":\"bcd\"}"), 3);
        let prose = "The quick brown fox jumps over the lazy dog. ".repeat(100);
        assert_eq!(input_tokens(prose.as_bytes()), 1125);
        assert_eq!(input_tokens("日本語".repeat(100).as_bytes()), 300);
    }

    #[test]
    fn images_and_documents_count_by_the_piece_and_not_by_their_bytes() {
        let image = "iVBORw0KGgo+/".repeat(1000);
        let body = format!(r#"{{"url":"data:image/png;base64,{image}"}}"#);
        let tokens = input_tokens(body.as_bytes());
        assert!((2_000..2_010).contains(&tokens), "{tokens}");
        let document = "QUJD".repeat(100_000);
        let tokens = input_tokens(format!(r#"{{"data":"{document}"}}"#).as_bytes());
        assert!((12_000..12_010).contains(&tokens), "{tokens}");
        let minified = "leta=1,b=2;f(a,b.c);;".repeat(400);
        assert_eq!(input_tokens(minified.as_bytes()), 2_100);
    }
}
