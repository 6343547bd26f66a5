//! Reads the site's inbox into the store.
//!
//! [`store_in`] writes one conversation and its events in one transaction. Storing the same reading twice writes
//! nothing. An entry that is missing from a reading is never deleted here. [`work`] has the worker's steps of a
//! reading, [`photos`] fetches the photos of messages, [`turns`] schedules readings, and [`sync_now`] serves a caller's
//! request. [`Freshness`] reports the result.

mod changes;
mod entry;
mod fresh;
mod merge;
mod now;
pub mod photos;
pub mod read_mark;
mod store;
pub mod turns;
pub mod work;

pub use fresh::{Freshness, freshness, freshness_of};
pub use now::sync_now;
pub use store::{Stored, store, store_in};
