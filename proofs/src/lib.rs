//! The proofs that the promises hold, and the parts that they share.

pub mod bench;
pub mod browser;
pub mod crash;
pub mod demo;
pub mod instance;
pub mod load;
pub mod photos;
pub mod receiver;
pub mod records;
pub mod sim;
pub mod streams;
