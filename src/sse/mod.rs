//! Server-sent events: bytes to frames and back.

pub mod decode;
pub mod encode;
pub mod record;
