//! What the integration tests are made of: a scripted provider, raw clients, gateways to start.
//!
//! Everything is on the loopback, on ports that the system chooses. Nothing waits for a time to
//! pass: it waits for a condition, and a deadline fails the test.

pub(crate) use ringway_test_support::{client, http, provider, script, wait};

pub(crate) mod both_wires;
pub(crate) mod certificates;
pub(crate) mod delay;
pub(crate) mod directions;
pub(crate) mod flood;
pub(crate) mod gateway;
pub(crate) mod governed;
pub(crate) mod kernel;
pub(crate) mod program;
pub(crate) mod relay;
pub(crate) mod replicas;
pub(crate) mod routes;
pub(crate) mod spending;
pub(crate) mod stores;
pub(crate) mod wires;
