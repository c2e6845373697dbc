//! A neutral request fitted to what a target can say: every verdict of `docs/TRANSLATION.md`.
//!
//! `anthropic` and `openai` go through the members for their wire; `thinking`, `format`, `tools`
//! and `turns` are the larger matters towards the Anthropic wire, `chat` towards the OpenAI one;
//! `calls` pairs tool calls with results on the way to either; `names` keeps ids and tool names
//! within a target's letters and lengths.

pub mod anthropic;
pub mod calls;
pub mod chat;
pub mod fit;
pub mod format;
pub mod names;
pub mod openai;
pub mod thinking;
pub mod tools;
pub mod turns;
