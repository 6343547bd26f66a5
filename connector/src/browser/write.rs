//! Makes the click that saves or publishes, and determines its outcome from the page's own requests.

use std::time::Duration;

use serde_json::Value;
use thirtyfour::WebElement;
use url::Url;
use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Permit, WriteError};

use super::failure::{failed, is_not_clicked};
use super::find::{Alert, name_of};
use super::page::{COMES_WITHIN, LOOK_EVERY, Page};
use super::traffic::Exchange;
use crate::browserless::{not_permitted, saved_id};
use crate::web;

/// The time limit for the site's answer, and for the page to proceed, after a click.
const ANSWERS_WITHIN: Duration = Duration::from_secs(45);
/// How long a message must be shown without any request before it counts as the form's own refusal.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// How long to wait for the page to navigate after the site has accepted the write.
const LANDS_WITHIN: Duration = Duration::from_secs(20);

/// A click that writes. A click on an own item that is on sale carries the item's id.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Click {
    SaveDraft,
    Publish,
    SaveItem(String),
    Hide(String),
    Delete(String),
}

impl Click {
    fn key(&self) -> Key {
        match self {
            Self::SaveDraft => Key::SaveDraft,
            Self::Publish | Self::SaveItem(_) => Key::Publish,
            Self::Hide(_) => Key::ItemHide,
            Self::Delete(_) => Key::ItemDeleteConfirm,
        }
    }

    /// The paths of the requests that the click makes the page send (as seen 2026, confidence A; hiding B).
    fn paths(&self) -> Vec<String> {
        match self {
            // The full paths, because the form requests its choices by POST too.
            Self::SaveDraft | Self::Publish => {
                vec!["/item_upload/drafts".to_owned(), "/item_upload/items".to_owned()]
            }
            Self::SaveItem(id) => vec![format!("/item_upload/items/{id}")],
            Self::Hide(id) | Self::Delete(id) => vec![format!("/items/{id}/")],
        }
    }

    /// Whether the answer names the saved item.
    fn names_the_item(&self) -> bool {
        matches!(self, Self::SaveDraft | Self::Publish | Self::SaveItem(_))
    }

    /// Whether the URL is the page that the site shows after success (as seen 2026, confidence A; the item's page in
    /// older forms).
    fn lands_on(&self, url: &Url) -> bool {
        let path = url.path();
        let is_item_page = path.starts_with("/items/") && !path.ends_with("/edit") && path != "/items/new";
        match self {
            Self::SaveDraft | Self::Delete(_) => path.starts_with("/member/"),
            Self::Publish | Self::SaveItem(_) | Self::Hide(_) => path.starts_with("/member/") || is_item_page,
        }
    }
}

/// The state of the page's saving requests.
enum Answer {
    /// No such request was sent.
    NoRequest,
    Waiting,
    Accepted {
        remote_id: Option<String>,
    },
    Refused(Vec<(String, String)>),
    Unclear(String),
}

impl Page {
    /// Clicks once and waits for the outcome. Returns the item's id if the site's answer was seen and contains it.
    pub(super) async fn click_once(
        &self,
        click: Click,
        permit: &dyn Permit,
    ) -> Result<Option<String>, WriteError> {
        let button = match self.ready_button(&click).await {
            Ok(button) => button,
            Err(error) => return Err(WriteError::NotSent(error)),
        };
        let before = self.alerts().await.map_err(WriteError::NotSent)?;
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
            // A challenge may cover the button.
            Err(error) if is_not_clicked(&error) => {
                let covered = self.look().await.err().unwrap_or_else(|| failed(error));
                return Err(WriteError::NotSent(covered));
            }
            Err(error) => return Err(WriteError::Unknown(failed(error))),
        }
        match tokio::time::timeout(ANSWERS_WITHIN, self.outcome(&click, mark, &before)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(WriteError::Unknown(Error::Unavailable(unanswered(&before)))),
        }
    }

    /// Returns the button, in view, on a page without a challenge and with nothing over it.
    async fn ready_button(&self, click: &Click) -> Result<WebElement, Error> {
        self.uncover().await?;
        if let Click::Delete(_) = click {
            // This button asks for confirmation and deletes nothing yet.
            let is_asked = self.press(Key::ItemDelete, COMES_WITHIN).await?
                && self.comes(Key::ItemDeleteModal, COMES_WITHIN).await?.is_some();
            if !is_asked {
                return Err(self.not_found(name_of(Key::ItemDelete)).await);
            }
            self.look().await?;
        }
        let Some(button) = self.comes(click.key(), COMES_WITHIN).await? else {
            return Err(self.not_found(name_of(click.key())).await);
        };
        button.scroll_into_view().await.map_err(failed)?;
        Ok(button)
    }

    /// Waits for the outcome of a click. `before` has the messages that the form showed before it.
    async fn outcome(
        &self,
        click: &Click,
        mark: usize,
        before: &[Alert],
    ) -> Result<Option<String>, WriteError> {
        let mut quiet = Duration::ZERO;
        loop {
            let Some(exchanges) = self.traffic.since(mark) else {
                return Err(WriteError::Unknown(Error::Browser(
                    "some of the page's requests were not recorded".to_owned(),
                )));
            };
            match self.answer(click, &exchanges) {
                Answer::Accepted { remote_id } => {
                    if *click == Click::SaveDraft && self.has_published(&exchanges) {
                        let what = "the site published the item instead of saving a draft";
                        return Err(WriteError::Unknown(Error::Shape(what.to_owned())));
                    }
                    let landed = tokio::time::timeout(LANDS_WITHIN, self.landing(click)).await;
                    return match landed {
                        Ok(landed) => landed.map(|()| remote_id).map_err(WriteError::Unknown),
                        // The site has confirmed the save and its id, so the navigation no longer matters.
                        Err(_) if remote_id.is_some() => Ok(remote_id),
                        Err(_) => Err(WriteError::Unknown(Error::Unavailable(
                            "the page did not proceed after the site's answer".to_owned(),
                        ))),
                    };
                }
                Answer::Refused(violations) => {
                    let evidence = Box::new(self.evidence().await);
                    return Err(WriteError::Refused(Error::Refused { violations, evidence }));
                }
                Answer::Unclear(what) => {
                    // A challenge explains more than a broken answer.
                    self.look().await.map_err(WriteError::Unknown)?;
                    return Err(WriteError::Unknown(Error::Unavailable(what)));
                }
                Answer::NoRequest => {
                    let alerts = self.alerts_since(before).await.map_err(WriteError::Unknown)?;
                    if alerts.is_empty() {
                        quiet = Duration::ZERO;
                        self.look().await.map_err(WriteError::Unknown)?;
                    } else if quiet < QUIET_FOR {
                        quiet += LOOK_EVERY;
                    } else {
                        // A challenge may have prevented the request.
                        self.look().await.map_err(WriteError::Unknown)?;
                        let refused = self.refused_by_the_form(alerts).await;
                        if self.has_sent_nothing(click, mark) {
                            return Err(refused);
                        }
                    }
                }
                Answer::Waiting => self.look().await.map_err(WriteError::Unknown)?,
            }
            self.traffic.changed(LOOK_EVERY).await;
        }
    }

    /// Whether the page provably has sent no saving request since the mark.
    fn has_sent_nothing(&self, click: &Click, mark: usize) -> bool {
        let exchanges = self.traffic.since(mark);
        exchanges.is_some_and(|exchanges| matches!(self.answer(click, &exchanges), Answer::NoRequest))
    }

    async fn refused_by_the_form(&self, alerts: Vec<Alert>) -> WriteError {
        let violations = alerts.into_iter().map(|alert| (alert.field, alert.text));
        WriteError::Refused(Error::Refused {
            violations: violations.collect(),
            evidence: Box::new(self.evidence().await),
        })
    }

    /// Waits for the page that follows a success, and checks it for a challenge.
    async fn landing(&self, click: &Click) -> Result<(), Error> {
        while !click.lands_on(&self.url().await?) {
            self.look().await?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.look().await
    }

    /// Combines the saving requests. The page may send several, for example after a session renewal; the most certain
    /// outcome decides.
    fn answer(&self, click: &Click, exchanges: &[Exchange]) -> Answer {
        let paths = click.paths();
        let writes = exchanges
            .iter()
            .filter(|exchange| self.is_saving(exchange, &paths))
            .map(|exchange| answer_of(exchange, click.names_the_item()));
        writes.fold(Answer::NoRequest, |known, next| match (known, next) {
            (Answer::Accepted { remote_id: Some(id) }, _) => Answer::Accepted { remote_id: Some(id) },
            (_, accepted @ Answer::Accepted { .. }) => accepted,
            (accepted @ Answer::Accepted { .. }, _) => accepted,
            (unclear @ Answer::Unclear(_), _) => unclear,
            (_, next) => next,
        })
    }

    /// Whether a publishing request was sent.
    fn has_published(&self, exchanges: &[Exchange]) -> bool {
        let publishes = |exchange: &&Exchange| {
            exchange.url.contains("/item_upload/items") || exchange.url.ends_with("/completion")
        };
        let paths = Click::Publish.paths();
        exchanges
            .iter()
            .filter(|exchange| self.is_saving(exchange, &paths))
            .any(|exchange| publishes(&exchange))
    }

    fn is_saving(&self, exchange: &Exchange, paths: &[String]) -> bool {
        let Ok(url) = Url::parse(&exchange.url) else {
            return false;
        };
        let saves = paths.iter().any(|path| url.path().contains(path.as_str()));
        url.origin() == self.base.origin() && saves && !matches!(exchange.method.as_str(), "GET" | "OPTIONS")
    }
}

/// Returns the error text of a click without an answer. An alert that the form showed before the click may explain it.
fn unanswered(before: &[Alert]) -> String {
    let alerts = before.iter().filter(|alert| alert.is_marked);
    let texts: Vec<&str> = alerts.map(|alert| alert.text.as_str()).collect();
    if texts.is_empty() {
        return "no answer to the click in time".to_owned();
    }
    let texts = texts.join("; ");
    format!("no answer to the click in time; before the click the form showed: {texts}")
}

/// Evaluates one saving request. An answer that must name the item but does not was emptied by a check in front of the
/// site; the site has then saved nothing (as seen 2026, confidence A).
fn answer_of(exchange: &Exchange, names_the_item: bool) -> Answer {
    if !exchange.complete {
        return Answer::Waiting;
    }
    let Some(status) = exchange.status.filter(|_| !exchange.failed) else {
        return Answer::Unclear("the connection broke before the answer arrived".to_owned());
    };
    let body = exchange.body.as_deref().unwrap_or_default();
    if let Some(violations) = web::refused_in(status, body) {
        return Answer::Refused(violations);
    }
    match status {
        // A request without a session has no effect. The page renews the session and repeats the request.
        401 => Answer::Waiting,
        200..300 => match serde_json::from_str::<Value>(body) {
            Ok(json) if crate::text::code(&json).unwrap_or(0) != 0 => {
                Answer::Unclear(format!("the site answered with code {}", json["code"]))
            }
            Ok(json) if names_the_item && !json["item"].is_object() && !json["draft"].is_object() => {
                Answer::Unclear("the site's answer is empty".to_owned())
            }
            Ok(json) if json.is_object() => Answer::Accepted {
                remote_id: saved_id(&json),
            },
            // The body may be lost when the page navigates. An HTML page in its place is not a success.
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

    #[test]
    fn unanswered_click_names_alerts_but_no_hints() {
        let alert = |text: &str, is_marked: bool| Alert {
            field: String::new(),
            text: text.to_owned(),
            is_marked,
        };
        let before = [
            alert("Choose a brand", false),
            alert("No emoji", true),
            alert("Too long", true),
        ];
        assert_eq!(unanswered(&before[..1]), "no answer to the click in time");
        assert_eq!(
            unanswered(&before),
            "no answer to the click in time; before the click the form showed: No emoji; Too long"
        );
    }

    fn outcome_name(exchange: &Exchange) -> &'static str {
        match answer_of(exchange, true) {
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
            (Some(200), r#"{"code":0}"#, "unclear"),
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
            assert_eq!(
                outcome_name(&exchange(status, body)),
                expected,
                "{status:?} {body}"
            );
        }
        let cut = Exchange {
            failed: true,
            ..exchange(Some(200), "")
        };
        assert_eq!(outcome_name(&cut), "unclear");
        let under_way = Exchange {
            complete: false,
            ..exchange(Some(200), "")
        };
        assert_eq!(outcome_name(&under_way), "waiting");
    }
}
