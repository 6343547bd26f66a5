//! Publishes a confirmed job: saves a draft if the job has no draft, opens it, compares every field with the approved
//! revision, and publishes it after the intent is committed.

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::outcome::{self, FollowUp};
use vintedbot_domain::publishing::{EffectKind, WaitReason, steps};
use vintedbot_marketplace::{Error as SiteError, Published};

use super::attempt::limited;
use super::form_session::Running;
use super::observer::Observer;
use super::prepare::{proposal, save_draft};
use super::stopped;
use crate::stage::Stage;
use crate::{Worker, effects};

/// One attempt at publishing.
pub async fn run(worker: &Worker, claim: &Claim, work: &Work, running: &mut Running) -> Result<FollowUp> {
    let context = &worker.context;
    let observer = Observer {
        worker,
        claim,
        job_id: &work.job_id,
    };
    let draft_id = match &work.draft_remote_id {
        Some(id) => id.clone(),
        None => {
            if let Err(error) = limited(worker, running.form_driver.fill(&observer)).await {
                return stopped(worker, &work.job_id, "FILL", &error).await;
            }
            match save_draft(worker, claim, work, running).await? {
                Ok(id) => id,
                Err(next) => return Ok(next),
            }
        }
    };
    let opened = match limited(worker, running.form_driver.open_draft(&draft_id, &observer)).await {
        Ok(opened) => opened,
        Err(SiteError::NotADraft { .. }) => return not_a_draft(worker, work, &draft_id).await,
        Err(error) => return stopped(worker, &work.job_id, "DRAFT_OPENED", &error).await,
    };
    steps::photographed(context, &work.job_id, "DRAFT_COMPARED", &opened.evidence).await?;
    let before = async {
        let wardrobe = worker.marketplace.wardrobe(&work.account_context).await?;
        let target = worker.marketplace.item(&work.account_context, &draft_id).await?;
        running.form_driver.look().await?;
        Ok((wardrobe, target))
    };
    let (wardrobe, target) = match limited(worker, before).await {
        Ok((wardrobe, Some(target))) if target.is_draft => (wardrobe, target),
        Ok(_) => return not_a_draft(worker, work, &draft_id).await,
        Err(error) => return stopped(worker, &work.job_id, Stage::WardrobeRead.name(), &error).await,
    };
    Stage::WardrobeRead.reached().await;
    let mut proposal = proposal(work, running, EffectKind::Publish, &wardrobe, Some(&target));
    // The site may list a new draft late. The draft's id is known even if the wardrobe does not show it yet.
    proposal.known_remote_ids.push(draft_id.clone());
    match effects::publish(worker, claim, proposal, &mut *running.form_driver).await? {
        Ok((effect_id, published)) => record(worker, work, &effect_id, &draft_id, published).await,
        Err(next) => Ok(next),
    }
}

/// Records a publication that the site reported as successful. Reads the item once, for its URL and whether it is
/// hidden.
async fn record(
    worker: &Worker,
    work: &Work,
    effect_id: &str,
    draft_id: &str,
    published: Published,
) -> Result<FollowUp> {
    let context = &worker.context;
    let reported_id = published.remote_id.as_deref();
    let item = worker
        .marketplace
        .item(&work.account_context, reported_id.unwrap_or(draft_id))
        .await
        .ok()
        .flatten();
    let live = item.filter(|item| !item.is_draft);
    match (live, reported_id) {
        (Some(item), _) => {
            let note = if item.id == draft_id {
                "published; the draft kept its id"
            } else {
                "published; the id is new"
            };
            outcome::published(context, effect_id, &item.id, &item.url, item.is_hidden, note).await?;
        }
        // The response named the item. A page that is not readable yet does not change that.
        (None, Some(id)) => {
            outcome::published(
                context,
                effect_id,
                id,
                &published.evidence.url,
                false,
                "published; not readable yet",
            )
            .await?;
        }
        (None, None) => {
            outcome::unconfirmed(context, effect_id, "the site's response was not observed").await?;
            return Ok(FollowUp::Later {
                until: context.store.now().await?,
                why: WaitReason::Settling,
            });
        }
    }
    steps::photographed_after(
        context,
        &work.job_id,
        Stage::PublishRecorded.name(),
        &published.evidence,
    )
    .await?;
    Stage::PublishRecorded.reached().await;
    Ok(FollowUp::NoChange)
}

/// Handles a draft that is no longer a draft, although no click of ours is in doubt.
async fn not_a_draft(worker: &Worker, work: &Work, draft_id: &str) -> Result<FollowUp> {
    let context = &worker.context;
    match limited(worker, worker.marketplace.item(&work.account_context, draft_id)).await {
        Ok(Some(item)) if !item.is_draft => {
            outcome::found_published(context, &work.job_id, &item.id, &item.url, item.is_hidden).await?;
            Ok(FollowUp::NoChange)
        }
        Ok(Some(_)) => Ok(FollowUp::Retry {
            reason: vintedbot_domain::Reason::SiteUnavailable,
            message: "the site's pages disagree whether the item is a draft".to_owned(),
        }),
        Ok(None) => outcome::draft_gone(context, &work.job_id).await,
        Err(error) => stopped(worker, &work.job_id, "DRAFT_OPENED", &error).await,
    }
}
