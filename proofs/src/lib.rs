//! Proofs that the product's guarantees hold, and their shared parts.

pub mod attack;
pub mod bench;
pub mod browser;
pub mod chaos;
pub mod cluster;
pub mod contents;
pub mod crash;
pub mod demo;
pub mod failpoints;
pub mod faults;
pub mod instance;
pub mod load;
pub mod people;
pub mod photos;
#[path = "../tests/support/postgres.rs"]
pub mod postgres;
pub mod receiver;
pub mod records;
pub mod redis;
pub mod sim;
pub mod streams;
