//! Anthropic Messages.

pub mod answer;
pub mod betas;
pub mod conventions;
pub mod error;
pub mod rate_limits;
pub mod request;
pub mod stop;
pub mod stream;
pub mod usage;
