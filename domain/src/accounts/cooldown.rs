//! The cooldown of an account: its jobs send no requests until it ends, because the site reported too many.

use sea_orm::EntityTrait;

use super::account::save;
use crate::clock::Millis;
use crate::events::Kind;
use crate::store::Tx;
use crate::store::entities::accounts;
use crate::{Error, Result};

/// Starts a cooldown until the given time. A cooldown that ends later stays unchanged.
pub async fn start_cooldown(tx: &Tx, account_id: &str, until: Millis) -> Result<()> {
    let row = tx
        .locked(accounts::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    let row = row.ok_or_else(|| Error::not_found("account", account_id))?;
    if row.cooldown_until.is_some_and(|present| present >= until) {
        return Ok(());
    }
    let row = accounts::Model {
        cooldown_until: Some(until),
        ..row
    };
    save(tx, row, Kind::AccountUpdated).await
}
