//! The calls of the upload form for categories, attributes, brands and other options.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use crate::ontology::{Brand, Catalog, Locale, NO_BRAND, Titled, ontology, text};
use crate::site::Site;

/// The number of brands in one answer.
const BRANDS: usize = 20;
/// The number of categories that the site suggests for photos, and their distance in the list of categories.
const SUGGESTIONS: usize = 3;
const SUGGESTION_STEP: usize = 7;
const COLOR_LIMIT: u64 = 2;
const MATERIAL_LIMIT: u64 = 3;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v2/item_upload/catalogs", get(catalogs))
        .route("/api/v2/item_upload/attributes", post(attributes))
        .route("/api/v2/item_upload/brands", get(brands))
        .route(
            "/api/v2/item_upload/suggestions/categories",
            get(suggested_categories),
        )
        .route("/api/v2/item_upload/colors", get(colors))
        .route("/api/v2/item_upload/conditions", get(conditions))
        .route("/api/v2/item_upload/size_groups", get(size_groups))
        .route("/api/v2/catalogs/{id}/package_sizes", get(package_sizes))
}

async fn catalogs(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    fn tree(list: &[Catalog], locale: Locale) -> Vec<Value> {
        let node = |catalog: &Catalog| {
            json!({
                "id": catalog.id,
                "title": catalog.title.get(locale),
                "catalogs": tree(&catalog.children, locale),
            })
        };
        list.iter().map(node).collect()
    }
    let locale = site.reader(&headers)?.locale;
    Ok(Json(
        json!({"catalogs": tree(&ontology().catalogs, locale), "code": 0}),
    ))
}

#[derive(Deserialize)]
struct AttributesBody {
    attributes: Vec<Chosen>,
}

#[derive(Deserialize)]
struct Chosen {
    code: String,
    value: Vec<u64>,
}

/// Returns the fields of a category, with their options if these depend on the category.
async fn attributes(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Json(body): Json<AttributesBody>,
) -> Result<Json<Value>, Refusal> {
    let locale = site.writer(&headers)?.locale;
    let chosen = body.attributes.iter().find(|one| one.code == "category");
    let id = chosen
        .and_then(|one| one.value.first())
        .ok_or(Refusal::NotFound)?;
    let leaf = ontology().leaf(*id).ok_or(Refusal::NotFound)?;
    let mut list = Vec::new();
    let bare = |code: &str, required: bool| json!({"code": code, "value_ids": null, "value": null, "configuration": null, "required": required});
    for field in &leaf.asks {
        list.push(match field.as_str() {
            "size" => size_attribute(leaf, locale),
            "condition" => {
                let options = options(ontology().conditions_of(leaf), locale);
                attribute(
                    431,
                    "condition",
                    locale,
                    ("list", "single", 1, true),
                    vec![group(1, "Condition", options)],
                )
            }
            "material" => {
                let options = options(ontology().materials.iter(), locale);
                let shape = ("list", "multi", MATERIAL_LIMIT, false);
                attribute(8, "material", locale, shape, vec![group(1, "Material", options)])
            }
            "color" => {
                let mut color = bare("color", true);
                color["selection_limit"] = COLOR_LIMIT.into();
                color
            }
            other => bare(other, other == "brand"),
        });
    }
    Ok(Json(json!({"code": 0, "message": null, "attributes": list})))
}

fn attribute(
    id: u64,
    code: &str,
    locale: Locale,
    (display, selection, limit, required): (&str, &str, u64, bool),
    groups: Vec<Value>,
) -> Value {
    json!({
        "id": id,
        "code": code,
        "value_ids": null,
        "value": null,
        "configuration": {
            "description": null,
            "placeholder": "",
            "validation_error_message": "",
            "display_type": display,
            "sorting_order": null,
            "banner": null,
            "title": text(locale, code),
            "field_placeholder": text(locale, &format!("{code}_hint")),
            "selection_type": selection,
            "selection_limit": limit,
            "required": required,
            "options": groups,
        },
    })
}

fn size_attribute(leaf: &Catalog, locale: Locale) -> Value {
    let groups = ontology().sizes_of(leaf);
    let groups = groups.map(|one| group(one.id, one.caption.get(locale), options(one.sizes.iter(), locale)));
    attribute(
        7,
        "size",
        locale,
        ("grid_chips", "single", 1, true),
        groups.collect(),
    )
}

fn group(id: u64, title: &str, options: Vec<Value>) -> Value {
    json!({"id": id, "title": title, "group_title": null, "type": "group", "options": options})
}

fn options<'a>(list: impl Iterator<Item = &'a Titled>, locale: Locale) -> Vec<Value> {
    let option = |one: &Titled| json!({"id": one.id, "title": one.title.get(locale), "type": "default", "has_children": false});
    list.map(option).collect()
}

#[derive(Deserialize)]
struct BrandQuery {
    keyword: Option<String>,
}

/// Returns the best known brands, or with a keyword those whose name contains it, names that begin with it first.
async fn brands(
    State(site): State<Arc<Site>>,
    Query(query): Query<BrandQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let locale = site.reader(&headers)?.locale;
    let keyword = query.keyword.unwrap_or_default().trim().to_lowercase();
    let mut found: Vec<&Brand> = ontology()
        .brands
        .iter()
        .filter(|brand| brand.title.to_lowercase().contains(&keyword))
        .collect();
    if !keyword.is_empty() {
        found.sort_by_key(|brand| !brand.title.to_lowercase().starts_with(&keyword));
    }
    let row = |id: u64, title: &str, brand: Option<&Brand>| {
        json!({
            "id": id,
            "title": title,
            "slug": title.to_lowercase().replace([' ', '\'', '.', '&'], "-"),
            "requires_authenticity_check": brand.is_some_and(|brand| brand.requires_authenticity_check),
            "is_luxury": brand.is_some_and(|brand| brand.is_luxury),
            "is_hvf": false,
        })
    };
    let mut rows: Vec<_> = found
        .into_iter()
        .take(BRANDS)
        .map(|brand| row(brand.id, &brand.title, Some(brand)))
        .collect();
    // A search for its name does not find it (as seen 2026-05, confidence A).
    if keyword.is_empty() {
        rows.push(row(NO_BRAND, text(locale, "no_brand"), None));
    }
    Ok(Json(json!({"brands": rows, "code": 0})))
}

#[derive(Deserialize)]
struct Photos {
    photo_ids: String,
}

/// Suggests categories for photos. The suggestion depends only on the photo's bytes, so it is often wrong.
async fn suggested_categories(
    State(site): State<Arc<Site>>,
    Query(query): Query<Photos>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let acting = site.reader(&headers)?;
    let state = site.lock();
    let photo = query
        .photo_ids
        .split(',')
        .next_back()
        .and_then(|id| id.parse().ok())
        .and_then(|id: u64| state.photos.get(&id))
        .filter(|photo| photo.member_id == acting.member.id)
        .ok_or(Refusal::NotFound)?;
    let digest = photo.sha256.bytes().map(usize::from).sum::<usize>();
    let leaves = ontology().leaves();
    let row = |nth: usize| {
        let leaf = leaves[(digest + nth * SUGGESTION_STEP) % leaves.len()];
        json!({"id": leaf.id, "title": leaf.title.get(acting.locale)})
    };
    let rows: Vec<_> = (0..SUGGESTIONS).map(row).collect();
    Ok(Json(json!({"catalogs": rows, "code": 0})))
}

async fn colors(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let locale = site.reader(&headers)?.locale;
    let row = |(order, one): (usize, &Titled)| json!({"id": one.id, "title": one.title.get(locale), "hex": one.hex, "order": order});
    Ok(Json(
        json!({"colors": ontology().colors.iter().enumerate().map(row).collect::<Vec<_>>(), "code": 0}),
    ))
}

#[derive(Deserialize)]
struct CatalogQuery {
    #[serde(alias = "catalog_ids")]
    catalog_id: u64,
}

async fn conditions(
    State(site): State<Arc<Site>>,
    Query(query): Query<CatalogQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let locale = site.reader(&headers)?.locale;
    let leaf = ontology().leaf(query.catalog_id).ok_or(Refusal::NotFound)?;
    let row = |one: &Titled| json!({"id": one.id, "title": one.title.get(locale)});
    let rows: Vec<_> = ontology()
        .conditions_of(leaf)
        .filter(|_| leaf.asks("condition"))
        .map(row)
        .collect();
    Ok(Json(json!({"conditions": rows, "code": 0})))
}

/// Returns the sizes of a category. For a category without sizes it answers with a page instead of JSON (as seen 2026,
/// confidence A).
async fn size_groups(
    State(site): State<Arc<Site>>,
    Query(query): Query<CatalogQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let locale = site.reader(&headers)?.locale;
    let leaf = ontology().leaf(query.catalog_id).filter(|leaf| leaf.asks("size"));
    let Some(leaf) = leaf else {
        return Ok((
            StatusCode::NOT_FOUND,
            Html("<!doctype html><title>404</title><h1>404</h1>"),
        )
            .into_response());
    };
    let groups = ontology().sizes_of(leaf).map(|group| {
        let size = |one: &Titled| json!({"id": one.id, "title": one.title.get(locale)});
        json!({
            "id": group.id,
            "caption": group.caption.get(locale),
            "description": "",
            "sizes": group.sizes.iter().map(size).collect::<Vec<_>>(),
        })
    });
    Ok(Json(json!({"size_groups": groups.collect::<Vec<_>>(), "code": 0})).into_response())
}

async fn package_sizes(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let locale = site.reader(&headers)?.locale;
    let leaf = ontology().leaf(id).ok_or(Refusal::NotFound)?;
    let row = |one: &Titled| {
        json!({
            "id": one.id,
            "code": one.code,
            "title": one.title.get(locale),
            "description": one.description.as_ref().map(|text| text.get(locale)),
            "recommended": one.id == leaf.package_size_id,
        })
    };
    let rows: Vec<_> = ontology().package_sizes.iter().map(row).collect();
    Ok(Json(json!({"package_sizes": rows, "code": 0})))
}
