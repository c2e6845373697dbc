//! Whole answers of the OpenAI wire.

pub mod annotations;
pub mod called_tool;
pub mod failure;
pub mod reasoning_members;
pub mod response;
pub mod sources;
pub mod summary;
