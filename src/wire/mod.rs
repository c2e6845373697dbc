//! The public wires: what their bytes mean.
//!
//! `kind` names the wires and their dialects, `codec` chooses between the wires' folders,
//! `openai` and `anthropic` read and write one wire each, `peek` finds what routing needs in a
//! request's body, `common` is what the wires share.

pub mod anthropic;
pub mod codec;
pub mod common;
pub mod kind;
pub mod openai;
pub mod peek;
