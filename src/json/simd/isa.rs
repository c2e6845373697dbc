//! What a set of vector instructions must be able to tell of a block.

/// Bytes of a block: one for each bit of a mask.
pub(in crate::json) const BLOCK: usize = 64;

/// The bytes of a block that may stand outside of strings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::json) struct Outside {
    /// `{`, `}`, `[`, `]`, `:` and `,`. May have 0x0C and 0x1A too, which are no blanks either and stand
    /// outside of strings in no document.
    pub operators: u64,
    /// Blank, tabulator, line feed and carriage return.
    pub blanks: u64,
    /// The bytes that mean something within strings.
    pub inside: Inside,
}

/// The bytes of a block that mean something within a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::json) struct Inside {
    /// `"`
    pub quotes: u64,
    /// `\`
    pub backslashes: u64,
    /// Below 0x20.
    pub controls: u64,
    /// From 0x80 on.
    pub high: u64,
}

/// A set of vector instructions. A value of the type is the proof that this processor has them.
pub(in crate::json) trait Isa: Copy {
    /// Runs a task in a function of its own, which is compiled for these instructions.
    fn apart<T: Task>(self, task: T) -> T::Output;

    /// All masks of a block.
    fn outside(self, block: &[u8; BLOCK]) -> Outside;

    /// The bytes that may stand behind a backslash, but for `u`: `"`, `\`, `/`, `b`, `f`, `n`, `r`, `t`.
    fn escapable(self, block: &[u8; BLOCK]) -> u64;

    /// Whether a block has none of the bytes that [`Inside`] has masks for.
    fn is_plain(self, block: &[u8; BLOCK]) -> bool;

    /// A mask with a bit wherever an odd number of bits of `mask` stand at or before it.
    #[inline(always)]
    fn parity(self, mask: u64) -> u64 {
        let mut parity = mask;
        for shift in [1, 2, 4, 8, 16, 32] {
            parity ^= parity << shift;
        }
        parity
    }
}

/// Work that is done by any set of instructions.
pub(in crate::json) trait Task {
    /// What comes of it.
    type Output;
    /// Does it. Implementations are `#[inline(always)]`, so that they are compiled anew for each set.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}
