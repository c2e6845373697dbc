//! The configuration as people write it: read, checked, every fault with its line.
//!
//! `load` reads a file (or the environment) into `schema`, what it points at into `material`, and
//! every fault into `fault`. References between parts are checked where the plan is compiled.

pub mod address;
pub mod environment;
pub mod facts;
pub mod fault;
pub mod fields;
pub mod limits;
pub mod load;
pub mod material;
pub mod network;
pub mod node;
pub mod read;
pub mod read_key;
pub mod read_price;
pub mod read_provider;
pub mod read_residency;
pub mod read_store;
pub mod read_target;
pub mod schema;
pub mod secret;
pub mod shared_place;
pub mod store_place;
