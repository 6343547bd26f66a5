//! `RetryPublishJob`: continues a stopped job with the same revision.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::change::not_published;
use super::claims;
use super::job::{load_owned, save};
use super::prepare::already_published;
use super::{JobKind, PublishJob, State, open_effect, revision};
use crate::accounts::AccountState;
use crate::events::Kind;
use crate::identity::Caller;
use crate::jobs::{self, NewJob};
use crate::listings::{ListingState, set_active_job};
use crate::store::Tx;
use crate::store::entities::{listings, publish_jobs};
use crate::{Context, Error, Reason, Result, requests};

const METHOD: &str = "RetryPublishJob";

/// Queues a job in state BLOCKED, FAILED or EXPIRED again.
///
/// A job that was blocked after its confirmation continues with the publication, unless its scheduled time passed too
/// long ago. Any other job is prepared again and needs a new confirmation. A job with an effect in doubt is refused,
/// because a retry could publish the item twice.
///
/// # Errors
/// JOB_STATE_INVALID, ACCOUNT_PAUSED, MODE_CHANGED, NOT_PUBLISHED, ALREADY_PUBLISHED, SESSION_MEMBER_MISMATCH,
/// CONFIRMATION_STALE if the listing was edited, PUBLISH_JOB_OPEN if the listing has another open job.
pub async fn retry(
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
    let account = super::lock_account_of(tx, workspace_id, id).await?;
    let mut row = load_owned(tx, workspace_id, id).await?;
    if !matches!(row.state, State::Blocked | State::Failed | State::Expired)
        || open_effect(tx, id).await?.is_some()
    {
        let message = format!(
            "a job in state {} cannot be retried",
            super::state_name(row.state)
        );
        return Err(Error::rejected(Reason::JobStateInvalid, message)
            .with("publish_job_id", &row.id)
            .with("state", super::state_name(row.state)));
    }
    if account.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; call ResumeAccount first",
        )
        .with("account_id", &account.id)
        .with("pause_reason", account.pause_reason.clone().unwrap_or_default()));
    }
    if account.site != row.site || account.delete_time.is_some() {
        return Err(Error::rejected(
            Reason::ModeChanged,
            "the account's mode was changed; prepare the listing again",
        ));
    }
    let listing = listings::Entity::find_by_id(&row.listing_id).one(tx).await?;
    let listing = listing.ok_or_else(|| Error::not_found("listing", &row.listing_id))?;
    if row.kind != JobKind::Publish {
        let is_there =
            listing.state == ListingState::Published && listing.remote_item_id == row.remote_item_id;
        if !is_there {
            return Err(not_published(&listing.id));
        }
        claims::require_own(tx, &account, row.remote_item_id.as_deref()).await?;
    } else if listing.state == ListingState::Published {
        return Err(already_published(&listing.id));
    }
    if revision::listing_hash(&listing)? != row.listing_hash {
        return Err(Error::rejected(
            Reason::ConfirmationStale,
            "the listing was edited after it was prepared; cancel this job if it is open, then prepare again",
        ));
    }
    let other = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::ListingId.eq(row.listing_id.as_str()))
        .filter(publish_jobs::Column::Id.ne(id))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED))
        .one(tx)
        .await?;
    if let Some(other) = other {
        return Err(
            Error::rejected(Reason::PublishJobOpen, "the listing has another open publish job")
                .with("publish_job_id", other.id),
        );
    }
    if row.state == State::Blocked && row.confirm_time.is_some() {
        // The confirmation counts for the scheduled time, so that the lateness is checked again.
        row.state = if row.schedule_time.is_some() {
            State::Scheduled
        } else {
            State::Confirmed
        };
    } else {
        row.schedule_time = None;
        row.state = State::Queued;
        row.prepare_number += 1;
        row.confirm_time = None;
        row.confirm_expire_time = None;
        row.read_back = None;
        row.read_back_hash = None;
    }
    row.end_time = None;
    row.cancel_requested = false;
    row.requires_action = false;
    row.reason = None;
    row.message = None;
    row.wait_reason = None;
    row.wait_until = None;
    let now = tx.now().await?;
    let work = NewJob {
        kind: jobs::Kind::Publish,
        workspace_id: Some(row.workspace_id.clone()),
        account_id: Some(row.account_id.clone()),
        subject_id: row.id.clone(),
        due_time: now,
        unique_key: Some(super::work_key(&row.id)),
    };
    let work = jobs::enqueue(tx, work).await?;
    jobs::requeue(tx, &work, now).await?;
    set_active_job(tx, &row.listing_id, Some(&row.id)).await?;
    save(tx, row, Kind::PublishJobUpdated).await.map(drop)
}
