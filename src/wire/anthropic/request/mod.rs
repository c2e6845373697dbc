//! Requests of the Anthropic wire: `read` takes the body apart, `blocks` and `tools` its pieces;
//! `write` makes one.

pub mod blocks;
pub mod read;
pub mod tools;
pub mod unsigned;
pub mod write;
