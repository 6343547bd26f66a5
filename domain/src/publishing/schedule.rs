//! `SchedulePublish`: confirms a job for a later time, and activates it at that time.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::confirm::{consent_checks, consume, is_unedited, refuse_manual_takeover, set_listing_state};
use super::job::{load_owned, save};
use super::outcome::{Ended, end_in};
use super::{EffectKind, JobKind, LocalTime, PublishJob, State};
use crate::accounts::Mode;
use crate::clock::{Millis, rfc3339};
use crate::events::Kind;
use crate::identity::Caller;
use crate::jobs::Outcome;
use crate::keys::sha256_hex;
use crate::listings::ListingState;
use crate::store::Tx;
use crate::store::entities::{accounts, effects, listings, publish_jobs};
use crate::{Context, Error, Reason, Result, requests};

/// The longest delay of a publication. The limit keeps old approvals from publishing items that the seller no longer
/// has.
const DELAY_MAX: Millis = 90 * 24 * 3_600_000;

/// A scheduled time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A UTC time.
    At(Millis),
    /// A local time in a time zone.
    Local(LocalTime),
}

/// The parameters of [`schedule`].
#[derive(Clone, Debug)]
pub struct Schedule {
    pub job_id: String,
    pub token: String,
    pub when: When,
    pub request_id: Option<String>,
}

/// How late a scheduled job may be before [`queue`] reports an error.
const LATE_MAX: Millis = 30_000;

const METHOD: &str = "SchedulePublish";

/// Confirms a prepared job for a later time. The token is checked as in a confirmation and consumed. The rate limit is
/// checked at the scheduled time, not now.
///
/// # Errors
/// Violations of the time, and as [`super::confirm()`].
pub async fn schedule(context: &Context, caller: &Caller, schedule: Schedule) -> Result<PublishJob> {
    let (field, time) = match &schedule.when {
        When::At(time) => ("time", *time),
        When::Local(local) => ("local_time", local.resolve()?),
    };
    let (context_, workspace_id) = (context.clone(), caller.workspace_id.clone());
    context
        .store
        .write(move |tx| {
            let (context, workspace_id, schedule) =
                (context_.clone(), workspace_id.clone(), schedule.clone());
            async move { run(tx, &context, &workspace_id, &schedule, field, time).await }.boxed()
        })
        .await
}

async fn run(
    tx: &Tx,
    context: &Context,
    workspace_id: &str,
    schedule: &Schedule,
    field: &str,
    time: Millis,
) -> Result<PublishJob> {
    let request_id = schedule.request_id.as_deref();
    let parameters = (&schedule.job_id, sha256_hex(&schedule.token), time);
    let known = requests::check(tx, workspace_id, request_id, METHOD, &parameters).await?;
    let account = super::lock_account_of(tx, workspace_id, &schedule.job_id).await?;
    let row = load_owned(tx, workspace_id, &schedule.job_id).await?;
    let now = tx.now().await?;
    // Checked before the time, so that a call repeated after the scheduled time gets the same answer.
    if known.is_some() {
        return Ok(row.into());
    }
    check_time(field, time, now)?;
    refuse_manual_takeover(&row)?;
    if row.kind != JobKind::Publish {
        let message = "only publications can be scheduled; confirm this change when it should be made";
        return Err(Error::rejected(Reason::JobStateInvalid, message)
            .with("publish_job_id", &row.id)
            .with("state", super::state_name(row.state)));
    }
    let listing = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?;
    let checks = consent_checks(context, &schedule.token, &row, listing.as_ref(), &account, now);
    if let Some(failed) = checks.into_iter().find_map(|check| check.refusal) {
        return Err(failed);
    }
    let job = consume(tx, row, now, Some(time)).await?;
    requests::remember(tx, workspace_id, request_id, METHOD, &parameters, &job.id).await?;
    Ok(job)
}

fn check_time(field: &str, time: Millis, now: Millis) -> Result<()> {
    if time <= now {
        return Err(Error::invalid(
            field,
            format!("must be in the future; the current time is {}", rfc3339(now)),
        ));
    }
    if time > now + DELAY_MAX {
        return Err(Error::invalid(
            field,
            format!(
                "must be at most 90 days away, not after {}",
                rfc3339(now + DELAY_MAX)
            ),
        ));
    }
    Ok(())
}

/// Activates a scheduled job whose time has come: it becomes CONFIRMED, or is prepared again for a new confirmation.
/// The inner error is the outcome of a job that is not due or has ended. Any other job is returned unchanged.
pub(super) async fn activate_if_due(
    tx: &Tx,
    context: &Context,
    account: &accounts::Model,
    row: publish_jobs::Model,
    now: Millis,
) -> Result<std::result::Result<publish_jobs::Model, Outcome>> {
    let Some(time) = row.schedule_time else {
        return Ok(Ok(row));
    };
    let is_waiting = row.state == State::Scheduled;
    if !is_waiting && (row.state != State::Confirmed || was_clicked(tx, &row.id).await?) {
        return Ok(Ok(row));
    }
    if now < time {
        return Ok(Err(Outcome::At(time)));
    }
    let listing = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?;
    if is_waiting && is_unedited(&row, listing.as_ref()).is_err() {
        let message = "the listing was edited after it was scheduled; prepare it again";
        let ended = Ended::Failed {
            reason: Reason::ConfirmationStale,
            message: message.to_owned(),
        };
        end_in(tx, row, ended).await?;
        return Ok(Err(Outcome::Done));
    }
    if now > time + context.settings.publish.schedule_late_ms {
        let mut missed = prepare_again(row);
        note_if_missed(&mut missed);
        if let Some(listing) = listing.filter(|listing| listing.state == ListingState::Publishing) {
            set_listing_state(tx, listing, ListingState::Draft, now).await?;
        }
        return save_updated(tx, missed).await.map(Ok);
    }
    if !is_waiting {
        return Ok(Ok(row));
    }
    if account.mode == Mode::Manual {
        // In mode MANUAL a person confirms every write at the time when it is made.
        let due = publish_jobs::Model {
            schedule_time: None,
            ..prepare_again(row)
        };
        return save_updated(tx, due).await.map(Ok);
    }
    let confirmed = publish_jobs::Model {
        state: State::Confirmed,
        wait_reason: None,
        wait_until: None,
        ..row
    };
    let confirmed = save_updated(tx, confirmed).await?;
    if let Some(listing) = listing {
        set_listing_state(tx, listing, ListingState::Publishing, now).await?;
    }
    Ok(Ok(confirmed))
}

/// Returns the job for another preparation of the same revision. The consumed confirmation becomes void.
fn prepare_again(row: publish_jobs::Model) -> publish_jobs::Model {
    publish_jobs::Model {
        state: State::Queued,
        prepare_number: row.prepare_number + 1,
        confirm_time: None,
        confirm_expire_time: None,
        read_back: None,
        read_back_hash: None,
        wait_reason: None,
        wait_until: None,
        ..row
    }
}

/// Sets reason and message of a job that needs a new confirmation because its scheduled time was missed.
pub(super) fn note_if_missed(row: &mut publish_jobs::Model) {
    let Some(time) = row.schedule_time.filter(|_| row.confirm_time.is_none()) else {
        return;
    };
    row.reason = Some(Reason::ScheduleMissed.name());
    row.message = Some(format!(
        "the publication scheduled for {} was missed; review the job and confirm it again to publish it",
        rfc3339(time)
    ));
}

async fn save_updated(tx: &Tx, row: publish_jobs::Model) -> Result<publish_jobs::Model> {
    save(tx, row.clone(), Kind::PublishJobUpdated).await?;
    Ok(row)
}

/// Returns whether an intent to publish was ever committed for the job. Such a job continues, however late it is.
async fn was_clicked(tx: &Tx, job_id: &str) -> Result<bool> {
    let clicked = effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(job_id))
        .filter(effects::Column::Kind.eq(EffectKind::Publish));
    Ok(clicked.one(tx).await?.is_some())
}

/// Returns a summary of the scheduled publications and the time of the next one.
///
/// # Errors
/// `Internal` if a publication is more than 30 s late, which means that no worker takes it.
pub async fn queue(context: &Context) -> Result<String> {
    let now = context.store.now().await?;
    let times: Vec<Millis> = publish_jobs::Entity::find()
        .select_only()
        .column(publish_jobs::Column::ScheduleTime)
        .filter(publish_jobs::Column::State.eq(State::Scheduled))
        .filter(publish_jobs::Column::ScheduleTime.is_not_null())
        .order_by_asc(publish_jobs::Column::ScheduleTime)
        .into_tuple()
        .all(context.store.reader())
        .await?;
    let Some(next) = times.first() else {
        return Ok("nothing is scheduled".to_owned());
    };
    if *next + LATE_MAX < now {
        return Err(Error::Internal(format!(
            "the publication scheduled for {} is {} s late; check whether its account is paused, and whether a worker \
             runs and has a free slot",
            rfc3339(*next),
            (now - next) / 1000
        )));
    }
    Ok(format!(
        "{} scheduled, the next at {}",
        times.len(),
        rfc3339(*next)
    ))
}
