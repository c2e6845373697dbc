//! Usage records from the data threads to the journal and the store, and questions about them.

pub mod journal_uploader;
pub mod journal_writer;
pub mod pipeline;
pub mod prior_spend;
pub mod queries;
pub mod retention;
