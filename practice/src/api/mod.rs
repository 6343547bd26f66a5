//! The site's JSON calls, one file per group, and the envelope of their errors.

mod auth;
mod inbox;
mod items;
mod offers;
mod ontology;
pub mod photos;
mod replies;
mod wardrobe;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;

use crate::ontology::{Locale, text};
use crate::site::Site;
use crate::validate::FieldError;

/// The reason for which a call is refused. Codes as seen 2026 (confidence A).
#[derive(Debug)]
pub enum Refusal {
    InvalidToken,
    WrongPassword,
    AccessDenied,
    NotFound,
    PhotoUpload,
    PhotoTooBig,
    Validation(Vec<FieldError>),
    /// The message contains an insult. The error text is in the writer's language.
    Harassment(Locale),
    EmailSharing(Locale),
    Server,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, name, message) = match &self {
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                100,
                "invalid_authentication_token",
                "Invalid token",
            ),
            Self::WrongPassword => (
                StatusCode::UNAUTHORIZED,
                10,
                "invalid_user",
                "Wrong user name or password",
            ),
            Self::AccessDenied => (StatusCode::FORBIDDEN, 106, "access_denied", "Access denied"),
            Self::NotFound => (StatusCode::NOT_FOUND, 104, "not_found", "Not found"),
            Self::PhotoUpload => (StatusCode::BAD_REQUEST, 50, "photo_upload_error", "Not a photo"),
            Self::PhotoTooBig => (
                StatusCode::BAD_REQUEST,
                51,
                "photo_too_big",
                "The photo is too big",
            ),
            Self::Validation(_) => (StatusCode::BAD_REQUEST, 99, "validation_error", "Check the form"),
            Self::Harassment(locale) => (
                StatusCode::BAD_REQUEST,
                134,
                "harassment",
                text(*locale, "harassment"),
            ),
            Self::EmailSharing(locale) => (
                StatusCode::BAD_REQUEST,
                136,
                "email_sharing",
                text(*locale, "email_sharing"),
            ),
            Self::Server => (
                StatusCode::INTERNAL_SERVER_ERROR,
                105,
                "server_error",
                "Something went wrong",
            ),
        };
        let errors = if let Self::Validation(errors) = self {
            errors
        } else {
            Vec::new()
        };
        let body = json!({
            "code": code, "message": message, "message_code": name, "errors": errors, "payload": {},
        });
        (status, Json(body)).into_response()
    }
}

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .merge(auth::routes())
        .merge(inbox::routes())
        .merge(items::routes())
        .merge(offers::routes())
        .merge(ontology::routes())
        .merge(photos::routes())
        .merge(replies::routes())
        .merge(wardrobe::routes())
}
