//! A member's session on the site, and its store. The site renews a session's tokens from time to time. Two renewals at
//! once would log each other out, so every renewal goes through [`Sessions`], one at a time.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::{AccountContext, Error};

/// Cookies by name. Debug shows only the names, and the values are wiped on drop.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cookies(pub BTreeMap<String, String>);

impl Cookies {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<'a> IntoIterator for &'a Cookies {
    type Item = (&'a String, &'a String);
    type IntoIter = std::collections::btree_map::Iter<'a, String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Drop for Cookies {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

/// The generation of an imported session that is to be tried on the site. It is renewed like any other session,
/// but does not replace the stored session.
pub const CANDIDATE: i64 = 0;

/// A stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Grows by one with each import and each renewal, and is compared whenever a session is stored. [`CANDIDATE`]: the
    /// session is being tried.
    pub generation: i64,
    pub cookies: Cookies,
    /// The user agent of the browser that the session comes from, for plain reads.
    pub user_agent: String,
}

/// Why a session can no longer be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LostSession {
    /// The site refused to renew it, or logged it out.
    Refused,
    /// The answer to a renewal was lost, and the previous tokens are refused.
    LostInRefresh,
    /// The lifetime that the person gave it is over.
    Expired,
}

impl fmt::Display for LostSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Refused => "the site no longer accepts it",
            Self::LostInRefresh => "the answer to its renewal was lost",
            Self::Expired => "its lifetime is over",
        })
    }
}

/// How to proceed with a session that is to be renewed.
#[derive(Clone, Debug)]
pub enum Renewal {
    /// The renewal is stored as begun and belongs to the caller. Ask the site once, with this session.
    Begin(Session),
    /// The answer to an earlier renewal was lost. Try its tokens once more. If they are refused, the session is
    /// [`LostSession::LostInRefresh`].
    TryOnce(Session),
    /// The session has since been renewed or imported. Use the new session.
    Use(Session),
    /// Another holder renews the session, or has the account's browser open.
    Busy,
}

/// The store of sessions.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Returns the account's session on its site; `None` if no session was imported.
    ///
    /// # Errors
    /// [`Error::SessionInvalid`] if the session is known to be unusable.
    async fn load(&self, account_context: &AccountContext) -> Result<Option<Session>, Error>;

    /// Requests the renewal of the session of that generation, under the account lock. The lock is that of the account
    /// context if its caller holds it. Otherwise it is taken for the duration of the renewal.
    async fn begin(&self, account_context: &AccountContext, generation: i64) -> Result<Renewal, Error>;

    /// Stores renewed cookies by compare-and-set on the generation that was renewed, and ends the renewal. `None`: a
    /// newer session is stored and stays.
    async fn renewed(
        &self,
        account_context: &AccountContext,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, Error>;

    /// Ends a renewal that provably did not reach the site, so that it can begin again.
    async fn abandoned(&self, account_context: &AccountContext, generation: i64) -> Result<(), Error>;

    /// Stores that the session of that generation is unusable, unless a newer one is stored.
    async fn lost(
        &self,
        account_context: &AccountContext,
        generation: i64,
        why: LostSession,
    ) -> Result<(), Error>;

    /// Stores the cookies as the account's own browser holds them, by compare-and-set on the generation that the
    /// browser was given. Only the holder of the account lock may call it. `None`: a newer session is stored and
    /// stays.
    async fn cookies_captured(
        &self,
        account_context: &AccountContext,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, Error>;
}
