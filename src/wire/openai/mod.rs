//! OpenAI Chat Completions.

pub mod annotations;
pub mod carried;
pub mod choices;
pub mod custom;
pub mod error;
pub mod facts;
pub mod failure;
pub mod finish;
pub mod reasoning;
pub mod relayed_usage;
pub mod request;
pub mod response;
pub mod said;
pub mod settings;
pub mod sources;
pub mod stream;
pub mod tier;
pub mod usage;
