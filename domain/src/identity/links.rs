//! Whether what was made with a token is still good: signed links, and the endpoints that events are sent to.

use sea_orm::{ConnectionTrait, EntityTrait};

use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::api_tokens::{Entity, Model};
use crate::{Domain, Error, Reason, Result, failpoints};

/// Successors that are followed. More are not: nobody hands a token's place on so often while a link lasts.
const SUCCESSORS_MAX: usize = 16;

/// In whose name links are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkHolder {
    pub token_id: String,
    /// When the links end at the latest: with the token, or with the link of a page that they are on.
    pub until: Option<Millis>,
}

impl LinkHolder {
    /// When a link that is made now ends.
    pub fn expire_time(&self, domain: &Domain) -> Millis {
        let time = domain.clock.now() + domain.settings.signed_url_ms;
        self.until.map_or(time, |until| until.min(time))
    }
}

/// Whether a link of this token still works: the token is neither revoked nor expired, or has a successor that is not.
pub async fn are_links_live(domain: &Domain, token_id: &str) -> Result<bool> {
    if failpoints::disables("links") {
        return Ok(true);
    }
    let now = domain.store.now().await?;
    is_live(domain.store.reader(), token_id, now).await
}

/// Whether a token, or what took its place, is neither revoked nor expired.
pub(crate) async fn is_live(connection: &impl ConnectionTrait, token_id: &str, now: Millis) -> Result<bool> {
    let mut id = token_id.to_owned();
    for _ in 0..SUCCESSORS_MAX {
        let Some(row) = Entity::find_by_id(&id).one(connection).await? else {
            return Ok(false);
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

/// Locks a token with which something is about to be made, so that its revocation does not miss that.
///
/// # Errors
/// TOKEN_INVALID where it was revoked, TOKEN_EXPIRED.
pub(crate) async fn lock_live(tx: &Tx, owner_id: &str, token_id: &str) -> Result<()> {
    let row = tx.locked(Entity::find_by_id(token_id)).one(tx).await?;
    let row = row.filter(|row| row.owner_id == owner_id).ok_or_else(invalid)?;
    require(&row, tx.now().await?)
}

/// Refuses a token that has ended.
pub(super) fn require(row: &Model, now: Millis) -> Result<()> {
    if row.revoke_time.is_some() {
        return Err(invalid());
    }
    match row.expire_time {
        Some(time) if time <= now => Err(Error::rejected(
            Reason::TokenExpired,
            "the API token has expired; make another",
        )),
        _ => Ok(()),
    }
}

fn invalid() -> Error {
    Error::rejected(
        Reason::TokenInvalid,
        "the API token is malformed, unknown or revoked",
    )
}
