//! The inbox and its conversations. Paths and shapes as seen 2026 (confidence A and B).

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, put};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use crate::inbox::Conversation;
use crate::inbox::shown::Look;
use crate::script::Fired;
use crate::site::{Acting, Site};
use crate::{clock, store};

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v2/inbox", get(list))
        // The real site has no list at this path (measured, confidence A).
        .route("/api/v2/conversations", get(async || Refusal::NotFound))
        .route("/api/v2/conversations/stats", get(stats))
        .route("/api/v2/conversations/{id}", get(read).delete(delete))
        .route("/api/v2/conversations/{id}/mark_as_read", put(mark_as_read))
}

/// The largest page size. The limit of the real site is not known.
const PER_PAGE: usize = 100;

#[derive(Deserialize)]
struct Paging {
    page: Option<usize>,
    per_page: Option<usize>,
}

/// Returns the view that `acting` has of conversations now.
pub(super) fn look<'a>(site: &'a Site, acting: &Acting, fired: &Fired) -> Look<'a> {
    Look {
        member_id: acting.member.id,
        locale: acting.locale,
        base_url: &site.base_url,
        now: clock::now_ms(),
        millis: fired.any(|action| action.millis),
    }
}

/// Returns the conversation `id` if it is in the inbox of `acting`.
pub(super) fn own<'a>(
    state: &'a store::State,
    acting: &Acting,
    id: u64,
) -> Result<&'a Conversation, Refusal> {
    let one = state.conversations.get(&id);
    one.filter(|one| one.is_of(acting.member.id))
        .ok_or(Refusal::NotFound)
}

async fn list(
    State(site): State<Arc<Site>>,
    Extension(fired): Extension<Fired>,
    Query(paging): Query<Paging>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let acting = site.reader(&headers)?;
    let look = look(&site, &acting, &fired);
    let state = site.lock();
    let all = state.inbox(acting.member.id, look.now);
    let per_page = paging.per_page.unwrap_or(20).clamp(1, PER_PAGE);
    let page = paging.page.unwrap_or(1).max(1);
    let shown = all
        .iter()
        .skip((page - 1).saturating_mul(per_page))
        .take(per_page);
    let rows: Vec<_> = shown
        .map(|(update_time, one)| state.inbox_row_json(one, *update_time, &look))
        .collect();
    Ok(Json(json!({
        "conversations": rows,
        "pagination": {
            "page": page,
            "current_page": page,
            "per_page": per_page,
            "total_pages": all.len().div_ceil(per_page).max(1),
            "total_entries": all.len(),
            "time": look.now / 1_000,
        },
        "websocket_user_id": format!("practice-{}", acting.member.account_id),
        "code": 0,
    })))
}

async fn stats(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let member = site.reader(&headers)?.member;
    let unread = site.lock().unread(member.id);
    Ok(Json(json!({"unread_msg_count": unread, "code": 0})))
}

/// Returns a conversation. This does not mark it as read (measured 2026-10-08, confidence A).
async fn read(
    State(site): State<Arc<Site>>,
    Extension(fired): Extension<Fired>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let acting = site.reader(&headers)?;
    let look = look(&site, &acting, &fired);
    let state = site.lock();
    let one = own(&state, &acting, id)?;
    Ok(Json(
        json!({"conversation": state.conversation_json(one, &look), "code": 0}),
    ))
}

async fn mark_as_read(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    own(&state, &acting, id)?;
    let one = state.conversations.get_mut(&id).ok_or(Refusal::NotFound)?;
    one.set_read(acting.member.id, true);
    note(&mut state, "conversation_read", &acting, id);
    Ok(ok())
}

/// Removes a conversation from the caller's inbox. It stays in the other member's inbox.
async fn delete(
    State(site): State<Arc<Site>>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    own(&state, &acting, id)?;
    let one = state.conversations.get_mut(&id).ok_or(Refusal::NotFound)?;
    one.deleted_by.insert(acting.member.id);
    note(&mut state, "conversation_deleted", &acting, id);
    Ok(ok())
}

fn note(state: &mut store::State, kind: &str, acting: &Acting, id: u64) {
    state.record(kind, acting.member.id, json!({"conversation_id": id}));
    state.save();
}

fn ok() -> Json<Value> {
    Json(json!({"code": 0, "message": "Ok", "message_code": "ok"}))
}
