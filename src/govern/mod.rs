//! Governance as plain data and arithmetic: who may use what, and what each exchange was. No I/O,
//! no clock, no randomness.
//!
//! `key` holds keys and tenants, `account` what they have used, `lease` the part of a limit that one
//! replica holds, `usage` the usage records, `value` money, prices and days.

pub mod account;
pub mod key;
pub mod lease;
pub mod usage;
pub mod value;
