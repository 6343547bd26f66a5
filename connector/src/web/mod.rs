//! The web session: plain requests to the site's own JSON API, as its pages make them.
//!
//! - `client` creates the HTTP clients, `jar` holds their cookies.
//! - `signin` signs in with a session, `session` knows its member and when to renew it, and `renewal` renews it.
//! - `reads` and `own` read the member and the member's items, `catalog` reads the catalogue.
//! - `inbox`, `conversation` and `entries` read messages, `reply` sends them, and `uploads` sends photos.
//!
//! Every answer passes the challenge detector before it is used. To add a call, write a method in the fitting file, on
//! top of [`WebSession::json`].

mod catalog;
pub(crate) mod client;
mod conversation;
mod entries;
mod inbox;
mod jar;
#[cfg(test)]
mod mutated;
mod own;
mod reads;
mod renewal;
mod reply;
mod session;
mod signin;
mod uploads;

use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE};
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use url::Url;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::{AccountContext, Error, Evidence, Language, LostSession, WriteError};

pub(crate) use session::{SessionCache, SiteClientConfig};
pub(crate) use signin::SignedIn;

use session::Origin;

use crate::redactor::Redactor;
use crate::signs::Reply;
use crate::text;

/// The code of an answer that refuses the entered values (as seen 2026, confidence A).
const VALIDATION_ERROR: i64 = 99;
/// The code of an answer about something that does not exist (as seen 2026, confidence A).
const NOT_FOUND: i64 = 104;

/// One member's session on one site, used for one account context. Signs in at the first use, and again when the site
/// no longer accepts the session.
pub(crate) struct WebSession {
    pub(crate) base: Url,
    language: Language,
    detector: Arc<Detector>,
    account_context: AccountContext,
    origin: Origin,
    cache: Arc<SessionCache>,
    config: Arc<SiteClientConfig>,
}

/// The body of a request.
pub(crate) enum Payload {
    Nothing,
    Json(Value),
    Photo {
        upload_session_id: String,
        content_type: String,
        bytes: Bytes,
    },
}

/// A request that can be sent repeatedly.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// The path below `/api/v2/`.
    pub(crate) path: &'a str,
    pub(crate) query: Vec<(&'a str, String)>,
    pub(crate) payload: Payload,
}

impl<'a> Call<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            query: Vec::new(),
            payload: Payload::Nothing,
        }
    }

    pub(crate) fn put(path: &'a str) -> Self {
        Self {
            method: Method::PUT,
            ..Self::get(path)
        }
    }

    pub(crate) fn delete(path: &'a str) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(path)
        }
    }

    pub(crate) fn post(path: &'a str, json: Value) -> Self {
        Self {
            method: Method::POST,
            path,
            query: Vec::new(),
            payload: Payload::Json(json),
        }
    }

    pub(crate) fn query(mut self, name: &'a str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }
}

/// Why a request has no answer.
enum NoAnswer {
    /// Nothing has left this machine.
    NotSent(Error),
    /// The request was sent, at least in part.
    Lost(Error),
}

impl NoAnswer {
    fn into_error(self) -> Error {
        match self {
            Self::NotSent(error) | Self::Lost(error) => error,
        }
    }
}

impl WebSession {
    /// Returns the redactor for this session's values.
    pub(crate) fn redactor(&self) -> Redactor {
        self.cache.redactor()
    }

    /// Sends a request and returns the JSON object of a successful answer. A 401 renews the session and repeats the
    /// request once. Only for calls that change nothing or may be repeated.
    pub(crate) async fn json(&self, call: &Call<'_>) -> Result<Value, Error> {
        let reply = self.reply(call).await?;
        if reply.status == 400 {
            return Err(refusal(&reply).unwrap_or_else(|| unexpected(&reply)));
        }
        good(&reply)
    }

    /// Does the same, but returns `None` if the site reports that the object does not exist.
    pub(crate) async fn json_if_there(&self, call: &Call<'_>) -> Result<Option<Value>, Error> {
        let reply = self.reply(call).await?;
        if reply.status == 404 || code_in(&reply) == Some(NOT_FOUND) {
            return Ok(None);
        }
        good(&reply).map(Some)
    }

    /// Sends a request exactly once, even if it fails, and returns the JSON object of a successful answer.
    pub(crate) async fn write(
        &self,
        signed_in: &SignedIn,
        call: &Call<'_>,
    ) -> Result<(Value, Evidence), WriteError> {
        let reply = self.once(signed_in, call).await?;
        reply.judge(&self.detector, true).map_err(WriteError::Unknown)?;
        if reply.status == 400
            && let Some(refusal) = refusal(&reply)
        {
            return Err(WriteError::Refused(refusal));
        }
        let json = good(&reply).map_err(WriteError::Unknown)?;
        Ok((json, reply.evidence()))
    }

    /// Sends a request exactly once and returns its answer, with any status.
    async fn once(&self, signed_in: &SignedIn, call: &Call<'_>) -> Result<Reply, WriteError> {
        self.send(signed_in, call)
            .await
            .map_err(|no_answer| match no_answer {
                NoAnswer::NotSent(error) => WriteError::NotSent(error),
                NoAnswer::Lost(error) => WriteError::Unknown(error),
            })
    }

    async fn reply(&self, call: &Call<'_>) -> Result<Reply, Error> {
        let first = self.signed_in().await?;
        let mut reply = self.send(&first, call).await.map_err(NoAnswer::into_error)?;
        if reply.status == 401 {
            let second = self.signed_in_anew(&first).await?;
            reply = self.send(&second, call).await.map_err(NoAnswer::into_error)?;
            if reply.status == 401
                && let Some(session) = &second.session
            {
                return Err(self.lost(session, LostSession::Refused).await);
            }
        }
        reply.judge(&self.detector, true)?;
        Ok(reply)
    }

    async fn send(&self, signed_in: &SignedIn, call: &Call<'_>) -> Result<Reply, NoAnswer> {
        let csrf = signed_in.csrf_token(self).await.map_err(NoAnswer::NotSent)?;
        let url = self
            .base
            .join("/api/v2/")
            .and_then(|api| api.join(call.path))
            .map_err(|error| NoAnswer::NotSent(Error::Shape(error.to_string())))?;
        let request = signed_in
            .client
            .request(call.method.clone(), url)
            .query(&call.query)
            .header(ACCEPT, "application/json, text/plain, */*")
            .header("X-CSRF-Token", csrf);
        let request = match signed_in.anonymous_id() {
            Some(id) => request.header("X-Anon-Id", id),
            None => request,
        };
        let request = match &call.payload {
            Payload::Nothing => request,
            Payload::Json(json) => request.json(json),
            Payload::Photo {
                upload_session_id,
                content_type,
                bytes,
            } => {
                let part = Part::stream(bytes.clone())
                    .file_name("photo.jpg")
                    .mime_str(content_type);
                let part = part.map_err(|error| NoAnswer::NotSent(Error::Shape(error.to_string())))?;
                let form = Form::new().text("photo[type]", "item");
                request.multipart(
                    form.text("photo[temp_uuid]", upload_session_id.clone())
                        .part("photo[file]", part),
                )
            }
        };
        self.exchange(request).await
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Reply, NoAnswer> {
        let locale = self.locale();
        let request = request.header(ACCEPT_LANGUAGE, locale).header("locale", locale);
        let answer = request.send().await.map_err(|error| {
            let unavailable = Error::Unavailable(chain(&error));
            if error.is_builder() || error.is_connect() {
                NoAnswer::NotSent(unavailable)
            } else {
                NoAnswer::Lost(unavailable)
            }
        })?;
        let status = answer.status().as_u16();
        let url = answer.url().clone();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default().to_owned();
        let headers = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let text = answer
            .text()
            .await
            .map_err(|error| NoAnswer::Lost(Error::Unavailable(chain(&error))))?;
        let json = serde_json::from_str(&text).ok();
        Ok(Reply {
            status,
            url,
            content_type,
            headers,
            text,
            json,
        })
    }

    /// Returns the locale as the site's pages send it in their requests (as seen 2026, confidence B).
    fn locale(&self) -> &'static str {
        match self.language {
            Language::De => "de-DE",
            Language::En => "en-GB",
            Language::Fr => "fr-FR",
        }
    }
}

/// Returns the object of a successful answer.
fn good(reply: &Reply) -> Result<Value, Error> {
    let Some(json) = reply.json.as_ref().filter(|json| json.is_object()) else {
        return Err(unexpected(reply));
    };
    let is_fine = (200..300).contains(&reply.status) && text::code(json).unwrap_or(0) == 0;
    if is_fine {
        Ok(json.clone())
    } else {
        Err(unexpected(reply))
    }
}

/// Returns the violations if an answer refuses the entered values.
fn refusal(reply: &Reply) -> Option<Error> {
    let json = reply.json.as_ref()?;
    if code_in(reply) != Some(VALIDATION_ERROR) {
        return None;
    }
    Some(Error::Refused {
        violations: violations(json),
        evidence: Box::new(reply.evidence()),
    })
}

/// Returns the code of an answer's envelope. `None` if the code is absent or reports success.
fn code_in(reply: &Reply) -> Option<i64> {
    let code = text::code(reply.json.as_ref()?);
    code.filter(|code| *code != 0)
}

/// Returns `errors[{field, value}]` of an answer, or its message if the list is absent or empty.
pub(crate) fn violations(json: &Value) -> Vec<(String, String)> {
    let text = text::string;
    let errors = json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found: Vec<_> = errors
        .iter()
        .map(|error| (text(&error["field"]), text(&error["value"])))
        .collect();
    if found.is_empty() {
        vec![(String::new(), text(&json["message"]))]
    } else {
        found
    }
}

/// Returns the violations if an answer's text refuses the entered values.
pub(crate) fn refused_in(status: u16, body: &str) -> Option<Vec<(String, String)>> {
    let json: Value = serde_json::from_str(body).ok()?;
    (status == 400 && text::code(&json) == Some(VALIDATION_ERROR)).then(|| violations(&json))
}

fn unexpected(reply: &Reply) -> Error {
    let detail = match &reply.json {
        Some(json) => format!("code {} {}", json["code"], json["message_code"]),
        None => reply.content_type.clone(),
    };
    let text = format!("{} answered {}: {detail}", reply.url.path(), reply.status);
    if reply.status >= 500 {
        Error::Unavailable(text)
    } else {
        Error::Shape(text)
    }
}

/// Formats an error with its causes, which say what happened.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
