//! The calls of the upload form: drafts, publishing, editing, reading an item back.
//!
//! As seen 2026 (confidence A): `POST drafts`, `PUT drafts/{id}`, `POST drafts/{id}/completion`, `POST items`,
//! `PUT items/{id}`. A draft is believed, but not proven, to keep its id when it is published; a script can change this.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use crate::items::Item;
use crate::ontology::{Locale, ontology};
use crate::script::Fired;
use crate::site::{Acting, Site};
use crate::validate::{Body, emoji_violation, violations};
use crate::{clock, store};

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v2/item_upload/items", post(publish_directly))
        .route("/api/v2/item_upload/items/{id}", get(read).put(edit))
        .route("/api/v2/item_upload/drafts", post(save_new_draft))
        .route(
            "/api/v2/item_upload/drafts/{id}",
            put(save_draft).delete(delete_draft),
        )
        .route("/api/v2/item_upload/drafts/{id}/completion", post(complete_draft))
}

#[derive(Debug, Deserialize)]
struct Upload {
    #[serde(alias = "draft")]
    item: Body,
    #[serde(default)]
    push_up: bool,
}

/// Returns whether the click behind a call was a trusted event, as the page's script reports. `None` without a page.
pub(super) fn trusted(headers: &HeaderMap) -> Option<bool> {
    match headers.get("x-practice-trusted")?.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// Converts a body into an item of `acting`, the successor of `old` if there is one. Fails if a field is missing or
/// breaks a limit. A title that stays may have emoji.
fn checked(
    state: &store::State,
    acting: &Acting,
    old: Option<&Item>,
    body: Body,
    is_draft: bool,
) -> Result<Item, Refusal> {
    let mut item = body.into_item(acting.locale).map_err(Refusal::Validation)?;
    item.member_id = acting.member.id;
    item.is_draft = is_draft;
    let mut errors = violations(&item, is_draft, acting.locale);
    let stays = old.is_some_and(|old| old.title == item.title);
    if acting.member.language == Locale::De && !stays {
        errors.extend(emoji_violation(&item.title, acting.locale));
    }
    let own = |id| {
        state
            .photos
            .get(id)
            .is_some_and(|photo| photo.member_id == acting.member.id)
    };
    if !item.photo_ids.iter().all(own) {
        let value = crate::ontology::text(acting.locale, "photo_unknown").to_owned();
        errors.push(crate::validate::FieldError {
            field: "photos".into(),
            value,
        });
    }
    if errors.is_empty() {
        Ok(item)
    } else {
        Err(Refusal::Validation(errors))
    }
}

/// Applies the script's changes to an item that is about to be accepted.
fn apply(fired: &Fired, item: &mut Item, state: &store::State) {
    let now = clock::now_ms();
    let slowest = |of: fn(&crate::script::Do) -> i64| fired.iter().map(of).max().unwrap_or(0);
    let delay = slowest(|action| action.delay_visible_ms);
    let list_delay = slowest(|action| action.list_late_ms);
    item.read_time = now + delay;
    let usual = state.settings.default_visible_delay_ms;
    item.list_time = if fired.any(|action| action.never_list) {
        None
    } else {
        Some(now + delay.max(list_delay).max(usual))
    };
    item.is_hidden |= fired.any(|action| action.hide);
    for change in fired.iter().filter_map(|action| action.alter.as_ref()) {
        if let Some(title) = change.get("title").and_then(Value::as_str) {
            title.clone_into(&mut item.title);
        }
        if let Some(description) = change.get("description").and_then(Value::as_str) {
            description.clone_into(&mut item.description);
        }
        if let Some(price) = change.get("price").and_then(Value::as_f64) {
            item.price = Some((price * 100.0).round() as i64);
        }
    }
}

/// Stores an item and records it. If the script asks for twins, stores a second item under another id.
fn accept(state: &mut store::State, kind: &str, item: Item, fired: &Fired, facts: Value) {
    let copies = if fired.any(|action| action.twin) { 2 } else { 1 };
    for copy in 0..copies {
        let mut item = item.clone();
        if copy > 0 {
            item.id = state.new_id();
            item.before = None;
        }
        let mut record = state.item_record(&item);
        if let (Some(record), Value::Object(facts)) = (record.as_object_mut(), facts.clone()) {
            record.extend(facts);
        }
        let member_id = item.member_id;
        state.items.insert(item.id, item);
        state.record(kind, member_id, record);
    }
    state.save();
}

fn published(item: &Item, push_up: bool) -> Json<Value> {
    let brand = item.brand_id.and_then(|id| ontology().brand(id));
    let verify = brand.is_some_and(|brand| brand.requires_authenticity_check);
    Json(json!({
        "item": {"id": item.id, "title": item.title, "is_draft": false},
        "after_upload_actions": {
            "show_upload_another_item_tip": true,
            "show_electronics_verification_modal": false,
            "show_item_verification_modal": verify,
            "show_bumps_checkout": push_up,
        },
        "code": 0,
    }))
}

async fn publish_directly(
    State(site): State<Arc<Site>>,
    Extension(fired): Extension<Fired>,
    headers: HeaderMap,
    Json(upload): Json<Upload>,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    let mut item = checked(&state, &acting, None, upload.item, false)?;
    item.id = state.new_id();
    item.create_time = clock::now_ms();
    apply(&fired, &mut item, &state);
    let answer = published(&item, upload.push_up);
    let facts = json!({"push_up": upload.push_up, "trusted": trusted(&headers), "via": "direct"});
    accept(&mut state, "item_published", item, &fired, facts);
    Ok(answer)
}

async fn save_new_draft(
    State(site): State<Arc<Site>>,
    Extension(fired): Extension<Fired>,
    headers: HeaderMap,
    Json(upload): Json<Upload>,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    let mut item = checked(&state, &acting, None, upload.item, true)?;
    item.id = state.new_id();
    item.create_time = clock::now_ms();
    apply(&fired, &mut item, &state);
    let answer = json!({"draft": state.edit_json(&item, acting.locale, &site.base_url), "code": 0});
    let facts = json!({"trusted": trusted(&headers)});
    accept(&mut state, "draft_saved", item, &fired, facts);
    Ok(Json(answer))
}

/// Returns the member's own item `id` if its draft state equals `is_draft`.
fn own(state: &store::State, acting: &Acting, id: u64, is_draft: bool) -> Result<Item, Refusal> {
    let item = state.items.get(&id).cloned().ok_or(Refusal::NotFound)?;
    if item.member_id == acting.member.id && item.is_draft == is_draft {
        Ok(item)
    } else {
        Err(Refusal::NotFound)
    }
}

/// Returns `item` as the successor of `old`. Lists show the previous state of `old` until the change is visible.
fn replacing(old: Item, mut item: Item) -> Item {
    item.id = old.id;
    item.draft_id = old.draft_id;
    item.is_hidden = old.is_hidden;
    item.is_closed = old.is_closed;
    item.is_reserved = old.is_reserved;
    item.create_time = old.create_time;
    item.before = Some(Box::new(Item { before: None, ..old }));
    item
}

async fn save_draft(
    State(site): State<Arc<Site>>,
    Extension(fired): Extension<Fired>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(upload): Json<Upload>,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    let old = own(&state, &acting, id, true)?;
    let item = checked(&state, &acting, Some(&old), upload.item, true)?;
    let mut item = replacing(old, item);
    apply(&fired, &mut item, &state);
    let answer = json!({"draft": state.edit_json(&item, acting.locale, &site.base_url), "code": 0});
    let facts = json!({"trusted": trusted(&headers)});
    accept(&mut state, "draft_saved", item, &fired, facts);
    Ok(Json(answer))
}

async fn complete_draft(
    State(site): State<Arc<Site>>,
    Extension(fired): Extension<Fired>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(upload): Json<Upload>,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    let old = own(&state, &acting, id, true)?;
    let item = checked(&state, &acting, None, upload.item, false)?;
    let mut item = replacing(old, item);
    item.draft_id = Some(id);
    item.create_time = clock::now_ms();
    apply(&fired, &mut item, &state);
    if fired.any(|action| action.new_id_on_publish) {
        state.items.remove(&id);
        item.id = state.new_id();
    }
    let answer = published(&item, upload.push_up);
    let facts = json!({"push_up": upload.push_up, "trusted": trusted(&headers), "via": "draft"});
    accept(&mut state, "item_published", item, &fired, facts);
    Ok(answer)
}

async fn edit(
    State(site): State<Arc<Site>>,
    Extension(fired): Extension<Fired>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(upload): Json<Upload>,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    let old = own(&state, &acting, id, false)?;
    let item = checked(&state, &acting, Some(&old), upload.item, false)?;
    let mut item = replacing(old, item);
    apply(&fired, &mut item, &state);
    let answer = published(&item, upload.push_up);
    let facts = json!({"push_up": upload.push_up, "trusted": trusted(&headers)});
    accept(&mut state, "item_edited", item, &fired, facts);
    Ok(answer)
}

async fn delete_draft(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    let draft = own(&state, &acting, id, true)?;
    state.items.remove(&id);
    let mut record = state.item_record(&draft);
    record["trusted"] = json!(trusted(&headers));
    state.record("draft_deleted", acting.member.id, record);
    state.save();
    Ok(Json(json!({"code": 0, "message": "Ok", "message_code": "ok"})))
}

async fn read(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let acting = site.reader(&headers)?;
    let state = site.lock();
    let item = state
        .item(id, clock::now_ms())
        .filter(|item| item.member_id == acting.member.id);
    let item = item.ok_or(Refusal::NotFound)?;
    Ok(Json(
        json!({"item": state.edit_json(item, acting.locale, &site.base_url), "code": 0}),
    ))
}
