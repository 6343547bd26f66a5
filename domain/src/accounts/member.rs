//! Who an account is on its site, as its connection found out.

use sea_orm::EntityTrait;

use super::account::save;
use crate::events::Kind;
use crate::store::Tx;
use crate::store::entities::accounts;
use crate::{Error, Result};

/// Records the member that an account is. What is known already changes nothing.
pub async fn record_member(tx: &Tx, account_id: &str, member_id: &str, login: &str) -> Result<()> {
    let row = tx
        .locked(accounts::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    let row = row.filter(|row| row.delete_time.is_none());
    let row = row.ok_or_else(|| Error::not_found("account", account_id))?;
    if row.member_id.as_deref() == Some(member_id) && row.member_login.as_deref() == Some(login) {
        return Ok(());
    }
    let row = accounts::Model {
        member_id: Some(member_id.to_owned()),
        member_login: Some(login.to_owned()),
        ..row
    };
    save(tx, row, Kind::AccountUpdated).await
}
