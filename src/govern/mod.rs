//! Governance as plain data and arithmetic: who may use what, and what each exchange was. No I/O,
//! no clock, no randomness.

pub mod date;
pub mod journal;
pub mod key;
pub mod record;
pub mod residency;
