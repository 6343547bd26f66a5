//! The site as a whole: who is logged in, what it offers, what the member has there.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::{Composer, ComposerIdentity, ComposerRequest, Ending, Error, Inbox, Language, Money, Session};

/// An account's place on a site: everything that a connector needs to know to act for it.
#[derive(Clone, Debug)]
pub struct Seat {
    pub account_id: String,
    /// `practice`, or the market's host such as `vinted.fr`.
    pub site: String,
    pub language: Language,
    /// The name of the member that stands for this account on the practice site.
    pub practice_login: String,
    /// The account's lock, where whoever uses the seat holds it.
    pub lock: Option<SeatLock>,
}

/// An account's lock, by which its holder is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatLock {
    pub holder: String,
    pub epoch: i64,
}

/// The logged-in member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub login: String,
}

/// An own item as the site shows it to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteItem {
    pub id: String,
    pub title: String,
    pub price: Money,
    pub is_draft: bool,
    pub is_hidden: bool,
    pub is_closed: bool,
    /// Absolute address of the item's page.
    pub url: String,
    pub photo_ids: Vec<String>,
    /// Only in the reading of a single item, never in the wardrobe.
    pub description: Option<String>,
    /// Only in the reading of a single item.
    pub category_id: Option<i64>,
}

/// An own item with everything that its owner can change, by the site's ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnItem {
    pub id: String,
    pub title: String,
    pub description: String,
    /// Absent on a draft without one.
    pub price: Option<Money>,
    pub category_id: Option<i64>,
    pub brand_id: Option<i64>,
    /// The brand's name as the site gives it with the item.
    pub brand: Option<String>,
    pub size_id: Option<i64>,
    pub condition_id: Option<i64>,
    pub color_ids: Vec<i64>,
    pub material_ids: Vec<i64>,
    pub package_size_id: Option<i64>,
    pub photos: Vec<RemotePhoto>,
    pub is_draft: bool,
    pub is_hidden: bool,
    pub is_closed: bool,
    pub is_reserved: bool,
    /// Absolute address of the item's page.
    pub url: String,
}

/// A photo of an item on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePhoto {
    pub id: String,
    /// Where its largest version is, if the site says so.
    pub url: Option<String>,
}

/// How writes reach the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// A real browser.
    Browser { headless: bool },
    /// Plain requests to the practice site; never used on a real one.
    Browserless,
}

/// A site that listings can be published on, with its inbox. Reads only; what writes is the [`Composer`], and
/// [`Inbox::send_reply`].
#[async_trait]
pub trait Marketplace: Inbox {
    /// How writes reach the site.
    fn driver(&self) -> DriverKind;

    /// Who is logged in.
    async fn member(&self, seat: &Seat) -> Result<Member, Error>;

    /// Categories, what each leaf asks for, brands, sizes, colours, conditions, package sizes, in the seat's language.
    async fn catalog(&self, seat: &Seat) -> Result<Catalog, Error>;

    /// A complete reading of the member's own wardrobe, with drafts and hidden items. An incomplete one is an error.
    async fn wardrobe(&self, seat: &Seat) -> Result<Vec<RemoteItem>, Error>;

    /// One own item; `None` when the site says that there is none with that id.
    async fn item(&self, seat: &Seat, remote_id: &str) -> Result<Option<RemoteItem>, Error>;

    /// One own item with everything that its owner can change; `None` when the site says that there is none with that id.
    ///
    /// `listed` is the same item in a wardrobe that was just read, where many are read one after the other: it has what the
    /// item's own answer may lack, and such readings are paced.
    async fn own_item(
        &self,
        seat: &Seat,
        remote_id: &str,
        listed: Option<&RemoteItem>,
    ) -> Result<Option<OwnItem>, Error>;

    /// The bytes of a photo on the site, fetched without cookies and from the site's own picture hosts alone; at most
    /// `max_bytes`.
    async fn photo(&self, seat: &Seat, url: &str, max_bytes: usize) -> Result<Bytes, Error>;

    /// Tries a session that was imported ([`CANDIDATE`](crate::CANDIDATE)): who is logged in with it. It is renewed only
    /// where the site does not take its access token any more.
    async fn try_session(&self, seat: &Seat, session: &Session) -> Result<Member, Error>;

    /// Forgets what is kept in memory about the account's session.
    async fn forget(&self, account_id: &str);

    /// Starts an attempt (a browser, where there is one) without navigating anywhere.
    async fn compose(&self, seat: &Seat, request: ComposerRequest) -> Result<Box<dyn Composer>, Error>;

    /// Ends what is left of an attempt whose owner is gone: its driver session, processes and profile.
    async fn end(&self, identity: &ComposerIdentity) -> Ending;
}
