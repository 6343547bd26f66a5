//! What a process is put together of; each command takes the parts that it is made of.

pub mod descriptors;
pub mod lifetime;
mod neighbours;
pub mod server;
pub mod several;
pub mod site;
pub mod worker;
