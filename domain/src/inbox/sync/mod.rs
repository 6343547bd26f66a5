//! What was said on the site, brought here.
//!
//! [`store_in`] writes one conversation as it was read, in one transaction with its events; storing the same reading twice
//! writes nothing. Nothing is ever removed because a reading lacks it.

mod changes;
mod entry;
mod store;

pub use store::{Stored, store_in};
