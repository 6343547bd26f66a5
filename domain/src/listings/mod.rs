//! Listings: articles for sale, from a first draft to an item on the site.
//!
//! A listing may be stored incomplete, but given values must be within the site's limits ([`input`]). [`content_of`]
//! checks whether it can be published, reports all violations in one error, and freezes the content for the site.
//!
//! A row stores the names of choices with their ids, as of the time of the choice. Preview and publishing read the
//! present names from the catalogue. To add a choice, add a column, a field of [`ListingInput`] and its line in
//! `input`.

mod content;
mod create;
mod delete;
mod edited;
mod from_photos;
mod get;
mod imported;
mod input;
mod listing;
mod preview;
mod price;
mod row;
mod update;

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

pub use content::content_of;
pub use create::{NewListing, create};
pub use delete::delete;
pub(crate) use delete::delete_all;
pub(crate) use edited::{as_it_is, edited};
pub use from_photos::{NewListingFromPhotos, create_from_photos};
pub use get::{Filter, get, list};
pub(crate) use imported::{Imported, find, insert_imported, take_over_desired, take_over_item};
pub(crate) use input::by_id;
pub use input::{ListingInput, NameOrId, photos_max, too_many_photos};
pub use listing::{Listing, Remote};
pub use preview::{Detail, Preview, preview};
pub use price::price_text;
pub(crate) use row::{get_row, load, require_photos, save, set_active_job};
pub use update::{Update, update};

/// The state of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ListingState {
    /// The listing exists only here.
    Draft,
    /// A confirmed publish job is publishing it.
    Publishing,
    /// The listing is on the site.
    Published,
    /// The listing was on the site and was deleted there.
    Deleted,
}
