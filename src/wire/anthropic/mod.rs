//! Anthropic Messages.

pub mod error;
pub mod facts;
pub mod request;
pub mod response;
pub mod stop;
pub mod stream;
pub mod unsigned;
pub mod usage;
pub mod words;
