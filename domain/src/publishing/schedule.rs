//! `SchedulePublish`: a yes for a later time, and what becomes of it when that time has come.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::confirm::{consume, is_unedited, not_handed_over, of_consent, set_listing_state};
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
use crate::{Domain, Error, Reason, Result, requests};

/// The farthest that a publication can be put off: what is approved should still be what the seller has.
const FARTHEST: Millis = 90 * 24 * 3_600_000;

/// When something is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A moment.
    At(Millis),
    /// A wall-clock time in a place.
    Local(LocalTime),
}

/// What is confirmed, with which proof, and for when.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub job_id: String,
    pub token: String,
    pub when: When,
    pub request_id: Option<String>,
}

/// By so much a scheduled time may have passed before something is wrong.
const LATE: Millis = 30_000;

const METHOD: &str = "SchedulePublish";

/// Confirms a prepared job for a later time. The token is checked as by a confirmation, and consumed. Whether the account
/// may publish another item in that minute is decided then, not now.
///
/// # Errors
/// Violations of the time, and as [`super::confirm()`].
pub async fn schedule(domain: &Domain, caller: &Caller, schedule: Schedule) -> Result<PublishJob> {
    let (field, time) = match &schedule.when {
        When::At(time) => ("time", *time),
        When::Local(local) => ("local_time", local.resolve()?),
    };
    let (domain_, owner_id) = (domain.clone(), caller.owner_id.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, owner_id, schedule) = (domain_.clone(), owner_id.clone(), schedule.clone());
            async move { run(tx, &domain, &owner_id, &schedule, field, time).await }.boxed()
        })
        .await
}

async fn run(
    tx: &Tx,
    domain: &Domain,
    owner_id: &str,
    schedule: &Schedule,
    field: &str,
    time: Millis,
) -> Result<PublishJob> {
    let request_id = schedule.request_id.as_deref();
    let parameters = (&schedule.job_id, sha256_hex(&schedule.token), time);
    let known = requests::check(tx, owner_id, request_id, METHOD, &parameters).await?;
    let account = super::lock_account_of(tx, owner_id, &schedule.job_id).await?;
    let row = load_owned(tx, owner_id, &schedule.job_id).await?;
    let now = tx.now().await?;
    // Before the time is looked at: a call that is repeated after its time has come gets the same answer.
    if known.is_some() {
        return Ok(row.into());
    }
    in_reach(field, time, now)?;
    not_handed_over(&row)?;
    if row.kind != JobKind::Publish {
        let message = "only publications can be put off; confirm this change when it is to be made";
        return Err(Error::rejected(Reason::JobState, message)
            .with("publish_job_id", &row.id)
            .with("state", super::state_name(row.state)));
    }
    let listing = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?;
    let checks = of_consent(domain, &schedule.token, &row, listing.as_ref(), &account, now);
    if let Some(failed) = checks.into_iter().find_map(|check| check.refusal) {
        return Err(failed);
    }
    let job = consume(tx, row, now, Some(time)).await?;
    requests::remember(tx, owner_id, request_id, METHOD, &parameters, &job.id).await?;
    Ok(job)
}

fn in_reach(field: &str, time: Millis, now: Millis) -> Result<()> {
    if time <= now {
        return Err(Error::invalid(
            field,
            format!("in the future; now it is {}", rfc3339(now)),
        ));
    }
    if time > now + FARTHEST {
        return Err(Error::invalid(
            field,
            format!("at most 90 days away, not after {}", rfc3339(now + FARTHEST)),
        ));
    }
    Ok(())
}

/// What becomes of a scheduled job that is looked at: it goes on as a confirmed one, is prepared anew for a person, or
/// what is answered instead. Any other job goes on as it is.
pub(super) async fn arrive(
    tx: &Tx,
    domain: &Domain,
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
        let message = "the listing was edited after it was scheduled; prepare it anew";
        let ended = Ended::Failed {
            reason: Reason::ConfirmationStale,
            message: message.to_owned(),
        };
        end_in(tx, row, ended).await?;
        return Ok(Err(Outcome::Done));
    }
    if now > time + domain.settings.schedule_late_ms {
        let mut missed = prepared_anew(row);
        say_if_missed(&mut missed);
        if let Some(listing) = listing.filter(|listing| listing.state == ListingState::Publishing) {
            set_listing_state(tx, listing, ListingState::Draft, now).await?;
        }
        return keep(tx, missed).await.map(Ok);
    }
    if !is_waiting {
        return Ok(Ok(row));
    }
    if account.mode == Mode::Manual {
        // The time has come, and with it the person's turn: every write of this mode is confirmed when it is made.
        let due = publish_jobs::Model {
            schedule_time: None,
            ..prepared_anew(row)
        };
        return keep(tx, due).await.map(Ok);
    }
    let confirmed = publish_jobs::Model {
        state: State::Confirmed,
        wait_reason: None,
        wait_until: None,
        ..row
    };
    let confirmed = keep(tx, confirmed).await?;
    if let Some(listing) = listing {
        set_listing_state(tx, listing, ListingState::Publishing, now).await?;
    }
    Ok(Ok(confirmed))
}

/// The same approved content, to be looked at and confirmed once more. The consumed confirmation is void.
fn prepared_anew(row: publish_jobs::Model) -> publish_jobs::Model {
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

/// Says of a job that is to be confirmed once more because its time had passed, that it is so.
pub(super) fn say_if_missed(row: &mut publish_jobs::Model) {
    let Some(time) = row.schedule_time.filter(|_| row.confirm_time.is_none()) else {
        return;
    };
    row.reason = Some(Reason::ScheduleMissed.name());
    row.message = Some(format!(
        "it was to be published at {}; look at it again, and confirm it if it still is to be",
        rfc3339(time)
    ));
}

async fn keep(tx: &Tx, row: publish_jobs::Model) -> Result<publish_jobs::Model> {
    save(tx, row.clone(), Kind::PublishJobUpdated).await?;
    Ok(row)
}

/// Whether a click that publishes was ever committed for the job: from then on it is finished, however late.
async fn was_clicked(tx: &Tx, job_id: &str) -> Result<bool> {
    let clicked = effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(job_id))
        .filter(effects::Column::Kind.eq(EffectKind::Publish));
    Ok(clicked.one(tx).await?.is_some())
}

/// What is put off, and when the next is to be published.
///
/// # Errors
/// One is late: nobody takes it.
pub async fn queue(domain: &Domain) -> Result<String> {
    let now = domain.store.now().await?;
    let times: Vec<Millis> = publish_jobs::Entity::find()
        .select_only()
        .column(publish_jobs::Column::ScheduleTime)
        .filter(publish_jobs::Column::State.eq(State::Scheduled))
        .filter(publish_jobs::Column::ScheduleTime.is_not_null())
        .order_by_asc(publish_jobs::Column::ScheduleTime)
        .into_tuple()
        .all(domain.store.reader())
        .await?;
    let Some(next) = times.first() else {
        return Ok("nothing is scheduled".to_owned());
    };
    if *next + LATE < now {
        return Err(Error::Internal(format!(
            "a publication of {} is {} s late; see whether its account is paused, and whether a worker runs and has a free \
             hand",
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
