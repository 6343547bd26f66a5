//! The upload form and the editor. Both are the same page, which `assets/form.js` controls.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::REFERER;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde_json::{Value, json};

use super::layout::{Visitor, escape};
use super::markup::Generation;
use crate::clock;
use crate::items::{Item, price_text};
use crate::ontology::{Catalog, Locale, ontology, text};
use crate::site::{Acting, Site};

pub async fn new(State(site): State<Arc<Site>>, headers: HeaderMap, uri: Uri) -> Response {
    match Visitor::signed_in(&site, &headers, &uri) {
        Ok((visitor, _)) if visitor.pages.sell_link_only && !followed_a_link(&headers) => {
            Redirect::to("/").into_response()
        }
        Ok((visitor, acting)) => form(&visitor, &acting, None),
        Err(redirect) => redirect.into_response(),
    }
}

/// Returns whether a click on a page of this site led here, according to the browser's fetch metadata headers. Without
/// them, the `Referer` header decides.
fn followed_a_link(headers: &HeaderMap) -> bool {
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
    if headers.contains_key("sec-fetch-site") {
        says("sec-fetch-site", "same-origin") && says("sec-fetch-user", "?1")
    } else {
        headers.contains_key(REFERER)
    }
}

pub async fn edit(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let (visitor, acting) = match Visitor::signed_in(&site, &headers, &uri) {
        Ok(signed_in) => signed_in,
        Err(redirect) => return redirect.into_response(),
    };
    let state = site.lock();
    let item = state
        .item(id, clock::now_ms())
        .filter(|item| item.member_id == acting.member.id);
    match item {
        Some(item) => {
            let photos = state.photos_json(item, &site.base_url);
            form(&visitor, &acting, Some((item, photos)))
        }
        None => visitor.broken(),
    }
}

/// Returns the data that the form's script needs to show an item: ids with their texts.
fn saved(item: &Item, photos: &[Value], locale: Locale) -> Value {
    let all = ontology();
    let pair = |id: Option<u64>, title: Option<&str>| id.map(|id| json!({"id": id, "title": title}));
    let many = |ids: &[u64], list: &[crate::ontology::Titled]| -> Vec<Value> {
        let known = ids.iter().filter_map(|id| list.iter().find(|one| one.id == *id));
        known
            .map(|one| json!({"id": one.id, "title": one.title.get(locale)}))
            .collect()
    };
    let catalog = item.catalog_id.and_then(|id| all.catalog(id));
    json!({
        "id": item.id,
        "isDraft": item.is_draft,
        "title": item.title,
        "description": item.description,
        "price": item.price.map(price_text),
        "category": pair(item.catalog_id, catalog.map(|one: &Catalog| one.title.get(locale))),
        "brand": {"id": item.brand_id, "title": item.brand_title(locale)},
        "size": pair(item.size_id, item.size_id.and_then(|id| all.size_title(id, locale))),
        "condition": pair(item.condition_id, item.condition_id.and_then(|id| all.condition_title(id, locale))),
        "colors": many(&item.color_ids, &all.colors),
        "materials": many(&item.material_ids, &all.materials),
        "packageSizeId": item.package_size_id,
        "isUnisex": item.is_unisex,
        "isbn": item.isbn,
        "measurementLength": item.measurement_length,
        "measurementWidth": item.measurement_width,
        "photos": photos,
    })
}

/// Returns the tile that opens the choice of photo files.
fn add_tile(generation: Generation, label: &str) -> String {
    let button = |test_id: &str| {
        format!(r#"<button type="button" data-ref="add-photos" data-testid="{test_id}">{label}</button>"#)
    };
    if generation.upload_button {
        let button = button("media-select-upload-button");
        format!(r#"<div data-testid="add-photos-icon-button">{button}</div>"#)
    } else {
        button("add-photos-icon-button")
    }
}

fn form(visitor: &Visitor, acting: &Acting, item: Option<(&Item, Vec<Value>)>) -> Response {
    let locale = visitor.locale;
    let t = |key: &str| escape(text(locale, key));
    let is_draft = item.as_ref().is_none_or(|(item, _)| item.is_draft);
    let heading = if item.is_some() { "edit_title" } else { "new_title" };
    let mut buttons = String::new();
    let mut button = |name: &str, key: &str| {
        let label = t(key);
        buttons.push_str(&format!(
            r#"<button type="button" data-ref="{name}" data-testid="upload-form-{name}-button">{label}</button>"#
        ));
    };
    if item.is_some() && is_draft {
        button("delete-draft", "delete_draft");
    }
    if is_draft {
        button("save-draft", "save_draft");
    }
    button("save", if is_draft { "publish" } else { "save" });
    let generation = Generation::of(visitor.pages.markup);
    let (area, grid) = match generation.photos {
        Some(area) => (
            format!(r#" data-testid="{area}""#),
            format!(r#" data-testid="{area}-grid""#),
        ),
        None => (String::new(), String::new()),
    };
    let body = format!(
        r#"<h1>{heading}</h1>
<div id="upload-form">
<section class="field" data-field="photos" data-ref="field-photos" id="photos"{area}>
<p>{photos}</p>
<div class="dropzone" data-ref="dropzone" data-testid="dropzone">
<div class="grid" data-ref="photo-grid"{grid}></div>
{add_tile}
</div>
</section>
<section class="field" data-field="title" data-ref="field-title"><label for="title">{title}</label>
<input id="title" name="title" data-ref="title" data-testid="title--input" type="text" placeholder="{title_hint}" autocomplete="off"></section>
<section class="field" data-field="description" data-ref="field-description"><label for="description">{description}</label>
<textarea id="description" name="description" data-ref="description" data-testid="description--input" rows="5"></textarea></section>
<section class="field" data-field="category" data-ref="field-category"><label for="{category_id}">{category}</label>
<input {category_attributes} data-ref="category" type="text" readonly placeholder="{category_hint}"></section>
<div id="attributes" data-ref="attributes"></div>
<section class="field" data-field="price" data-ref="field-price"><label for="price">{price}</label>
<input id="price" name="price" data-ref="price" data-testid="price-input--input" type="text" inputmode="decimal" placeholder="{price_hint}" autocomplete="off"></section>
<div id="parcel" data-ref="parcel"></div>
<section class="field" data-field="bump" data-ref="field-bump"><label><input type="checkbox" id="bump" name="bump" data-ref="bump" data-testid="bump-checkbox--input"> {bump}</label></section>
<section class="field" data-field="form" data-ref="field-form"></section>
<div class="buttons">{buttons}</div>
</div>
<script src="/assets/form.js" type="module"></script>"#,
        heading = t(heading),
        photos = t("photos"),
        add_tile = add_tile(generation, &t("add_photos")),
        title = t("title"),
        title_hint = t("title_hint"),
        description = t("description"),
        category = t("category"),
        category_id = generation.category.id,
        category_attributes = generation.category.attributes(),
        category_hint = t("category_hint"),
        price = t("price"),
        price_hint = t("price_hint"),
        bump = t("bump"),
    );
    let data = json!({
        "page": "form",
        "pages": visitor.pages,
        "generation": generation,
        "memberId": acting.member.id,
        "uploadSessionId": clock::uuid(),
        "currency": crate::items::CURRENCY,
        "item": item.as_ref().map(|(item, photos)| saved(item, photos, locale)),
    });
    visitor.page(StatusCode::OK, text(locale, heading), &body, data)
}
