//! Requests under `/v1` that no wire of ours describes: forwarded to a provider byte for byte.
//!
//! `request` is the door: it finds the target, asks for admission, and sends. Not here: anything that
//! reads a body's meaning beyond the model that it names.

pub mod content_sniff;
pub mod request;
pub mod target;
pub mod upload;
