//! Streams of the Anthropic wire: what its events mean, and how to say it in them.

pub mod cited;
pub mod decode;
pub mod encode;
pub mod watch;
