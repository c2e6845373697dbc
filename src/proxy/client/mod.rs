//! The client's side of an exchange: its stream, its request as read, heads and replies as written.

pub mod answer_head;
pub mod cors;
pub mod custody;
pub mod downstream;
pub mod early_head;
pub mod exchange;
pub mod ingress;
pub mod next;
pub mod rate_limit_headers;
pub mod reply;
pub mod unserved;
