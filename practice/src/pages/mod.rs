//! The site's HTML pages, one file per page, in French, English and German.
//!
//! Ids and test ids are those of the newest generation known (as seen 2026-09, confidence A and B), but for the form,
//! which has several. The pages' scripts find their nodes by `data-ref`, never by what a driver would look for, so
//! that a script of the admin API can change all of that without changing what the pages do.

pub mod challenge;
mod form;
mod item;
mod layout;
mod member;
mod session;
mod verification;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;

pub use self::layout::script_json;
use crate::site::Site;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(member::home))
        .route("/items/new", get(form::new))
        .route("/items/{id}/edit", get(form::edit))
        .route("/items/{id}", get(item::show))
        .route("/member/{id}", get(member::show))
        .route("/member/signup/select_type", get(session::select_type))
        .route("/member/login/email", get(session::log_in))
        .route("/session-refresh", get(session::refresh))
        .route("/users/verification", get(verification::account))
        .route("/users/verification/phone", get(verification::phone))
        .route("/users/verification/email_code", get(verification::email_code))
        .route("/settings/security/phone_verification", get(verification::phone))
        .route("/redirect/there", get(async || Redirect::to("/redirect/back")))
        .route("/redirect/back", get(async || Redirect::to("/redirect/there")))
        .route(
            "/assets/form.js",
            get(async || script(include_str!("../../assets/form.js"))),
        )
        .route(
            "/assets/site.js",
            get(async || script(include_str!("../../assets/site.js"))),
        )
        .route(
            "/assets/mutate.js",
            get(async || script(include_str!("../../assets/mutate.js"))),
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
