//! Kinds of upstream service: one file each, data alone.
//!
//! `spec` says what a kind is, `table` lists them all, `dialect` sets quirk flags by name. A kind
//! gives defaults; the configuration may set every flag otherwise.

pub mod anthropic;
pub mod anthropic_compatible;
pub mod azure_openai;
pub mod deepseek;
pub mod dialect;
pub mod gemini;
pub mod groq;
pub mod mistral;
pub mod ollama;
pub mod openai;
pub mod openai_compatible;
pub mod openrouter;
pub mod spec;
pub mod table;
pub mod together;
pub mod vllm;
pub mod xai;
