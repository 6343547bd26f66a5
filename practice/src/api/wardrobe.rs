//! A member's wardrobe, and the actions of its owner on single items outside the form.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use super::items::trusted;
use crate::items::Item;
use crate::site::Site;
use crate::{clock, store};

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v2/wardrobe/{user_id}/items", get(list))
        .route("/api/v2/items/{id}/is_hidden", put(set_hidden))
        .route("/api/v2/items/{id}/delete", post(delete))
}

/// The largest page size (as seen 2026, confidence A and B: 96, 100 accepted).
const PER_PAGE: usize = 100;

#[derive(Deserialize)]
struct Paging {
    page: Option<usize>,
    per_page: Option<usize>,
}

async fn list(
    State(site): State<Arc<Site>>,
    Path(user_id): Path<u64>,
    Query(paging): Query<Paging>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let acting = site.reader(&headers)?;
    let state = site.lock();
    if !state.members.contains_key(&user_id) {
        return Err(Refusal::NotFound);
    }
    let items = state.wardrobe(user_id, acting.member.id == user_id, clock::now_ms());
    let per_page = paging.per_page.unwrap_or(20).clamp(1, PER_PAGE);
    let page = paging.page.unwrap_or(1).max(1);
    let shown = items
        .iter()
        .skip((page - 1).saturating_mul(per_page))
        .take(per_page);
    let rows: Vec<_> = shown
        .map(|item| state.wardrobe_json(item, acting.locale, &site.base_url))
        .collect();
    Ok(Json(json!({
        "items": rows,
        "pagination": {
            "page": page,
            "current_page": page,
            "per_page": per_page,
            "total_pages": items.len().div_ceil(per_page).max(1),
            "total_entries": items.len(),
        },
        "code": 0,
    })))
}

#[derive(Deserialize)]
struct Hidden {
    is_hidden: bool,
}

async fn set_hidden(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(body): Json<Hidden>,
) -> Result<Json<Value>, Refusal> {
    let member = site.writer(&headers)?.member;
    let mut state = site.lock();
    let item = state
        .items
        .get_mut(&id)
        .filter(|item| item.member_id == member.id && !item.is_draft);
    let item = item.ok_or(Refusal::NotFound)?;
    item.is_hidden = body.is_hidden;
    let item = item.clone();
    let kind = if body.is_hidden {
        "item_hidden"
    } else {
        "item_unhidden"
    };
    note(&mut state, kind, &item, &headers);
    Ok(ok())
}

async fn delete(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let member = site.writer(&headers)?.member;
    let mut state = site.lock();
    if state
        .items
        .get(&id)
        .is_none_or(|item| item.member_id != member.id || item.is_draft)
    {
        return Err(Refusal::NotFound);
    }
    let item = state.items.remove(&id).ok_or(Refusal::NotFound)?;
    note(&mut state, "item_deleted", &item, &headers);
    Ok(ok())
}

fn note(state: &mut store::State, kind: &str, item: &Item, headers: &HeaderMap) {
    let mut record = state.item_record(item);
    record["trusted"] = json!(trusted(headers));
    state.record(kind, item.member_id, record);
    state.save();
}

fn ok() -> Json<Value> {
    Json(json!({"code": 0, "message": "Ok", "message_code": "ok"}))
}
