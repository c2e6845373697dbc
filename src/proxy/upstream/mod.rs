//! One attempt at one provider: a connection, the request's head and body out, the answer's head in.
//!
//! `attempt` is the door. Not here: what the answer means, and whether there is a next attempt.

pub mod attempt;
pub mod outbound;
pub mod request_head;
pub mod stream_timeouts;
