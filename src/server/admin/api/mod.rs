//! The API of those who manage the gateway, on the admin listener and under a credential of its own.

pub mod answer;
pub mod asked;
pub mod document;
pub mod gate;
pub mod keys;
pub mod page;
pub mod requests;
pub mod routes;
pub mod routing;
pub mod tenants;
pub mod usage;
