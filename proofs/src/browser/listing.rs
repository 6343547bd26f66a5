//! The listing of a case, and its comparison with the site's record.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use vintedbot_marketplace::catalog::{Catalog, CatalogIndex};
use vintedbot_marketplace::{ItemContent, Money, Named, PhotoFile};

use crate::photos;

/// The root category (men's clothing), which has leaves with every field.
const ROOT: i64 = 5;

/// Returns a listing with a value in every field, and its photos.
pub fn listing(catalog: Catalog) -> Result<(ItemContent, Vec<PhotoFile>)> {
    let index = CatalogIndex::new(catalog);
    let has_all = |id: &i64| {
        index
            .fields(*id)
            .is_some_and(|fields| fields.size.is_some() && fields.material.is_some())
    };
    let leaf = index.leaves(ROOT).into_iter().map(|leaf| leaf.id).find(has_all);
    let leaf = leaf.context("no category has sizes and materials")?;
    let named = |list: Vec<&Named>, at: usize| list.get(at).map(|choice| (*choice).clone());
    let brand = index.search_brands("nike", 1).first().map(|brand| Named {
        id: brand.id,
        name: brand.name.clone(),
    });
    let photos = (1..=2)
        .map(|seed| {
            let bytes = photos::jpeg(seed, 480, 640)?;
            Ok(PhotoFile {
                sha256: Sha256::digest(&bytes)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
                content_type: "image/jpeg".to_owned(),
                bytes: bytes.into(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let content = ItemContent {
        title: "Sweat gris chiné, taille M".to_owned(),
        description: "Porté deux fois.\nLavé à 30°, coton épais.".to_owned(),
        price: Money {
            minor_units: 2950,
            currency: "EUR".to_owned(),
        },
        category: index.choice(leaf).context("the category has no path")?,
        brand: Some(brand.context("there is no known brand")?),
        size: index
            .size_groups(leaf)
            .first()
            .and_then(|group| group.sizes.get(2).cloned()),
        condition: named(index.conditions(leaf), 3),
        colors: [named(index.colors(leaf), 4), named(index.colors(leaf), 0)]
            .into_iter()
            .flatten()
            .collect(),
        materials: named(index.materials(leaf), 1).into_iter().collect(),
        // Differs from the recommended size, which the site may have selected. So every field must be changed.
        package_size: named(index.package_sizes(leaf), 2),
        photo_sha256s: photos.iter().map(|photo| photo.sha256.clone()).collect(),
    };
    Ok((content, photos))
}

/// Returns the first field that differs between the site's record and the approved content, compared by id.
pub fn difference(record: &Value, content: &ItemContent) -> Option<String> {
    let one = |choice: &Option<Named>| json!(choice.as_ref().map(|choice| choice.id));
    let many = |choices: &[Named]| sorted(choices.iter().map(|choice| choice.id).collect());
    let seen = |name: &str| match &record[name] {
        Value::Array(all) if name.ends_with("_ids") => sorted(all.iter().filter_map(Value::as_i64).collect()),
        other => other.clone(),
    };
    let expected = [
        ("title", json!(content.title)),
        ("description", json!(content.description)),
        ("price_minor", json!(content.price.minor_units)),
        ("catalog_id", json!(content.category.id)),
        ("brand_id", one(&content.brand)),
        ("size_id", one(&content.size)),
        ("status_id", one(&content.condition)),
        ("color_ids", many(&content.colors)),
        ("material_ids", many(&content.materials)),
        ("package_size_id", one(&content.package_size)),
        ("photo_sha256s", json!(content.photo_sha256s)),
        ("push_up", json!(false)),
    ];
    expected.into_iter().find_map(|(name, expected)| {
        let seen = seen(name);
        (seen != expected).then(|| format!("{name}: {seen} where {expected} was approved"))
    })
}

fn sorted(mut ids: Vec<i64>) -> Value {
    ids.sort_unstable();
    json!(ids)
}
