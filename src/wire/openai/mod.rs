//! OpenAI Chat Completions.

pub mod answer;
pub mod conventions;
pub mod custom;
pub mod error;
pub mod finish;
pub mod rate_limits;
pub mod reasoning;
pub mod relayed_usage;
pub mod request;
pub mod settings;
pub mod stream;
pub mod tier;
pub mod usage;
