//! Getting a session: on the practice site, by asking its admin API for one.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use vintedbot_marketplace::{Error, Member};

use super::{NoAnswer, WebSession, client, unexpected};
use crate::text;

/// A session that the site knew when it was made.
pub(crate) struct SignedIn {
    pub(crate) client: reqwest::Client,
    pub(crate) member: Member,
    pub(crate) cookies: BTreeMap<String, String>,
    csrf_token: OnceCell<String>,
}

#[derive(Deserialize)]
struct PracticeMember {
    id: Value,
    login: String,
    cookies: BTreeMap<String, String>,
}

impl WebSession {
    pub(super) async fn sign_in(&self) -> Result<SignedIn, Error> {
        let anonymous = client::guarded(&self.base, &BTreeMap::new(), self.timeout)?;
        let url = self
            .base
            .join("/_practice/members")
            .map_err(|error| Error::Shape(error.to_string()))?;
        let body = json!({ "login": self.login, "language": self.language.code() });
        let reply = self
            .exchange(anonymous.post(url).json(&body))
            .await
            .map_err(NoAnswer::into_error)?;
        if !(200..300).contains(&reply.status) {
            return Err(unexpected(&reply));
        }
        let member: PracticeMember = reply
            .json
            .clone()
            .and_then(|json| serde_json::from_value(json).ok())
            .ok_or_else(|| unexpected(&reply))?;
        let id = text::id(&member.id).ok_or_else(|| unexpected(&reply))?;
        Ok(SignedIn {
            client: client::guarded(&self.base, &member.cookies, self.timeout)?,
            member: Member {
                id,
                login: member.login,
            },
            cookies: member.cookies,
            csrf_token: OnceCell::new(),
        })
    }
}

impl SignedIn {
    /// The token that the site's pages send with every request. It is the same for everybody until the site is built
    /// anew, and stands in every page (as seen 2026, confidence A).
    pub(super) async fn csrf_token(&self, session: &WebSession) -> Result<&str, Error> {
        let token = self.csrf_token.get_or_try_init(|| async {
            let page = session.exchange(self.client.get(session.base.clone()));
            let reply = page.await.map_err(NoAnswer::into_error)?;
            reply.judge(&session.detector, false)?;
            token_in(&reply.text)
                .ok_or_else(|| Error::Shape(format!("no CSRF token in the page {}", reply.url.path())))
        });
        token.await.map(String::as_str)
    }
}

/// The token in a page: in its data as `CSRF_TOKEN`, in older pages in a `meta` tag.
fn token_in(page: &str) -> Option<String> {
    let after_name = |name: &str, skipped: &[char]| {
        let rest = &page[page.find(name)? + name.len()..];
        let rest = rest.trim_start_matches(skipped);
        let end = rest.find(|char: char| !(char.is_ascii_alphanumeric() || "-_+/=.".contains(char)))?;
        Some(rest[..end].to_owned()).filter(|token| token.len() >= 8)
    };
    after_name("CSRF_TOKEN", &['\\', '"', ':', ' '])
        .or_else(|| after_name("name=\"csrf-token\" content=", &['"']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_csrf_token_is_found_in_data_and_in_a_meta_tag() {
        let expected = Some("75f6c9fa-dc8e-4e52".to_owned());
        assert_eq!(
            token_in(r#"self.push([1,"{\"CSRF_TOKEN\":\"75f6c9fa-dc8e-4e52\",\"x\":1}"])"#),
            expected
        );
        assert_eq!(token_in(r#"{"CSRF_TOKEN": "75f6c9fa-dc8e-4e52"}"#), expected);
        assert_eq!(
            token_in(r#"<meta name="csrf-token" content="75f6c9fa-dc8e-4e52">"#),
            expected
        );
        assert_eq!(token_in("<html></html>"), None);
    }
}
