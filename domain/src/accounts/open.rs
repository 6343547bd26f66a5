//! Open publish jobs, replies and thread removals of an account, and their handling when the account changes.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::inbox::{RemovalState, removal, replies};
use crate::publishing::State;
use crate::store::Tx;
use crate::store::entities::{publish_jobs, replies as reply_rows, threads};
use crate::{Reason, Result, publishing};

/// Cancels every publish job, reply and thread removal without a committed intent.
pub(super) async fn cancel(tx: &Tx, account_id: &str, reason: Reason, message: &str) -> Result<()> {
    publishing::cancel_open(tx, account_id, reason, message).await?;
    replies::cancel_open(tx, account_id, reason, message).await?;
    removal::cancel_open(tx, account_id, reason, message).await
}

/// Returns whether the account has a publish job, reply or thread removal that has not ended.
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

/// Queues publish jobs and replies that wait because the account was paused.
pub(super) async fn wake(tx: &Tx, account_id: &str) -> Result<()> {
    publishing::wake_account(tx, account_id).await?;
    replies::wake_account(tx, account_id).await
}
