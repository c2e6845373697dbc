//! Requests of the OpenAI wire: `read` takes the body apart, `messages`, `parts` and `tools` its
//! pieces, `carriers` the reasoning that comes back in assistant messages; `write` makes one,
//! `write_tools` its tools. `names` spells members for the clients of this wire.

pub mod carriers;
pub mod messages;
pub mod names;
pub mod parts;
pub mod read;
pub mod tools;
pub mod write;
mod write_tools;
