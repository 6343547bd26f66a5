//! Writing through a real Chromium, driven by a real chromedriver over WebDriver.
//!
//! `launch` starts and ends the two processes, `traffic` listens to what the page says to the site, `page` finds things
//! on a page and looks for challenges, `form` fills the fields and `reading` reads them back, `write` makes the click
//! that counts, `composer` puts all in order. A new field of the form is a function in `form` and a line in the
//! composer's sequence.

mod composer;
mod config;
mod form;
mod launch;
mod page;
mod reading;
mod traffic;
mod write;

use vintedbot_marketplace::Error;

pub(crate) use composer::BrowserComposer;
pub use config::BrowserConfig;
pub(crate) use launch::end_leftover;

/// Anything that the driver or the browser could not do.
fn broken(error: impl std::fmt::Display) -> Error {
    Error::Browser(error.to_string().trim().to_owned())
}
