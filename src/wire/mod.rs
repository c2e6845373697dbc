//! The public wires: what their bytes mean.

pub mod anthropic;
pub mod arguments;
pub mod base64;
pub mod codec;
pub mod error;
pub mod error_text;
pub mod facts;
pub mod history;
pub mod ids;
pub mod kind;
pub mod known;
pub mod members;
pub mod memo;
pub mod multipart;
pub mod named;
pub mod needs;
pub mod openai;
pub mod peek;
pub mod peek_edits;
pub mod peek_fault;
pub mod peeked;
mod place;
pub mod portkey;
pub mod read;
pub mod sealed;
pub mod seen;
pub mod thought;
