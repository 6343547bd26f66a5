//! The pages for visitors without a valid session, and the sign-in page (as seen 2026, confidence B).

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use super::layout::{Visitor, escape};
use crate::ontology::text;
use crate::site::Site;

#[derive(Deserialize)]
pub struct Back {
    #[serde(default)]
    ref_url: String,
}

pub async fn select_type(
    State(site): State<Arc<Site>>,
    Query(back): Query<Back>,
    headers: HeaderMap,
) -> Response {
    let visitor = Visitor::of(&site, &headers).signed_out();
    let signup = text(visitor.locale, "signup");
    let back: String = form_urlencoded::byte_serialize(back.ref_url.as_bytes()).collect();
    let body = format!(
        r#"<div data-testid="auth-modal--overlay"><div data-testid="select-type-login-view"><h1>{}</h1><p>{}</p>
<a href="/member/login/email?ref_url={back}" data-testid="auth-select-type--login-email">{}</a></div></div>"#,
        escape(signup),
        escape(text(visitor.locale, "log_in_first")),
        escape(text(visitor.locale, "with_email")),
    );
    visitor.page(StatusCode::OK, signup, &body, json!(null))
}

pub async fn log_in(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &headers).signed_out();
    let t = |key: &str| escape(text(visitor.locale, key));
    let body = format!(
        r#"<h1>{log_in}</h1><form data-ref="log-in" method="post">
<section class="field"><label for="username">{username}</label>
<input type="text" id="username" name="username" autocomplete="username" data-ref="username"></section>
<section class="field"><label for="password">{password}</label>
<input type="password" id="password" name="password" autocomplete="current-password" data-ref="password"></section>
<p class="web_ui__Validation__warning" role="alert" data-ref="log-in-warning" hidden>{wrong}</p>
<button type="submit">{go_on}</button></form>"#,
        log_in = t("log_in"),
        username = t("username"),
        password = t("password"),
        wrong = t("wrong_password"),
        go_on = t("go_on"),
    );
    let title = text(visitor.locale, "log_in");
    visitor.page(StatusCode::OK, title, &body, json!({"page": "log-in"}))
}

/// Refreshes the session and redirects to the requested page. With an invalid refresh token, the page never ends.
pub async fn refresh(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &headers).signed_out();
    let wait = text(visitor.locale, "refreshing");
    let body = format!(
        r#"<p class="loader" data-testid="session-refresh--loader">{}</p>"#,
        escape(wait)
    );
    visitor.page(StatusCode::OK, wait, &body, json!({"page": "session-refresh"}))
}
