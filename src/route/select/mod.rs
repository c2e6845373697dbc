//! From a request's model to the targets that can take it.

pub mod capabilities;
pub mod listing;
pub mod policy;
pub mod resolve;
