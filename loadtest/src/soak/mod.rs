//! Endurance: mixed traffic with faults, and at every pause a look whether anything grew.

pub mod args;
pub mod flat;
pub mod run;
pub mod traffic;
