//! The member of a session, its login, and when it must be renewed.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use url::Url;
use vintedbot_marketplace::challenge::{AccountAction, Detector};
use vintedbot_marketplace::cookies::Rules;
use vintedbot_marketplace::markets::PRACTICE;
use vintedbot_marketplace::{AccountContext, Cookies, Error, LostSession, Session, Sessions};

use super::WebSession;
use super::renewal::Renewing;
use super::signin::{Entered, SignedIn};
use crate::Clock;
use crate::redactor::Redactor;

/// How many sets of cookies are remembered, so that they can be redacted from the site's answers.
const REMEMBERED: usize = 16;

/// How sites are reached; the same for every session.
pub(crate) struct SiteClientConfig {
    pub(crate) timeout: Duration,
    pub(crate) proxy: Option<Url>,
    pub(crate) detector: Arc<Detector>,
    /// The store of imported sessions. Absent: only the practice site can be used.
    pub(crate) sessions: Option<Arc<dyn Sessions>>,
    /// Renewals in progress. They outlive the callers that requested them.
    pub(crate) renewals: TaskTracker,
    pub(crate) clock: Clock,
}

/// What lasts of one account's session on one site from one use to the next.
#[derive(Default)]
pub(crate) struct SessionCache {
    pub(super) current: Mutex<Option<Arc<SignedIn>>>,
    /// Held by the task of this process that renews. Other tasks wait for its result.
    renewing: Mutex<()>,
    hidden: StdMutex<Vec<Cookies>>,
}

impl SessionCache {
    /// Remembers values that must not appear in anything that is stored.
    pub(super) fn hide(&self, cookies: &Cookies) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        if cookies.0.is_empty() || hidden.contains(cookies) {
            return;
        }
        if hidden.len() == REMEMBERED {
            hidden.remove(0);
        }
        hidden.push(cookies.clone());
    }

    pub(crate) fn redactor(&self) -> Redactor {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        Redactor::new(hidden.iter())
    }
}

/// The source of the session in use.
pub(super) enum Origin {
    /// The account's stored session.
    Stored,
    /// A session that is being tried, in its current state.
    Candidate(StdMutex<Session>),
}

impl WebSession {
    pub(crate) fn new(
        base: Url,
        account_context: AccountContext,
        cache: Arc<SessionCache>,
        config: Arc<SiteClientConfig>,
    ) -> Self {
        Self {
            base,
            language: account_context.language,
            detector: Arc::clone(&config.detector),
            account_context,
            origin: Origin::Stored,
            cache,
            config,
        }
    }

    /// Makes this session use a candidate that is not the account's session yet.
    pub(crate) fn of_candidate(mut self, session: Session) -> Self {
        self.origin = Origin::Candidate(StdMutex::new(session));
        self
    }

    /// Returns the imported session in its current state; `None` if no session was imported.
    async fn imported(&self) -> Result<Option<Session>, Error> {
        match (&self.origin, &self.config.sessions) {
            (Origin::Candidate(session), _) => {
                let session = session.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(Some(session.clone()))
            }
            (Origin::Stored, Some(sessions)) => sessions.load(&self.account_context).await,
            (Origin::Stored, None) => Ok(None),
        }
    }

    /// Returns the session, signed in now if it was not. An imported session is loaded each time, so that a renewal,
    /// replacement or removal elsewhere is noticed.
    pub(crate) async fn signed_in(&self) -> Result<Arc<SignedIn>, Error> {
        let mut was_renewed = false;
        loop {
            let imported = self.imported().await;
            let mut current = self.cache.current.lock().await;
            let imported = match imported {
                Ok(imported) => imported,
                Err(error) => {
                    *current = None;
                    return Err(error);
                }
            };
            if let Some(signed_in) = current.as_ref()
                && signed_in.session == imported
            {
                return Ok(Arc::clone(signed_in));
            }
            *current = None;
            let Some(session) = imported else {
                if self.account_context.site != PRACTICE {
                    return Err(Error::NoSession(self.account_context.site.clone()));
                }
                let signed_in = Arc::new(self.sign_in().await?);
                *current = Some(Arc::clone(&signed_in));
                return Ok(signed_in);
            };
            match self.enter(session.clone()).await? {
                Entered::In(signed_in) => {
                    let signed_in = Arc::from(signed_in);
                    *current = Some(Arc::clone(&signed_in));
                    return Ok(signed_in);
                }
                Entered::Stale => drop(current),
            }
            if was_renewed {
                return Err(self.lost(&session, LostSession::Refused).await);
            }
            self.renew(&session).await?;
            was_renewed = true;
        }
    }

    /// Replaces a session that the site no longer accepts. Renews an imported session; asks the practice site for a new
    /// one.
    pub(super) async fn signed_in_anew(&self, stale: &Arc<SignedIn>) -> Result<Arc<SignedIn>, Error> {
        if let Some(session) = &stale.session {
            self.renew(session).await?;
        } else {
            let mut current = self.cache.current.lock().await;
            if current
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, stale))
            {
                *current = None;
            }
        }
        self.signed_in().await
    }

    /// Renews the session if its access token would expire within `time`. A session without a known expiry, or from the
    /// practice site, is used unchanged.
    pub(crate) async fn lasting(&self, time: Duration) -> Result<(), Error> {
        let Some(session) = self.imported().await? else {
            return Ok(());
        };
        let needed_until = (self.config.clock)() + i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        match expiry(&session.cookies) {
            Some(end) if end <= needed_until => self.renew(&session).await,
            _ => Ok(()),
        }
    }

    /// Renews an imported session, unless another caller has already done so. Continues if the caller is cancelled.
    async fn renew(&self, used: &Session) -> Result<(), Error> {
        let _turn = self.cache.renewing.lock().await;
        if self.imported().await?.as_ref() != Some(used) {
            return Ok(());
        }
        let Some(sessions) = self.config.sessions.clone() else {
            return Err(Error::NoSession(self.account_context.site.clone()));
        };
        // Fetched before the renewal is stored as begun, so that nothing else can fail in between.
        let csrf_token = self.public_csrf_token(used).await?;
        let renewing = Renewing {
            session: self.twin(),
            sessions,
            generation: used.generation,
            csrf_token,
        };
        let renewed = self.config.renewals.spawn(renewing.run()).await;
        let renewed =
            renewed.map_err(|error| Error::Sessions(format!("the task of a renewal failed: {error}")))??;
        if let (Origin::Candidate(session), Some(renewed)) = (&self.origin, renewed) {
            *session.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
        }
        Ok(())
    }

    /// Fetches the CSRF token that every page contains, as a visitor who is not logged in.
    async fn public_csrf_token(&self, session: &Session) -> Result<String, Error> {
        let rules = Rules::embedded();
        let others = session.cookies.iter().filter(|(name, _)| {
            let name = *name;
            !rules.needed.iter().any(|needed| needed == name)
        });
        let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let client = self.client(Cookies(others.collect()), &session.user_agent)?.0;
        self.csrf_token(&client).await
    }

    /// Returns a copy of the session for a separate task.
    fn twin(&self) -> Self {
        Self {
            base: self.base.clone(),
            language: self.language,
            detector: Arc::clone(&self.detector),
            account_context: self.account_context.clone(),
            origin: Origin::Stored,
            cache: Arc::clone(&self.cache),
            config: Arc::clone(&self.config),
        }
    }

    /// Stores that the site refused the session, and returns the error for it.
    pub(super) async fn lost(&self, session: &Session, why: LostSession) -> Error {
        if let Some(sessions) = &self.config.sessions
            && let Err(error) = sessions
                .lost(&self.account_context, session.generation, why)
                .await
        {
            return error;
        }
        Error::SessionInvalid(why)
    }

    /// Stores the cookies as the account's own browser holds them; the browser was started with those of `signed_in`. A
    /// later import or renewal stays.
    pub(crate) async fn capture_cookies(
        &self,
        signed_in: &SignedIn,
        cookies: Vec<(String, String)>,
    ) -> Result<(), Error> {
        let (Some(sessions), Some(session)) = (&self.config.sessions, &signed_in.session) else {
            return Ok(());
        };
        let rules = Rules::embedded();
        let cookies = cookies
            .into_iter()
            .filter(|(name, _)| !rules.is_of_bot_check(name));
        let cookies = Cookies(cookies.collect());
        self.cache.hide(&cookies);
        sessions
            .cookies_captured(&self.account_context, session.generation, cookies)
            .await
            .map(drop)
    }

    /// Redacts the session's values in an error. A challenge that shows that the member is logged out also ends an
    /// imported session.
    pub(crate) async fn redact_error<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Ok(value) => Ok(value),
            Err(error) => Err(self.outward(error).await),
        }
    }

    /// Does the same for an error.
    pub(crate) async fn outward(&self, error: Error) -> Error {
        if let Error::Challenge { verdict, .. } = &error
            && verdict.kind.policy().account == AccountAction::LogOut
        {
            let current = self.cache.current.lock().await.clone();
            if let Some(session) = current.as_ref().and_then(|current| current.session.as_ref()) {
                // The error of this call is dropped: the challenge explains more.
                let _written = self.lost(session, LostSession::Refused).await;
            }
        }
        self.cache.redactor().error(error)
    }
}

/// Returns when the access token expires, in UTC milliseconds; `None` if the token does not say so.
pub(super) fn expiry(cookies: &Cookies) -> Option<i64> {
    let token = cookies.get(&Rules::embedded().access)?;
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    let seconds = payload["exp"]
        .as_i64()
        .or_else(|| payload["exp"].as_f64().map(|seconds| seconds as i64))?;
    seconds.checked_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_token(token: &str) -> Cookies {
        Cookies([("access_token_web".to_owned(), token.to_owned())].into())
    }

    #[test]
    fn token_expiry_is_read_when_present() {
        let token = |payload: &str| format!("eyJhbGciOiJub25lIn0.{}.sig", URL_SAFE_NO_PAD.encode(payload));
        assert_eq!(
            expiry(&with_token(&token(r#"{"exp": 1795000000, "sub": "7"}"#))),
            Some(1_795_000_000_000)
        );
        assert_eq!(
            expiry(&with_token(&token(r#"{"exp": 1795000000.5}"#))),
            Some(1_795_000_000_000)
        );
        for unreadable in [
            "",
            "opaque",
            "a.b.c",
            &token("{}"),
            &token("[]"),
            &token(r#"{"exp":"soon"}"#),
        ] {
            assert_eq!(expiry(&with_token(unreadable)), None, "{unreadable}");
        }
        assert_eq!(expiry(&Cookies::default()), None);
    }
}
