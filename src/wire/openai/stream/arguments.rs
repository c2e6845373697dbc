//! Tells when the arguments of a tool call are whole, while they stream by.
//!
//! On the OpenAI wire nothing says that a call is over before the finish reason does. Two calls
//! may therefore be open at once, and the Anthropic wire allows one: whether the first is whole
//! decides if the second may start now or must wait. It also decides whether a further piece goes
//! on with a call or begins another, where the upstream numbers none.

use crate::json::raw::Raw;

/// Follows one call's arguments: JSON text inside JSON strings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arguments {
    depth: u32,
    in_string: bool,
    /// The byte before was a backslash inside a string.
    escaped: bool,
    whole: bool,
}

impl Arguments {
    /// Whether an object or array has opened and closed.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Takes the next fragment. An escape of the outer string never straddles two fragments, one
    /// of the inner string may.
    pub fn push(&mut self, fragment: Raw<'_>) {
        let mut bytes = fragment.bytes().iter().copied();
        while let Some(byte) = bytes.next() {
            let inner = if byte == b'\\' {
                unescape(&mut bytes)
            } else {
                byte
            };
            self.step(inner);
        }
    }

    const fn step(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.whole = self.depth == 0;
            }
            _ => {}
        }
    }
}

/// The byte that an escape stands for; a stand-in for anything outside of ASCII.
fn unescape(bytes: &mut impl Iterator<Item = u8>) -> u8 {
    match bytes.next() {
        Some(b'u') => {
            let digits = bytes.take(4);
            let unit = digits.fold(0u32, |unit, digit| {
                unit << 4 | char::from(digit).to_digit(16).unwrap_or(0)
            });
            u8::try_from(unit).unwrap_or(b'?')
        }
        Some(same @ (b'"' | b'\\' | b'/')) => same,
        _ => b' ',
    }
}

/// Whether arguments of a call without a name mean that there is one: some services send an empty
/// call with every answer.
#[must_use]
pub fn says_something(arguments: Raw<'_>) -> bool {
    let text = arguments.decode();
    !matches!(text.trim(), "" | "{}" | "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_whole_when_the_outermost_bracket_closes() {
        let cases: [(&[&str], bool); 9] = [
            (&[], false),
            (&[r"{}"], true),
            (&[r"{", r"}"], true),
            (&[r#"{\"a\":{\"b\":1}"#], false),
            (&[r#"{\"a\":{\"b\":1}"#, r"}"], true),
            (&[r#"{\"a\":\"}\"#, r#"""#], false),
            (&[r#"{\"a\":\"x\\"#, r#"\"}"#], false),
            (&[r#"{\"a\":\"x\\"#, r#"\"}\"}"#], true),
            (&[r"\u007b \u007d"], true),
        ];
        for (fragments, whole) in cases {
            let mut arguments = Arguments::default();
            for fragment in fragments {
                arguments.push(Raw::from_checked(fragment.as_bytes()));
            }
            assert_eq!(arguments.is_whole(), whole, "{fragments:?}");
        }
    }
}
