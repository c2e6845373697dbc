//! A neutral request fitted to what a target can say: every verdict of `docs/TRANSLATION.md`.
//!
//! `anthropic` and `openai` hold a target's verdicts and fit the members; `thinking`, `format`, `tools`
//! and `to_anthropic_messages` are the larger matters towards the Anthropic wire, `to_openai_messages`
//! towards the OpenAI one; `calls` pairs tool calls with results on the way to either; `names` keeps ids and tool names
//! within a target's letters and lengths.

pub mod anthropic;
pub mod calls;
pub mod fit;
pub mod format;
pub mod names;
pub mod openai;
pub mod thinking;
pub mod to_anthropic_messages;
pub mod to_openai_messages;
pub mod tools;
pub mod turns;
