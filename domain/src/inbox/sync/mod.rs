//! What was said on the site, brought here.
//!
//! [`store_in`] writes one conversation as it was read, in one transaction with its events; storing the same reading twice
//! writes nothing. Nothing is ever removed because a reading lacks it. [`work`] is what the worker does around that for an
//! account, [`photos`] what it does about photos in messages, [`turns`] when it does it by itself, [`sync_now`] when somebody
//! asks. [`Freshness`] tells how that goes.

mod changes;
mod entry;
mod fresh;
mod now;
pub mod photos;
pub mod read_mark;
mod store;
pub mod turns;
pub mod work;

pub use fresh::{Freshness, freshness, freshness_of};
pub use now::sync_now;
pub use store::{Stored, store, store_in};
