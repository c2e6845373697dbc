//! One client connection and the requests on it: the keep-alive loop, and which endpoint answers a request.
//!
//! The door is `connection`. This room may use every other room of `proxy`; none may use it.

pub mod connection;
pub mod dispatch;
