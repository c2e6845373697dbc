//! From configuration to the plan that is run on.

pub mod base_url;
pub mod capabilities;
pub mod client_key;
pub mod compile;
pub mod compile_key;
pub(crate) mod compile_policy;
pub mod compile_provider;
pub(crate) mod compile_target;
pub(crate) mod consistency;
pub mod custody;
pub mod facts;
pub mod glob;
pub mod header;
pub mod listing;
pub mod opened;
pub mod order;
pub mod plan;
pub mod policy;
pub mod prices;
pub mod select;
pub mod target;
pub mod tenant;
pub mod upstream;
