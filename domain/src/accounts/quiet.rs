//! The site asked to be left alone for a while: none of the account's jobs asks it for anything until then.

use sea_orm::EntityTrait;

use super::account::save;
use crate::clock::Millis;
use crate::events::Kind;
use crate::store::Tx;
use crate::store::entities::accounts;
use crate::{Error, Result};

/// Leaves the account's site alone until that time, or longer where an earlier wish reaches further.
pub async fn keep_quiet(tx: &Tx, account_id: &str, until: Millis) -> Result<()> {
    let row = tx
        .locked(accounts::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    let row = row.ok_or_else(|| Error::not_found("account", account_id))?;
    if row.quiet_until.is_some_and(|present| present >= until) {
        return Ok(());
    }
    let row = accounts::Model {
        quiet_until: Some(until),
        ..row
    };
    save(tx, row, Kind::AccountUpdated).await
}
