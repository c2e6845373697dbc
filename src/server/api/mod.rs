//! The API of those who manage the gateway, on the admin listener and under a credential of its own.

pub mod answer;
pub mod gate;
pub mod keys;
pub mod routes;
pub mod routing;
