//! Writes through a real Chromium, driven by a real chromedriver over WebDriver.
//!
//! - `launch` starts and ends both processes, `driver` and `door` one each. `remote` handles a driver that runs
//!   elsewhere.
//! - `devtools` speaks to the browser in parallel to the driver. `traffic` records the page's requests to the site.
//! - `page` navigates and checks for challenges, `find` finds elements, `over` closes what covers the page, and
//!   `picture` takes screenshots.
//! - `photos`, `form` and `lists` fill the fields, `reading` reads them back, and `filling` puts them in order. `item`
//!   does the same for items on sale.
//! - `write` makes the click that writes. `listing_form` implements
//!   [`ListingFormDriver`](vintedbot_marketplace::ListingFormDriver) with all of these.
//! - `check` reports which selectors match on a page.
//!
//! To support a new form field, add a case in `form`, a key in `reading` and an entry in the order of the steps.

mod check;
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
mod listing_form;
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
pub use config::BrowserConfig;
pub use driver::is_isolated;
pub(crate) use launch::end_leftover;
pub(crate) use listing_form::{BrowserFormDriver, Equipment};

/// Wraps any failure of the driver or the browser.
fn broken(error: impl std::fmt::Display) -> Error {
    Error::Browser(error.to_string().trim().to_owned())
}
