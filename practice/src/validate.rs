//! The body of a form, and the site's limits for it (as seen 2026, confidence A and B).

use serde::Deserialize;
use serde_json::Value;
use unicode_properties::{EmojiStatus, UnicodeEmoji};
use unicode_segmentation::UnicodeSegmentation;

use crate::items::Item;
use crate::ontology::{Locale, NO_BRAND, ontology, text};

/// A refused field and the error text under it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
pub struct FieldError {
    pub field: String,
    pub value: String,
}

/// The `item` or `draft` of a saving call. Fields that this site does not use are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Body {
    pub currency: Option<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub price: Value,
    pub catalog_id: Option<u64>,
    pub brand_id: Option<u64>,
    pub brand: Option<String>,
    pub isbn: Option<String>,
    pub is_unisex: Option<bool>,
    pub package_size_id: Option<u64>,
    pub color_ids: Option<Vec<u64>>,
    pub assigned_photos: Option<Vec<AssignedPhoto>>,
    pub item_attributes: Option<Vec<Attribute>>,
    pub measurement_length: Option<u64>,
    pub measurement_width: Option<u64>,
    /// The size; older callers send size and condition in these two fields.
    pub size_id: Option<u64>,
    pub status_id: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct AssignedPhoto {
    pub id: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Attribute {
    pub code: String,
    pub ids: Vec<u64>,
}

/// Lengths are in grapheme clusters. In what the site counts is not known.
const TITLE_CHARS: usize = 100;
const DESCRIPTION_CHARS: usize = 2_000;
const PHOTOS: usize = 20;
const COLORS: usize = 2;
const MATERIALS: usize = 3;
/// The range of prices, in minor units.
const PRICE: std::ops::RangeInclusive<i64> = 100..=3_000_000;
/// Titles with fewer letters may be all capitals, like brand names.
const CAPITALS_FROM_LETTERS: usize = 6;
const SPECIALS_IN_A_ROW: usize = 5;

impl Body {
    fn attribute(&self, code: &str) -> Vec<u64> {
        let attributes = self.item_attributes.iter().flatten();
        attributes
            .filter(|one| one.code == code)
            .flat_map(|one| one.ids.iter().copied())
            .collect()
    }

    /// Converts the body into an item. The caller sets identity, owner and times.
    ///
    /// # Errors
    ///
    /// Fails if the price is not an amount.
    pub fn into_item(self, locale: Locale) -> Result<Item, Vec<FieldError>> {
        let refused = || {
            vec![FieldError {
                field: "price".into(),
                value: text(locale, "price_range").into(),
            }]
        };
        let price = match &self.price {
            Value::Null => None,
            Value::String(written) if written.trim().is_empty() => None,
            Value::String(written) => Some(minor_units(written).ok_or_else(refused)?),
            Value::Number(number) => Some(minor_units(&number.to_string()).ok_or_else(refused)?),
            _ => return Err(refused()),
        };
        let custom_brand = self
            .brand
            .clone()
            .filter(|name| self.brand_id.is_none() && !name.trim().is_empty());
        Ok(Item {
            price,
            custom_brand,
            size_id: self.attribute("size").first().copied().or(self.size_id),
            condition_id: self.attribute("condition").first().copied().or(self.status_id),
            material_ids: self.attribute("material"),
            photo_ids: self
                .assigned_photos
                .iter()
                .flatten()
                .map(|photo| photo.id)
                .collect(),
            title: self.title.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            catalog_id: self.catalog_id,
            brand_id: self.brand_id,
            isbn: self.isbn,
            is_unisex: self.is_unisex.unwrap_or(false),
            package_size_id: self.package_size_id,
            color_ids: self.color_ids.unwrap_or_default(),
            measurement_length: self.measurement_length,
            measurement_width: self.measurement_width,
            ..Item::default()
        })
    }
}

/// Parses `"29"`, `"29.5"` or `"29.90"` as minor units. Returns `None` for anything else.
fn minor_units(written: &str) -> Option<i64> {
    let (whole, cents) = written.trim().split_once('.').unwrap_or((written.trim(), ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(cents) || cents.len() > 2 {
        return None;
    }
    let cents: i64 = format!("{cents:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)
}

fn too_many_capitals(title: &str) -> bool {
    let letters = title.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = title.chars().filter(|c| c.is_uppercase()).count();
    letters >= CAPITALS_FROM_LETTERS && capitals * 10 > letters * 7
}

fn too_many_specials(title: &str) -> bool {
    let special = |sign: &str| !sign.chars().any(|c| c.is_alphanumeric() || c.is_whitespace());
    let mut run = 0;
    title.graphemes(true).any(|sign| {
        run = if special(sign) { run + 1 } else { 0 };
        run >= SPECIALS_IN_A_ROW
    })
}

/// Returns the violation of a title with an emoji, which the German site refuses (as seen 2026-05, confidence A).
pub fn emoji_violation(title: &str, locale: Locale) -> Option<FieldError> {
    let is_emoji = |c: char| {
        let status = c.emoji_status();
        c == '\u{fe0f}'
            || matches!(
                status,
                EmojiStatus::EmojiPresentation
                    | EmojiStatus::EmojiPresentationAndModifierBase
                    | EmojiStatus::EmojiPresentationAndEmojiComponent
                    | EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
            )
    };
    title.chars().any(is_emoji).then(|| FieldError {
        field: "title".into(),
        value: text(locale, "title_emoji").into(),
    })
}

fn length(text: &str) -> usize {
    text.graphemes(true).count()
}

/// Returns all violations of an item. A draft may leave fields empty.
pub fn violations(item: &Item, is_draft: bool, locale: Locale) -> Vec<FieldError> {
    let mut found = Vec::new();
    let mut refuse = |wrong: bool, field: &str, key: &str| {
        if wrong && !found.iter().any(|error: &FieldError| error.field == field) {
            found.push(FieldError {
                field: field.into(),
                value: text(locale, key).into(),
            });
        }
    };
    refuse(length(&item.title) > TITLE_CHARS, "title", "title_long");
    refuse(too_many_capitals(&item.title), "title", "title_capitals");
    refuse(too_many_specials(&item.title), "title", "title_specials");
    refuse(
        length(&item.description) > DESCRIPTION_CHARS,
        "description",
        "description_long",
    );
    refuse(
        item.price.is_some_and(|price| !PRICE.contains(&price)),
        "price",
        "price_range",
    );
    refuse(item.photo_ids.len() > PHOTOS, "photos", "photos_many");
    refuse(item.color_ids.len() > COLORS, "color", "color_many");
    refuse(item.material_ids.len() > MATERIALS, "material", "material_many");

    let all = ontology();
    let known = |list: &[crate::ontology::Titled], id: u64| list.iter().any(|one| one.id == id);
    let category = item.catalog_id.and_then(|id| all.catalog(id));
    refuse(
        item.catalog_id.is_some() && category.is_none(),
        "category",
        "unknown",
    );
    let leaf = item.catalog_id.and_then(|id| all.leaf(id));
    refuse(item.catalog_id.is_some() && leaf.is_none(), "category", "leaf");
    let brand_known = item
        .brand_id
        .is_none_or(|id| id == NO_BRAND || all.brand(id).is_some());
    refuse(!brand_known, "brand", "unknown");
    refuse(
        item.color_ids.iter().any(|id| !known(&all.colors, *id)),
        "color",
        "unknown",
    );
    refuse(
        item.material_ids.iter().any(|id| !known(&all.materials, *id)),
        "material",
        "unknown",
    );
    refuse(
        item.package_size_id
            .is_some_and(|id| !known(&all.package_sizes, id)),
        "package_size",
        "unknown",
    );
    if let Some(leaf) = leaf {
        let fits = |id| {
            all.sizes_of(leaf)
                .flat_map(|group| &group.sizes)
                .any(|size| size.id == id)
        };
        refuse(item.size_id.is_some_and(|id| !fits(id)), "size", "unknown");
        let fits = |id| all.conditions_of(leaf).any(|condition| condition.id == id);
        refuse(
            item.condition_id.is_some_and(|id| !fits(id)),
            "condition",
            "unknown",
        );
    }
    if !is_draft {
        refuse(item.photo_ids.is_empty(), "photos", "photos_required");
        refuse(item.title.trim().is_empty(), "title", "required");
        refuse(item.description.trim().is_empty(), "description", "required");
        refuse(item.catalog_id.is_none(), "category", "required");
        refuse(item.price.is_none(), "price", "required");
        refuse(item.package_size_id.is_none(), "package_size", "required");
        let asked = |field: &str| leaf.is_some_and(|leaf| leaf.asks(field));
        let has_brand = item.brand_id.is_some() || item.custom_brand.is_some();
        refuse(asked("brand") && !has_brand, "brand", "required");
        refuse(asked("size") && item.size_id.is_none(), "size", "required");
        refuse(
            asked("condition") && item.condition_id.is_none(),
            "condition",
            "required",
        );
        refuse(asked("color") && item.color_ids.is_empty(), "color", "required");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_at_most_two_decimals() {
        assert_eq!(minor_units("29"), Some(2_900));
        assert_eq!(minor_units("29.5"), Some(2_950));
        assert_eq!(minor_units("0.99"), Some(99));
        assert_eq!(minor_units("29.999"), None);
        assert_eq!(minor_units("29,00"), None);
        assert_eq!(minor_units("-1"), None);
    }

    #[test]
    fn capitals_and_special_runs_are_refused_except_brands() {
        assert!(too_many_capitals("PULL EN LAINE"));
        assert!(!too_many_capitals("Robe ASOS"));
        assert!(!too_many_capitals("ASOS"));
        assert!(too_many_specials("Pull !!!!!"));
        assert!(!too_many_specials("Pull, neuf (M)..."));
        assert!(!too_many_specials(&"\u{2764}\u{fe0f}".repeat(3)), "three hearts");
    }

    #[test]
    fn emoji_in_a_title_is_a_violation() {
        for title in ["Jacke ✨", "Jacke \u{2764}\u{fe0f}", "Schal \u{1f1e9}\u{1f1ea}"] {
            assert!(emoji_violation(title, Locale::De).is_some(), "{title}");
        }
        for title in ["Schöne Jacke, Größe 38", "Levi's® ★ 38€"] {
            assert!(emoji_violation(title, Locale::De).is_none(), "{title}");
        }
    }

    #[test]
    fn draft_may_be_incomplete_but_item_may_not() {
        let item = Item {
            title: "Pull".into(),
            ..Item::default()
        };
        assert_eq!(violations(&item, true, Locale::En), []);
        let fields: Vec<_> = violations(&item, false, Locale::En)
            .into_iter()
            .map(|error| error.field)
            .collect();
        assert_eq!(
            fields,
            ["photos", "description", "category", "price", "package_size"]
        );
    }
}
