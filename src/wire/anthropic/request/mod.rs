//! Requests of the Anthropic wire: `read` takes the body apart, `blocks` and `tools` its pieces;
//! `write` makes one. `names` spells members for the clients of this wire.

pub mod blocks;
pub mod names;
pub mod read;
pub mod tools;
pub mod unsigned;
pub mod write;
