//! What is said here of an item beside what the site says of it, field by field and by the site's ids. Pure.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::catalog::CatalogIndex;
use vintedbot_marketplace::{Field, Language, Money, Named, OwnItem};

use crate::catalog::NameKind;
use crate::listings::{by_id, price_text};

/// What the site calls an item without a brand (as seen 2026, confidence B).
const NO_BRAND: i64 = 1;

/// One field that differs on the site from what is said here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub field: String,
    pub here: String,
    pub there: String,
}

impl Difference {
    /// The item is not on the site any more.
    pub const GONE: &'static str = "gone";

    pub(super) fn gone() -> Self {
        Self {
            field: Self::GONE.to_owned(),
            here: String::new(),
            there: String::new(),
        }
    }
}

/// What is said of an item, by the site's ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
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
    /// Absent where it does not count.
    pub hidden: Option<bool>,
    /// Absent where it does not count.
    pub closed: Option<bool>,
}

/// What is said of an item's photos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Photos {
    /// Those that the site calls so, in this order.
    Are(Vec<String>),
    /// That many; what the site calls them is not known.
    Count(usize),
    /// That many, none of which is one of the old.
    New { count: usize, old: Vec<String> },
}

impl Photos {
    pub fn count(&self) -> usize {
        match self {
            Self::Are(ids) => ids.len(),
            Self::Count(count) | Self::New { count, .. } => *count,
        }
    }

    fn agree(&self, there: &[String]) -> bool {
        match self {
            Self::Are(ids) => ids == there,
            Self::Count(count) => *count == there.len(),
            Self::New { count, old } => *count == there.len() && there.iter().all(|id| !old.contains(id)),
        }
    }
}

/// How ids and prices are written for a person.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// What the site offers, where it has been read.
    pub index: Option<&'a CatalogIndex>,
    pub language: Language,
}

impl Words<'static> {
    /// For comparing alone.
    pub const NONE: Self = Self {
        index: None,
        language: Language::En,
    };
}

impl Words<'_> {
    /// What a choice is called: as the catalogue has it, else as the site says with the item, else by its id.
    pub(crate) fn name(&self, field: Field, id: i64, said: Option<&str>) -> String {
        let named = self.index.and_then(|index| by_id(index, kind(field), id));
        named
            .map(|named| named.name)
            .or_else(|| said.filter(|name| !name.is_empty()).map(str::to_owned))
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

/// Everything in which an item on the site is not what is said here, in the form's order.
pub fn compare(said: &Said, item: &OwnItem, words: Words<'_>) -> Vec<Difference> {
    let mut found = Found {
        words,
        differences: Vec::new(),
    };
    let there: Vec<String> = item.photos.iter().map(|photo| photo.id.clone()).collect();
    if !said.photos.agree(&there) {
        let (here, others) = (said.photos.count(), there.len());
        let there = if here == others {
            format!("{others} others")
        } else {
            others.to_string()
        };
        found.add(Field::Photos.name(), here.to_string(), there);
    }
    found.text(Field::Title, &said.title, &item.title);
    found.text(Field::Description, &said.description, &item.description);
    let one = |named: &Option<Named>| named.iter().cloned().collect::<Vec<_>>();
    let id = |id: Option<i64>| id.into_iter().collect::<Vec<_>>();
    found.choices(Field::Category, &one(&said.category), &id(item.category_id), None);
    found.choices(
        Field::Brand,
        &one(&said.brand),
        &id(item.brand_id),
        item.brand.as_deref(),
    );
    found.choices(Field::Size, &one(&said.size), &id(item.size_id), None);
    found.choices(
        Field::Condition,
        &one(&said.condition),
        &id(item.condition_id),
        None,
    );
    found.choices(Field::Colors, &said.colors, &item.color_ids, None);
    found.choices(Field::Materials, &said.materials, &item.material_ids, None);
    if said.price != item.price {
        let (here, there) = (words.price(said.price.as_ref()), words.price(item.price.as_ref()));
        found.add(Field::Price.name(), here, there);
    }
    found.choices(
        Field::PackageSize,
        &one(&said.package_size),
        &id(item.package_size_id),
        None,
    );
    for (name, here, there) in [
        ("hidden", said.hidden, item.is_hidden),
        ("closed", said.closed, item.is_closed),
    ] {
        if let Some(here) = here.filter(|here| *here != there) {
            found.add(name, here.to_string(), there.to_string());
        }
    }
    found.differences
}

/// What an item becomes when `after` is made of it: each field as it is (`here`) and as it will be (`there`).
pub fn changes(before: &OwnItem, after: &Said, words: Words<'_>) -> Vec<Difference> {
    let turned =
        compare(after, before, words)
            .into_iter()
            .map(|each| match each.field == Field::Photos.name() {
                true => Difference {
                    here: before.photos.len().to_string(),
                    there: format!("{} new", after.photos.count()),
                    ..each
                },
                false => Difference {
                    field: each.field,
                    here: each.there,
                    there: each.here,
                },
            });
    turned.collect()
}

struct Found<'a> {
    words: Words<'a>,
    differences: Vec<Difference>,
}

impl Found<'_> {
    fn add(&mut self, field: &str, here: String, there: String) {
        let field = field.to_owned();
        self.differences.push(Difference { field, here, there });
    }

    fn text(&mut self, field: Field, here: &str, there: &str) {
        if normal(here) != normal(there) {
            self.add(field.name(), here.to_owned(), there.to_owned());
        }
    }

    /// By id; the site orders several as it likes. `name` is what the site itself calls a single one.
    fn choices(&mut self, field: Field, here: &[Named], there: &[i64], name: Option<&str>) {
        let none = |id: &i64| field == Field::Brand && *id == NO_BRAND;
        let mut ours: Vec<i64> = here.iter().map(|named| named.id).filter(|id| !none(id)).collect();
        let mut theirs: Vec<i64> = there.iter().copied().filter(|id| !none(id)).collect();
        let words = self.words;
        let written = theirs.iter().map(|id| {
            let ours = here.iter().find(|named| named.id == *id);
            let known = ours
                .map(|named| named.name.clone())
                .filter(|name| !name.is_empty());
            known.unwrap_or_else(|| words.name(field, *id, name))
        });
        let written = written.collect::<Vec<_>>().join(", ");
        ours.sort_unstable();
        theirs.sort_unstable();
        if ours != theirs {
            let names: Vec<&str> = here.iter().map(|named| named.name.as_str()).collect();
            self.add(field.name(), names.join(", "), written);
        }
    }
}

/// A text without what the site writes in its own way: kinds of spaces, line ends, and what stands at an end.
fn normal(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines = lines.split('\n').map(|line| {
        let spaced: String = line
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .collect();
        spaced.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
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

    fn said() -> Said {
        Said {
            title: "Jumper".to_owned(),
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
            title: "Jumper".to_owned(),
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

    fn fields(said: &Said, item: &OwnItem) -> Vec<String> {
        let words = Words {
            index: None,
            language: Language::En,
        };
        compare(said, item, words)
            .into_iter()
            .map(|each| each.field)
            .collect()
    }

    #[test]
    fn spaces_line_ends_an_order_of_colours_and_no_brand_are_no_difference() {
        assert!(fields(&said(), &item()).is_empty());
    }

    #[test]
    fn every_field_that_differs_is_told_in_the_forms_order() {
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
        assert_eq!(fields(&said(), &other), expected);
    }

    #[test]
    fn what_does_not_count_is_not_compared() {
        let hidden = OwnItem {
            is_hidden: true,
            is_closed: true,
            ..item()
        };
        let silent = Said {
            hidden: None,
            closed: None,
            ..said()
        };
        assert!(fields(&silent, &hidden).is_empty());
    }

    #[test]
    fn photos_are_compared_as_far_as_they_are_known() {
        let with = |photos| Said { photos, ..said() };
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
            "one of the old is still there"
        );
        assert_eq!(fields(&new(1, "p0"), &item()), ["photos"]);
    }

    #[test]
    fn a_change_is_told_from_the_site_to_what_is_approved() {
        let words = Words {
            index: None,
            language: Language::Fr,
        };
        let after = Said {
            price: euros(700),
            ..said()
        };
        let told = changes(&item(), &after, words);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].here.as_str(), told[0].there.as_str()),
            ("9,00\u{a0}€", "7,00\u{a0}€")
        );
    }
}
