//! The plan: what the process runs on, immutable once it is compiled.

pub mod client_key;
pub mod compiled;
pub mod custody;
pub mod glob;
pub mod header;
pub mod ids;
pub mod order;
pub mod plan_ids;
pub mod policy_cache;
pub mod prices;
pub mod provider;
pub mod target;
pub mod tenant;
