//! What the commands do, short of running: `main` gives them arguments, environment and writers.

pub mod check;
pub mod key;
pub mod keys;
pub mod prepare;
pub mod stored;
pub mod table;
pub mod tenants;
pub mod usage;
