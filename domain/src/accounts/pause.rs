//! A challenge stops an account: nothing is asked of the site until a person has looked and resumed it.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::account::{load, save};
use super::{Account, AccountState, open};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::accounts;
use crate::{Domain, Error, Reason, Result, requests};

/// Pauses an account because of what a job met, with the publish job that has the evidence, where it was one. An account that is paused already keeps its first reason.
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

/// Ends a pause: a person says that its cause is dealt with. Jobs that waited for it are queued again. An account that is
/// not paused stays as it is.
pub async fn resume(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<Account> {
    requests::once(domain, caller, RESUME, id, request_id, |tx, owner_id, id| {
        run(tx, owner_id, id).boxed()
    })
    .await?;
    super::get(domain, caller, id).await
}

async fn run(tx: &Tx, owner_id: &str, id: &str) -> Result<()> {
    let row = load(tx, owner_id, id).await?;
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
