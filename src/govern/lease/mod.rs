//! Limits that several replicas share: what one replica has leased of them, and asks for next.

pub mod budget_lease;
pub mod concurrency_lease;
pub mod lease_demand;
pub mod lease_queue;
pub mod lease_request;
pub mod rate_lease;
pub mod tenant_lease;
