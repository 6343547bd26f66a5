//! The connector against a practice site that runs in the test: plain requests, and a real Chromium.

mod browser;
mod browserless;
mod leftovers;
mod reads;
mod site;
