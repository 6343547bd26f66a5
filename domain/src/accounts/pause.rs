//! A challenge stops an account: nothing is asked of the site until a person has looked and resumed it.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::AccountState;
use crate::events::{Kind, PendingEvent};
use crate::store::Tx;
use crate::store::entities::accounts;
use crate::{Error, Reason, Result};

/// Pauses an account because of what a publish job met. An account that is paused already keeps its first reason.
pub async fn pause(tx: &Tx, account_id: &str, reason: Reason, message: &str, publish_job_id: &str) -> Result<()> {
    let row = tx.locked(accounts::Entity::find_by_id(account_id)).one(tx).await?;
    let mut row = row.ok_or_else(|| Error::not_found("account", account_id))?;
    if row.state == AccountState::Paused {
        return Ok(());
    }
    let now = tx.now().await?;
    row.state = AccountState::Paused;
    row.pause_reason = Some(reason.name());
    row.pause_message = Some(message.to_owned());
    row.pause_time = Some(now);
    row.pause_publish_job_id = Some(publish_job_id.to_owned());
    row.update_time = now;
    accounts::Entity::update_many()
        .col_expr(accounts::Column::State, Expr::value(row.state))
        .col_expr(accounts::Column::PauseReason, Expr::value(row.pause_reason.clone()))
        .col_expr(accounts::Column::PauseMessage, Expr::value(row.pause_message.clone()))
        .col_expr(accounts::Column::PauseTime, Expr::value(row.pause_time))
        .col_expr(accounts::Column::PausePublishJobId, Expr::value(row.pause_publish_job_id.clone()))
        .col_expr(accounts::Column::UpdateTime, Expr::value(now))
        .filter(accounts::Column::Id.eq(account_id))
        .exec(tx)
        .await?;
    tx.emit(PendingEvent::changed(Kind::AccountPaused, &super::Account::from(row))?);
    Ok(())
}
