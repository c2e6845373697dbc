//! Whole answers of the Anthropic wire.

pub mod cited_text;
pub mod response;
pub mod summary;
