//! The threads of the process and what watches over them.

pub mod data;
pub mod host;
pub mod output;
pub mod progress;
pub mod supervise;
