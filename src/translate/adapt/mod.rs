//! A neutral request fitted to what a target can say: every verdict of `docs/TRANSLATION.md`.
//!
//! `anthropic` and `openai` hold a target's verdicts and fit the members. `turns` has the rules of who
//! may speak when, driven by the `Shape` of a target; what a target takes of blocks is in
//! `to_anthropic_messages` and `to_openai_messages`. `thinking`, `format`, `tools` and `cache_marks` are the
//! larger matters towards the Anthropic wire. `calls` pairs tool calls with results on the way to any
//! target; `names` keeps ids and tool names within its letters and lengths.

pub mod anthropic;
pub mod cache_marks;
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
