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
use crate::{Domain, Error, Reason, Result, requests};

const METHOD: &str = "DeleteAccount";

/// Removes an account, its listings and its inbox from here, and nothing from the site. What it published stays known, so that no item
/// is ever claimed twice.
///
/// # Errors
/// PUBLISH_JOB_OPEN while one of its publish jobs has not ended, REPLY_OPEN while one of its replies has not, THREAD_REMOVAL_OPEN while a
/// removal of one of its threads has not.
pub async fn delete(domain: &Domain, caller: &Caller, id: &str, request_id: Option<String>) -> Result<()> {
    requests::once(domain, caller, METHOD, id, request_id, |tx, owner_id, id| {
        run(tx, owner_id, id).boxed()
    })
    .await
}

async fn run(tx: &Tx, owner_id: &str, id: &str) -> Result<()> {
    let row = load(tx, owner_id, id).await?;
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

/// Refuses with PUBLISH_JOB_OPEN where a publish job that has not ended stands in the way.
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
            "a publish job that has not ended stands in the way; cancel it or wait for its end",
        )
        .with("publish_job_id", job.id)),
    }
}
