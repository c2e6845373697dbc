//! Whether a request is let in: whose it is, what its key allows, what it may use.
//!
//! `authentication` finds the key, `inbound` is the request with its key, `policy` and
//! `admission` accept or reject it before any provider is asked.

pub mod admission;
pub mod asked;
pub mod authentication;
pub mod cost_estimate;
pub mod inbound;
pub mod model_allowlist;
pub mod policy;
pub mod relay_metering;
pub mod relay_permissions;
pub mod request_options;
