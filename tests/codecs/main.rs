//! The codecs as a whole: streams and answers through translator, tap and strip.
//!
//! `cargo test --no-default-features --test codecs` runs everything here; nothing needs a socket.
//! `BLESS=1` rewrites the goldens. The tests of `recorded` need the folder of recorded exchanges:
//! `RINGWAY_RECORDED` names it.

#![expect(clippy::unwrap_used, reason = "test code: a failure is a failed test")]

mod citations;
mod custom;
mod goldens;
mod meaning;
mod modes;
mod names;
mod others;
mod pieces;
mod recorded;
mod rows;
mod splits;
mod support;
mod tables;
