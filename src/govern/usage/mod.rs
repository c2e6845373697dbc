//! Usage records: their text, their journal's frames, their sums.

pub mod aggregate;
pub mod eviction;
pub mod frames;
pub mod listing;
pub mod record;
pub mod refusals;
pub mod segment_index;
