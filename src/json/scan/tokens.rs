//! The tokens of a text, as the grammar asks for them, and the plain way to find them, which tests hold the
//! fast way (`index`) against.

#[cfg(test)]
use crate::json::lexeme::string_end;

/// The tokens of a text, in order. A token is an operator, a quote, or the first byte of anything else that
/// stands outside of strings and is no blank.
pub(super) trait Tokens {
    /// The offset of the next token.
    fn next(&mut self) -> Option<usize>;

    /// Passes the body of the string whose opening quote was the last token, which begins at `start`. Its
    /// end, where the closing quote stands, and whether it holds an escape; nothing of a string with a
    /// fault, of which `lexeme` tells the first.
    fn string(&mut self, start: usize) -> Option<(usize, bool)>;

    /// Passes a number or a word that began with the last token and ends before `end`. Whether what stands
    /// there can be told by the next token: a letter that touches a number is none.
    fn pass(&mut self, end: usize) -> bool;
}

/// Tokens found one byte after the other.
#[cfg(test)]
pub(super) struct ByteTokens<'t> {
    text: &'t [u8],
    at: usize,
}

#[cfg(test)]
impl<'t> ByteTokens<'t> {
    /// Those from an offset on.
    pub(super) const fn new(text: &'t [u8], at: usize) -> Self {
        Self { text, at }
    }
}

#[cfg(test)]
impl Tokens for ByteTokens<'_> {
    fn next(&mut self) -> Option<usize> {
        while let b' ' | b'\n' | b'\r' | b'\t' = self.text.get(self.at)? {
            self.at += 1;
        }
        self.at += 1;
        Some(self.at - 1)
    }

    fn string(&mut self, start: usize) -> Option<(usize, bool)> {
        let (end, escaped) = string_end(self.text, start).ok()?;
        self.at = end + 1;
        Some((end, escaped))
    }

    fn pass(&mut self, end: usize) -> bool {
        self.at = end;
        true
    }
}
