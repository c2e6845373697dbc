//! A provider of both wires that does what it is told.

pub mod answer;
pub mod ask;
pub mod run;
pub mod script;
pub mod serve;
