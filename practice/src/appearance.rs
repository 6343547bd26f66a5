//! How the site's pages look and behave for one member, so that several can rehearse on one site at the same time,
//! each with a site of their own.
//!
//! The real site shows different generations of its form to different members, and its banners, suggestions and
//! detours not to everybody (as seen 2023 to 2026, confidence A and B). To add a habit, add a field here whose
//! absence leaves the pages as they are, and act on it in `pages` or in `assets`.

use serde::{Deserialize, Serialize};

/// A generation of the upload form's markup, named by when it was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Markup {
    #[serde(rename = "2023")]
    Y2023,
    #[serde(rename = "2026-05")]
    May2026,
    #[serde(rename = "2026-07")]
    July2026,
    /// Today's.
    #[default]
    #[serde(rename = "2026-09")]
    September2026,
}

/// Where publishing leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Landing {
    /// The member's page, `?promo_shown=true` (as seen 2026, confidence B).
    #[default]
    Member,
    /// The new item's page (older, confidence B).
    Item,
}

/// What is particular about the pages that a member sees; all absent is the site as most see it today.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Appearance {
    pub markup: Markup,
    /// A cookie banner lies over every page until it is answered.
    pub cookie_banner: bool,
    /// A dialog that asks for the country lies over every page until it is closed.
    pub country_dialog: bool,
    /// Once photos are uploaded, the site chooses a category by itself, over one already chosen too.
    pub ai_category: bool,
    /// The list of brands begins with some that the site suggests.
    pub brand_suggestions: bool,
    /// The node of the photo input is replaced while the form settles, and not only after each use.
    pub recreate_photo_input: bool,
    /// Only a click on the header's link leads to the form; whoever goes there directly is sent home.
    pub sell_link_only: bool,
    pub lands_on: Landing,
    /// The recommended parcel is chosen already.
    pub package_suggestion: bool,
}
