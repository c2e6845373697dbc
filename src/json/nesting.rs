//! Whether a document that comes in pieces has been closed, told without keeping it.
//!
//! For bodies that nothing but the end of the connection ends: one that was cut differs from a
//! whole one by its open brackets alone. Strings are passed over, brackets outside of them counted.
//!
//! Invariant: the same is told for every way of cutting the same input.
//!
//! Not here: whether the document is valid (see `scan`). A document that is, and that is an object
//! or an array, is closed at its last byte and before it never.

/// Counts the brackets of one document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nesting {
    depth: u64,
    opened: bool,
    in_string: bool,
    after_backslash: bool,
}

impl Nesting {
    /// Takes the next piece.
    pub fn push(&mut self, input: &[u8]) {
        let mut rest = input;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                _ if self.after_backslash => self.after_backslash = false,
                b'\\' if self.in_string => self.after_backslash = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {
                    // The bulk of an answer: text, or an image.
                    let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                    rest = rest.get(end..).unwrap_or_default();
                }
                b'{' | b'[' => {
                    self.opened = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether an object or an array was opened, and everything that was opened is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.opened && self.depth == 0 && !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closed(pieces: &[&[u8]]) -> bool {
        let mut nesting = Nesting::default();
        for piece in pieces {
            nesting.push(piece);
        }
        nesting.is_closed()
    }

    #[test]
    fn documents_are_closed_at_their_last_byte_and_not_before_however_they_are_cut() {
        let documents = [
            r#"{}"#,
            r#"[{"a":[1,{"b":"}]"}]},"\\"]"#,
            r#"{"text":"a \"quoted\" } \\","é":[[],{}]}"#,
            "{\"a\":{\"b\":{\"c\":\"\\u007d\"}}}",
        ];
        for document in documents {
            let bytes = document.as_bytes();
            for at in 0..=bytes.len() {
                let (a, b) = bytes.split_at(at);
                assert_eq!(is_closed(&[a]), b.is_empty(), "{document} cut at {at}");
                assert!(is_closed(&[a, b]), "{document} in two at {at}");
                assert!(is_closed(&[a, b, b" \r\n"]), "{document} with blanks");
            }
        }
    }

    #[test]
    fn what_is_no_document_is_not_closed() {
        for text in [
            "",
            " ",
            "<html></html>",
            "null",
            "\"text\"",
            "{]}{",
            "}",
            "{\"a\":\"}",
        ] {
            assert!(!is_closed(&[text.as_bytes()]), "{text:?}");
        }
    }
}
