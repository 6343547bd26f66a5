//! `DeleteAccount`.

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::Account;
use super::account::load;
use super::session;
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::inbox;
use crate::listings;
use crate::publishing::State;
use crate::store::Tx;
use crate::store::entities::{accounts, publish_jobs};
use crate::{Context, Error, Reason, Result, requests};

const METHOD: &str = "DeleteAccount";

/// Deletes an account with its listings and its inbox from the database, and nothing from the site. The claims of
/// published items are retained, so that no item is ever claimed twice.
///
/// # Errors
/// PUBLISH_JOB_OPEN, REPLY_OPEN or THREAD_REMOVAL_OPEN while the account has a publish job, a reply or a thread removal
/// that has not ended.
pub async fn delete(context: &Context, caller: &Caller, id: &str, request_id: Option<String>) -> Result<()> {
    requests::once(context, caller, METHOD, id, request_id, |tx, workspace_id, id| {
        run(tx, workspace_id, id).boxed()
    })
    .await
}

async fn run(tx: &Tx, workspace_id: &str, id: &str) -> Result<()> {
    let row = load(tx, workspace_id, id).await?;
    refuse_open_jobs(tx, publish_jobs::Column::AccountId, id).await?;
    listings::delete_all(tx, id).await?;
    inbox::forget_account(tx, &row).await?;
    inbox::sync::turns::forget(tx, id).await?;
    session::forget_all(tx, id).await?;
    let now = tx.now().await?;
    let row = accounts::Model {
        delete_time: Some(now),
        update_time: now,
        ..row
    };
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::gone(Kind::AccountDeleted, &Account::from(row)));
    requests::forget(tx, &[id.to_owned()]).await
}

/// Checks that no publish job with the given account or listing is open.
///
/// # Errors
/// PUBLISH_JOB_OPEN.
pub(crate) async fn refuse_open_jobs(tx: &Tx, of: publish_jobs::Column, id: &str) -> Result<()> {
    let open = publish_jobs::Entity::find()
        .filter(of.eq(id))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED))
        .one(tx)
        .await?;
    match open {
        None => Ok(()),
        Some(job) => Err(Error::rejected(
            Reason::PublishJobOpen,
            "a publish job has not ended; cancel it, or wait until it ends",
        )
        .with("publish_job_id", job.id)),
    }
}
