//! One command that holds gateways against each other: starts them, pins them, sends the same load
//! through each in turn, and says what was reached.

pub mod args;
pub mod builds;
pub mod configs;
pub mod contestant;
pub mod facts;
pub mod file;
pub mod goal;
pub mod memory;
pub mod run;
pub mod scene;
pub mod stage;
