//! Answers that leak the caller's access token: in a page, an error or a redirect.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use serde::{Deserialize, Serialize};

use crate::api::Refusal;
use crate::session::cookie;
use crate::validate::FieldError;

/// The place where the token is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Echo {
    /// In the text of a page that reports an error.
    Page,
    /// In the message of an error.
    Error,
    /// In the target of a redirect.
    Redirect,
}

/// Returns the answer with the token, for a caller who has one.
pub fn answer(echo: Echo, headers: &HeaderMap) -> Option<Response> {
    let token = cookie(headers, "access_token_web")?;
    Some(match echo {
        Echo::Page => {
            let page =
                format!("<!doctype html><title>Oops</title><h1>Oops</h1><p>access_token_web={token}</p>");
            (StatusCode::FORBIDDEN, Html(page)).into_response()
        }
        Echo::Error => Refusal::Validation(vec![FieldError {
            field: "session".to_owned(),
            value: format!("the session {token} may not do this"),
        }])
        .into_response(),
        Echo::Redirect => Redirect::to(&format!("/?access_token_web={token}")).into_response(),
    })
}
