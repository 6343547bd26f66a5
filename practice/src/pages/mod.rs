//! The site's HTML pages, one file per page, in French and English.
//!
//! Ids and test ids are those of the newest generation known (as seen 2026-09, confidence A and B).

pub mod challenge;
mod form;
mod item;
mod layout;
mod member;
mod session;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::site::Site;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(member::home))
        .route("/items/new", get(form::new))
        .route("/items/{id}/edit", get(form::edit))
        .route("/items/{id}", get(item::show))
        .route("/member/{id}", get(member::show))
        .route("/member/signup/select_type", get(session::select_type))
        .route("/session-refresh", get(session::refresh))
        .route("/challenge/captcha-delivery.com/captcha/", get(challenge::frame))
        .route(
            "/assets/form.js",
            get(async || script(include_str!("../../assets/form.js"))),
        )
        .route(
            "/assets/site.js",
            get(async || script(include_str!("../../assets/site.js"))),
        )
        .route("/assets/site.css", get(style))
}

fn script(text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text)
}

async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("../../assets/site.css"),
    )
}
