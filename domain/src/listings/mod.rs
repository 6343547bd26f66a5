//! Listings: what is to be sold, from a sketch to an item on the site.
//!
//! A listing may be saved incomplete, but what is given must be within the site's limits ([`input`]). Whether it can be
//! published is asked of [`content_of`], which tells every violation at once and freezes what the site is told.
//!
//! The names of choices stand in the row beside their ids, as they were when they were chosen; preview and publishing read
//! them anew from the catalogue. A new choice: a column, a field of [`ListingInput`], and its line in `input`.

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
pub(crate) use imported::{Imported, find, insert_imported, take_over_item, take_over_said};
pub(crate) use input::by_id;
pub use input::{ListingInput, NameOrId, photos_max, too_many_photos};
pub use listing::{Listing, Remote};
pub use preview::{Detail, Preview, preview};
pub use price::price_text;
pub(crate) use row::{get_row, load, require_photos, save, set_active_job};
pub use update::{Update, update};

/// Where a listing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ListingState {
    /// Only here.
    Draft,
    /// A confirmed publish job is at work on it.
    Publishing,
    /// On the site.
    Published,
    /// Was on the site, and was deleted there.
    Deleted,
}
