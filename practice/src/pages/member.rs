//! The home page and a member's page, each with a grid of items.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::layout::{Visitor, escape};
use crate::clock;
use crate::items::{Item, price_text};
use crate::ontology::{Locale, ontology, text};
use crate::site::Site;

pub async fn home(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &headers);
    let welcome = text(visitor.locale, "welcome");
    visitor.page(
        StatusCode::OK,
        welcome,
        &format!("<h1>{}</h1>", escape(welcome)),
        Value::Null,
    )
}

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
    let state = site.lock();
    let Some(member) = state.members.get(&id) else {
        return visitor.not_found();
    };
    let is_own = acting.member.id == id;
    let items = state.wardrobe(id, is_own, clock::now_ms());
    let cards: String = items
        .into_iter()
        .map(|item| card(item, visitor.locale, is_own))
        .collect();
    let login = escape(&member.login);
    let notice = if uri
        .query()
        .is_some_and(|query| query.contains("promo_shown=true"))
    {
        format!("<p>{}</p>", escape(text(visitor.locale, "upload_another")))
    } else {
        String::new()
    };
    let body = format!(
        r#"<h1 data-testid="profile-username">{login}</h1>
<p data-testid="profile-location-info--content">{location}</p>{notice}
<h2>{wardrobe}</h2><div class="cards">{cards}</div>"#,
        location = escape(text(visitor.locale, "location")),
        wardrobe = escape(text(visitor.locale, "wardrobe")),
    );
    visitor.page(StatusCode::OK, &member.login, &body, Value::Null)
}

/// Returns an item's card. The title of its link has all facts; on an own card, the first line of the description is
/// the number of views instead of the brand (as seen 2026-10, confidence A).
fn card(item: &Item, locale: Locale, is_own: bool) -> String {
    let id = item.id;
    let test_id = format!("product-item-id-{id}");
    let title = escape(&item.title);
    let link = if item.is_draft {
        format!("/items/{id}/edit")
    } else {
        format!("/items/{id}")
    };
    let image = item.photo_ids.first().map_or(String::new(), |photo| {
        format!(r#"<img data-testid="{test_id}--image--img" alt="{title}" src="/photos/{photo}/310x430">"#)
    });
    let size = item
        .size_id
        .and_then(|size| ontology().size_title(size, locale))
        .unwrap_or("");
    let status = match (item.is_draft, item.is_hidden) {
        (true, _) => text(locale, "draft"),
        (false, true) => text(locale, "hidden"),
        (false, false) => "",
    };
    let status = if status.is_empty() {
        String::new()
    } else {
        format!(r#"<p data-testid="{test_id}--status-text">{status}</p>"#)
    };
    let brand = item.brand_title(locale);
    let condition = item
        .condition_id
        .and_then(|condition| ontology().condition_title(condition, locale))
        .unwrap_or("");
    let price = item.price.map(price_text).unwrap_or_default();
    let facts = [
        item.title.as_str(),
        brand.as_str(),
        condition,
        size,
        price.as_str(),
    ];
    let facts: Vec<_> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    // The practice site does not count views.
    let first_line = if is_own { "0" } else { brand.as_str() };
    format!(
        r#"<div class="card" data-testid="grid-item"><div data-testid="{test_id}">
{image}<a href="{link}" data-testid="{test_id}--overlay-link" title="{facts}">{title}</a>
<p data-testid="{test_id}--description-title">{first_line}</p>
<p data-testid="{test_id}--description-subtitle">{size}</p>
<p data-testid="{test_id}--price-text">{price}</p>{status}
</div></div>"#,
        facts = escape(&facts.join(", ")),
        first_line = escape(first_line),
        size = escape(size),
    )
}
