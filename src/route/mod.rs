//! From configuration to the plan that is run on.
//!
//! `compile` checks a configuration and builds the plan, `plan` is the plan, `select` finds the targets
//! of a request in it.

pub mod compile;
pub mod plan;
pub mod select;
