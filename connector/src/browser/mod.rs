//! Writing through a real Chromium, driven by a real chromedriver over WebDriver.
//!
//! `launch` starts and ends the two processes, `driver` and `door` each one of them, `remote` is what is otherwise where they
//! run elsewhere, `devtools` speaks with the browser beside its driver, `traffic` listens to what the page says to the site, `page` goes to pages
//! and looks for challenges, `find` finds things there and `over` takes away what lies over them, `picture` photographs.
//! `photos`, `form` and `lists` fill the fields, `reading` reads them back, `filling` puts them in order, `item` does the
//! same for what is on sale already, `write` makes the click that counts, `composer` is what the product sees of all
//! this. `check` looks which selectors find anything on a page. A new field of the form is a case in `form`, a key in
//! `reading` and a line in the order of the steps.

mod check;
mod composer;
mod config;
mod devtools;
mod door;
mod driver;
mod failure;
mod filling;
mod find;
mod form;
mod item;
mod launch;
mod lists;
mod over;
mod page;
mod photos;
mod picture;
mod reading;
mod remote;
mod traffic;
mod write;

use vintedbot_marketplace::Error;

pub use check::{Checked, CheckedPage, check_selectors};
pub(crate) use composer::{BrowserComposer, Equipment};
pub use config::BrowserConfig;
pub use driver::is_isolated;
pub(crate) use launch::end_leftover;

/// Anything that the driver or the browser could not do.
fn broken(error: impl std::fmt::Display) -> Error {
    Error::Browser(error.to_string().trim().to_owned())
}
