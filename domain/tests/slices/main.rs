//! The slices that callers create, read, change and delete things with, over an in-memory database.
//!
//! A new test: into the file of its slice, on a [`support::World`].

mod accounts;
mod catalog;
mod desk;
mod doubt;
mod films;
mod identity;
mod instance;
mod listings;
mod media;
mod paging;
mod requests;
mod schedules;
mod support;
mod wardrobe;
mod windows;
