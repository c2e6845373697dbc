//! The folder that usage records lie in before a store has them.

pub mod identity;
pub mod lock;
pub mod segments;
pub mod tail;
