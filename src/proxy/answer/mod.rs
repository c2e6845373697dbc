//! A provider's answer on its way to the client.
//!
//! `stages` holds an answer and how far it has come; `arrived` decides by its head what happens to
//! its body, `opened` moves the body read by read up to its commit, `relay` from there to its end.
//! `source` is where the body comes from. What is done to its bytes is in `translate::transforms`.
//! Not here: which target is asked.

pub mod arrived;
pub mod content_type;
pub mod early_error;
pub mod opened;
pub mod relay;
pub mod source;
pub mod stages;
