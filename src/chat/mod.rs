//! The neutral vocabulary: plain data that borrows.

pub mod error;
pub mod event;
pub mod member;
pub mod opaque;
pub mod rate_limit;
pub mod rejection;
pub mod request;
pub mod response;
pub mod small_str;
pub mod usage;
