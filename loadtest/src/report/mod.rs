//! What is told of runs: tables on the terminal, figures as JSON, a page with plots.

pub mod data;
pub mod page;
pub mod plot;
pub mod table;
pub mod write;
