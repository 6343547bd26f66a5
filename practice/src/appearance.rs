//! The appearance and behaviour of the site's pages for one member. Each member can have another appearance, so several
//! clients can rehearse on one practice site at the same time.
//!
//! The real site shows different generations of its form to different members. Its banners, suggestions and detours
//! also appear for some members only (as seen 2023 to 2026, confidence A and B). To add a variant, add a field to
//! [`Appearance`] whose absence leaves the pages unchanged, and handle it in `pages` or in `assets`.

use serde::{Deserialize, Serialize};

/// A generation of the upload form's markup, named after the date when it was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Markup {
    #[serde(rename = "2023")]
    Y2023,
    #[serde(rename = "2026-05")]
    May2026,
    #[serde(rename = "2026-07")]
    July2026,
    /// The current markup.
    #[default]
    #[serde(rename = "2026-09")]
    September2026,
}

/// The page to which publishing leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Landing {
    /// The member's page, `?promo_shown=true` (as seen 2026, confidence B).
    #[default]
    Member,
    /// The new item's page (older, confidence B).
    Item,
}

/// The variant of the pages that a member sees. The default is the site as most members see it today.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Appearance {
    pub markup: Markup,
    /// Whether a cookie banner covers every page until the visitor answers it.
    pub cookie_banner: bool,
    /// Whether a dialog that asks for the country covers every page until the visitor closes it.
    pub country_dialog: bool,
    /// Whether the site chooses a category after photos are uploaded. It also overwrites a category chosen before.
    pub ai_category: bool,
    /// Whether the list of brands begins with suggestions of the site.
    pub brand_suggestions: bool,
    /// Whether the list of colours begins with suggestions of the site. These colours are in the list a second time (as
    /// seen 2026-05, confidence A).
    pub color_suggestions: bool,
    /// Whether a hint stands under each choice, in the place of its error texts (not seen, confidence C).
    pub choice_notes: bool,
    /// Whether the node of the photo input is also replaced while the form loads, and not only after each use.
    pub recreate_photo_input: bool,
    /// Whether the form opens only by a click on the header's link. A direct visit is redirected to the home page.
    pub sell_link_only: bool,
    pub lands_on: Landing,
    /// Whether the recommended package size is already selected.
    pub package_suggestion: bool,
}
