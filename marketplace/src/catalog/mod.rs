//! What the site offers to choose from, in one language: categories, what each leaf asks for, and the choices.
//!
//! A [`Catalog`] is data, read from the site and kept as JSON; choices that many categories share stand in it once and
//! are referred to by id. A [`CatalogIndex`] answers questions about it, and turns names into ids. For another field of
//! the form: add its choices to [`Catalog`], its rule to [`CategoryFields`], and a `resolve_` method beside its kin.

mod index;
mod resolve;
#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

use crate::{Language, Named};

pub use index::CatalogIndex;
pub use resolve::{Candidate, ResolveError};

/// The id of the brand that stands for "no brand" (as seen in working code, confidence B).
pub const NO_BRAND: i64 = 1;

/// Everything that the site offers to choose from, in one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    pub language: Language,
    /// In the site's order; a parent need not stand before its children.
    pub categories: Vec<Category>,
    /// The brands that are known by name; the site has more, which it finds by search.
    pub brands: Vec<Brand>,
    pub colors: Vec<Named>,
    pub size_groups: Vec<SizeGroup>,
    pub conditions: Vec<Named>,
    pub materials: Vec<Named>,
    pub package_sizes: Vec<Named>,
}

/// A place in the category tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Category {
    pub id: i64,
    /// Absent for a root.
    pub parent_id: Option<i64>,
    pub name: String,
    /// What the form asks for once this category is chosen; `Some` for a leaf alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<CategoryFields>,
}

/// What the form asks for in one leaf category. A field that is `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CategoryFields {
    /// Its options are the site's brands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<FieldRule>,
    /// Its options are ids of size groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<FieldRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<FieldRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<FieldRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub material: Option<FieldRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_size: Option<FieldRule>,
}

/// What a category says about a field that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRule {
    pub required: bool,
    /// How many may be chosen at most.
    pub selection_limit: u32,
    /// Ids in the catalog's list for this field (for sizes: of size groups). Empty means the whole list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<i64>,
}

/// Sizes that belong together, such as those of shoes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeGroup {
    pub id: i64,
    pub name: String,
    pub sizes: Vec<Named>,
}

/// A brand by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brand {
    pub id: i64,
    pub name: String,
    /// Whether the site asks for a proof that the item is genuine.
    #[serde(default)]
    pub needs_authenticity_check: bool,
}
