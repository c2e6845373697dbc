//! What holds for every input, as functions from bytes that panic where it does not.
//!
//! One property per fuzz target, all in [`targets`]. Here the codecs are held against plain twins
//! and against parsers of others; nothing needs libFuzzer, so `cargo test` replays the corpora.
//!
//! An input is the bytes that a peer could send. What else a property needs (where to cut, which of
//! several settings) follows from its length, so that recorded bodies are good seeds as they are.
//! Where bytes alone do not get deep, an input that begins with [`recipe::MARK`] is not the bytes
//! but a recipe: from it a valid request or stream is built, then damaged.

pub mod answer;
pub mod config;
pub mod cook;
pub mod error;
pub mod form;
pub mod http1_body;
pub mod http1_connection;
pub mod http1_head;
pub mod journal;
pub mod json;
pub mod peek;
pub mod pieces;
pub mod plain_http;
pub mod plain_sse;
pub mod recipe;
pub mod recipe_request;
pub mod recipe_stream;
pub mod request;
pub mod rewrite;
pub mod sse;
pub mod stream;
pub mod stream_judge;
pub mod string;
pub mod tap;
pub mod targets;
pub mod transforms;
