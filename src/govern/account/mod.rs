//! What keys and tenants have used, and whether a request still fits.

pub mod prior_spend;
pub mod usage;
pub mod window;
