//! HTTP/1.1 framing as pure functions over bytes.
//!
//! `head` reads request and response heads as spans of the caller's buffer, `body` takes the
//! framing off bodies, `encode` writes heads and chunks, `target` judges paths. `grammar` holds
//! the few rules that all of them share, `fields` the field table, `framing` the one decision
//! about a body's length, `host` the syntax of Host, `date` the one of Date, `fault` what can be
//! wrong with a head.

pub mod body;
pub mod date;
pub mod encode;
pub mod fault;
pub mod fields;
pub mod framing;
pub mod grammar;
pub mod head;
pub mod host;
pub mod method;
pub mod span;
pub mod target;
