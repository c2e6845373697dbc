//! A configuration as typed values, and what can be wrong with one.

pub mod fault;
pub mod file;
pub mod network;
pub mod secret;
pub mod shared_url;
pub mod store_url;
