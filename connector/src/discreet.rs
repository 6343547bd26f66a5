//! Nothing that leaves the connector holds a session's values: pages, addresses and errors may repeat them, and all of that
//! is stored and shown. This is the one place where it goes out: [`Discreet`] around every composer, and
//! [`WebSession::told`](crate::web::WebSession::told) around every reading. A new method of the composer is passed on here.

use std::sync::Arc;

use async_trait::async_trait;
use url::form_urlencoded::byte_serialize;
use vintedbot_marketplace::{
    ChangeKind, Changed, Composer, ComposerIdentity, Cookies, Ending, Error, Evidence, Filled, Frame, Permit,
    Published, Saved, StepObserver, Stopped, Window, WriteError,
};
use zeroize::Zeroizing;

use crate::web::WebSession;

/// What stands where a value stood.
const REMOVED: &str = "[removed]";
/// Shorter values, such as a language, are no secrets, and are words of their own in many texts.
const SHORTEST: usize = 8;
/// How every token that is a JWT begins: the base64 of an opening brace and a quote.
const TOKEN_START: &str = "eyJ";

/// Takes a session's values, and whatever looks like a token, out of texts.
pub(crate) struct Redactor {
    values: Vec<Zeroizing<String>>,
}

impl Redactor {
    pub(crate) fn new<'a>(hidden: impl Iterator<Item = &'a Cookies>) -> Self {
        let mut values = Vec::new();
        for (_, value) in hidden.flatten() {
            if value.len() < SHORTEST {
                continue;
            }
            let encoded: String = byte_serialize(value.as_bytes()).collect();
            if encoded != *value {
                values.push(Zeroizing::new(encoded));
            }
            values.push(Zeroizing::new(value.clone()));
        }
        // A longer one may hold a shorter one.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    pub(crate) fn text(&self, text: String) -> String {
        let mut text = text;
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), REMOVED);
            }
        }
        without_tokens(text)
    }

    fn evidence(&self, evidence: Evidence) -> Evidence {
        Evidence {
            url: self.text(evidence.url),
            page_text: self.text(evidence.page_text),
            screenshot: evidence.screenshot,
        }
    }

    fn boxed(&self, mut evidence: Box<Evidence>) -> Box<Evidence> {
        *evidence = self.evidence(std::mem::take(&mut *evidence));
        evidence
    }

    fn filled(&self, mut filled: Filled) -> Filled {
        for reading in &mut filled.read_back {
            reading.seen = self.text(std::mem::take(&mut reading.seen));
        }
        filled.evidence = self.evidence(filled.evidence);
        filled
    }

    pub(crate) fn error(&self, error: Error) -> Error {
        match error {
            Error::Challenge {
                mut verdict,
                evidence,
            } => {
                verdict.message = self.text(verdict.message);
                verdict.sign = self.text(verdict.sign);
                Error::Challenge {
                    verdict,
                    evidence: self.boxed(evidence),
                }
            }
            Error::Refused { violations, evidence } => Error::Refused {
                violations: violations
                    .into_iter()
                    .map(|(field, text)| (self.text(field), self.text(text)))
                    .collect(),
                evidence: self.boxed(evidence),
            },
            Error::FieldNotFound { field, evidence } => Error::FieldNotFound {
                field,
                evidence: self.boxed(evidence),
            },
            Error::Mismatch {
                field,
                approved,
                seen,
                evidence,
            } => Error::Mismatch {
                field,
                approved,
                seen: self.text(seen),
                evidence: self.boxed(evidence),
            },
            Error::Unusable { what, evidence } => Error::Unusable {
                what: self.text(what),
                evidence: self.boxed(evidence),
            },
            Error::Unavailable(text) => Error::Unavailable(self.text(text)),
            Error::Shape(text) => Error::Shape(self.text(text)),
            Error::Browser(text) => Error::Browser(self.text(text)),
            Error::Sessions(text) => Error::Sessions(self.text(text)),
            Error::Photos(text) => Error::Photos(self.text(text)),
            Error::Stopped(Stopped(text)) => Error::Stopped(Stopped(self.text(text))),
            other @ (Error::NotADraft { .. }
            | Error::NotFound { .. }
            | Error::NoSession(_)
            | Error::SessionInvalid(_)
            | Error::SessionBusy) => other,
        }
    }
}

/// A text without anything that reads like a JWT: three parts of base64, of which the first begins like an object.
fn without_tokens(text: String) -> String {
    if !text.contains(TOKEN_START) {
        return text;
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(TOKEN_START) {
        clean.push_str(&rest[..at]);
        let found = &rest[at..];
        let end = found
            .find(|char: char| !(char.is_ascii_alphanumeric() || "-_.=".contains(char)))
            .unwrap_or(found.len());
        let word = &found[..end];
        let is_token = word.split('.').count() >= 3 && word.len() > 20;
        clean.push_str(if is_token { REMOVED } else { word });
        rest = &found[end..];
    }
    clean.push_str(rest);
    clean
}

/// A composer that keeps its session's values to itself.
pub(crate) struct Discreet {
    inner: Box<dyn Composer>,
    session: Arc<WebSession>,
}

impl Discreet {
    pub(crate) fn new(inner: Box<dyn Composer>, session: Arc<WebSession>) -> Self {
        Self { inner, session }
    }
}

async fn told(session: &WebSession, filled: Result<Filled, Error>) -> Result<Filled, Error> {
    let filled = session.told(filled).await?;
    Ok(session.redactor().filled(filled))
}

/// What others may know of a writing call.
pub(crate) async fn written<T>(session: &WebSession, result: Result<T, WriteError>) -> Result<T, WriteError> {
    let (wrap, error): (fn(Error) -> WriteError, Error) = match result {
        Ok(value) => return Ok(value),
        Err(WriteError::NotSent(error)) => (WriteError::NotSent, error),
        Err(WriteError::Refused(error)) => (WriteError::Refused, error),
        Err(WriteError::Unknown(error)) => (WriteError::Unknown, error),
    };
    Err(wrap(session.outward(error).await))
}

/// What is told of a step on the way.
struct Hushed<'a> {
    inner: &'a dyn StepObserver,
    session: Arc<WebSession>,
}

#[async_trait]
impl StepObserver for Hushed<'_> {
    async fn reached(&self, frame: Frame) -> Result<(), Stopped> {
        let frame = Frame {
            detail: self.session.redactor().text(frame.detail),
            ..frame
        };
        self.inner.reached(frame).await
    }
}

#[async_trait]
impl Composer for Discreet {
    fn identity(&self) -> ComposerIdentity {
        self.inner.identity()
    }

    async fn fill(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error> {
        let steps = Hushed {
            inner: steps,
            session: Arc::clone(&self.session),
        };
        let filled = self.inner.fill(&steps).await;
        told(&self.session, filled).await
    }

    async fn open_draft(&mut self, remote_id: &str, steps: &dyn StepObserver) -> Result<Filled, Error> {
        let steps = Hushed {
            inner: steps,
            session: Arc::clone(&self.session),
        };
        let opened = self.inner.open_draft(remote_id, &steps).await;
        told(&self.session, opened).await
    }

    async fn look(&mut self) -> Result<(), Error> {
        let seen = self.inner.look().await;
        self.session.told(seen).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it is passed on for the one module that may call it"
    )]
    async fn save_draft(&mut self, permit: &dyn Permit) -> Result<Saved, WriteError> {
        let saved = self.inner.save_draft(permit).await;
        written(&self.session, saved).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it is passed on for the one module that may call it"
    )]
    async fn publish(&mut self, permit: &dyn Permit) -> Result<Published, WriteError> {
        let published = self.inner.publish(permit).await;
        let published = written(&self.session, published).await?;
        Ok(Published {
            evidence: self.session.redactor().evidence(published.evidence),
            ..published
        })
    }

    async fn open_item(
        &mut self,
        remote_id: &str,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<Filled, Error> {
        let steps = Hushed {
            inner: steps,
            session: Arc::clone(&self.session),
        };
        let opened = self.inner.open_item(remote_id, kind, &steps).await;
        told(&self.session, opened).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it is passed on for the one module that may call it"
    )]
    async fn change(&mut self, permit: &dyn Permit) -> Result<Changed, WriteError> {
        let changed = self.inner.change(permit).await;
        let changed = written(&self.session, changed).await?;
        Ok(Changed {
            evidence: self.session.redactor().evidence(changed.evidence),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it is passed on for the one module that may call it"
    )]
    async fn hand_over(&mut self) -> Result<(), Error> {
        let handed = self.inner.hand_over().await;
        self.session.told(handed).await
    }

    async fn window(&mut self) -> Window {
        match self.inner.window().await {
            Window::Open(url) => Window::Open(self.session.redactor().text(url)),
            Window::Closed => Window::Closed,
        }
    }

    async fn quit(self: Box<Self>) -> Ending {
        self.inner.quit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let cookies = [
            ("_vinted_fr_session", "a+secret/value=="),
            ("anonymous-locale", "fr"),
        ];
        let cookies = Cookies(
            cookies
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        Redactor::new(std::iter::once(&cookies))
    }

    #[test]
    fn a_sessions_values_and_whatever_looks_like_a_token_are_taken_out() {
        let clean = |text: &str| redactor().text(text.to_owned());
        assert_eq!(clean("x a+secret/value== y"), "x [removed] y");
        assert_eq!(clean("/?next=a%2Bsecret%2Fvalue%3D%3D&z"), "/?next=[removed]&z");
        assert_eq!(
            clean("token eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl, fr"),
            "token [removed], fr"
        );
        assert_eq!(
            clean("https://x/?t=eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxIn0.c2ln"),
            "https://x/?t=[removed]"
        );
        assert_eq!(
            clean("eyJust a word, en français: é"),
            "eyJust a word, en français: é"
        );
        assert_eq!(clean("ends with eyJ"), "ends with eyJ");
    }

    #[test]
    fn errors_and_their_evidence_are_cleaned() {
        let secret = "a+secret/value==";
        let evidence = Evidence {
            url: format!("https://x/?a={secret}"),
            screenshot: None,
            page_text: format!("<p>{secret}</p>"),
        };
        let errors = [
            Error::Unavailable(secret.to_owned()),
            Error::Shape(secret.to_owned()),
            Error::Refused {
                violations: vec![(String::new(), secret.to_owned())],
                evidence: Box::new(evidence.clone()),
            },
            Error::Unusable {
                what: secret.to_owned(),
                evidence: Box::new(evidence),
            },
        ];
        for error in errors {
            let error = redactor().error(error);
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
