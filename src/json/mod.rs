//! JSON by span: one strict grammar, read in place, strings kept escaped.
//!
//! `scan` is the grammar, `sink` what hears of it, `tape` an index of a whole document, `raw` a string body that is still
//! escaped, `write` an append-only writer, `rewrite` splices spans of a document and leaves the
//! rest byte for byte, `template` reads documents that differ in a few strings only, `nesting` tells
//! whether one that comes in pieces has been closed, `pick` picks members out of such a one, `hex` writes
//! hexadecimal digits, `lexeme` finds the ends of strings and numbers, `simd` looks at 64 bytes at a time.

pub mod error;
pub mod hex;
pub mod lexeme;
pub mod nesting;
pub mod pick;
pub mod raw;
pub mod rewrite;
pub mod scan;
mod simd;
pub mod sink;
pub mod tape;
pub mod template;
pub mod write;
