//! One file per command.

pub mod migrate_store;
pub mod practice;
pub mod schedules;
pub mod search;
pub mod seed;
pub mod selectors;
pub mod serve;
pub mod server;
pub mod token;
pub mod user;
pub mod worker;
