//! From configuration to plan: every reference checked, every fault collected.
//!
//! `plan` is the door.

pub mod base_url;
pub(crate) mod consistency;
pub mod key;
pub mod model_facts;
pub mod plan;
pub(crate) mod policy;
pub mod provider;
pub(crate) mod target;
