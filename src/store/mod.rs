//! What outlives the process, for the control side and the commands alone.
//!
//! `segments` is the folder of the usage journal.

pub mod segments;
