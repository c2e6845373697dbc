//! The configuration as people write it: read, checked, every fault with its line.
//!
//! `load` reads a file (or the environment) and what it points at, `read` turns the document into
//! `schema`, which also holds the faults. References between parts are checked where the plan is
//! compiled.

pub mod load;
pub mod read;
pub mod schema;
