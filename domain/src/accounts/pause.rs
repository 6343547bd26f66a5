//! Pausing and resuming an account. A paused account sends no requests to the site until a person resumes it.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::account::{load, save};
use super::{Account, AccountState, open};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::accounts;
use crate::{Context, Error, Reason, Result, requests};

/// Pauses an account. `publish_job_id` names the publish job that has the evidence; absent if another kind of job
/// paused the account. An account that is already paused keeps its first reason.
pub async fn pause(
    tx: &Tx,
    account_id: &str,
    reason: Reason,
    message: &str,
    publish_job_id: Option<&str>,
) -> Result<()> {
    let row = tx
        .locked(accounts::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    let mut row = row.ok_or_else(|| Error::not_found("account", account_id))?;
    if row.state == AccountState::Paused {
        return Ok(());
    }
    let now = tx.now().await?;
    row.state = AccountState::Paused;
    row.pause_reason = Some(reason.name());
    row.pause_message = Some(message.to_owned());
    row.pause_time = Some(now);
    row.pause_publish_job_id = publish_job_id.map(str::to_owned);
    row.update_time = now;
    accounts::Entity::update_many()
        .col_expr(accounts::Column::State, Expr::value(row.state))
        .col_expr(
            accounts::Column::PauseReason,
            Expr::value(row.pause_reason.clone()),
        )
        .col_expr(
            accounts::Column::PauseMessage,
            Expr::value(row.pause_message.clone()),
        )
        .col_expr(accounts::Column::PauseTime, Expr::value(row.pause_time))
        .col_expr(
            accounts::Column::PausePublishJobId,
            Expr::value(row.pause_publish_job_id.clone()),
        )
        .col_expr(accounts::Column::UpdateTime, Expr::value(now))
        .filter(accounts::Column::Id.eq(account_id))
        .exec(tx)
        .await?;
    tx.emit(PendingEvent::changed(
        Kind::AccountPaused,
        &super::Account::from(row),
    )?);
    Ok(())
}

const RESUME: &str = "ResumeAccount";

/// Ends a pause after a person has dealt with its cause. Jobs that waited because of the pause are queued again. An
/// account that is not paused stays unchanged.
pub async fn resume(
    context: &Context,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<Account> {
    requests::once(context, caller, RESUME, id, request_id, |tx, workspace_id, id| {
        run(tx, workspace_id, id).boxed()
    })
    .await?;
    super::get(context, caller, id).await
}

async fn run(tx: &Tx, workspace_id: &str, id: &str) -> Result<()> {
    let row = load(tx, workspace_id, id).await?;
    if row.state != AccountState::Paused {
        return Ok(());
    }
    let row = accounts::Model {
        state: AccountState::Active,
        pause_reason: None,
        pause_message: None,
        pause_time: None,
        pause_publish_job_id: None,
        ..row
    };
    save(tx, row, Kind::AccountResumed).await?;
    open::wake(tx, id).await
}
