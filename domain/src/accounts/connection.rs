//! Connecting an account to its site: reading the member and the site's catalogue. The worker's `ConnectAccount` job
//! does this when an account is created or moved to another site, and periodically.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use vintedbot_marketplace::AccountContext;

use super::account::save;
use super::{Account, AccountState, account_context, open};
use crate::clock::Millis;
use crate::events::Kind;
use crate::jobs::{self, NewJob};
use crate::store::entities::{accounts, catalogs};
use crate::store::{Store, Tx};
use crate::{Context, Error, Reason, Result};

/// The message of jobs that are cancelled because they were prepared for another member.
pub(super) const OTHER_MEMBER: &str = "the account is now another member on the site; prepare again";
/// The maximum age of a stored catalogue. A site's categories change a few times a year.
const CATALOG_AGE_MAX: Millis = 24 * 60 * 60 * 1000;

/// Queues the job that reads the account's member and the catalogue from the site.
pub(super) async fn queue(tx: &Tx, row: &accounts::Model) -> Result<()> {
    let job = NewJob {
        kind: jobs::Kind::ConnectAccount,
        workspace_id: Some(row.workspace_id.clone()),
        account_id: Some(row.id.clone()),
        subject_id: row.id.clone(),
        due_time: tx.now().await?,
        // A running job may have read the previous site or language, so both are part of the key.
        unique_key: Some(format!("connect:{}:{}:{}", row.id, row.site, row.language)),
    };
    jobs::enqueue(tx, job).await?;
    Ok(())
}

/// Queues a `ConnectAccount` job for every account. Returns the number of accounts.
pub async fn queue_all(store: &Store) -> Result<usize> {
    store
        .write(|tx| {
            async move {
                let rows = accounts::Entity::find()
                    .filter(accounts::Column::DeleteTime.is_null())
                    .all(tx)
                    .await?;
                for row in &rows {
                    queue(tx, row).await?;
                }
                Ok(rows.len())
            }
            .boxed()
        })
        .await
}

/// Returns the account context of an account. `None`: the account was deleted.
pub async fn account_context_of(context: &Context, account_id: &str) -> Result<Option<AccountContext>> {
    let row = accounts::Entity::find_by_id(account_id)
        .one(context.store.reader())
        .await?;
    Ok(row
        .filter(|row| row.delete_time.is_none())
        .map(|row| account_context(&Account::from(row))))
}

/// Returns whether no requests may be sent for the account now, because it is paused or in a cooldown.
pub async fn is_paused_or_cooling_down(context: &Context, account_id: &str) -> Result<bool> {
    let row = accounts::Entity::find_by_id(account_id)
        .one(context.store.reader())
        .await?;
    let now = context.store.now().await?;
    Ok(row.is_some_and(|row| {
        row.state == AccountState::Paused || row.cooldown_until.is_some_and(|until| until > now)
    }))
}

/// Returns whether the catalogue of the account's site and language was never read or is at least 24 hours old.
pub async fn needs_catalog(context: &Context, account_context: &AccountContext) -> Result<bool> {
    let key = (
        account_context.site.clone(),
        account_context.language.code().to_owned(),
    );
    let fetch_time: Option<Millis> = catalogs::Entity::find_by_id(key)
        .select_only()
        .column(catalogs::Column::FetchTime)
        .into_tuple()
        .one(context.store.reader())
        .await?;
    let now = context.store.now().await?;
    Ok(fetch_time.is_none_or(|time| time + CATALOG_AGE_MAX <= now))
}

/// Records the member that an account is on `site`. If the member changes, everything without a committed intent is
/// cancelled. Returns false without a change if the account has moved to another site.
pub async fn record_member(
    tx: &Tx,
    account_id: &str,
    site: &str,
    member_id: &str,
    login: &str,
) -> Result<bool> {
    let row = tx
        .locked(accounts::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    let row = row.filter(|row| row.delete_time.is_none());
    let row = row.ok_or_else(|| Error::not_found("account", account_id))?;
    if row.site != site {
        return Ok(false);
    }
    if row.member_id.as_deref() == Some(member_id) && row.member_login.as_deref() == Some(login) {
        return Ok(true);
    }
    if row.member_id.as_deref().is_some_and(|before| before != member_id) {
        // Approvals count only for the member for whom they were given.
        open::cancel(tx, &row.id, Reason::SessionMemberMismatch, OTHER_MEMBER).await?;
    }
    let row = accounts::Model {
        member_id: Some(member_id.to_owned()),
        member_login: Some(login.to_owned()),
        ..row
    };
    save(tx, row, Kind::AccountUpdated).await?;
    Ok(true)
}
