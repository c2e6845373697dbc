//! Instruments: a provider that can outrun any gateway, load in open and closed loop, a judge of
//! every answer, comparisons and endurance runs.
//!
//! Nothing here is shared with the gateway: heads and chunks are read by `ringway-test-support`,
//! events and answers by code of this crate, so that a fault of the gateway's codecs cannot hide in the judge. All of it keeps to
//! loopback addresses.

pub mod account;
pub mod args;
pub mod chance;
pub mod clock;
pub mod compare;
pub mod driver;
pub mod flood;
pub mod load;
pub mod mock;
pub mod process;
pub mod relay;
pub mod report;
pub mod signals;
pub mod soak;
pub mod socket;
pub mod syscalls;
pub mod token;
pub mod wire;
