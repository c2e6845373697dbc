//! Blocks of 64 bytes as bit masks, by the vector instructions of the processor.
//!
//! `isa` says what a set of instructions must be able to tell; `avx2`, `sse2` and `neon` are the sets that
//! ringway is built for, `portable` is the same in plain Rust, for Miri, for other processors and as the
//! measure of the others in tests; `best` runs a task by the best that this processor has. A mask has a
//! bit for each byte of a block, the lowest for the first.
//!
//! This is the only folder of the codecs with `unsafe`. What each use rests on:
//! - A block is a `&[u8; 64]`: loads stay within it, at any alignment.
//! - A value of a set's type exists only where the processor has been asked for the instructions, or where
//!   every processor of the target has them; every method takes such a value.
//!
//! Not here: what the masks mean (see `scan::index`).

#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(in crate::json) mod avx2;
pub(in crate::json) mod best;
pub(in crate::json) mod isa;
#[cfg(all(target_arch = "aarch64", not(miri)))]
pub(in crate::json) mod neon;
#[cfg(any(test, miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(in crate::json) mod portable;
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(in crate::json) mod sse2;
#[cfg(test)]
mod tests;
