//! Where a configuration comes from: a file or the environment, and the files that it names.

pub mod environment;
pub mod file;
pub mod material;
