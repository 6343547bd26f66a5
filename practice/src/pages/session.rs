//! Where visitors without a good session land. There is no form to sign in: sessions come from the admin API.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::layout::{Visitor, escape};
use crate::ontology::text;
use crate::site::Site;

pub async fn select_type(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &headers);
    let signup = text(visitor.locale, "signup");
    let body = format!(
        r#"<div data-testid="auth-modal--overlay"><div data-testid="select-type-login-view"><h1>{}</h1><p>{}</p></div></div>"#,
        escape(signup),
        escape(text(visitor.locale, "log_in_first")),
    );
    visitor.page(StatusCode::OK, signup, &body, json!(null))
}

/// Refreshes the session and goes on; with a dead refresh token it waits for ever.
pub async fn refresh(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &headers);
    let wait = text(visitor.locale, "refreshing");
    let body = format!(
        r#"<p class="loader" data-testid="session-refresh--loader">{}</p>"#,
        escape(wait)
    );
    visitor.page(StatusCode::OK, wait, &body, json!({"page": "session-refresh"}))
}
