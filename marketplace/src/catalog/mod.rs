//! The site's catalogue in one language: categories, the fields of each leaf, and the choices.
//!
//! A [`Catalog`] is data, read from the site and stored as JSON. Choices that many categories share are stored once and
//! referenced by id. A [`CatalogIndex`] answers lookups and resolves names to ids. To support another field of the
//! form, add its choices to [`Catalog`], its rule to [`CategoryFields`] and a `resolve_` method.

mod index;
mod resolve;
mod synonyms;
#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

use crate::{Language, Named};

pub use index::CatalogIndex;
pub use resolve::{Candidate, ResolveError};
pub use synonyms::is_no_brand;

/// The id of the brand that stands for "no brand" (as seen in working code, confidence B).
pub const NO_BRAND: i64 = 1;

/// The catalogue of a site in one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    pub language: Language,
    /// In the site's order; a parent may come after its children.
    pub categories: Vec<Category>,
    /// The brands that are known by name. The site has more, which only its search finds.
    pub brands: Vec<Brand>,
    pub colors: Vec<Named>,
    pub size_groups: Vec<SizeGroup>,
    pub conditions: Vec<Named>,
    pub materials: Vec<Named>,
    pub package_sizes: Vec<Named>,
}

/// A category in the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Category {
    pub id: i64,
    /// Absent for a root.
    pub parent_id: Option<i64>,
    pub name: String,
    /// The fields that the form shows for this category; `Some` for leaves only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<CategoryFields>,
}

/// The fields that the form shows in one leaf category. `None`: the category does not have the field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CategoryFields {
    /// The options are the site's brands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<FieldRule>,
    /// The options are ids of size groups.
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

/// A category's rule for one of its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRule {
    pub required: bool,
    /// The maximum number of choices.
    pub selection_limit: u32,
    /// Ids in the catalog's list for this field (for sizes: ids of size groups). Empty means the whole list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<i64>,
}

/// A group of sizes that belong together, such as shoe sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeGroup {
    pub id: i64,
    pub name: String,
    pub sizes: Vec<Named>,
}

/// A brand with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brand {
    pub id: i64,
    pub name: String,
    /// Whether the site asks for a proof of authenticity.
    #[serde(default)]
    pub needs_authenticity_check: bool,
}
