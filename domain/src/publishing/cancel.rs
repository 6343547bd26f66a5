//! `CancelPublishJob`: cancels a job before its intent is committed.

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
use crate::{Context, Error, Reason, Result, requests};

const METHOD: &str = "CancelPublishJob";

/// Cancels a job. A running attempt ends at its next step. A manual takeover ends after its window is closed and the
/// site shows that the person has not published. Cancelling a cancelled job changes nothing.
///
/// # Errors
/// NOT_CANCELLABLE if the intent to publish or change is committed; JOB_STATE_INVALID if the job has ended in another
/// state.
pub async fn cancel(
    context: &Context,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<PublishJob> {
    requests::once(context, caller, METHOD, id, request_id, |tx, workspace_id, id| {
        run(tx, workspace_id, id).boxed()
    })
    .await?;
    super::get(context, caller, id).await
}

async fn run(tx: &Tx, workspace_id: &str, id: &str) -> Result<()> {
    super::lock_account_of(tx, workspace_id, id).await?;
    let row = load_owned(tx, workspace_id, id).await?;
    cancel_row(tx, row, Reason::CancelledByPerson, "the job was cancelled")
        .await
        .map(drop)
}

/// Cancels every job of an account without a committed intent, because an approval for another site or mode no longer
/// counts.
pub async fn cancel_open(tx: &Tx, account_id: &str, reason: Reason, message: &str) -> Result<()> {
    let open = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::AccountId.eq(account_id))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED));
    for row in tx.locked(open).all(tx).await? {
        match cancel_row(tx, row, reason, message).await {
            Ok(_) => {}
            Err(error) if error.reason() == Some(Reason::NotCancellable) => {}
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
        let message = format!(
            "the job has already ended in state {}",
            super::state_name(row.state)
        );
        return Err(Error::rejected(Reason::JobStateInvalid, message)
            .with("publish_job_id", &row.id)
            .with("state", super::state_name(row.state)));
    }
    let effect = open_effect(tx, &row.id).await?;
    let at_window = effect
        .as_ref()
        .is_some_and(|effect| effect.kind == EffectKind::ManualTakeover);
    if at_window && !row.requires_action {
        // The window is closed first; then the site is read to check whether the person has published.
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
            Reason::NotCancellable,
            "the intent is committed and the click may have been made; the job continues until its outcome is known",
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
                "cancelled; a private draft may remain on the site",
            )
            .await?;
        }
        return end_in(tx, row, Ended::Cancelled { reason, message }).await;
    }
    // The attempt stops at its next step, or its intent is denied.
    row.cancel_requested = true;
    row.reason = Some(reason.name());
    row.message = Some(message.to_owned());
    save(tx, row, Kind::PublishJobUpdated).await
}
