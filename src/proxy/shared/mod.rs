//! What all stages of an exchange use: the worker's state, process-wide bounds, the failure table.
//!
//! This room imports no other room of `proxy`.

pub mod charge;
pub mod dates;
pub mod drain;
pub mod endpoint;
pub mod failure;
pub mod health;
pub mod health_report;
pub mod memory_budget;
pub mod model_ids;
pub mod query_slots;
pub mod retry_budget;
pub mod served_plan;
pub mod usage_channel;
pub mod usage_record;
pub mod worker;
