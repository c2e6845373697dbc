//! What the wires share: ids, members, reasoning that crosses vendors, and readers of frames.
//!
//! A file here knows no wire's folder.

pub mod answer_summary;
pub mod arguments;
pub mod base64;
pub mod conventions;
pub mod error_text;
pub mod foreign_reasoning;
pub mod gemini_signature;
pub mod ids;
pub mod members;
pub mod portkey;
pub mod read;
pub mod reasoning_history;
pub mod repeated_frame;
pub mod stream_observation;
pub mod time_text;
pub mod write;
