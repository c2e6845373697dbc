//! What a request will cost in tokens, before anybody knows.
//!
//! Input by the length of its body alone: a quarter of its ASCII bytes and one for every other
//! character, framing included, which lies above the true count for prose and code. A long run of
//! base64 stands for an image or a document: `BLOB_TOKENS`, and as much again for every
//! `BLOB_BYTES` of it. What lies behind an address is not seen. The true figures settle it.

use memchr::{memchr2, memchr3, memrchr3};

/// Tokens of a body, estimated from above.
#[must_use]
pub fn input_tokens(body: &[u8]) -> u64 {
    let (blobs, blob_bytes) = blobs(body);
    if body.is_ascii() {
        return (body.len() - blob_bytes).div_ceil(4) as u64 + blobs * BLOB_TOKENS;
    }
    let ascii = body.len() - count_from(0x80, body) - blob_bytes;
    let others = count_from(0xC0, body) as u64;
    ascii.div_ceil(4) as u64 + others + blobs * BLOB_TOKENS
}

/// How many blobs there are, those of many pages more than once, and how long all of them are
/// together. A look at the end of where one would lie tells mostly that there is none.
fn blobs(body: &[u8]) -> (u64, usize) {
    let (mut blobs, mut bytes) = (0, 0);
    let mut start = 0;
    while let Some(head) = body.get(start..start + BLOB_BYTES_MIN) {
        if let Some(last) = memrchr3(b'"', b' ', b'\\', head) {
            start += last + 1;
            continue;
        }
        let rest = body.get(start..).unwrap_or_default();
        let end = memchr3(b'"', b' ', b'\\', rest).unwrap_or(rest.len());
        let run = rest.get(..end).unwrap_or_default();
        if is_blob(run) {
            blobs += 1 + run.len() as u64 / BLOB_BYTES;
            bytes += run.len();
        }
        start += end + 1;
    }
    (blobs, bytes)
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

/// Whether a long run without blanks and quotes is base64, behind the label of a `data:` address or not.
fn is_blob(run: &[u8]) -> bool {
    run.is_ascii() && memchr2(b',', b'.', run.get(LABEL_BYTES..).unwrap_or_default()).is_none()
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
    use memchr::memchr2;

    use super::{BLOB_BYTES, BLOB_BYTES_MIN, BLOB_TOKENS, LABEL_BYTES, input_tokens};

    /// The same, run by run and byte by byte.
    fn plainly(body: &[u8]) -> u64 {
        let is_blob = |run: &&[u8]| {
            run.len() >= BLOB_BYTES_MIN
                && run.iter().all(u8::is_ascii)
                && memchr2(b',', b'.', &run[LABEL_BYTES..]).is_none()
        };
        let runs = body.split(|byte| matches!(byte, b'"' | b' ' | b'\\'));
        let blobs: Vec<&[u8]> = runs.filter(is_blob).collect();
        let tokens = |run: &&[u8]| (1 + run.len() as u64 / BLOB_BYTES) * BLOB_TOKENS;
        let others = body.iter().filter(|&&byte| byte >= 0xC0).count();
        let ascii = body.iter().filter(|byte| byte.is_ascii()).count();
        let ascii = ascii - blobs.iter().map(|run| run.len()).sum::<usize>();
        (ascii.div_ceil(4) + others) as u64 + blobs.iter().map(tokens).sum::<u64>()
    }

    #[test]
    fn looks_ahead_find_what_run_by_run_is_found() {
        let mut seed = 0x9e37_79b9_u64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below).unwrap()
        };
        for round in 0..300 {
            let mut body = Vec::new();
            for _ in 0..random(6) {
                let length = match random(3) {
                    0 => random(40),
                    1 => BLOB_BYTES_MIN - 2 + random(4),
                    _ => random(3 * BLOB_BYTES_MIN as u64),
                };
                body.extend((0..length).map(|_| b'A' + u8::try_from(random(26)).unwrap()));
                body.extend_from_slice(
                    [&b"\""[..], b" ", b"\\", b".", "é字".as_bytes()][random(5)],
                );
            }
            assert_eq!(input_tokens(&body), plainly(&body), "round {round}");
        }
    }

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
