//! The parts of a process. Each command starts the parts that it needs.

pub mod cluster;
pub mod descriptors;
pub mod lifetime;
mod neighbours;
pub mod server;
pub mod site;
pub mod worker;
