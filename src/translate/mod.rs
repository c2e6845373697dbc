//! From one wire to the other.

pub mod adapt;
pub mod answer_context;
pub mod count;
pub mod error;
pub mod framing;
pub mod headers;
pub mod models;
pub mod notes;
pub mod progress;
pub mod relay_tap;
pub mod request;
pub mod request_context;
pub mod response;
pub mod response_mapping;
pub mod schema;
pub mod stream;
pub mod stream_error;
pub mod tap;
pub mod transforms;
pub mod unmark;
pub mod usage_strip;
