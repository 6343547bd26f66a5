//! Workspaces, and the API tokens that act for them.
//!
//! A token's secret is shown once and stored as a SHA-256 hash. It has 32 random bytes, so that a slow hash is not
//! needed against guessing. Every query of the domain is scoped by [`Caller::workspace_id`]. To add a scope, add a
//! variant to [`Scope`] and describe it in the contract's `ApiToken.scopes`.

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

/// The authenticated caller: the workspace, the API token and its scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub workspace_id: String,
    pub token_id: String,
    pub scopes: Scopes,
    /// The time from which the token and streams opened with it are refused. Absent: never.
    pub expire_time: Option<Millis>,
}

impl Caller {
    /// Returns the holder for links that are created for the caller.
    pub fn link_holder(&self) -> LinkHolder {
        LinkHolder {
            token_id: self.token_id.clone(),
            until: self.expire_time,
        }
    }

    /// Checks that the caller's token has a scope.
    ///
    /// # Errors
    /// INSUFFICIENT_SCOPE.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(scope) {
            return Ok(());
        }
        let message = format!("this call requires an API token with scope {}", scope.name());
        Err(Error::rejected(Reason::InsufficientScope, message).with("scope", scope.name()))
    }
}
