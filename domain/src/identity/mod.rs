//! Workspaces, the people who sign in to them, and the API tokens that act for them.
//!
//! - `register` and [`verify_email`] create people, [`sign_in`] starts their sessions, [`refresh_session`] continues
//!   them. `access_token` and `refresh_token` define the tokens of a session; `password`, `second_factor` and
//!   `attempts` protect the sign-in.
//! - `tokens` and `revoke` manage API tokens. A token's secret is shown once and stored as a SHA-256 hash. It has 32
//!   random bytes, so that a slow hash is not needed against guessing.
//! - [`authenticate`] turns a credential into a [`Caller`]. [`Caller::authorize`] compares it with the options of a
//!   method. Every query of the domain is scoped by [`Caller::workspace_id`].
//! - [`operator`] contains the commands of the operator, who needs no sign-in.
//!
//! To add a scope, add a variant to [`Scope`] and describe it in the contract's `ApiToken.scopes`. Viewers get every
//! scope whose name ends with `:read`; `role` lists the scopes that only owners get.

mod access_token;
mod attempts;
mod authenticate;
mod caller;
mod email;
mod invitations;
pub(crate) mod links;
mod mail;
pub(crate) mod mail_tokens;
mod me;
mod members;
pub mod operator;
mod password;
mod people;
mod refresh_token;
mod registration;
mod reset;
mod revoke;
mod role;
mod scope;
mod second_factor;
mod secret;
mod sessions;
mod sign_in;
mod token;
mod tokens;
mod user;
mod workspace;

pub use attempts::network;
pub use authenticate::{authenticate, expire_time, is_live};
pub use caller::{Access, Caller, Client, Person};
pub use invitations::{
    CreatedInvitation, Invitation, NewInvitation, create_invitation, delete_invitation, list_invitations,
};
pub use links::{LinkHolder, are_links_live};
pub use mail::{Mail, Mailer};
pub use me::{Me, change_email, change_password, get_me, update_me};
pub use members::{delete_user, leave_workspace, list_users, update_user};
pub use password::Password;
pub use people::People;
pub(crate) use registration::first_workspace;
pub use registration::{Registration, register, verify_email};
pub use reset::{request_password_reset, reset_password};
pub use revoke::{Revoke, revoke_token};
pub use role::Role;
pub use scope::{Scope, Scopes};
pub use second_factor::{Enrollment, confirm_second_factor, disable_second_factor, enroll_second_factor};
pub use secret::Secret;
pub use sessions::{
    SessionTokens, UserSession, list_user_sessions, refresh_session, revoke_user_session, sign_out,
};
pub use sign_in::{SignIn, SignedIn, sign_in};
pub use token::ApiToken;
pub use tokens::{CreatedToken, NewToken, create_token, first_token, list_tokens};
pub use user::User;
pub(crate) use workspace::create as create_workspace;
pub use workspace::delete_workspace;

use crate::Result;
use crate::clock::Millis;
use crate::store::Store;

/// Removes sessions, mailed tokens, invitations and counters that ended before `now`. Returns the number of removed
/// sessions.
pub async fn purge(store: &Store, now: Millis) -> Result<u64> {
    mail_tokens::purge(store, now).await?;
    invitations::purge(store, now).await?;
    attempts::purge(store, now).await?;
    sessions::purge(store, now).await
}
