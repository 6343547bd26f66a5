//! Answers that repeat what they were sent: a careless page, error or redirect with the caller's access token in it.

use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use serde::{Deserialize, Serialize};

use crate::api::Refusal;
use crate::session::cookie;
use crate::validate::FieldError;

/// Where the token is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Echo {
    /// In the text of a page that says that something went wrong.
    Page,
    /// In the message of a refusal.
    Error,
    /// In the address that the caller is sent to.
    Redirect,
}

/// The answer instead of the right one, for a caller who has a token.
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
