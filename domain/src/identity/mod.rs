//! Who may call: owners, and the API tokens that act in their name.
//!
//! A token's secret is shown once and kept as a SHA-256 hash: it is 32 random bytes, which no table of guesses holds. Every
//! query of the domain is scoped by [`Caller::owner_id`]. A new scope: a variant of [`Scope`], and its line in the
//! contract's `ApiToken.scopes`.

mod authenticate;
pub(crate) mod links;
mod revoke;
mod scope;
mod secret;
mod token;
mod tokens;

pub use authenticate::{authenticate, who_am_i};
pub use links::{LinkHolder, are_links_live};
pub use revoke::{Revoke, revoke_token};
pub use scope::{Scope, Scopes};
pub use secret::Secret;
pub use token::ApiToken;
pub use tokens::{CreatedToken, NewToken, create_token, first_token, list_tokens};

use crate::clock::Millis;
use crate::{Error, Reason, Result};

/// Who calls, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub owner_id: String,
    pub token_id: String,
    pub scopes: Scopes,
    /// From when on the token is refused, streams opened with it included.
    pub expire_time: Option<Millis>,
}

impl Caller {
    /// In whose name links for the caller are made.
    pub fn link_holder(&self) -> LinkHolder {
        LinkHolder {
            token_id: self.token_id.clone(),
            until: self.expire_time,
        }
    }

    /// Refuses with SCOPE_MISSING unless the caller's token has the scope.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(scope) {
            return Ok(());
        }
        let message = format!("this needs an API token with scope {}", scope.name());
        Err(Error::rejected(Reason::ScopeMissing, message).with("scope", scope.name()))
    }
}
