//! Governance as plain data and arithmetic: who may use what, and what each exchange was. No I/O,
//! no clock, no randomness.

pub mod account;
pub mod allowance;
pub mod crc;
pub mod date;
pub mod document;
pub mod estimate;
pub mod fresh;
pub mod journal;
pub mod key;
pub mod money;
pub mod past;
pub mod price;
pub mod record;
pub mod residency;
pub mod tally;
pub mod window;
