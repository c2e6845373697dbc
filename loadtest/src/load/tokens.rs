//! Reads the texts of deltas, in whatever pieces they come, and holds each to what was sent: its
//! number one more than the one before, its filler whole.

use crate::token::{
    FILLER, NUMBER_AT, NUMBER_DIGITS, STAMP_AT, STAMP_DIGITS, TOKEN_BYTES_MIN, read_hex,
};

/// The deltas of one text.
#[derive(Debug)]
pub struct Tokens {
    bytes: usize,
    carry: Vec<u8>,
    /// How many were whole.
    pub count: u32,
}

impl Tokens {
    /// A text whose deltas have so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes: bytes.max(TOKEN_BYTES_MIN),
            carry: Vec::new(),
            count: 0,
        }
    }

    /// Takes the next piece of the text and appends the moments of the deltas that are whole now.
    ///
    /// # Errors
    /// A text that was not sent like this.
    pub fn push(&mut self, mut text: &[u8], stamps: &mut Vec<u64>) -> Result<(), String> {
        if !self.carry.is_empty() {
            let missing = self.bytes.saturating_sub(self.carry.len());
            let (first, rest) = text.split_at(missing.min(text.len()));
            self.carry.extend_from_slice(first);
            text = rest;
            if self.carry.len() < self.bytes {
                return Ok(());
            }
            let whole = std::mem::take(&mut self.carry);
            stamps.push(self.read(&whole)?);
        }
        let mut parts = text.chunks_exact(self.bytes);
        for part in parts.by_ref() {
            stamps.push(self.read(part)?);
        }
        self.carry.extend_from_slice(parts.remainder());
        Ok(())
    }

    /// Whether the text ended with a whole delta.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.carry.is_empty()
    }

    fn read(&mut self, token: &[u8]) -> Result<u64, String> {
        let number = token
            .get(NUMBER_AT..NUMBER_AT + NUMBER_DIGITS)
            .and_then(read_hex);
        let stamp = token
            .get(STAMP_AT..STAMP_AT + STAMP_DIGITS)
            .and_then(read_hex);
        let filler = token.get(TOKEN_BYTES_MIN..).unwrap_or_default();
        let marks = [0, STAMP_AT - 1, TOKEN_BYTES_MIN - 1].map(|at| token.get(at).copied());
        let framed = marks == [Some(b'@'), Some(b'.'), Some(b'@')];
        let (true, Some(number), Some(stamp)) = (framed, number, stamp) else {
            return Err(format!("delta {}: text {:?}", self.count, shown(token)));
        };
        if number != u64::from(self.count) {
            return Err(format!("delta {} where {} was due", number, self.count));
        }
        if filler.iter().any(|byte| *byte != FILLER) {
            return Err(format!("delta {number}: filler {:?}", shown(filler)));
        }
        self.count += 1;
        Ok(stamp)
    }
}

fn shown(text: &[u8]) -> String {
    let text = text.get(..60).unwrap_or(text);
    text.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::Tokens;
    use crate::token::{TOKEN_BYTES_MIN, blank};

    fn text(numbers: &[u32], bytes: usize) -> String {
        let token = |number: &u32| {
            let stamp = u64::from(*number) + 0x100;
            let filler = &blank(bytes)[TOKEN_BYTES_MIN..];
            format!("@{number:06x}.{stamp:016x}@{filler}")
        };
        numbers.iter().map(token).collect()
    }

    fn read(text: &str, bytes: usize, cut: usize) -> Result<(u32, bool, Vec<u64>), String> {
        let mut tokens = Tokens::new(bytes);
        let mut stamps = Vec::new();
        for piece in text.as_bytes().chunks(cut) {
            tokens.push(piece, &mut stamps)?;
        }
        Ok((tokens.count, tokens.is_whole(), stamps))
    }

    #[test]
    fn text_cut_anywhere_gives_the_same_deltas() {
        let text = text(&[0, 1, 2], 31);
        for cut in 1..=text.len() {
            let expected = (3, true, vec![0x100, 0x101, 0x102]);
            assert_eq!(read(&text, 31, cut), Ok(expected), "{cut}");
        }
    }

    #[test]
    fn text_that_lost_or_doubled_or_swapped_a_delta_is_wrong() {
        for numbers in [&[1][..], &[0, 2], &[0, 0], &[0, 2, 1]] {
            assert!(read(&text(numbers, 25), 25, 25).is_err(), "{numbers:?}");
        }
    }

    #[test]
    fn text_that_lost_doubled_or_changed_any_byte_is_wrong_or_not_whole() {
        let right = text(&[0, 1], 28);
        for at in 0..right.len() {
            let mut lost = right.clone();
            lost.remove(at);
            let mut doubled = right.clone();
            doubled.insert(at, right.as_bytes()[at].into());
            let mut changed = right.clone().into_bytes();
            changed[at] = b'?';
            for wrong in [lost, doubled, String::from_utf8(changed).unwrap()] {
                let judged = read(&wrong, 28, 64);
                assert!(
                    !matches!(judged, Ok((2, true, _))),
                    "{at}: {wrong}: {judged:?}"
                );
            }
        }
    }
}
