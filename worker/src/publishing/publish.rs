//! Publishing what was confirmed: the draft is saved where there is none yet, opened, compared field by field with what was
//! approved, and only then, through the gate, published.

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::outcome::{self, Next};
use vintedbot_domain::publishing::{EffectKind, WaitReason, steps};
use vintedbot_marketplace::{Error as SiteError, Published};

use super::attempt::limited;
use super::compose::Running;
use super::observer::Observer;
use super::prepare::{proposal, save_draft};
use super::stopped;
use crate::stage::Stage;
use crate::{Worker, effects};

/// One attempt at publishing.
pub async fn run(worker: &Worker, claim: &Claim, work: &Work, running: &mut Running) -> Result<Next> {
    let domain = &worker.domain;
    let observer = Observer {
        worker,
        claim,
        job_id: &work.job_id,
    };
    let draft_id = match &work.draft_remote_id {
        Some(id) => id.clone(),
        None => {
            if let Err(error) = limited(worker, running.composer.fill(&observer)).await {
                return stopped(worker, &work.job_id, "FILL", &error).await;
            }
            match save_draft(worker, claim, work, running).await? {
                Ok(id) => id,
                Err(next) => return Ok(next),
            }
        }
    };
    let opened = match limited(worker, running.composer.open_draft(&draft_id, &observer)).await {
        Ok(opened) => opened,
        Err(SiteError::NotADraft { .. }) => return not_a_draft(worker, work, &draft_id).await,
        Err(error) => return stopped(worker, &work.job_id, "DRAFT_OPENED", &error).await,
    };
    steps::photographed(domain, &work.job_id, "DRAFT_COMPARED", &opened.evidence).await?;
    let before = async {
        let wardrobe = worker.marketplace.wardrobe(&work.seat).await?;
        let target = worker.marketplace.item(&work.seat, &draft_id).await?;
        running.composer.look().await?;
        Ok((wardrobe, target))
    };
    let (wardrobe, target) = match limited(worker, before).await {
        Ok((wardrobe, Some(target))) if target.is_draft => (wardrobe, target),
        Ok(_) => return not_a_draft(worker, work, &draft_id).await,
        Err(error) => return stopped(worker, &work.job_id, Stage::WardrobeRead.name(), &error).await,
    };
    Stage::WardrobeRead.reached().await;
    let mut proposal = proposal(work, running, EffectKind::Publish, &wardrobe, Some(&target));
    // A new item is listed late, the draft too: it is known although the wardrobe may not show it yet.
    proposal.known_remote_ids.push(draft_id.clone());
    match effects::publish(worker, claim, proposal, &mut *running.composer).await? {
        Ok((effect_id, published)) => record(worker, work, &effect_id, &draft_id, published).await,
        Err(next) => Ok(next),
    }
}

/// The site said that all is well. What it published is read once, for its address and whether it is hidden.
async fn record(
    worker: &Worker,
    work: &Work,
    effect_id: &str,
    draft_id: &str,
    published: Published,
) -> Result<Next> {
    let domain = &worker.domain;
    let said = published.remote_id.as_deref();
    let item = worker
        .marketplace
        .item(&work.seat, said.unwrap_or(draft_id))
        .await
        .ok()
        .flatten();
    let live = item.filter(|item| !item.is_draft);
    match (live, said) {
        (Some(item), _) => {
            let note = if item.id == draft_id {
                "published; the draft kept its id"
            } else {
                "published; the id is new"
            };
            outcome::published(domain, effect_id, &item.id, &item.url, item.is_hidden, note).await?;
        }
        // Its own answer named the item; that the page is late changes nothing about that.
        (None, Some(id)) => {
            outcome::published(
                domain,
                effect_id,
                id,
                &published.evidence.url,
                false,
                "published; not readable yet",
            )
            .await?;
        }
        (None, None) => {
            outcome::unconfirmed(domain, effect_id, "the site's answer was not seen").await?;
            return Ok(Next::Later {
                until: domain.store.now().await?,
                why: WaitReason::Settling,
            });
        }
    }
    steps::photographed_after(
        domain,
        &work.job_id,
        Stage::PublishRecorded.name(),
        &published.evidence,
    )
    .await?;
    Stage::PublishRecorded.reached().await;
    Ok(Next::AsItIs)
}

/// The draft is no draft any more, although no click of ours is open.
async fn not_a_draft(worker: &Worker, work: &Work, draft_id: &str) -> Result<Next> {
    let domain = &worker.domain;
    match limited(worker, worker.marketplace.item(&work.seat, draft_id)).await {
        Ok(Some(item)) if !item.is_draft => {
            outcome::found_published(domain, &work.job_id, &item.id, &item.url, item.is_hidden).await?;
            Ok(Next::AsItIs)
        }
        Ok(Some(_)) => Ok(Next::Again {
            reason: vintedbot_domain::Reason::SiteUnavailable,
            message: "the site says that the draft is one, and that it is not".to_owned(),
        }),
        Ok(None) => outcome::draft_gone(domain, &work.job_id).await,
        Err(error) => stopped(worker, &work.job_id, "DRAFT_OPENED", &error).await,
    }
}
