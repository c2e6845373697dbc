//! Client keys and tenants as plain data, and the JSON that operators write about them.

pub mod allowance;
pub mod client_key;
pub mod document;
pub mod generation;
pub mod residency;
