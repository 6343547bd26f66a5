//! One attempt's browser: written down before it starts, always quit, and ended by a successor where its owner died.

use std::path::PathBuf;

use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::media::files;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::composers::{self, ComposerRow};
use vintedbot_domain::publishing::outcome::Next;
use vintedbot_domain::{Domain, Error, Result};
use vintedbot_marketplace::{Composer, ComposerIdentity, ComposerRequest, Ending, Error as SiteError};

use crate::stage::Stage;
use crate::{Worker, photos};

/// A running composer with the row that a successor finds it by.
pub struct Running {
    pub id: String,
    pub composer: Box<dyn Composer>,
}

/// Starts a composer for an attempt. Nothing is navigated to before its identity is committed.
pub async fn start(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
) -> Result<std::result::Result<Running, SiteError>> {
    let domain = &worker.domain;
    let work_dir = worker.config.work_dir.join(domain.ids.id());
    let planned = ComposerIdentity {
        owner: worker.identity.process.clone(),
        driver_url: None,
        session_id: None,
        driver: None,
        browser: None,
        profile_dir: Some(work_dir.clone()),
    };
    let id = composers::open(
        &domain.store,
        claim,
        &work.job_id,
        &work.seat.account_id,
        &planned,
    )
    .await?;
    Stage::ComposerRecorded.reached().await;
    let composer = match launch(worker, work, work_dir).await? {
        Ok(composer) => composer,
        Err(error) => {
            if worker.marketplace.end(&planned).await == Ending::Ended {
                composers::ended(&domain.store, &id).await?;
            }
            return Ok(Err(error));
        }
    };
    let running = Running { id, composer };
    if let Err(error) = composers::identify(&domain.store, &running.id, &running.composer.identity()).await {
        quit(domain, running).await?;
        return Err(error);
    }
    Stage::ComposerStarted.reached().await;
    Ok(Ok(running))
}

async fn launch(
    worker: &Worker,
    work: &Work,
    work_dir: PathBuf,
) -> Result<std::result::Result<Box<dyn Composer>, SiteError>> {
    let content = work.revision.content.clone();
    let change = work.revision.change.as_ref();
    let keeps_photos = change.is_some_and(|change| change.keeps_photos);
    let photos = match keeps_photos {
        true => Vec::new(),
        false => match photos::files(worker, &content.photo_sha256s).await {
            // The job says so and is tried again, as with a site that is away.
            Err(Error::Files(error @ files::Error::Unreachable(_))) => {
                return Ok(Err(SiteError::Photos(error.to_string())));
            }
            photos => photos?,
        },
    };
    Ok(worker
        .marketplace
        .compose(
            &work.seat,
            ComposerRequest {
                work_dir,
                content,
                photos,
                keeps_photos,
            },
        )
        .await)
}

/// Quits a composer, and notes it when it is seen to be gone.
pub async fn quit(domain: &Domain, running: Running) -> Result<()> {
    match running.composer.quit().await {
        Ending::Ended => composers::ended(&domain.store, &running.id).await,
        Ending::Unknown => Ok(()),
    }
}

/// Ends what earlier attempts for this account left behind. `Err`: one of them is still at work in this very process.
pub async fn end_leftovers(worker: &Worker, account_id: &str) -> Result<std::result::Result<(), Next>> {
    let domain = &worker.domain;
    for row in composers::list_open(&domain.store, account_id).await? {
        if row.worker_id == worker.identity.id {
            let until = domain.store.now().await? + 1_000;
            return Ok(Err(Next::Later {
                until,
                why: vintedbot_domain::publishing::WaitReason::AccountBusy,
            }));
        }
        end(worker, &row).await?;
    }
    Stage::LeftoversEnded.reached().await;
    Ok(Ok(()))
}

/// Ends what attempts of gone workers left behind, for every account, and removes their folders with the cookies in them. Their
/// jobs do so too, each when it is taken up.
pub async fn end_abandoned(worker: &Worker) -> Result<()> {
    let store = &worker.domain.store;
    for row in composers::list_all_open(store).await? {
        let is_gone = worker.is_sole
            || jobs::owner_is_gone(store, &row.worker_id, &worker.identity, worker.is_running).await?;
        if is_gone && row.worker_id != worker.identity.id {
            end(worker, &row).await?;
        }
    }
    Ok(())
}

/// Ends what attempts at a job that is over left behind.
pub async fn tidy(worker: &Worker, claim: &Claim) -> Result<()> {
    let account_id = claim.job.account_id.as_deref().unwrap_or_default();
    for row in composers::list_open(&worker.domain.store, account_id).await? {
        let is_of_job = Some(&row.publish_job_id) == claim.job.subject_id.as_ref();
        if is_of_job && row.worker_id != worker.identity.id {
            end(worker, &row).await?;
        }
    }
    Ok(())
}

/// Ends one attempt of another worker, as far as it can be reached, and notes it when it is seen to be gone.
async fn end(worker: &Worker, row: &ComposerRow) -> Result<()> {
    let store = &worker.domain.store;
    let identity: ComposerIdentity = serde_json::from_str(&row.identity)?;
    let may_end = match (&identity.driver, &identity.session_id) {
        // Its browser's driver can be asked from anywhere.
        (None, Some(_)) => true,
        (Some(_), _) => jobs::is_on_this_machine(store, &row.worker_id, &worker.identity).await?,
        (None, None) => {
            jobs::owner_is_gone(store, &row.worker_id, &worker.identity, worker.is_running).await?
        }
    };
    if may_end && worker.marketplace.end(&identity).await == Ending::Ended {
        composers::ended(store, &row.id).await?;
    }
    Ok(())
}

/// Whether one attempt is known to have ended: proof that what it began can no longer happen.
pub async fn has_ended(domain: &Domain, account_id: &str, composer_id: &str) -> Result<bool> {
    Ok(composers::list_open(&domain.store, account_id)
        .await?
        .iter()
        .all(|row| row.id != composer_id))
}
