//! From one wire to the other.

pub mod adapt;
pub mod context;
pub mod count;
pub mod error;
pub mod headers;
pub mod models;
pub mod notes;
pub mod progress;
pub mod relay_tap;
pub mod request;
pub mod response;
pub mod restore;
pub mod schema;
pub mod setting;
pub mod stream;
pub mod stream_error;
pub mod tap;
pub mod unmark;
pub mod usage_strip;
