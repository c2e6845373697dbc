//! What routing needs from a request's body, found in one scan and without a tree.
//!
//! `body` is the door, `found` its result, `edits` what a route changes in the body.

pub mod body;
pub mod edits;
pub mod fault;
pub mod found;
pub mod media;
pub mod model_names;
pub mod multipart;
pub(in crate::wire) mod path;
pub mod required_capabilities;
pub mod routed_members;
