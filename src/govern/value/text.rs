//! Which characters names and records may hold.

/// Whether a character stands as `?` in records: it ends a line, moves a cursor or turns the direction
/// of text. What records are found by holds none.
#[must_use]
pub fn is_masked(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}
