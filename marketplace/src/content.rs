//! The content of a listing, in the site's own terms.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// An amount of money: integer minor units (cents) and an ISO 4217 code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub minor_units: i64,
    pub currency: String,
}

/// The language in which an account sees the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    De,
    En,
    Fr,
}

impl Language {
    /// Returns the ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
            Self::Fr => "fr",
        }
    }

    /// Returns the language of an ISO 639-1 code, if it is supported.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "de" => Some(Self::De),
            "en" => Some(Self::En),
            "fr" => Some(Self::Fr),
            _ => None,
        }
    }
}

/// One of the site's choices: its id, which identifies it, and its name in the account's language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub id: i64,
    pub name: String,
}

/// A leaf category with its path from the root, including the leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryChoice {
    pub id: i64,
    pub path: Vec<Named>,
}

/// The content of an item on the site, with its photos by hash only.
///
/// A choice that the category does not have is `None` or empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemContent {
    pub title: String,
    pub description: String,
    pub price: Money,
    pub category: CategoryChoice,
    pub brand: Option<Named>,
    pub size: Option<Named>,
    pub condition: Option<Named>,
    pub colors: Vec<Named>,
    pub materials: Vec<Named>,
    pub package_size: Option<Named>,
    /// SHA-256 (hex) of each processed photo, in the order in which the site shows them.
    pub photo_sha256s: Vec<String>,
}

/// One processed photo.
#[derive(Clone, Debug)]
pub struct PhotoFile {
    /// SHA-256 of `bytes`, in hex.
    pub sha256: String,
    /// Always `image/jpeg`, because processed photos are JPEG.
    pub content_type: String,
    pub bytes: Bytes,
}

/// A field of the site's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Photos,
    Title,
    Description,
    Category,
    Brand,
    Size,
    Condition,
    Colors,
    Materials,
    Price,
    PackageSize,
    Bump,
    SaveDraft,
    Publish,
}

impl Field {
    /// Returns the field's name in data files, errors and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photos => "photos",
            Self::Title => "title",
            Self::Description => "description",
            Self::Category => "category",
            Self::Brand => "brand",
            Self::Size => "size",
            Self::Condition => "condition",
            Self::Colors => "colors",
            Self::Materials => "materials",
            Self::Price => "price",
            Self::PackageSize => "package_size",
            Self::Bump => "bump",
            Self::SaveDraft => "save_draft",
            Self::Publish => "publish",
        }
    }
}
