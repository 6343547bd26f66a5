//! Preparing: fills the form, reads it back and takes screenshots. A draft remains on the site only if it was
//! requested.

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::intent::Proposal;
use vintedbot_domain::publishing::outcome::FollowUp;
use vintedbot_domain::publishing::{EffectKind, steps};
use vintedbot_marketplace::{FillStep, Filled, RemoteItem};

use super::attempt::limited;
use super::form_session::Running;
use super::observer::Observer;
use super::stopped;
use crate::stage::Stage;
use crate::{Worker, effects};

/// One attempt at preparing.
pub async fn run(worker: &Worker, claim: &Claim, work: &Work, running: &mut Running) -> Result<FollowUp> {
    let context = &worker.context;
    let observer = Observer {
        worker,
        claim,
        job_id: &work.job_id,
    };
    let filled = match &work.draft_remote_id {
        // An earlier attempt saved the draft and ended before it recorded the preparation.
        Some(remote_id) => limited(worker, running.form_driver.open_draft(remote_id, &observer)).await,
        None => limited(worker, running.form_driver.fill(&observer)).await,
    };
    let filled = match filled {
        Ok(filled) => filled,
        Err(error) => return stopped(worker, &work.job_id, "FILL", &error).await,
    };
    let step = FillStep::ScreenshotTaken.name();
    let screenshot_key = steps::photographed(context, &work.job_id, step, &filled.evidence).await?;
    if !work.dry_run
        && work.draft_remote_id.is_none()
        && let Err(next) = save_draft(worker, claim, work, running).await?
    {
        return Ok(next);
    }
    let Filled { read_back, .. } = filled;
    Ok(FollowUp::Prepared {
        read_back,
        screenshot_key,
    })
}

/// Saves the form as a draft, after its intent is committed. Returns the follow-up in `Err` if that fails.
pub async fn save_draft(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    running: &mut Running,
) -> Result<std::result::Result<String, FollowUp>> {
    let before = async {
        running.form_driver.look().await?;
        worker.marketplace.wardrobe(&work.account_context).await
    };
    let wardrobe = match limited(worker, before).await {
        Ok(wardrobe) => wardrobe,
        Err(error) => {
            return stopped(worker, &work.job_id, Stage::DraftIntended.name(), &error)
                .await
                .map(Err);
        }
    };
    let proposal = proposal(work, running, EffectKind::DraftSave, &wardrobe, None);
    effects::save_draft(worker, claim, proposal, &mut *running.form_driver).await
}

/// Returns the proposal of an effect, from which the intent is committed.
pub fn proposal(
    work: &Work,
    running: &Running,
    kind: EffectKind,
    wardrobe: &[RemoteItem],
    target: Option<&RemoteItem>,
) -> Proposal {
    Proposal {
        job_id: work.job_id.clone(),
        kind,
        form_session_id: running.id.clone(),
        revision_hash: work.revision_hash.clone(),
        lock: work.lock.clone(),
        known_remote_ids: wardrobe.iter().map(|item| item.id.clone()).collect(),
        target_remote_id: target.map(|item| item.id.clone()),
        target_photo_ids: target.map(|item| item.photo_ids.clone()).unwrap_or_default(),
        remote_snapshot: None,
    }
}
