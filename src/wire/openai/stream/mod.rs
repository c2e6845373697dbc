//! Streams of the OpenAI wire: what its chunks mean, and how to say it in them.

pub mod arguments;
pub mod calls;
pub mod choices;
pub mod chunk;
mod chunk_members;
pub mod decode;
pub mod encode;
pub mod pieces;
pub mod thinking;
pub mod watch;
