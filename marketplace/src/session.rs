//! A member's session on the site, and where it is kept. The site renews its tokens now and then, and two who renew at
//! once log each other out; so every renewal goes through [`Sessions`], one at a time.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::{Error, Seat};

/// Cookies by name. Debug shows the names alone, and the values are wiped when they are dropped.
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

/// The generation of a session that was imported and is to be tried on the site. It is renewed as any other is, and stored
/// where it came from.
pub const CANDIDATE: i64 = 0;

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Grows by one with each import and each renewal; whoever stores compares it. [`CANDIDATE`]: it is being tried.
    pub generation: i64,
    pub cookies: Cookies,
    /// The user agent of the browser that it comes from, for plain reads.
    pub user_agent: String,
}

/// Why a session is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LostSession {
    /// The site refused to renew it, or logged it out.
    Refused,
    /// A renewal's answer was lost, and the tokens of before are refused.
    LostInRefresh,
    /// The time that the person gave it is over.
    Expired,
}

impl fmt::Display for LostSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Refused => "the site does not take it any more",
            Self::LostInRefresh => "the answer to its renewal was lost",
            Self::Expired => "its time is over",
        })
    }
}

/// What may be done about a session that is to be renewed.
#[derive(Clone, Debug)]
pub enum Renewal {
    /// The renewal is written down as begun, and is ours: ask the site once, with this session.
    Begin(Session),
    /// An earlier renewal's answer was lost. Its tokens are tried once more; if they are refused, the session is
    /// [`LostSession::LostInRefresh`].
    TryOnce(Session),
    /// Somebody has renewed or imported it meanwhile: use this one.
    Use(Session),
    /// Somebody else is at it, or has the account's browser open.
    Busy,
}

/// Where sessions are kept.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// The account's session on its site; `None` where none was imported.
    ///
    /// # Errors
    /// [`Error::SessionInvalid`] for one that is known to be of no use.
    async fn load(&self, seat: &Seat) -> Result<Option<Session>, Error>;

    /// Asks to renew the session of that generation, under the account's lock: the seat's where its caller holds it,
    /// else it is taken for as long as the renewal lasts.
    async fn begin(&self, seat: &Seat, generation: i64) -> Result<Renewal, Error>;

    /// Stores renewed cookies by compare-and-set on the generation that was renewed, and ends the renewal. `None`: a
    /// newer session has been stored meanwhile and stays.
    async fn renewed(&self, seat: &Seat, generation: i64, cookies: Cookies)
    -> Result<Option<Session>, Error>;

    /// The renewal provably did not reach the site: it may be begun again.
    async fn abandoned(&self, seat: &Seat, generation: i64) -> Result<(), Error>;

    /// Writes down that the session of that generation is of no use, unless a newer one is stored.
    async fn lost(&self, seat: &Seat, generation: i64, why: LostSession) -> Result<(), Error>;

    /// Stores the cookies as the account's own browser holds them, by compare-and-set on the generation that it was given.
    /// Only the holder of the account's lock may. `None`: a newer session has been stored meanwhile and stays.
    async fn harvested(
        &self,
        seat: &Seat,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, Error>;
}
