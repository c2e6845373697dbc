//! The admin listener: metrics, health, and the API.

pub mod api;
pub mod connections;
pub mod listener;
