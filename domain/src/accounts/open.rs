//! What was approved for an account, publish jobs, replies and removals alike, when something changes about the account.

use crate::inbox::{removal, replies};
use crate::store::Tx;
use crate::{Reason, Result, publishing};

/// Takes back what has not passed its intent.
pub(super) async fn cancel(tx: &Tx, account_id: &str, reason: Reason, message: &str) -> Result<()> {
    publishing::cancel_open(tx, account_id, reason, message).await?;
    replies::cancel_open(tx, account_id, reason, message).await?;
    removal::cancel_open(tx, account_id, reason, message).await
}

/// Queues what waited because the account was paused.
pub(super) async fn wake(tx: &Tx, account_id: &str) -> Result<()> {
    publishing::wake_account(tx, account_id).await?;
    replies::wake_account(tx, account_id).await
}
