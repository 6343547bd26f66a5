//! Who am I, and a new pair of tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Refusal;
use crate::clock;
use crate::session::{self, cookie};
use crate::site::Site;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/api/v2/users/current", get(current_user))
        .route("/api/v2/users/{id}/stats", get(stats))
        .route("/web/api/auth/refresh", post(refresh))
}

async fn current_user(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let member = site.reader(&headers)?.member;
    let items = site.lock().wardrobe(member.id, false, clock::now_ms()).len();
    Ok(Json(json!({
        "user": {
            "id": member.id,
            "login": member.login,
            "real_name": null,
            "email": format!("{}@example.invalid", member.login),
            "item_count": items,
            "locale": member.language.code(),
        },
        "code": 0,
    })))
}

async fn stats(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let member = site.reader(&headers)?.member;
    let items = site.lock().wardrobe(member.id, false, clock::now_ms()).len();
    Ok(Json(json!({
        "stats": {
            "unread_msg_count": 0,
            "unread_private_msg_count": 0,
            "unread_notification_count": 0,
            "item_count": items,
            "wallet_balance": "0.0",
            "wallet_balance_currency": crate::items::CURRENCY,
            "free_push_ups_count": 0,
            "can_make_offers": true,
        },
        "code": 0,
    })))
}

/// The refresh token is good once: of two clients that share a session, the second is logged out.
async fn refresh(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<impl IntoResponse, Refusal> {
    if !session::has_csrf(&headers) {
        return Err(Refusal::AccessDenied);
    }
    let mut state = site.lock();
    let token = cookie(&headers, "refresh_token_web").ok_or(Refusal::InvalidToken)?;
    let member_id = state.refresh_tokens.remove(token).ok_or(Refusal::InvalidToken)?;
    let member = state
        .members
        .get(&member_id)
        .cloned()
        .ok_or(Refusal::InvalidToken)?;
    let tokens = session::sign_in(&mut state, &member);
    state.save();
    let set = |name: &str, value: &str| {
        (
            header::SET_COOKIE,
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax"),
        )
    };
    let cookies = [
        set("access_token_web", &tokens.access),
        set("refresh_token_web", &tokens.refresh),
    ];
    let body = json!({"access_token": tokens.access, "refresh_token": tokens.refresh, "code": 0});
    Ok((AppendHeaders(cookies), Json(body)))
}
