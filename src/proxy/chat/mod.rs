//! Chats and `count_tokens`: which targets are tried, in which order, with which bytes.
//!
//! `attempts` is the door: it goes through the `candidates`, and hands an answer to `answer`.

pub mod attempts;
pub mod candidates;
pub mod prepare;
pub mod target_order;
