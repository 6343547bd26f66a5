//! The slices that callers create, read, change and delete things with, over an in-memory database.
//!
//! A new test: into the file of its slice, on a [`support::World`].

#[path = "../../../proofs/tests/support/postgres.rs"]
mod postgres;

mod abandoned;
mod accounts;
mod catalog;
mod cluster;
mod conversations;
mod desk;
mod doubt;
mod endpoints;
mod feed;
mod films;
mod identity;
mod inbox_reading;
mod inbox_sync;
mod instance;
mod keeping;
mod late_replies;
mod listings;
mod media;
mod media_links;
mod migrated;
mod paging;
mod reads;
mod removal;
mod replies;
mod reply_desk;
mod reply_repeats;
mod reply_rules;
mod requests;
mod schedules;
mod search;
mod support;
mod templates;
mod thread_changes;
mod threads;
mod transfer;
mod wardrobe;
mod windows;
