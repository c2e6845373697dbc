//! Who may use what: plain data and arithmetic. No I/O, no clock, no randomness.

pub mod date;
pub mod key;
