//! Governance as plain data and arithmetic: who may use what, and what each exchange was. No I/O,
//! no clock, no randomness.

pub mod account;
pub mod allowance;
pub mod contents;
pub mod crc;
pub mod date;
pub mod document;
pub mod estimate;
pub mod eviction;
pub mod flow;
pub mod fresh;
pub mod journal;
pub mod key;
pub mod lease;
pub mod listing;
pub mod money;
pub mod order;
pub mod past;
pub mod places;
pub mod pool;
pub mod price;
pub mod purse;
pub mod rate_lease;
pub mod record;
pub mod refusals;
pub mod residency;
pub mod spent;
pub mod tally;
pub mod window;
