//! From a document to the schema: names, types and ranges, section by section.

pub mod address;
pub mod document;
pub mod fields;
pub mod key;
pub mod limits;
pub mod node;
pub mod price;
pub mod provider;
pub mod residency;
pub mod store;
pub mod tables;
pub mod target;
