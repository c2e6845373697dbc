//! Who may use what: plain data and arithmetic. No I/O, no clock, no randomness.

pub mod account;
pub mod allowance;
pub mod date;
pub mod estimate;
pub mod key;
pub mod money;
pub mod price;
pub mod window;
