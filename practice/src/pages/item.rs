//! An item's page: its JSON-LD, its facts, and buttons for its owner to edit, hide and delete it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::layout::{Visitor, escape, script_json};
use crate::clock;
use crate::items::{CURRENCY, decimal, price_text};
use crate::ontology::{ontology, text};
use crate::site::Site;

pub async fn show(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let (visitor, acting) = match Visitor::signed_in(&site, &headers, &uri) {
        Ok(signed_in) => signed_in,
        Err(redirect) => return redirect.into_response(),
    };
    let locale = visitor.locale;
    let state = site.lock();
    let item = state.item(id, clock::now_ms()).filter(|item| !item.is_draft);
    let item = item.filter(|item| item.member_id == acting.member.id || !item.is_hidden);
    let Some(item) = item else {
        return visitor.not_found();
    };

    let t = |key: &str| escape(text(locale, key));
    let photo_urls: Vec<_> = item
        .photo_ids
        .iter()
        .map(|photo| format!("{}/photos/{photo}/f800", site.base_url))
        .collect();
    let product = script_json(&json!({
        "@context": "https://schema.org",
        "@type": "Product",
        "name": item.title,
        "description": item.description,
        "image": photo_urls,
        "brand": {"@type": "Brand", "name": item.brand_title(locale)},
        "offers": {
            "@type": "Offer",
            "url": format!("{}/items/{id}", site.base_url),
            "priceCurrency": CURRENCY,
            "price": item.price.map(decimal),
            "availability": "https://schema.org/InStock",
        },
    }));
    let photos: String = photo_urls
        .iter()
        .enumerate()
        .map(|(n, url)| {
            format!(
                r#"<img data-testid="item-photo-{}--img" alt="" height="200" src="{url}">"#,
                n + 1
            )
        })
        .collect();
    let attribute = |code: &str, value: Option<String>| {
        let value = value.filter(|value| !value.is_empty());
        value.map_or(String::new(), |value| {
            format!(
                r#"<p data-testid="item-attributes-{code}">{}</p>"#,
                escape(&value)
            )
        })
    };
    let colors = item
        .color_ids
        .iter()
        .filter_map(|id| ontology().colors.iter().find(|color| color.id == *id));
    let colors: Vec<_> = colors.map(|color| color.title.get(locale)).collect();
    let attributes = [
        attribute("brand", Some(item.brand_title(locale))),
        attribute(
            "size",
            item.size_id
                .and_then(|id| ontology().size_title(id, locale))
                .map(str::to_owned),
        ),
        attribute(
            "status",
            item.condition_id
                .and_then(|id| ontology().condition_title(id, locale))
                .map(str::to_owned),
        ),
        attribute("color", Some(colors.join(", "))),
    ]
    .concat();
    let own = if item.member_id == acting.member.id {
        format!(
            r#"<a href="/items/{id}/edit" data-testid="item-edit-button">{edit}</a>
<button type="button" data-ref="hide" data-testid="item-hide-button">{hide}</button>
<button type="button" data-ref="delete" data-testid="item-delete-button">{delete}</button>
<div class="modal" data-ref="delete-modal" data-testid="item-delete-modal" hidden><p>{ask}</p>
<button type="button" data-ref="delete-confirm" data-testid="item-delete-confirmation-button">{delete}</button>
<button type="button" data-ref="delete-cancel" data-testid="item-delete-cancelation-button">{cancel}</button></div>"#,
            edit = t("edit"),
            hide = t(if item.is_hidden { "unhide" } else { "hide" }),
            delete = t("delete"),
            ask = t("delete_ask"),
            cancel = t("cancel"),
        )
    } else {
        String::new()
    };
    let body = format!(
        r#"<script type="application/ld+json">{product}</script>
{photos}<h1>{title}</h1><p data-testid="item-price">{price}</p>{attributes}
<p class="description">{description}</p>{own}"#,
        title = escape(&item.title),
        price = item.price.map(price_text).unwrap_or_default(),
        description = escape(&item.description),
    );
    let data = json!({"page": "item", "id": id, "isHidden": item.is_hidden, "memberId": acting.member.id});
    visitor.page(StatusCode::OK, &item.title, &body, data)
}
