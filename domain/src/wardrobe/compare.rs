//! Compares the desired state of an item with its state on the site, field by field and by the site's ids. Pure
//! functions.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::text::comparable;
use vintedbot_marketplace::{Field, Language, Money, Named, OwnItem};

use crate::catalog::NameKind;
use crate::listings::{by_id, price_text};

/// The site's brand id for items without a brand (as seen 2026, confidence B).
const NO_BRAND: i64 = 1;

/// A field in which the item on the site differs from the listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub field: String,
    pub local: String,
    pub remote: String,
}

impl Difference {
    /// The field name that reports that the item is no longer on the site.
    pub const GONE: &'static str = "gone";

    pub(super) fn gone() -> Self {
        Self {
            field: Self::GONE.to_owned(),
            local: String::new(),
            remote: String::new(),
        }
    }
}

/// The desired state of an item, by the site's ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredItem {
    pub title: String,
    pub description: String,
    pub price: Option<Money>,
    pub category: Option<Named>,
    pub brand: Option<Named>,
    pub size: Option<Named>,
    pub condition: Option<Named>,
    pub colors: Vec<Named>,
    pub materials: Vec<Named>,
    pub package_size: Option<Named>,
    pub photos: Photos,
    /// Absent: not compared.
    pub hidden: Option<bool>,
    /// Absent: not compared.
    pub closed: Option<bool>,
}

/// The desired photos of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Photos {
    /// Exactly these photos of the site, in this order.
    Are(Vec<String>),
    /// This many photos; their ids on the site are not known.
    Count(usize),
    /// This many photos, none of which is in `old`.
    New { count: usize, old: Vec<String> },
}

impl Photos {
    pub fn count(&self) -> usize {
        match self {
            Self::Are(ids) => ids.len(),
            Self::Count(count) | Self::New { count, .. } => *count,
        }
    }

    fn agree(&self, remote: &[String]) -> bool {
        match self {
            Self::Are(ids) => ids == remote,
            Self::Count(count) => *count == remote.len(),
            Self::New { count, old } => *count == remote.len() && remote.iter().all(|id| !old.contains(id)),
        }
    }
}

/// Formats ids and prices for display.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// The site's catalogue, if it has been read.
    pub index: Option<&'a CatalogIndex>,
    pub language: Language,
}

impl Words<'static> {
    /// For comparisons whose texts are not shown.
    pub const NONE: Self = Self {
        index: None,
        language: Language::En,
    };
}

impl Words<'_> {
    /// Returns the name of a choice: from the catalogue, or else `remote_name` from the item, or else its id.
    pub(crate) fn name(&self, field: Field, id: i64, remote_name: Option<&str>) -> String {
        let named = self.index.and_then(|index| by_id(index, kind(field), id));
        named
            .map(|named| named.name)
            .or_else(|| remote_name.filter(|name| !name.is_empty()).map(str::to_owned))
            .unwrap_or_else(|| format!("id {id}"))
    }

    fn price(&self, price: Option<&Money>) -> String {
        price
            .map(|price| price_text(price, self.language))
            .unwrap_or_default()
    }
}

fn kind(field: Field) -> NameKind {
    match field {
        Field::Category => NameKind::Category,
        Field::Brand => NameKind::Brand,
        Field::Size => NameKind::Size,
        Field::Condition => NameKind::Condition,
        Field::Colors => NameKind::Color,
        Field::Materials => NameKind::Material,
        _ => NameKind::PackageSize,
    }
}

/// Returns all fields in which an item on the site differs from the desired state, in the form's order.
pub fn compare(desired: &DesiredItem, item: &OwnItem, words: Words<'_>) -> Vec<Difference> {
    let mut found = Found {
        words,
        differences: Vec::new(),
    };
    let remote: Vec<String> = item.photos.iter().map(|photo| photo.id.clone()).collect();
    if !desired.photos.agree(&remote) {
        let (local, others) = (desired.photos.count(), remote.len());
        let shown = if local == others {
            format!("{others} others")
        } else {
            others.to_string()
        };
        found.add(Field::Photos.name(), local.to_string(), shown);
    }
    found.text(Field::Title, &desired.title, &item.title);
    found.text(Field::Description, &desired.description, &item.description);
    let one = |named: &Option<Named>| named.iter().cloned().collect::<Vec<_>>();
    let id = |id: Option<i64>| id.into_iter().collect::<Vec<_>>();
    found.choices(
        Field::Category,
        &one(&desired.category),
        &id(item.category_id),
        None,
    );
    found.choices(
        Field::Brand,
        &one(&desired.brand),
        &id(item.brand_id),
        item.brand.as_deref(),
    );
    found.choices(Field::Size, &one(&desired.size), &id(item.size_id), None);
    found.choices(
        Field::Condition,
        &one(&desired.condition),
        &id(item.condition_id),
        None,
    );
    found.choices(Field::Colors, &desired.colors, &item.color_ids, None);
    found.choices(Field::Materials, &desired.materials, &item.material_ids, None);
    if desired.price != item.price {
        let (local, remote) = (
            words.price(desired.price.as_ref()),
            words.price(item.price.as_ref()),
        );
        found.add(Field::Price.name(), local, remote);
    }
    found.choices(
        Field::PackageSize,
        &one(&desired.package_size),
        &id(item.package_size_id),
        None,
    );
    for (name, local, remote) in [
        ("hidden", desired.hidden, item.is_hidden),
        ("closed", desired.closed, item.is_closed),
    ] {
        if let Some(local) = local.filter(|local| *local != remote) {
            found.add(name, local.to_string(), remote.to_string());
        }
    }
    found.differences
}

/// Returns the changes from `before` to `after`. `local` is the present value of a field, `remote` the new one.
pub fn changes(before: &OwnItem, after: &DesiredItem, words: Words<'_>) -> Vec<Difference> {
    let turned =
        compare(after, before, words)
            .into_iter()
            .map(|each| match each.field == Field::Photos.name() {
                true => Difference {
                    local: before.photos.len().to_string(),
                    remote: format!("{} new", after.photos.count()),
                    ..each
                },
                false => Difference {
                    field: each.field,
                    local: each.remote,
                    remote: each.local,
                },
            });
    turned.collect()
}

struct Found<'a> {
    words: Words<'a>,
    differences: Vec<Difference>,
}

impl Found<'_> {
    fn add(&mut self, field: &str, local: String, remote: String) {
        let field = field.to_owned();
        self.differences.push(Difference { field, local, remote });
    }

    fn text(&mut self, field: Field, local: &str, remote: &str) {
        if comparable(local) != comparable(remote) {
            self.add(field.name(), local.to_owned(), remote.to_owned());
        }
    }

    /// Compares choices by id and ignores their order, because the site may reorder them. `name` is the site's own name
    /// of a single choice.
    fn choices(&mut self, field: Field, local: &[Named], remote: &[i64], name: Option<&str>) {
        let none = |id: &i64| field == Field::Brand && *id == NO_BRAND;
        let mut ours: Vec<i64> = local
            .iter()
            .map(|named| named.id)
            .filter(|id| !none(id))
            .collect();
        let mut theirs: Vec<i64> = remote.iter().copied().filter(|id| !none(id)).collect();
        let words = self.words;
        let written = theirs.iter().map(|id| {
            let ours = local.iter().find(|named| named.id == *id);
            let known = ours
                .map(|named| named.name.clone())
                .filter(|name| !name.is_empty());
            known.unwrap_or_else(|| words.name(field, *id, name))
        });
        let written = written.collect::<Vec<_>>().join(", ");
        ours.sort_unstable();
        theirs.sort_unstable();
        if ours != theirs {
            let names: Vec<&str> = local.iter().map(|named| named.name.as_str()).collect();
            self.add(field.name(), names.join(", "), written);
        }
    }
}

#[cfg(test)]
mod tests {
    use vintedbot_marketplace::RemotePhoto;

    use super::*;

    fn named(id: i64, name: &str) -> Named {
        Named {
            id,
            name: name.to_owned(),
        }
    }

    fn euros(minor_units: i64) -> Option<Money> {
        Some(Money {
            minor_units,
            currency: "EUR".to_owned(),
        })
    }

    fn desired() -> DesiredItem {
        DesiredItem {
            title: "Jumper été".to_owned(),
            description: "Warm\nand soft".to_owned(),
            price: euros(900),
            category: Some(named(7, "Men > Jumpers")),
            brand: None,
            size: Some(named(4, "M")),
            condition: Some(named(2, "Very good")),
            colors: vec![named(3, "Grey"), named(1, "Black")],
            materials: Vec::new(),
            package_size: Some(named(1, "Small")),
            photos: Photos::Are(vec!["p1".to_owned(), "p2".to_owned()]),
            hidden: Some(false),
            closed: Some(false),
        }
    }

    fn item() -> OwnItem {
        OwnItem {
            id: "50".to_owned(),
            title: "\u{feff}Jumper\te\u{301}te\u{301}\u{200f}".to_owned(),
            description: "Warm \r\nand\u{a0}soft\n".to_owned(),
            price: euros(900),
            category_id: Some(7),
            brand_id: Some(NO_BRAND),
            brand: None,
            size_id: Some(4),
            condition_id: Some(2),
            color_ids: vec![1, 3],
            material_ids: Vec::new(),
            package_size_id: Some(1),
            photos: photos(&["p1", "p2"]),
            is_draft: false,
            is_hidden: false,
            is_closed: false,
            is_reserved: false,
            url: "https://site.invalid/items/50".to_owned(),
        }
    }

    fn photos(ids: &[&str]) -> Vec<RemotePhoto> {
        let photo = |id: &&str| RemotePhoto {
            id: (*id).to_owned(),
            url: None,
        };
        ids.iter().map(photo).collect()
    }

    fn fields(desired: &DesiredItem, item: &OwnItem) -> Vec<String> {
        let words = Words {
            index: None,
            language: Language::En,
        };
        compare(desired, item, words)
            .into_iter()
            .map(|each| each.field)
            .collect()
    }

    #[test]
    fn forms_of_text_colour_order_and_no_brand_are_equal() {
        assert!(fields(&desired(), &item()).is_empty());
    }

    #[test]
    fn differing_fields_are_reported_in_form_order() {
        let other = OwnItem {
            title: "Pullover".to_owned(),
            description: String::new(),
            price: euros(800),
            category_id: None,
            brand_id: Some(53),
            size_id: Some(5),
            condition_id: Some(3),
            color_ids: vec![1],
            material_ids: vec![9],
            package_size_id: None,
            photos: photos(&["p2", "p1"]),
            is_hidden: true,
            is_closed: true,
            ..item()
        };
        let expected = [
            "photos",
            "title",
            "description",
            "category",
            "brand",
            "size",
            "condition",
            "colors",
            "materials",
            "price",
            "package_size",
            "hidden",
            "closed",
        ];
        assert_eq!(fields(&desired(), &other), expected);
    }

    #[test]
    fn excluded_fields_are_not_compared() {
        let hidden = OwnItem {
            is_hidden: true,
            is_closed: true,
            ..item()
        };
        let silent = DesiredItem {
            hidden: None,
            closed: None,
            ..desired()
        };
        assert!(fields(&silent, &hidden).is_empty());
    }

    #[test]
    fn only_known_photos_are_compared() {
        let with = |photos| DesiredItem { photos, ..desired() };
        assert!(fields(&with(Photos::Count(2)), &item()).is_empty());
        assert_eq!(fields(&with(Photos::Count(3)), &item()), ["photos"]);
        let new = |count, old: &str| {
            with(Photos::New {
                count,
                old: vec![old.to_owned()],
            })
        };
        assert!(fields(&new(2, "p0"), &item()).is_empty());
        assert_eq!(
            fields(&new(2, "p2"), &item()),
            ["photos"],
            "an old photo is still there"
        );
        assert_eq!(fields(&new(1, "p0"), &item()), ["photos"]);
    }

    #[test]
    fn change_is_shown_from_site_value_to_approved_value() {
        let words = Words {
            index: None,
            language: Language::Fr,
        };
        let after = DesiredItem {
            price: euros(700),
            ..desired()
        };
        let found = changes(&item(), &after, words);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].local.as_str(), found[0].remote.as_str()),
            ("9,00\u{a0}€", "7,00\u{a0}€")
        );
    }
}
