//! The account lock: a leased row with an epoch. Only its holder may run a browser for the account or refresh its
//! session.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::account_locks;
use crate::{Error, Result};

/// A held account lock. It is valid while the row has the same epoch and the lease has not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLock {
    pub account_id: String,
    pub holder: String,
    pub epoch: i64,
}

/// Acquires the account lock, or returns the end of another holder's lease as the inner error. A holder that acquires
/// the lock again gets a new epoch.
pub async fn acquire_lock(
    tx: &Tx,
    account_id: &str,
    holder: &str,
    lease_ms: Millis,
) -> Result<std::result::Result<AccountLock, Millis>> {
    let fresh = account_locks::ActiveModel {
        account_id: Set(account_id.to_owned()),
        epoch: Set(0),
        holder: Set(None),
        lease_until: Set(0),
    };
    account_locks::Entity::insert(fresh)
        .on_conflict(
            OnConflict::column(account_locks::Column::AccountId)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    let row = tx
        .locked(account_locks::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    let row = row.ok_or_else(|| Error::not_found("account lock", account_id))?;
    let now = tx.now().await?;
    if row.lease_until > now && row.holder.as_deref().is_some_and(|other| other != holder) {
        return Ok(Err(row.lease_until));
    }
    let epoch = row.epoch + 1;
    account_locks::Entity::update_many()
        .col_expr(account_locks::Column::Epoch, Expr::value(epoch))
        .col_expr(account_locks::Column::Holder, Expr::value(holder))
        .col_expr(account_locks::Column::LeaseUntil, Expr::value(now + lease_ms))
        .filter(account_locks::Column::AccountId.eq(account_id))
        .exec(tx)
        .await?;
    Ok(Ok(AccountLock {
        account_id: account_id.to_owned(),
        holder: holder.to_owned(),
        epoch,
    }))
}

impl AccountLock {
    /// Renews the lease. Returns false if the lock is lost.
    pub async fn renew(&self, tx: &Tx, lease_ms: Millis) -> Result<bool> {
        let now = tx.now().await?;
        self.set_lease(tx, now, now + lease_ms).await
    }

    /// Releases the lock if it is still held.
    pub async fn release(&self, tx: &Tx) -> Result<()> {
        self.set_lease(tx, Millis::MIN, 0).await.map(drop)
    }

    /// Returns, under the row's lock, whether the lock is held and its lease has not expired.
    pub async fn is_live(&self, tx: &Tx) -> Result<bool> {
        let row = tx
            .locked(account_locks::Entity::find_by_id(&self.account_id))
            .one(tx)
            .await?;
        let now = tx.now().await?;
        Ok(row.is_some_and(|row| row.epoch == self.epoch && row.lease_until > now))
    }

    async fn set_lease(&self, tx: &Tx, alive_at: Millis, lease_until: Millis) -> Result<bool> {
        let updated = account_locks::Entity::update_many()
            .col_expr(account_locks::Column::LeaseUntil, Expr::value(lease_until))
            .filter(account_locks::Column::AccountId.eq(self.account_id.as_str()))
            .filter(account_locks::Column::Epoch.eq(self.epoch))
            .filter(account_locks::Column::LeaseUntil.gt(alive_at))
            .exec(tx)
            .await?;
        Ok(updated.rows_affected == 1)
    }
}
