//! The scopes of API tokens.

use serde::{Deserialize, Serialize};

/// A permission of an API token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Scope {
    AccountsRead,
    AccountsWrite,
    CatalogRead,
    MediaRead,
    MediaWrite,
    ListingsRead,
    ListingsWrite,
    PublishRead,
    PublishPrepare,
    PublishConfirm,
    InboxRead,
    InboxWrite,
    InboxSend,
    InboxConfirm,
    EventsRead,
    WebhooksRead,
    WebhooksWrite,
    AuthManage,
}

impl Scope {
    /// Every scope, in the contract's order.
    pub const ALL: [Self; 18] = [
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::CatalogRead,
        Self::MediaRead,
        Self::MediaWrite,
        Self::ListingsRead,
        Self::ListingsWrite,
        Self::PublishRead,
        Self::PublishPrepare,
        Self::PublishConfirm,
        Self::InboxRead,
        Self::InboxWrite,
        Self::InboxSend,
        Self::InboxConfirm,
        Self::EventsRead,
        Self::WebhooksRead,
        Self::WebhooksWrite,
        Self::AuthManage,
    ];

    /// Returns the name in the contract, such as `publish:confirm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::CatalogRead => "catalog:read",
            Self::MediaRead => "media:read",
            Self::MediaWrite => "media:write",
            Self::ListingsRead => "listings:read",
            Self::ListingsWrite => "listings:write",
            Self::PublishRead => "publish:read",
            Self::PublishPrepare => "publish:prepare",
            Self::PublishConfirm => "publish:confirm",
            Self::InboxRead => "inbox:read",
            Self::InboxWrite => "inbox:write",
            Self::InboxSend => "inbox:send",
            Self::InboxConfirm => "inbox:confirm",
            Self::EventsRead => "events:read",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::AuthManage => "auth:manage",
        }
    }

    /// Finds a scope by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl From<Scope> for &'static str {
    fn from(scope: Scope) -> Self {
        scope.name()
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_name(&name).ok_or_else(|| format!("there is no scope {name:?}"))
    }
}

/// A set of scopes in the contract's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Returns every scope.
    pub fn all() -> Self {
        Self(Scope::ALL.to_vec())
    }

    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<_> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}
