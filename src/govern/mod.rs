//! Governance as plain data and arithmetic: no I/O, no clock, no randomness.
//!
//! `record` is one exchange as it is kept, `journal` the frames in which records lie in a file.

pub mod journal;
pub mod record;
