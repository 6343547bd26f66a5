//! Decides whether API tokens, sessions and people are still valid, and with them the signed links and webhook
//! endpoints that they created.

use sea_orm::{ConnectionTrait, EntityTrait};

use super::{Caller, access_token, sessions};
use crate::clock::Millis;
use crate::store::entities::api_tokens::{Entity, Model};
use crate::store::entities::{user_sessions, users};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, failpoints};

/// The maximum number of tokens in a chain of successors. A token is not replaced more often while a link is valid.
const SUCCESSORS_MAX: usize = 16;

/// The API token or session for which links are created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkHolder {
    pub token_id: String,
    /// The latest end of the links: that of the token, or of the link of the page that contains them. Absent: no limit.
    pub until: Option<Millis>,
}

impl LinkHolder {
    /// Returns the expiry of a link that is created now.
    pub fn expire_time(&self, context: &Context) -> Millis {
        self.at_most(context.clock.now() + context.settings.signed_url_ms)
    }

    /// Returns the expiry of a link to a file that is created now, after one to two lifetimes. Time is divided into
    /// periods of one lifetime, and all links of a period have the same expiry. They are therefore equal, so that
    /// browsers cache the file and unchanged responses compare equal.
    pub fn file_expire_time(&self, context: &Context) -> Millis {
        let lifetime = context.settings.signed_url_ms.max(1);
        self.at_most((context.clock.now() / lifetime + 2) * lifetime)
    }

    fn at_most(&self, time: Millis) -> Millis {
        self.until.map_or(time, |until| until.min(time))
    }
}

/// Returns whether links of this API token or session work.
pub async fn are_links_live(context: &Context, id: &str) -> Result<bool> {
    if failpoints::disables("links") {
        return Ok(true);
    }
    let now = context.store.now().await?;
    is_live(context.store.reader(), id, now).await
}

/// Returns whether an API token or its latest successor, a session, or a person is still valid.
pub(crate) async fn is_live(connection: &impl ConnectionTrait, id: &str, now: Millis) -> Result<bool> {
    let mut id = id.to_owned();
    for _ in 0..SUCCESSORS_MAX {
        let Some(row) = Entity::find_by_id(&id).one(connection).await? else {
            return is_person_live(connection, &id, now).await;
        };
        if row.revoke_time.is_none() {
            return Ok(row.expire_time.is_none_or(|time| time > now));
        }
        let Some(successor) = row.successor_id else {
            return Ok(false);
        };
        id = successor;
    }
    Ok(false)
}

/// Returns whether a session is open and its person is not disabled, or whether a person is not disabled.
pub(super) async fn is_person_live(connection: &impl ConnectionTrait, id: &str, now: Millis) -> Result<bool> {
    let user_id = match user_sessions::Entity::find_by_id(id).one(connection).await? {
        Some(session) if !sessions::is_open(&session, now) => return Ok(false),
        Some(session) => session.user_id,
        None => id.to_owned(),
    };
    Ok(sessions::live_user(connection, &user_id).await?.is_some())
}

/// Locks the caller's API token or person before a creation, so that a concurrent revocation includes the new row.
///
/// # Errors
/// TOKEN_INVALID if the token is revoked or unknown, the session has ended, or the person is gone, is disabled or has
/// another role; TOKEN_EXPIRED.
pub(crate) async fn lock_live(tx: &Tx, caller: &Caller) -> Result<()> {
    let now = tx.now().await?;
    if let Some(person) = &caller.person {
        let user = users::Entity::find_by_id(&person.user_id).of_workspace(&caller.workspace_id);
        // The role may have changed since the call was authenticated.
        let user = tx
            .locked(user)
            .one(tx)
            .await?
            .filter(|user| user.role == person.role);
        let is_live = user.is_some() && is_person_live(tx, &caller.credential_id, now).await?;
        return if is_live {
            Ok(())
        } else {
            Err(access_token::invalid())
        };
    }
    let row = Entity::find_by_id(&caller.credential_id).of_workspace(&caller.workspace_id);
    let row = tx.locked(row).one(tx).await?;
    require(&row.ok_or_else(access_token::invalid)?, now)
}

/// Checks that a token is neither revoked nor expired.
pub(super) fn require(row: &Model, now: Millis) -> Result<()> {
    if row.revoke_time.is_some() {
        return Err(access_token::invalid());
    }
    match row.expire_time {
        Some(time) if time <= now => Err(Error::rejected(
            Reason::TokenExpired,
            "the API token has expired; create another",
        )),
        _ => Ok(()),
    }
}
