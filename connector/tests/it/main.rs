//! The connector against a practice site that runs in the test: plain requests, and a real Chromium.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests call the writing methods on the practice site"
)]

mod browser;
mod browser_changes;
mod browser_check;
mod browser_faces;
mod browser_mutations;
mod browser_pages;
mod browser_refusals;
mod browser_window;
mod browserless;
mod doors;
mod inbox;
mod leftovers;
mod reads;
mod remote;
mod removal;
mod replies;
mod site;
