//! The approved value of each field, and whether the site's value matches it.

use serde_json::Value;
use vintedbot_marketplace::{Error, Evidence, Field, FieldReading, ItemContent, Named};

use crate::text;

/// The fields with the item's content, in the form's order.
pub(crate) const FIELDS: [Field; 11] = [
    Field::Photos,
    Field::Title,
    Field::Description,
    Field::Category,
    Field::Brand,
    Field::Size,
    Field::Condition,
    Field::Colors,
    Field::Materials,
    Field::Price,
    Field::PackageSize,
];

/// Returns a field's approved value as a person reads it; empty for a field that must stay empty.
pub(crate) fn approved(content: &ItemContent, field: Field) -> String {
    let name = |choice: &Option<Named>| {
        choice
            .as_ref()
            .map(|choice| choice.name.clone())
            .unwrap_or_default()
    };
    let names = |choices: &[Named]| {
        choices
            .iter()
            .map(|choice| choice.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match field {
        Field::Photos => content.photo_sha256s.len().to_string(),
        Field::Title => content.title.clone(),
        Field::Description => content.description.clone(),
        Field::Category => content
            .category
            .path
            .iter()
            .map(|each| each.name.as_str())
            .collect::<Vec<_>>()
            .join(" > "),
        Field::Brand => name(&content.brand),
        Field::Size => name(&content.size),
        Field::Condition => name(&content.condition),
        Field::Colors => names(&content.colors),
        Field::Materials => names(&content.materials),
        Field::Price => price(content.price.minor_units, &content.price.currency),
        Field::PackageSize => name(&content.package_size),
        Field::Bump | Field::SaveDraft | Field::Publish => String::new(),
    }
}

/// Whether the value that the form shows for a field is the approved one.
pub(crate) fn agrees(content: &ItemContent, field: Field, seen: &str) -> bool {
    let approved = text::comparable(&approved(content, field));
    let seen = text::comparable(seen);
    match field {
        Field::Price => {
            text::minor_units(&seen, Some(&content.price.currency)) == Some(content.price.minor_units)
        }
        // The form shows the leaf alone, or the path to it.
        Field::Category => content.category.path.last().is_some_and(|leaf| {
            let leaf = text::comparable(&leaf.name);
            seen == leaf
                || [">", "/", "›"]
                    .iter()
                    .any(|sign| seen.rsplit(*sign).next().map(str::trim) == Some(&leaf))
        }),
        // The form shows several choices in its own order.
        Field::Colors | Field::Materials => parts(&seen) == parts(&approved),
        _ => seen == approved,
    }
}

/// Reads every field of an item from the site's own answer, by id. For an id other than the approved one, the reading
/// shows the id.
pub(crate) fn of_item(content: &ItemContent, item: &Value) -> Vec<FieldReading> {
    let readings = FIELDS.map(|field| {
        let (approved, seen) = (approved(content, field), seen_in_item(content, item, field));
        FieldReading {
            field: field.name().to_owned(),
            matches: text::comparable(&approved) == text::comparable(&seen),
            approved,
            seen,
        }
    });
    readings
        .into_iter()
        .filter(|reading| !(reading.approved.is_empty() && reading.seen.is_empty()))
        .collect()
}

/// Fails for the first field that does not hold the approved value.
pub(crate) fn mismatch(readings: &[FieldReading], evidence: &Evidence) -> Result<(), Error> {
    match readings.iter().find(|reading| !reading.matches) {
        None => Ok(()),
        Some(FieldReading {
            field,
            approved,
            seen,
            ..
        }) => Err(Error::Mismatch {
            field: field.clone(),
            approved: approved.clone(),
            seen: seen.clone(),
            evidence: Box::new(evidence.clone()),
        }),
    }
}

fn seen_in_item(content: &ItemContent, item: &Value, field: Field) -> String {
    let attribute = |code: &str| {
        let all = item["item_attributes"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let of_code = all.iter().filter(|each| each["code"] == code);
        of_code
            .flat_map(|each| numbers(&each["ids"]))
            .collect::<Vec<i64>>()
    };
    // Older answers name size and condition at the top level (as seen 2026, confidence A).
    let one_of = |code: &str, older: &str| match attribute(code) {
        ids if ids.is_empty() => text::number(&item[older]).into_iter().collect(),
        ids => ids,
    };
    let all = |choices: &Option<Named>| choices.iter().cloned().collect::<Vec<_>>();
    match field {
        Field::Photos => item["photos"].as_array().map_or(0, Vec::len).to_string(),
        Field::Title => text::name(&item["title"]),
        Field::Description => text::string(&item["description"]),
        Field::Category => match text::number(&item["catalog_id"]) {
            Some(id) if id == content.category.id => approved(content, field),
            other => other.map(|id| format!("id {id}")).unwrap_or_default(),
        },
        Field::Brand => by_ids(
            &all(&content.brand),
            text::number(&item["brand_id"]).into_iter().collect(),
        ),
        Field::Size => by_ids(&all(&content.size), one_of("size", "size_id")),
        Field::Condition => by_ids(&all(&content.condition), one_of("condition", "status_id")),
        Field::Colors => by_ids(
            &content.colors,
            match numbers(&item["color_ids"]) {
                ids if ids.is_empty() => ["color1_id", "color2_id"]
                    .iter()
                    .filter_map(|key| text::number(&item[*key]))
                    .collect(),
                ids => ids,
            },
        ),
        Field::Materials => by_ids(&content.materials, attribute("material")),
        Field::Price => text::money(&item["price"], item["currency"].as_str())
            .map(|money| price(money.minor_units, &money.currency))
            .unwrap_or_default(),
        Field::PackageSize => by_ids(
            &all(&content.package_size),
            text::number(&item["package_size_id"]).into_iter().collect(),
        ),
        Field::Bump | Field::SaveDraft | Field::Publish => String::new(),
    }
}

/// Returns the approved names for approved ids, in the approved order. Other ids are shown as such.
fn by_ids(approved: &[Named], mut seen: Vec<i64>) -> String {
    let position = |id: i64| approved.iter().position(|choice| choice.id == id);
    seen.sort_by_key(|id| position(*id).unwrap_or(usize::MAX));
    let names = seen
        .iter()
        .map(|id| position(*id).map_or(format!("id {id}"), |at| approved[at].name.clone()));
    names.collect::<Vec<_>>().join(", ")
}

fn parts(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
    parts.sort();
    parts
}

fn numbers(value: &Value) -> Vec<i64> {
    let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(text::number).collect()
}

fn price(minor_units: i64, currency: &str) -> String {
    format!("{} {currency}", text::decimal(minor_units, currency, '.'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vintedbot_marketplace::{CategoryChoice, Money};

    use super::*;

    fn named(id: i64, name: &str) -> Named {
        Named {
            id,
            name: name.to_owned(),
        }
    }

    fn content() -> ItemContent {
        ItemContent {
            title: "Sweat".to_owned(),
            description: "one\ntwo".to_owned(),
            price: Money {
                minor_units: 2900,
                currency: "EUR".to_owned(),
            },
            category: CategoryChoice {
                id: 79,
                path: vec![named(5, "Hommes"), named(79, "Sweats")],
            },
            brand: None,
            size: Some(named(208, "M")),
            condition: Some(named(3, "Bon état")),
            colors: vec![named(1, "Noir"), named(9, "Bleu")],
            materials: Vec::new(),
            package_size: Some(named(2, "Moyen")),
            photo_sha256s: vec!["aa".to_owned()],
        }
    }

    fn item() -> Value {
        json!({
            "id": 1, "title": "Sweat\u{200f}", "description": "one\r\ntwo", "price": "29.0", "currency": "EUR",
            "catalog_id": 79, "brand_id": null, "color_ids": [9, 1], "package_size_id": 2, "photos": [{"id": 5}],
            "item_attributes": [{"code": "size", "ids": [208]}, {"code": "condition", "ids": [3]}],
        })
    }

    #[test]
    fn approved_item_has_no_mismatch() {
        mismatch(&of_item(&content(), &item()), &Evidence::default()).expect("all fields agree");
    }

    #[test]
    fn wrong_id_and_filled_empty_field_are_mismatches() {
        for (field, value) in [
            ("brand_id", json!(53)),
            ("package_size_id", json!(1)),
            ("color_ids", json!([1])),
        ] {
            let mut item = item();
            item[field] = value;
            let found = mismatch(&of_item(&content(), &item), &Evidence::default());
            assert!(matches!(found, Err(Error::Mismatch { .. })), "{field}");
        }
    }

    #[test]
    fn form_notation_of_prices_lists_and_categories_is_accepted() {
        let content = content();
        assert!(agrees(&content, Field::Price, "29,00\u{a0}€"));
        assert!(!agrees(&content, Field::Price, "290,00\u{a0}€"));
        assert!(agrees(&content, Field::Colors, "Bleu, Noir"));
        assert!(!agrees(&content, Field::Colors, "Bleu"));
        assert!(agrees(&content, Field::Category, "Sweats"));
        assert!(!agrees(&content, Field::Category, "Autres sweats"));
    }
}
