//! `CancelPublishJob`: stops a job that has not passed its intent to publish.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::job::{load_owned, save};
use super::outcome::{Ended, end_in};
use super::{EffectKind, EffectState, PublishJob, State, open_effect};
use crate::events::Kind;
use crate::identity::Caller;
use crate::jobs;
use crate::store::Tx;
use crate::store::entities::{jobs as work_rows, publish_jobs};
use crate::{Domain, Error, Reason, Result, requests};

const METHOD: &str = "CancelPublishJob";

/// Cancels a job. One that is at work right now ends at its next step; one whose window is the person's ends when the window
/// is closed and the site shows that they were not faster; one past its intent answers TOO_LATE; one that was cancelled
/// already answers as it did.
pub async fn cancel(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<PublishJob> {
    requests::once(domain, caller, METHOD, id, request_id, |tx, owner_id, id| {
        run(tx, owner_id, id).boxed()
    })
    .await?;
    super::get(domain, caller, id).await
}

async fn run(tx: &Tx, owner_id: &str, id: &str) -> Result<()> {
    super::lock_account_of(tx, owner_id, id).await?;
    let row = load_owned(tx, owner_id, id).await?;
    cancel_row(tx, row, Reason::CancelledByPerson, "cancelled")
        .await
        .map(drop)
}

/// Cancels every job of an account that has not passed its intent: what was approved for another site or mode no longer
/// counts.
pub async fn cancel_open(tx: &Tx, account_id: &str, reason: Reason, message: &str) -> Result<()> {
    let open = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::AccountId.eq(account_id))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED));
    for row in tx.locked(open).all(tx).await? {
        match cancel_row(tx, row, reason, message).await {
            Ok(_) => {}
            Err(error) if error.reason() == Some(Reason::TooLate) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn cancel_row(
    tx: &Tx,
    mut row: publish_jobs::Model,
    reason: Reason,
    message: &str,
) -> Result<PublishJob> {
    if row.state == State::Cancelled {
        return Ok(row.into());
    }
    if row.state.has_ended() {
        let message = format!("the job has ended: {:?}", row.state);
        return Err(Error::rejected(Reason::JobState, message)
            .with("publish_job_id", &row.id)
            .with("state", super::state_name(row.state)));
    }
    let effect = open_effect(tx, &row.id).await?;
    let at_window = effect
        .as_ref()
        .is_some_and(|effect| effect.kind == EffectKind::HandOver);
    if at_window && !row.needs_manual {
        // The window is closed first, and then the site is asked whether the person was faster.
        row.cancel_requested = true;
        row.reason = Some(reason.name());
        row.message = Some(message.to_owned());
        let work = super::work_of(tx, &row.id).await?;
        let now = tx.now().await?;
        jobs::requeue(tx, &work, now).await?;
        return save(tx, row, Kind::PublishJobUpdated).await;
    }
    if effect.as_ref().is_some_and(|effect| effect.kind.is_final()) {
        return Err(Error::rejected(
            Reason::TooLate,
            "the click may have been made already; the job goes on until its outcome is known",
        )
        .with("publish_job_id", &row.id));
    }
    let work = super::work_of(tx, &row.id).await?;
    let work = tx.locked(work_rows::Entity::find_by_id(&work)).one(tx).await?;
    let idle = work
        .as_ref()
        .is_none_or(|work| work.state != jobs::State::Running);
    if idle
        && effect
            .as_ref()
            .is_none_or(|effect| effect.state != EffectState::Intended)
    {
        if let Some(effect) = effect {
            super::outcome::settle(
                tx,
                effect,
                EffectState::NotDone,
                None,
                "cancelled; a private draft may be left",
            )
            .await?;
        }
        return end_in(tx, row, Ended::Cancelled { reason, message }).await;
    }
    // Its worker is told at the next step, or the gate refuses it.
    row.cancel_requested = true;
    row.reason = Some(reason.name());
    row.message = Some(message.to_owned());
    save(tx, row, Kind::PublishJobUpdated).await
}
