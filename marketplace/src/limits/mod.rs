//! The site's limits for a listing, as data, and the check of a listing against them, which returns every violation at
//! once.
//!
//! To add a limit, add a key to `data/limits.toml`, a field to [`Limits`], and a check with a
//! new [`ViolationKind`] to `validate`.

mod check;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{Field, ItemContent, Money};

pub use check::validate;

/// The site's limits. Lengths and runs are in grapheme clusters, the characters that a person sees, because the site
/// does not say in what it counts; see [`text::length`](crate::text::length).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub photos: Range,
    pub title: TitleLimits,
    pub emoji: EmojiLimits,
    pub description: Length,
    pub colors: AtMost,
    pub materials: AtMost,
    /// By ISO 4217 code, in minor units.
    pub price: BTreeMap<String, Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub min: i64,
    pub max: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtMost {
    pub max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    pub min_chars: usize,
    pub max_chars: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TitleLimits {
    pub min_chars: usize,
    pub max_chars: usize,
    /// Titles with up to this many letters may be all capitals.
    pub capitals_free_letters: usize,
    /// The maximum share of capitals among the letters of longer titles, in percent.
    pub capitals_max_percent: usize,
    /// The maximum number of consecutive characters that are neither letters, digits nor blanks.
    pub special_run_max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmojiLimits {
    /// The sites, such as `vinted.de`, that refuse a title with an emoji.
    pub refused_in_titles: Vec<String>,
}

/// The error for a limits file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("limits: {0}")]
pub struct ParseError(#[from] toml::de::Error);

static EMBEDDED: LazyLock<Limits> = LazyLock::new(|| {
    Limits::parse(include_str!("../../data/limits.toml")).expect("the embedded file is read by a test")
});

impl Limits {
    /// Returns the built-in limits.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Parses limits from a file with the structure of `data/limits.toml`. Every key is required.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(toml::from_str(text)?)
    }
}

/// A listing to check. Any field may still be missing.
#[derive(Clone, Debug, Default)]
pub struct Submission<'a> {
    pub title: &'a str,
    pub description: &'a str,
    pub photo_count: usize,
    pub price: Option<&'a Money>,
    pub category_id: Option<i64>,
    pub brand_id: Option<i64>,
    pub size_id: Option<i64>,
    pub condition_id: Option<i64>,
    pub color_ids: Vec<i64>,
    pub material_ids: Vec<i64>,
    pub package_size_id: Option<i64>,
}

impl<'a> From<&'a ItemContent> for Submission<'a> {
    fn from(content: &'a ItemContent) -> Self {
        Self {
            title: &content.title,
            description: &content.description,
            photo_count: content.photo_sha256s.len(),
            price: Some(&content.price),
            category_id: Some(content.category.id),
            brand_id: content.brand.as_ref().map(|n| n.id),
            size_id: content.size.as_ref().map(|n| n.id),
            condition_id: content.condition.as_ref().map(|n| n.id),
            color_ids: content.colors.iter().map(|n| n.id).collect(),
            material_ids: content.materials.iter().map(|n| n.id).collect(),
            package_size_id: content.package_size.as_ref().map(|n| n.id),
        }
    }
}

/// Something that the site would refuse, or would not store as it was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    pub field: Field,
    pub kind: ViolationKind,
    /// What is wrong and what is allowed, in English.
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ViolationKind {
    /// Required but missing.
    Missing,
    TooShort,
    TooLong,
    TooManyCapitals,
    SpecialCharactersInARow,
    /// An emoji where the site accepts none.
    Emoji,
    /// A character that a form field cannot hold, such as a tab.
    ControlCharacter,
    TooLow,
    TooHigh,
    /// A currency other than the market's.
    WrongCurrency,
    TooFew,
    TooMany,
    /// The same choice twice.
    Repeated,
    /// The category does not have this field.
    NotAskedFor,
    /// The category does not offer this choice.
    NotOffered,
    /// A category with subcategories.
    NotALeaf,
}
