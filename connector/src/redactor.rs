//! Removes a session's values, and everything that looks like a token, from texts.

use url::form_urlencoded::byte_serialize;
use vintedbot_marketplace::{Cookies, Error, Evidence, Filled, Stopped};
use zeroize::Zeroizing;

/// The replacement for a removed value.
const REMOVED: &str = "[removed]";
/// Values shorter than this many bytes, such as a language, are not secret and occur as words in many texts.
const SHORTEST: usize = 8;
/// The beginning of every JWT: the base64 of an opening brace and a quote.
const TOKEN_START: &str = "eyJ";

/// Removes a session's values, and everything that looks like a token, from texts.
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
        // Longest first, because a longer value may contain a shorter one.
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

    pub(crate) fn evidence(&self, evidence: Evidence) -> Evidence {
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

    pub(crate) fn filled(&self, mut filled: Filled) -> Filled {
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

/// Returns the text without anything that looks like a JWT: three parts of base64, the first of which begins like an
/// object.
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
    fn session_values_and_token_like_text_are_redacted() {
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
    fn errors_and_their_evidence_are_redacted() {
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
