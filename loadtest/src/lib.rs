//! What the mock provider and the load generator share: framing and the kernel's accounts.

pub mod account;
pub mod http;
