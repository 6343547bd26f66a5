//! Tests of the domain slices over an in-memory database.
//!
//! Put a new test into the file of its slice. Build it on a [`support::World`].

#[path = "../../../proofs/tests/support/postgres.rs"]
mod postgres;

mod abandoned;
mod accounts;
mod catalog;
mod cluster;
mod conversations;
mod doubt;
mod endpoints;
mod feed;
mod fixture;
mod identity;
mod inbox_reading;
mod inbox_sync;
mod instance;
mod late_replies;
mod listings;
mod media;
mod media_links;
mod migrated;
mod offers;
mod paging;
mod people;
mod reads;
mod removal;
mod replies;
mod reply_fixture;
mod reply_repeats;
mod reply_rules;
mod requests;
mod retention;
mod row_level_security;
mod schedules;
mod search;
mod support;
mod templates;
mod texts;
mod thread_changes;
mod threads;
mod timelines;
mod transfer;
mod upgraded;
mod wardrobe;
mod windows;
