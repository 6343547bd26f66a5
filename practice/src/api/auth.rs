//! Current user, sign-in, sign-out and token refresh. Paths as seen 2026 (confidence A and B).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
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
        .route("/web/api/auth/oauth", post(sign_in))
        .route("/web/api/auth/logout", post(sign_out))
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
    let state = site.lock();
    let items = state.wardrobe(member.id, false, clock::now_ms()).len();
    Ok(Json(json!({
        "stats": {
            "unread_msg_count": state.unread(member.id),
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

/// Refreshes the session. A refresh token is valid once: if two clients share a session, the second is signed out.
async fn refresh(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<impl IntoResponse, Refusal> {
    if !session::has_csrf(&headers) {
        return Err(Refusal::AccessDenied);
    }
    let token = cookie(&headers, "refresh_token_web").unwrap_or_default();
    let tokens = session::refresh(&mut site.lock(), token).ok_or(Refusal::InvalidToken)?;
    let body = json!({"access_token": tokens.access, "refresh_token": tokens.refresh, "code": 0});
    Ok((AppendHeaders(set(tokens.set_cookies())), Json(body)))
}

fn set<const N: usize>(cookies: [String; N]) -> [(HeaderName, String); N] {
    cookies.map(|cookie| (header::SET_COOKIE, cookie))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// Signs a member in, and creates the member if the login is new. The practice site has nothing to protect, so it
/// accepts every password that is not empty.
async fn sign_in(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Json(credentials): Json<Credentials>,
) -> Result<impl IntoResponse, Refusal> {
    if !session::has_csrf(&headers) {
        return Err(Refusal::AccessDenied);
    }
    let login = credentials.username.trim();
    if login.is_empty() || credentials.password.is_empty() {
        return Err(Refusal::WrongPassword);
    }
    let mut state = site.lock();
    let member = session::member_named(&mut state, login);
    let tokens = session::sign_in(&mut state, &member);
    state.save();
    let others = session::other_cookies(&member).map(|(name, value)| {
        let hidden = if name == "_vinted_fr_session" {
            "; HttpOnly"
        } else {
            ""
        };
        format!("{name}={value}; Path=/{hidden}; SameSite=Lax")
    });
    let datadome = format!(
        "datadome={}; Path=/; SameSite=Lax",
        clock::hex(&clock::random::<32>())
    );
    let body = json!({"access_token": tokens.access, "user_id": member.id, "code": 0});
    Ok((
        AppendHeaders(set(tokens.set_cookies())),
        AppendHeaders(set(others)),
        AppendHeaders(set([datadome])),
        Json(body),
    ))
}

/// Ends the session of this browser. The member's other sessions stay valid.
async fn sign_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> Result<impl IntoResponse, Refusal> {
    site.writer(&headers)?;
    let mut state = site.lock();
    let family = cookie(&headers, "access_token_web").and_then(|token| state.sessions.get(token));
    if let Some(family) = family.map(|session| session.family) {
        session::end_family(&mut state, family);
        state.save();
    }
    let gone = ["access_token_web", "refresh_token_web", "_vinted_fr_session"]
        .map(|name| format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"));
    Ok((AppendHeaders(set(gone)), Json(json!({"code": 0}))))
}
