//! Form sessions: recorded before the browser starts, always ended, and ended by a successor if the worker died.

use std::path::PathBuf;

use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::media::files;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::listing_form_sessions::{self, FormSessionRow};
use vintedbot_domain::publishing::outcome::FollowUp;
use vintedbot_domain::{Context, Error, Result};
use vintedbot_marketplace::{
    Ending, Error as SiteError, ListingFormDriver, ListingFormIdentity, ListingFormRequest,
};

use crate::stage::Stage;
use crate::{Worker, photos};

/// A running listing form driver with the id of its form session row.
pub struct Running {
    pub id: String,
    pub form_driver: Box<dyn ListingFormDriver>,
}

/// Starts a listing form driver for an attempt. Its identity is committed before the first navigation.
pub async fn start(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
) -> Result<std::result::Result<Running, SiteError>> {
    let context = &worker.context;
    let work_dir = worker.config.work_dir.join(context.ids.id());
    let planned = ListingFormIdentity {
        worker: worker.identity.process.clone(),
        driver_url: None,
        session_id: None,
        driver: None,
        browser: None,
        profile_dir: Some(work_dir.clone()),
    };
    let id = listing_form_sessions::open(
        &context.store,
        claim,
        &work.job_id,
        &work.account_context.account_id,
        &planned,
    )
    .await?;
    Stage::FormSessionRecorded.reached().await;
    let form_driver = match launch(worker, work, work_dir).await? {
        Ok(form_driver) => form_driver,
        Err(error) => {
            if worker.marketplace.end(&planned).await == Ending::Ended {
                listing_form_sessions::ended(&context.store, &id).await?;
            }
            return Ok(Err(error));
        }
    };
    let running = Running { id, form_driver };
    if let Err(error) =
        listing_form_sessions::identify(&context.store, &running.id, &running.form_driver.identity()).await
    {
        quit(context, running).await?;
        return Err(error);
    }
    Stage::FormSessionStarted.reached().await;
    Ok(Ok(running))
}

async fn launch(
    worker: &Worker,
    work: &Work,
    work_dir: PathBuf,
) -> Result<std::result::Result<Box<dyn ListingFormDriver>, SiteError>> {
    let content = work.revision.content.clone();
    let change = work.revision.change.as_ref();
    let keeps_photos = change.is_some_and(|change| change.keeps_photos);
    let photos = match keeps_photos {
        true => Vec::new(),
        false => match photos::files(worker, &content.photo_sha256s).await {
            // The job reports this error and is retried, as when the site is unreachable.
            Err(Error::Files(error @ files::Error::Unreachable(_))) => {
                return Ok(Err(SiteError::Photos(error.to_string())));
            }
            photos => photos?,
        },
    };
    Ok(worker
        .marketplace
        .compose(
            &work.account_context,
            ListingFormRequest {
                work_dir,
                content,
                photos,
                keeps_photos,
            },
        )
        .await)
}

/// Quits a listing form driver, and records that the form session has ended if that is certain.
pub async fn quit(context: &Context, running: Running) -> Result<()> {
    match running.form_driver.quit().await {
        Ending::Ended => listing_form_sessions::ended(&context.store, &running.id).await,
        Ending::Unknown => Ok(()),
    }
}

/// Ends the form sessions that earlier attempts for this account left behind. Returns `Err` if one of them still runs
/// in this process.
pub async fn end_leftovers(worker: &Worker, account_id: &str) -> Result<std::result::Result<(), FollowUp>> {
    let context = &worker.context;
    for row in listing_form_sessions::list_open(&context.store, account_id).await? {
        if row.worker_id == worker.identity.id {
            let until = context.store.now().await? + 1_000;
            return Ok(Err(FollowUp::Later {
                until,
                why: vintedbot_domain::publishing::WaitReason::AccountBusy,
            }));
        }
        end(worker, &row).await?;
    }
    Stage::LeftoversEnded.reached().await;
    Ok(Ok(()))
}

/// Ends the form sessions of ended workers, for every account, and removes their profile folders, which contain
/// cookies. The jobs of these accounts also do so when they are next claimed.
pub async fn end_abandoned(worker: &Worker) -> Result<()> {
    let store = &worker.context.store;
    for row in listing_form_sessions::list_all_open(store).await? {
        let is_gone = worker.is_sole
            || jobs::worker_is_gone(store, &row.worker_id, &worker.identity, worker.is_running).await?;
        if is_gone && row.worker_id != worker.identity.id {
            end(worker, &row).await?;
        }
    }
    Ok(())
}

/// Ends the form sessions of earlier attempts at a finished job.
pub async fn cleanup(worker: &Worker, claim: &Claim) -> Result<()> {
    let account_id = claim.job.account_id.as_deref().unwrap_or_default();
    for row in listing_form_sessions::list_open(&worker.context.store, account_id).await? {
        let is_of_job = Some(&row.publish_job_id) == claim.job.subject_id.as_ref();
        if is_of_job && row.worker_id != worker.identity.id {
            end(worker, &row).await?;
        }
    }
    Ok(())
}

/// Ends one form session of another worker if it can be reached, and records that it has ended if that is certain.
async fn end(worker: &Worker, row: &FormSessionRow) -> Result<()> {
    let store = &worker.context.store;
    let identity: ListingFormIdentity = serde_json::from_str(&row.identity)?;
    let may_end = match (&identity.driver, &identity.session_id) {
        // Only the browser has a session id, so its WebDriver server can be reached from any machine.
        (None, Some(_)) => true,
        (Some(_), _) => jobs::is_on_this_machine(store, &row.worker_id, &worker.identity).await?,
        (None, None) => {
            jobs::worker_is_gone(store, &row.worker_id, &worker.identity, worker.is_running).await?
        }
    };
    if may_end && worker.marketplace.end(&identity).await == Ending::Ended {
        listing_form_sessions::ended(store, &row.id).await?;
    }
    Ok(())
}

/// Returns whether a form session is known to have ended. This proves that its write can no longer happen.
pub async fn has_ended(context: &Context, account_id: &str, form_session_id: &str) -> Result<bool> {
    Ok(listing_form_sessions::list_open(&context.store, account_id)
        .await?
        .iter()
        .all(|row| row.id != form_session_id))
}
