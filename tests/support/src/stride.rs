//! How much of a long list of cases a test takes.

/// Every case; under Miri, which takes a thousand times as long for each, one in 61.
pub const STRIDE: usize = if cfg!(miri) { 61 } else { 1 };
