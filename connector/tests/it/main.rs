//! The connector against a practice site that runs in the test: plain requests, and a real Chromium.

#![expect(
    clippy::disallowed_methods,
    reason = "the writing methods are what is tested here, on the practice site"
)]

mod browser;
mod browserless;
mod leftovers;
mod reads;
mod site;
mod window;
