//! Sending load, timing and judging what comes back.

pub mod args;
pub mod client;
pub mod figures;
pub mod job;
pub mod judge;
pub mod meaning;
pub mod order;
pub mod progress;
pub mod queue;
pub mod reader;
pub mod round;
pub mod run;
pub mod schedule;
pub mod series;
pub mod tokens;
