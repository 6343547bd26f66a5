//! Decides whether the signed links and webhook endpoints of a token are valid.

use sea_orm::{ConnectionTrait, EntityTrait};

use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::api_tokens::{Entity, Model};
use crate::{Context, Error, Reason, Result, failpoints};

/// The maximum number of tokens in a chain of successors. A token is not replaced more often while a link is valid.
const SUCCESSORS_MAX: usize = 16;

/// The token for which links are created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkHolder {
    pub token_id: String,
    /// The latest end of the links: that of the token, or of the link of the page that contains them. Absent: no limit.
    pub until: Option<Millis>,
}

impl LinkHolder {
    /// Returns the expiry of a link that is created now.
    pub fn expire_time(&self, context: &Context) -> Millis {
        let time = context.clock.now() + context.settings.signed_url_ms;
        self.until.map_or(time, |until| until.min(time))
    }
}

/// Returns whether links of this token work: the token, or its latest successor, is neither revoked nor expired.
pub async fn are_links_live(context: &Context, token_id: &str) -> Result<bool> {
    if failpoints::disables("links") {
        return Ok(true);
    }
    let now = context.store.now().await?;
    is_live(context.store.reader(), token_id, now).await
}

/// Returns whether a token, or its latest successor, is neither revoked nor expired.
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

/// Locks a token before something is created with it, so that a concurrent revocation includes that.
///
/// # Errors
/// TOKEN_INVALID if the token is revoked or unknown, TOKEN_EXPIRED.
pub(crate) async fn lock_live(tx: &Tx, workspace_id: &str, token_id: &str) -> Result<()> {
    let row = tx.locked(Entity::find_by_id(token_id)).one(tx).await?;
    let row = row
        .filter(|row| row.workspace_id == workspace_id)
        .ok_or_else(invalid)?;
    require(&row, tx.now().await?)
}

/// Checks that a token is neither revoked nor expired.
pub(super) fn require(row: &Model, now: Millis) -> Result<()> {
    if row.revoke_time.is_some() {
        return Err(invalid());
    }
    match row.expire_time {
        Some(time) if time <= now => Err(Error::rejected(
            Reason::TokenExpired,
            "the API token has expired; create another",
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
