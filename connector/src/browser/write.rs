//! The one click that saves or publishes, and what became of it, told from the page's own requests.

use std::time::Duration;

use serde_json::Value;
use thirtyfour::WebElement;
use url::Url;
use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Field, Permit, WriteError};

use super::broken;
use super::page::{COMES_WITHIN, LOOK_EVERY, Page, is_not_clicked};
use super::traffic::Exchange;
use crate::browserless::{not_permitted, saved_id};
use crate::web;

/// How long the site may take to answer, and the page to go on, after a click.
const ANSWERS_WITHIN: Duration = Duration::from_secs(45);
/// How long a message must stand without any request before it counts as the form's own refusal.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// Which of the form's two last buttons.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Click {
    SaveDraft,
    Publish,
}

impl Click {
    fn field(self) -> Field {
        match self {
            Self::SaveDraft => Field::SaveDraft,
            Self::Publish => Field::Publish,
        }
    }

    fn key(self) -> Key {
        match self {
            Self::SaveDraft => Key::SaveDraft,
            Self::Publish => Key::Publish,
        }
    }

    /// The page that the site goes to when all went well (as seen 2026, confidence A; the item's page in older forms).
    fn lands_on(self, url: &Url) -> bool {
        let path = url.path();
        path.starts_with("/member/")
            || (self == Self::Publish
                && path.starts_with("/items/")
                && !path.ends_with("/edit")
                && path != "/items/new")
    }
}

/// What the page's saving requests say so far.
enum Answer {
    /// None has been made.
    NoRequest,
    Waiting,
    Accepted {
        remote_id: Option<String>,
    },
    Refused(Vec<(String, String)>),
    Unclear(String),
}

impl Page {
    /// Clicks once, and waits for what comes of it. The item's id, where the site's answer was seen.
    pub(super) async fn click_once(
        &mut self,
        click: Click,
        permit: &dyn Permit,
    ) -> Result<Option<String>, WriteError> {
        let button = self.ready_button(click).await.map_err(WriteError::NotSent)?;
        let mark = self.traffic.mark();
        if self.traffic.since(mark).is_none() {
            return Err(WriteError::NotSent(Error::Browser(
                "the page's requests cannot be seen".to_owned(),
            )));
        }
        if !permit.still_valid() {
            return Err(WriteError::NotSent(not_permitted()));
        }
        match button.click().await {
            Ok(()) => {}
            Err(error) if is_not_clicked(&error) => return Err(WriteError::NotSent(broken(error))),
            Err(error) => return Err(WriteError::Unknown(broken(error))),
        }
        match tokio::time::timeout(ANSWERS_WITHIN, self.outcome(click, mark)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(WriteError::Unknown(Error::Unavailable(
                "no answer to the click came in time".to_owned(),
            ))),
        }
    }

    /// The button, in view, on a page without a challenge.
    async fn ready_button(&mut self, click: Click) -> Result<WebElement, Error> {
        self.look().await?;
        let Some(button) = self.comes(click.key(), COMES_WITHIN).await? else {
            return Err(self.not_found(click.field().name()).await);
        };
        button.scroll_into_view().await.map_err(broken)?;
        Ok(button)
    }

    async fn outcome(&mut self, click: Click, mark: usize) -> Result<Option<String>, WriteError> {
        let mut quiet = Duration::ZERO;
        loop {
            let Some(exchanges) = self.traffic.since(mark) else {
                return Err(WriteError::Unknown(Error::Browser(
                    "the page's requests got out of sight".to_owned(),
                )));
            };
            match self.answer(&exchanges) {
                Answer::Accepted { remote_id } => {
                    self.landing(click).await.map_err(WriteError::Unknown)?;
                    return Ok(remote_id);
                }
                Answer::Refused(violations) => {
                    let evidence = Box::new(self.evidence().await);
                    return Err(WriteError::Refused(Error::Refused { violations, evidence }));
                }
                Answer::Unclear(what) => {
                    // A challenge says more than a broken answer does.
                    self.look().await.map_err(WriteError::Unknown)?;
                    return Err(WriteError::Unknown(Error::Unavailable(what)));
                }
                Answer::NoRequest if !self.alerts().await.map_err(WriteError::Unknown)?.is_empty() => {
                    if quiet >= QUIET_FOR {
                        return Err(self.refused_by_the_form().await);
                    }
                    quiet += LOOK_EVERY;
                }
                Answer::NoRequest | Answer::Waiting => self.look().await.map_err(WriteError::Unknown)?,
            }
            self.traffic.changed(LOOK_EVERY).await;
        }
    }

    async fn refused_by_the_form(&self) -> WriteError {
        match self.alerts().await {
            Ok(texts) => {
                let violations = texts.into_iter().map(|text| (String::new(), text)).collect();
                WriteError::Refused(Error::Refused {
                    violations,
                    evidence: Box::new(self.evidence().await),
                })
            }
            Err(error) => WriteError::Unknown(error),
        }
    }

    /// Waits for the page that follows a success, and looks there too.
    async fn landing(&mut self, click: Click) -> Result<(), Error> {
        while !click.lands_on(&self.url().await?) {
            self.look().await?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.look().await
    }

    /// The site may be asked more than once, as after a session's renewal; the surest thing known decides.
    fn answer(&self, exchanges: &[Exchange]) -> Answer {
        let writes = exchanges
            .iter()
            .filter(|exchange| self.is_saving(exchange))
            .map(told);
        writes.fold(Answer::NoRequest, |known, next| match (known, next) {
            (Answer::Accepted { remote_id: Some(id) }, _) => Answer::Accepted { remote_id: Some(id) },
            (_, accepted @ Answer::Accepted { .. }) => accepted,
            (accepted @ Answer::Accepted { .. }, _) => accepted,
            (unclear @ Answer::Unclear(_), _) => unclear,
            (_, next) => next,
        })
    }

    fn is_saving(&self, exchange: &Exchange) -> bool {
        let Ok(url) = Url::parse(&exchange.url) else {
            return false;
        };
        // Choices are asked for by POST too.
        let saves = ["/item_upload/drafts", "/item_upload/items"]
            .iter()
            .any(|path| url.path().contains(path));
        url.origin() == self.base.origin() && saves && !matches!(exchange.method.as_str(), "GET" | "OPTIONS")
    }
}

/// What one saving request came to.
fn told(exchange: &Exchange) -> Answer {
    if !exchange.complete {
        return Answer::Waiting;
    }
    let Some(status) = exchange.status.filter(|_| !exchange.failed) else {
        return Answer::Unclear("the connection broke before the answer was there".to_owned());
    };
    let body = exchange.body.as_deref().unwrap_or_default();
    if let Some(violations) = web::refused_in(status, body) {
        return Answer::Refused(violations);
    }
    match status {
        // Nothing is done without a session; the page renews it and asks again.
        401 => Answer::Waiting,
        200..300 => match serde_json::from_str::<Value>(body) {
            Ok(json) if json["code"].as_i64().unwrap_or(0) != 0 => {
                Answer::Unclear(format!("the site answered with code {}", json["code"]))
            }
            Ok(json) if json.is_object() => Answer::Accepted {
                remote_id: saved_id(&json),
            },
            // The answer's text may be lost when the page goes on; a page in its place is another thing.
            _ if body.is_empty() && !exchange.content_type.contains("html") => {
                Answer::Accepted { remote_id: None }
            }
            _ => Answer::Unclear("the site did not answer with JSON".to_owned()),
        },
        _ => Answer::Unclear(format!("the site answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(status: Option<u16>, body: &str) -> Exchange {
        Exchange {
            status,
            body: (!body.is_empty()).then(|| body.to_owned()),
            complete: true,
            ..Exchange::asked("POST", "http://127.0.0.1/api/v2/item_upload/drafts")
        }
    }

    fn said(exchange: &Exchange) -> &'static str {
        match told(exchange) {
            Answer::NoRequest => "no request",
            Answer::Waiting => "waiting",
            Answer::Accepted { remote_id: Some(_) } => "accepted with an id",
            Answer::Accepted { remote_id: None } => "accepted",
            Answer::Refused(_) => "refused",
            Answer::Unclear(_) => "unclear",
        }
    }

    #[test]
    fn only_a_good_answer_is_an_acceptance_and_only_a_validation_error_a_refusal() {
        let refused = r#"{"code":99,"errors":[{"field":"title","value":"too long"}]}"#;
        for (status, body, expected) in [
            (Some(200), r#"{"draft":{"id":7},"code":0}"#, "accepted with an id"),
            (Some(200), r#"{"code":0}"#, "accepted"),
            (Some(200), "", "accepted"),
            (Some(200), r#"{"code":105}"#, "unclear"),
            (Some(200), "<html></html>", "unclear"),
            (Some(400), refused, "refused"),
            (Some(400), r#"{"code":50}"#, "unclear"),
            (Some(500), refused, "unclear"),
            (
                Some(403),
                r#"{"url":"https://geo.captcha-delivery.com/captcha/"}"#,
                "unclear",
            ),
            (Some(401), r#"{"code":100}"#, "waiting"),
            (None, "", "unclear"),
        ] {
            assert_eq!(said(&exchange(status, body)), expected, "{status:?} {body}");
        }
        let cut = Exchange {
            failed: true,
            ..exchange(Some(200), "")
        };
        assert_eq!(said(&cut), "unclear");
        let under_way = Exchange {
            complete: false,
            ..exchange(Some(200), "")
        };
        assert_eq!(said(&under_way), "waiting");
    }
}
