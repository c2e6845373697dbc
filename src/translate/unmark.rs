//! Takes a byte order mark off the start of a stream that is passed on behind other bytes.
//!
//! A reader passes over the mark only where it opens the stream. Behind a comment that the gateway
//! has written, the mark would make the first line one of an unknown field.
//!
//! Invariant: the same bytes pass for every way of cutting the same input.

/// Looks for the mark at the start of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmark {
    /// Bytes of the mark that have come and are withheld. `seen <= MARK.len()`; the whole length once
    /// the start of the stream is over.
    seen: usize,
}

impl Unmark {
    /// Takes the next piece of the stream. Gives what passes: bytes that were withheld and turned out
    /// to be no mark, and the rest of the piece.
    pub fn push<'i>(&mut self, input: &'i [u8]) -> (&'static [u8], &'i [u8]) {
        let mut rest = input;
        while let Some(expected) = MARK.get(self.seen) {
            match rest.split_first() {
                None => return (b"", rest),
                Some((byte, behind)) if byte == expected => {
                    self.seen += 1;
                    rest = behind;
                }
                Some(_) => return (self.finish(), rest),
            }
        }
        (b"", rest)
    }

    /// Ends the stream. Gives what was withheld and is no mark.
    pub fn finish(&mut self) -> &'static [u8] {
        match core::mem::replace(&mut self.seen, MARK.len()) {
            seen if seen < MARK.len() => MARK.get(..seen).unwrap_or_default(),
            _ => b"",
        }
    }
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut unmark = Unmark::default();
        let mut out = Vec::new();
        for piece in pieces {
            let (before, rest) = unmark.push(piece);
            out.extend_from_slice(before);
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(unmark.finish());
        out
    }

    #[test]
    fn unmark_takes_one_mark_off_the_start_however_the_stream_is_cut() {
        for (input, expected) in [
            (&b""[..], &b""[..]),
            (b"data", b"data"),
            (b"\xEF\xBB\xBFdata", b"data"),
            (b"\xEF\xBB\xBF\xEF\xBB\xBFdata", b"\xEF\xBB\xBFdata"),
            (b"\xEF\xBBdata", b"\xEF\xBBdata"),
            (b"\xEF\xEF\xBB\xBF", b"\xEF\xEF\xBB\xBF"),
            (b"\xEF\xBB", b"\xEF\xBB"),
            (b"d\xEF\xBB\xBF", b"d\xEF\xBB\xBF"),
        ] {
            for at in 0..=input.len() {
                let (a, b) = input.split_at(at);
                assert_eq!(passed(&[a, b]), expected, "{input:?} cut at {at}");
            }
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            assert_eq!(passed(&bytes), expected, "{input:?}");
        }
    }
}
