//! The site as a whole: its member, its catalogue, and the member's items.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::{
    Ending, Error, Inbox, Language, ListingFormDriver, ListingFormIdentity, ListingFormRequest, Money,
    Session,
};

/// The data with which a connector acts for an account.
#[derive(Clone, Debug)]
pub struct AccountContext {
    pub account_id: String,
    /// `practice`, or the market's host such as `vinted.fr`.
    pub site: String,
    pub language: Language,
    /// The login of the member that represents this account on the practice site.
    pub practice_login: String,
    /// The account lock, if the user of this context holds it.
    pub lock: Option<AccountLockToken>,
}

/// The proof of an account lock: its holder and epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLockToken {
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
    /// The absolute address of the item's page.
    pub url: String,
    pub photo_ids: Vec<String>,
    /// Only present if a single item was read, never in the wardrobe.
    pub description: Option<String>,
    /// Only present if a single item was read.
    pub category_id: Option<i64>,
}

/// An own item with everything that its owner can change, by the site's ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnItem {
    pub id: String,
    pub title: String,
    pub description: String,
    /// Absent on a draft without a price.
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
    /// The absolute address of the item's page.
    pub url: String,
}

/// A photo of an item on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePhoto {
    pub id: String,
    /// The address of its largest version, if the site names it.
    pub url: Option<String>,
}

/// How writes reach the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// A real browser.
    Browser { headless: bool },
    /// Plain requests, to the practice site only; never used on a real site.
    Browserless,
}

/// A site on which listings can be published, with its inbox. These methods only read. Writes go through the
/// [`ListingFormDriver`] and the writing methods of [`Inbox`].
#[async_trait]
pub trait Marketplace: Inbox {
    /// Returns how writes reach the site.
    fn driver(&self) -> DriverKind;

    /// Returns the logged-in member.
    async fn member(&self, account_context: &AccountContext) -> Result<Member, Error>;

    /// Reads the catalogue in the account's language: categories, the fields of each leaf, brands, sizes, colours,
    /// conditions, materials and package sizes.
    async fn catalog(&self, account_context: &AccountContext) -> Result<Catalog, Error>;

    /// Reads the member's complete wardrobe, with drafts and hidden items. An incomplete reading is an error.
    async fn wardrobe(&self, account_context: &AccountContext) -> Result<Vec<RemoteItem>, Error>;

    /// Reads one own item; `None` if the site reports that it does not exist.
    async fn item(
        &self,
        account_context: &AccountContext,
        remote_id: &str,
    ) -> Result<Option<RemoteItem>, Error>;

    /// Reads one own item with everything that its owner can change; `None` if the site reports that it does not exist.
    ///
    /// `listed` is the same item in a wardrobe that was just read, for callers that read many items in a row. It
    /// supplies what the item's own answer may lack, and such readings are paced.
    async fn own_item(
        &self,
        account_context: &AccountContext,
        remote_id: &str,
        listed: Option<&RemoteItem>,
    ) -> Result<Option<OwnItem>, Error>;

    /// Fetches the bytes of a photo on the site, without cookies and only from the site's own photo hosts; at most
    /// `max_bytes`.
    async fn photo(
        &self,
        account_context: &AccountContext,
        url: &str,
        max_bytes: usize,
    ) -> Result<Bytes, Error>;

    /// Tries an imported session ([`CANDIDATE`](crate::CANDIDATE)) and returns its member. Renews it only if the site
    /// no longer accepts its access token.
    async fn try_session(&self, account_context: &AccountContext, session: &Session)
    -> Result<Member, Error>;

    /// Clears the account's session from the cache in memory.
    async fn forget(&self, account_id: &str);

    /// Starts an attempt (a browser, if there is one) without navigating.
    async fn compose(
        &self,
        account_context: &AccountContext,
        request: ListingFormRequest,
    ) -> Result<Box<dyn ListingFormDriver>, Error>;

    /// Ends the remains of an attempt whose worker is gone: its driver session, processes and profile.
    async fn end(&self, identity: &ListingFormIdentity) -> Ending;
}
