//! A provider's answer on its way to the client.
//!
//! `delivery` decides by the answer's head what happens to its body, `relay` moves the body read by
//! read, `body_mode` is what is done with the bytes. Not here: which target is asked.

pub mod body_mode;
pub mod content_type;
pub mod delivery;
pub mod early_error;
pub mod relay;
