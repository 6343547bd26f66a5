//! Whose session it is, how it is entered, and when it has to be renewed.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use url::Url;
use vintedbot_marketplace::challenge::{AccountFollows, Detector};
use vintedbot_marketplace::cookies::Rules;
use vintedbot_marketplace::markets::PRACTICE;
use vintedbot_marketplace::{Cookies, Error, LostSession, Seat, Session, Sessions};

use super::WebSession;
use super::renewal::Renewing;
use super::signin::{Entered, SignedIn};
use crate::Clock;
use crate::discreet::Redactor;

/// Cookies of so many entries are remembered, so that they can be told in what the site sends back.
const REMEMBERED: usize = 16;

/// How sites are reached, for every session the same.
pub(crate) struct Reach {
    pub(crate) timeout: Duration,
    pub(crate) proxy: Option<Url>,
    pub(crate) detector: Arc<Detector>,
    /// Where imported sessions are kept; without it, only the practice site is entered.
    pub(crate) sessions: Option<Arc<dyn Sessions>>,
    /// Renewals under way: they outlive whoever asked for them.
    pub(crate) renewals: TaskTracker,
    pub(crate) clock: Clock,
}

/// What lasts of one account's session on one site, from one use to the next.
#[derive(Default)]
pub(crate) struct Memory {
    pub(super) current: Mutex<Option<Arc<SignedIn>>>,
    /// One in this process renews; the others wait for what comes of it.
    renewing: Mutex<()>,
    hidden: StdMutex<Vec<Cookies>>,
}

impl Memory {
    /// Remembers values that must not stand in anything that is kept.
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

/// Where the session that is used comes from.
pub(super) enum Origin {
    /// What is in use for the account.
    Stored,
    /// One that is being tried, as it is now.
    Candidate(StdMutex<Session>),
}

impl WebSession {
    pub(crate) fn new(base: Url, seat: Seat, memory: Arc<Memory>, reach: Arc<Reach>) -> Self {
        Self {
            base,
            language: seat.language,
            detector: Arc::clone(&reach.detector),
            seat,
            origin: Origin::Stored,
            memory,
            reach,
        }
    }

    /// The same for a session that is not the account's yet.
    pub(crate) fn of_candidate(mut self, session: Session) -> Self {
        self.origin = Origin::Candidate(StdMutex::new(session));
        self
    }

    /// The imported session as it is now, wherever it is kept.
    async fn imported(&self) -> Result<Option<Session>, Error> {
        match (&self.origin, &self.reach.sessions) {
            (Origin::Candidate(session), _) => {
                let session = session.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(Some(session.clone()))
            }
            (Origin::Stored, Some(sessions)) => sessions.load(&self.seat).await,
            (Origin::Stored, None) => Ok(None),
        }
    }

    /// The session, signed in now if it was not. An imported one is asked for each time, so that one that was renewed,
    /// replaced or forgotten elsewhere is noticed here.
    pub(crate) async fn signed_in(&self) -> Result<Arc<SignedIn>, Error> {
        let mut was_renewed = false;
        loop {
            let imported = self.imported().await;
            let mut current = self.memory.current.lock().await;
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
                if self.seat.site != PRACTICE {
                    return Err(Error::NoSession(self.seat.site.clone()));
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

    /// The session after the site did not know the one that was used: an imported one is renewed, another is asked for anew.
    pub(super) async fn signed_in_anew(&self, stale: &Arc<SignedIn>) -> Result<Arc<SignedIn>, Error> {
        if let Some(session) = &stale.session {
            self.renew(session).await?;
        } else {
            let mut current = self.memory.current.lock().await;
            if current
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, stale))
            {
                *current = None;
            }
        }
        self.signed_in().await
    }

    /// The same, for one whose access token would end within that time. Where it is not known when it ends, and where the
    /// practice site gave it, it is taken as it is.
    pub(crate) async fn lasting(&self, time: Duration) -> Result<(), Error> {
        let Some(session) = self.imported().await? else {
            return Ok(());
        };
        let needed_until = (self.reach.clock)() + i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        match expiry(&session.cookies) {
            Some(end) if end <= needed_until => self.renew(&session).await,
            _ => Ok(()),
        }
    }

    /// Renews an imported session, unless somebody else has done so meanwhile. Goes on when the caller is gone.
    async fn renew(&self, used: &Session) -> Result<(), Error> {
        let _turn = self.memory.renewing.lock().await;
        if self.imported().await?.as_ref() != Some(used) {
            return Ok(());
        }
        let Some(sessions) = self.reach.sessions.clone() else {
            return Err(Error::NoSession(self.seat.site.clone()));
        };
        // Asked for before anything is written down, so that nothing else can go wrong in between.
        let csrf_token = self.public_csrf_token(used).await?;
        let renewing = Renewing {
            session: self.twin(),
            sessions,
            generation: used.generation,
            csrf_token,
        };
        let renewed = self.reach.renewals.spawn(renewing.run()).await;
        let renewed =
            renewed.map_err(|error| Error::Sessions(format!("a renewal's task ended: {error}")))??;
        if let (Origin::Candidate(session), Some(renewed)) = (&self.origin, renewed) {
            *session.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
        }
        Ok(())
    }

    /// The token that every page has, asked for as somebody who is not logged in.
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

    /// The same session, for a task of its own.
    fn twin(&self) -> Self {
        Self {
            base: self.base.clone(),
            language: self.language,
            detector: Arc::clone(&self.detector),
            seat: self.seat.clone(),
            origin: Origin::Stored,
            memory: Arc::clone(&self.memory),
            reach: Arc::clone(&self.reach),
        }
    }

    /// Writes down that the site does not take a session, and says so.
    pub(super) async fn lost(&self, session: &Session, why: LostSession) -> Error {
        if let Some(sessions) = &self.reach.sessions
            && let Err(error) = sessions.lost(&self.seat, session.generation, why).await
        {
            return error;
        }
        Error::SessionInvalid(why)
    }

    /// Stores the cookies as the account's own browser holds them, which it was given by `signed_in`. A later import or
    /// renewal stays.
    pub(crate) async fn harvest(
        &self,
        signed_in: &SignedIn,
        cookies: Vec<(String, String)>,
    ) -> Result<(), Error> {
        let (Some(sessions), Some(session)) = (&self.reach.sessions, &signed_in.session) else {
            return Ok(());
        };
        let rules = Rules::embedded();
        let cookies = cookies
            .into_iter()
            .filter(|(name, _)| !rules.is_of_bot_check(name));
        let cookies = Cookies(cookies.collect());
        self.memory.hide(&cookies);
        sessions
            .harvested(&self.seat, session.generation, cookies)
            .await
            .map(drop)
    }

    /// What others may know of a failure: without the session's values in it. A page that says that nobody is logged in
    /// ends an imported session.
    pub(crate) async fn told<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Ok(value) => Ok(value),
            Err(error) => Err(self.outward(error).await),
        }
    }

    /// The same for a failure that is known to be one.
    pub(crate) async fn outward(&self, error: Error) -> Error {
        if let Error::Challenge { verdict, .. } = &error
            && verdict.kind.consequence().account == AccountFollows::LoggedOut
        {
            let current = self.memory.current.lock().await.clone();
            if let Some(session) = current.as_ref().and_then(|current| current.session.as_ref()) {
                // What it says itself is the better reason; that it was written down is what counts.
                let _written = self.lost(session, LostSession::Refused).await;
            }
        }
        self.memory.redactor().error(error)
    }
}

/// When the access token ends, in UTC milliseconds; `None` where it does not say so.
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
    fn a_tokens_end_is_read_where_it_says_so() {
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
