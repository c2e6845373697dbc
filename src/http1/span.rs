//! A range of a buffer in 8 bytes: what a head remembers instead of borrows.
//!
//! Not here: whose buffer it is; the caller keeps head and buffer together.

use core::ops::Range;

/// Offsets into the buffer that a head was parsed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// No bytes.
    pub const EMPTY: Self = Self { start: 0, end: 0 };

    /// Where `part` lies in `whole`; empty if it does not.
    #[must_use]
    pub fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        let Some(end) = start.checked_add(part.len()) else {
            return Self::EMPTY;
        };
        if end > whole.len() {
            return Self::EMPTY;
        }
        Self::new(start, end)
    }

    /// The span `start..end`; empty if it does not fit into 32 bits.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) if start <= end => Self { start, end },
            _ => Self::EMPTY,
        }
    }

    /// The bytes in `buf`; none if `buf` is too short.
    #[must_use]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.range()).unwrap_or_default()
    }

    /// As a range of offsets.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Count of bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether there is no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_do_not_fit_are_empty() {
        let whole = b"abcdef".as_slice();
        let (head, tail) = whole.split_at(4);
        assert_eq!(Span::within(whole, &head[1..]).of(whole), b"bcd");
        assert_eq!(Span::within(head, tail), Span::EMPTY);
        assert_eq!(Span::within(tail, head), Span::EMPTY);
        let over = usize::try_from(u32::MAX).unwrap() + 1;
        for (start, end) in [(2, 1), (0, over), (over, over)] {
            assert_eq!(Span::new(start, end), Span::EMPTY);
        }
        assert_eq!(Span::new(4, 7).of(whole), b"");
    }
}
