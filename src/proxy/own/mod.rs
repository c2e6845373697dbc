//! Answers that the gateway gives by itself: models, health, token estimates, usage records.

pub mod catalogue;
pub mod local;
pub mod usage_api;
