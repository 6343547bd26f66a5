//! Renews an imported session's tokens: `POST /web/api/auth/refresh` with the cookies and the CSRF token. The answer
//! contains new tokens, and the old ones are then invalid (as seen 2026, confidence A).
//!
//! The renewal is stored as begun before the request, and the new tokens are stored before they are used. If the answer
//! is lost, the renewal stays open, because the site may still have renewed the session.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, REFERER};
use serde_json::json;
use vintedbot_marketplace::cookies::Rules;
use vintedbot_marketplace::{Cookies, Error, LostSession, Renewal, Session, Sessions};

use super::jar::OwnJar;
use super::{NoAnswer, WebSession, unexpected};
use crate::signs::Reply;

/// The time limit of the request. The account lock is held during the request.
const ASKS_WITHIN: Duration = Duration::from_secs(8);
/// How often to wait for another holder's renewal, and how long each time.
const WAITS: u32 = 40;
const WAIT: Duration = Duration::from_millis(250);

/// One renewal, run in its own task.
pub(super) struct Renewing {
    pub(super) session: WebSession,
    pub(super) sessions: Arc<dyn Sessions>,
    pub(super) generation: i64,
    pub(super) csrf_token: String,
}

/// The outcome of the request.
enum Asked {
    Renewed(Cookies),
    /// The site refused the refresh token.
    Refused,
    /// The site did nothing.
    NotDone(Error),
    /// The site may have renewed the session.
    Lost(Error),
}

impl Renewing {
    /// Renews and returns the session. `None` if another session has replaced it.
    pub(super) async fn run(self) -> Result<Option<Session>, Error> {
        let account_context = &self.session.account_context;
        for _ in 0..WAITS {
            match self.sessions.begin(account_context, self.generation).await? {
                Renewal::Use(session) => return Ok(Some(session)),
                Renewal::Begin(session) => return self.ask(session, false).await,
                Renewal::TryOnce(session) => return self.ask(session, true).await,
                Renewal::Busy => tokio::time::sleep(WAIT).await,
            }
        }
        Err(Error::SessionBusy)
    }

    async fn ask(&self, session: Session, is_second_try: bool) -> Result<Option<Session>, Error> {
        let account_context = &self.session.account_context;
        let limit = ASKS_WITHIN.min(self.session.config.timeout);
        let asked = tokio::time::timeout(limit, self.request(&session)).await;
        let asked = asked.unwrap_or_else(|_| Asked::Lost(Error::Unavailable("no answer in time".to_owned())));
        let why = if is_second_try {
            LostSession::LostInRefresh
        } else {
            LostSession::Refused
        };
        match asked {
            Asked::Renewed(cookies) => {
                self.session.cache.hide(&cookies);
                self.sessions
                    .renewed(account_context, self.generation, cookies)
                    .await
            }
            Asked::Refused => Err(self.session.lost(&session, why).await),
            Asked::NotDone(error) => {
                self.sessions.abandoned(account_context, self.generation).await?;
                Err(error)
            }
            // After two requests without an answer, it is unknown which tokens are valid.
            Asked::Lost(_) if is_second_try => Err(self.session.lost(&session, why).await),
            Asked::Lost(error) => {
                tracing::warn!(
                    account_id = account_context.account_id,
                    generation = self.generation,
                    "the answer to a session's renewal was lost"
                );
                Err(error)
            }
        }
    }

    async fn request(&self, session: &Session) -> Asked {
        let made = self
            .session
            .client(session.cookies.clone(), &session.user_agent)
            .and_then(|(client, jar)| Ok((client, jar, self.address("/web/api/auth/refresh")?)));
        let (client, jar, url) = match made {
            Ok(made) => made,
            Err(error) => return Asked::NotDone(error),
        };
        let referer = self
            .address("/session-refresh?ref_url=%2F")
            .map(String::from)
            .unwrap_or_default();
        let request = client
            .post(url)
            .header(ACCEPT, "application/json, text/plain, */*")
            .header("X-CSRF-Token", &self.csrf_token)
            .header(REFERER, referer)
            .json(&json!({}));
        match self.session.exchange(request).await {
            Err(NoAnswer::NotSent(error)) => Asked::NotDone(error),
            Err(NoAnswer::Lost(error)) => Asked::Lost(error),
            Ok(reply) => self.judge(session, &reply, &jar),
        }
    }

    fn address(&self, path: &str) -> Result<url::Url, Error> {
        let url = self.session.base.join(path);
        url.map_err(|error| Error::Shape(error.to_string()))
    }

    fn judge(&self, session: &Session, reply: &Reply, jar: &OwnJar) -> Asked {
        if reply.status == 401 {
            return Asked::Refused;
        }
        // A server error says nothing about what the server did before it.
        if reply.status >= 500 && reply.status != 503 {
            return Asked::Lost(unexpected(reply));
        }
        if let Err(error) = reply.judge(&self.session.detector, true) {
            return Asked::NotDone(error);
        }
        if !(200..300).contains(&reply.status) {
            return if reply.status == 503 {
                Asked::Lost(unexpected(reply))
            } else {
                Asked::NotDone(unexpected(reply))
            };
        }
        let rules = Rules::embedded();
        // Some answers have the tokens in their body only (as seen 2026, confidence A for the first, C for the second).
        for (name, key) in [(&rules.access, "access_token"), (&rules.refresh, "refresh_token")] {
            let token_text = reply.json.as_ref().and_then(|json| json[key].as_str());
            if let Some(token) = token_text.filter(|token| !token.is_empty() && !token.contains([';', ' '])) {
                jar.set(name, token);
            }
        }
        let cookies = jar.lasting();
        let is_new = cookies.get(&rules.access) != session.cookies.get(&rules.access);
        if is_new && rules.are_whole(&cookies) {
            Asked::Renewed(cookies)
        } else {
            Asked::Lost(Error::Shape(
                "the answer to a renewal has no new tokens".to_owned(),
            ))
        }
    }
}
