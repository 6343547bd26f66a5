//! What was approved for an account, publish jobs, replies and removals alike, when something changes about the account.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::inbox::{RemovalState, removal, replies};
use crate::publishing::State;
use crate::store::Tx;
use crate::store::entities::{publish_jobs, replies as reply_rows, threads};
use crate::{Reason, Result, publishing};

/// Takes back what has not passed its intent.
pub(super) async fn cancel(tx: &Tx, account_id: &str, reason: Reason, message: &str) -> Result<()> {
    publishing::cancel_open(tx, account_id, reason, message).await?;
    replies::cancel_open(tx, account_id, reason, message).await?;
    removal::cancel_open(tx, account_id, reason, message).await
}

/// Whether anything of the account has not ended.
pub(super) async fn is_anything(tx: &Tx, account_id: &str) -> Result<bool> {
    let jobs = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::AccountId.eq(account_id))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED));
    let replies = reply_rows::Entity::find()
        .filter(reply_rows::Column::AccountId.eq(account_id))
        .filter(reply_rows::Column::EndTime.is_null());
    let removals = threads::Entity::find()
        .filter(threads::Column::AccountId.eq(account_id))
        .filter(threads::Column::RemovalState.is_in(RemovalState::OPEN));
    Ok(
        jobs.one(tx).await?.is_some()
            || replies.one(tx).await?.is_some()
            || removals.one(tx).await?.is_some(),
    )
}

/// Queues what waited because the account was paused.
pub(super) async fn wake(tx: &Tx, account_id: &str) -> Result<()> {
    publishing::wake_account(tx, account_id).await?;
    replies::wake_account(tx, account_id).await
}
