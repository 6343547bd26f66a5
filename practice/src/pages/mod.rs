//! The site's HTML pages, one file per page, in French, English and German.
//!
//! Ids and test ids are those of the newest known generation (as seen 2026-09, confidence A and B). The form has
//! several generations. The pages' scripts find their nodes by `data-ref`, which a driver does not use. Therefore a
//! script of the admin API can change all ids and test ids without changing the behaviour of the pages.

pub mod challenge;
mod form;
mod item;
mod layout;
mod markup;
mod member;
mod session;
mod verification;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

pub use self::layout::{Visitor, script_json};
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
        .route("/assets/{*path}", get(asset))
}

/// The pages' scripts and style sheet, by path below `/assets/`.
const ASSETS: [(&str, &str); 10] = [
    ("site.css", include_str!("../../assets/site.css")),
    ("site.js", include_str!("../../assets/site.js")),
    ("mutate.js", include_str!("../../assets/mutate.js")),
    ("form.js", include_str!("../../assets/form.js")),
    (
        "form/attributes.js",
        include_str!("../../assets/form/attributes.js"),
    ),
    ("form/brand.js", include_str!("../../assets/form/brand.js")),
    ("form/category.js", include_str!("../../assets/form/category.js")),
    ("form/dom.js", include_str!("../../assets/form/dom.js")),
    ("form/photos.js", include_str!("../../assets/form/photos.js")),
    ("form/save.js", include_str!("../../assets/form/save.js")),
];

async fn asset(Path(path): Path<String>) -> Response {
    let Some((_, text)) = ASSETS.iter().find(|(name, _)| *name == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = if path.ends_with(".css") {
        "text/css; charset=utf-8"
    } else {
        "text/javascript; charset=utf-8"
    };
    ([(header::CONTENT_TYPE, kind)], *text).into_response()
}
