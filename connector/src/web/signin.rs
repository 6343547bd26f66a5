//! Signs in with an imported session, or with a session from the practice site's admin API, which gives one to any
//! caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use vintedbot_marketplace::cookies::Rules;
use vintedbot_marketplace::{Cookies, Error, Member, Session};

use super::client::{self, OWN_NAME};
use super::jar::OwnJar;
use super::{Call, NoAnswer, WebSession, good, unexpected};
use crate::signs::Reply;
use crate::text;

/// A session that the site accepted when it was opened.
pub(crate) struct SignedIn {
    pub(crate) client: reqwest::Client,
    pub(crate) member: Member,
    /// The cookies at that time, for a browser.
    pub(crate) cookies: Cookies,
    /// The imported session; absent if the practice site gave it.
    pub(super) session: Option<Session>,
    jar: Arc<OwnJar>,
    csrf_token: OnceCell<String>,
}

#[derive(Deserialize)]
struct PracticeMember {
    id: Value,
    login: String,
    cookies: BTreeMap<String, String>,
}

/// The site's response to an imported session.
pub(super) enum Entered {
    In(Box<SignedIn>),
    /// The site no longer accepts its access token.
    Stale,
}

impl WebSession {
    /// Asks the practice site for a session.
    pub(super) async fn sign_in(&self) -> Result<SignedIn, Error> {
        let anonymous = self.client(Cookies::default(), OWN_NAME)?.0;
        let url = self
            .base
            .join("/_practice/members")
            .map_err(|error| Error::Shape(error.to_string()))?;
        let body = json!({ "login": self.account_context.practice_login, "language": self.language.code() });
        let reply = self
            .exchange(anonymous.post(url).json(&body))
            .await
            .map_err(NoAnswer::into_error)?;
        if !(200..300).contains(&reply.status) {
            return Err(unexpected(&reply));
        }
        let mut member: PracticeMember = reply
            .json
            .clone()
            .and_then(|json| serde_json::from_value(json).ok())
            .ok_or_else(|| unexpected(&reply))?;
        let id = text::id(&member.id).ok_or_else(|| unexpected(&reply))?;
        // These cookies were issued to a browser, and this client is not a browser.
        let rules = Rules::embedded();
        member.cookies.retain(|name, _| !rules.is_of_bot_check(name));
        let cookies = Cookies(member.cookies);
        let (client, jar) = self.client(cookies.clone(), OWN_NAME)?;
        Ok(SignedIn {
            client,
            member: Member {
                id,
                login: member.login,
            },
            cookies,
            session: None,
            jar,
            csrf_token: OnceCell::new(),
        })
    }

    /// Signs in with an imported session and reads whose it is.
    pub(super) async fn enter(&self, session: Session) -> Result<Entered, Error> {
        let (client, jar) = self.client(session.cookies.clone(), &session.user_agent)?;
        let unknown = Member {
            id: String::new(),
            login: String::new(),
        };
        let mut signed_in = SignedIn {
            client,
            member: unknown,
            cookies: session.cookies.clone(),
            session: Some(session),
            jar,
            csrf_token: OnceCell::new(),
        };
        let call = Call::get("users/current");
        let reply = self.send(&signed_in, &call).await.map_err(NoAnswer::into_error)?;
        if reply.status == 401 {
            return Ok(Entered::Stale);
        }
        reply.judge(&self.detector, true)?;
        signed_in.member = member_in(&good(&reply)?)?;
        Ok(Entered::In(Box::new(signed_in)))
    }

    /// Creates a client with these cookies, and returns the jar that holds them from now on.
    pub(super) fn client(
        &self,
        cookies: Cookies,
        user_agent: &str,
    ) -> Result<(reqwest::Client, Arc<OwnJar>), Error> {
        self.cache.hide(&cookies);
        let jar = Arc::new(OwnJar::new(&self.base, cookies));
        let proxy = self
            .config
            .proxy
            .as_ref()
            .filter(|_| self.base.scheme() == "https");
        let client = client::guarded(&self.base, &jar, user_agent, proxy, self.config.timeout)?;
        Ok((client, jar))
    }

    /// Returns the token in a client's pages; see [`SignedIn::csrf_token`].
    pub(super) async fn csrf_token(&self, client: &reqwest::Client) -> Result<String, Error> {
        let reply = self.exchange(client.get(self.base.clone())).await;
        let reply = reply.map_err(NoAnswer::into_error)?;
        reply.judge(&self.detector, false)?;
        token_in(&reply)
    }
}

/// Returns the member of an answer to `users/current`.
pub(super) fn member_in(json: &Value) -> Result<Member, Error> {
    let user = &json["user"];
    match (text::id(&user["id"]), user["login"].as_str()) {
        (Some(id), Some(login)) => Ok(Member {
            id,
            login: text::cleaned_name(login),
        }),
        _ => Err(Error::Shape("users/current names no user".to_owned())),
    }
}

impl SignedIn {
    /// Returns the token that the site's pages send with every request. It is the same for all visitors until the site
    /// is rebuilt, and every page contains it (as seen 2026, confidence A).
    pub(super) async fn csrf_token(&self, session: &WebSession) -> Result<&str, Error> {
        let token = self
            .csrf_token
            .get_or_try_init(|| session.csrf_token(&self.client));
        token.await.map(String::as_str)
    }

    /// Returns the value that calls repeat as `X-Anon-Id` (as seen 2026, confidence A).
    pub(super) fn anonymous_id(&self) -> Option<String> {
        self.jar.get(&Rules::embedded().anonymous_id)
    }
}

fn token_in(reply: &Reply) -> Result<String, Error> {
    token_of(&reply.text)
        .ok_or_else(|| Error::Shape(format!("no CSRF token in the page {}", reply.url.path())))
}

/// Finds the token in a page: in its data as `CSRF_TOKEN`, in older pages in a `meta` tag.
fn token_of(page: &str) -> Option<String> {
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
    fn csrf_token_is_found_in_data_and_in_a_meta_tag() {
        let expected = Some("75f6c9fa-dc8e-4e52".to_owned());
        assert_eq!(
            token_of(r#"self.push([1,"{\"CSRF_TOKEN\":\"75f6c9fa-dc8e-4e52\",\"x\":1}"])"#),
            expected
        );
        assert_eq!(token_of(r#"{"CSRF_TOKEN": "75f6c9fa-dc8e-4e52"}"#), expected);
        assert_eq!(
            token_of(r#"<meta name="csrf-token" content="75f6c9fa-dc8e-4e52">"#),
            expected
        );
        assert_eq!(token_of("<html></html>"), None);
    }
}
