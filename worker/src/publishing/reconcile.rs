//! Finding out what became of an effect whose holder died or got no answer.

use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::hand_over::{self, Closed};
use vintedbot_domain::publishing::outcome::{self, Next};
use vintedbot_domain::publishing::reconcile::{self, Decision, Reading};
use vintedbot_domain::publishing::{EffectKind, EffectState, WaitReason, steps};
use vintedbot_domain::store::entities::effects;
use vintedbot_domain::{Domain, Reason, Result};
use vintedbot_marketplace::Error as SiteError;

use super::attempt::limited;
use super::{compose, hand_over as window, stopped};
use crate::Worker;
use crate::stage::Stage;

/// Clicks that may leave no trace before a person is asked instead of clicking once more: more than crashes and lost requests
/// come together, and few enough to end.
pub const TRACELESS_CLICKS: u64 = 8;

/// Reads the site once, and decides as far as that goes.
pub async fn run(worker: &Worker, work: &Work, effect: effects::Model) -> Result<Next> {
    let domain = &worker.domain;
    if effect.state == EffectState::Intended && effect.kind == EffectKind::HandOver {
        // Its browser was ended just now, as far as it can be.
        give_back(domain, work, &effect).await?;
    } else if effect.state == EffectState::Intended {
        // Its time is over: from here on the settling window runs.
        outcome::unconfirmed(
            domain,
            &effect.id,
            "its holder ended before it could say what happened",
        )
        .await?;
    }
    let content = &work.revision.content;
    let claimed = reconcile::claimed(domain, &work.seat.account_id).await?;
    let reading = match limited(worker, read(worker, work, &effect, &claimed)).await {
        Ok(reading) => reading,
        Err(error) => return stopped(worker, &work.job_id, Stage::SiteRead.name(), &error).await,
    };
    Stage::SiteRead.reached().await;
    let now = domain.store.now().await?;
    let decision = reconcile::decide(&effect, content, &claimed, &reading, now);
    if effect.kind == EffectKind::HandOver {
        let seen = hand_over::seen(&effect, content, &claimed, &reading.wardrobe);
        window::note_draft(worker, work, &effect, &seen).await?;
    }
    let next = apply(worker, work, &effect, decision, now).await?;
    Stage::Reconciled.reached().await;
    Ok(next)
}

/// The window of an attempt whose holder is gone is nobody's any more.
async fn give_back(domain: &Domain, work: &Work, effect: &effects::Model) -> Result<()> {
    let is_over = domain.store.now().await? >= effect.not_after;
    let why = if is_over { Closed::InTime } else { Closed::WithUs };
    hand_over::closed(domain, &effect.id, why).await?;
    let message = "the window was closed: the program that watched it had ended";
    steps::note(domain, &work.job_id, "WINDOW_WATCHED", message).await
}

async fn read(
    worker: &Worker,
    work: &Work,
    effect: &effects::Model,
    claimed: &std::collections::HashMap<String, String>,
) -> std::result::Result<Reading, SiteError> {
    let mut reading = Reading::default();
    if let Some(target) = &effect.target_remote_id {
        reading.target = worker.marketplace.item(&work.seat, target).await?;
        if reading.target.is_some() {
            return Ok(reading);
        }
    }
    reading.wardrobe = worker.marketplace.wardrobe(&work.seat).await?;
    if effect.kind == EffectKind::DraftSave {
        for item in reconcile::candidates(effect, &work.revision.content, claimed, &reading.wardrobe) {
            if let Some(detail) = worker.marketplace.item(&work.seat, &item.id).await? {
                reading.details.insert(item.id.clone(), detail);
            }
        }
    }
    Ok(reading)
}

async fn apply(
    worker: &Worker,
    work: &Work,
    effect: &effects::Model,
    decision: Decision,
    now: i64,
) -> Result<Next> {
    let domain = &worker.domain;
    let at_once = Next::Later {
        until: now,
        why: WaitReason::Worker,
    };
    let step = Stage::Reconciled.name();
    match decision {
        Decision::Done {
            remote_id,
            url,
            hidden,
        } => {
            steps::note(domain, &work.job_id, step, &format!("found as {remote_id}")).await?;
            match effect.kind {
                EffectKind::DraftSave => outcome::draft_saved(domain, &effect.id, &remote_id).await?,
                _ => {
                    outcome::published(domain, &effect.id, &remote_id, &url, hidden, "found by reading")
                        .await?;
                }
            }
            Ok(at_once)
        }
        Decision::NotDone { strays } => {
            if !compose::has_ended(domain, &work.seat.account_id, &effect.composer_id).await?
                && effect.kind.publishes()
            {
                let message = "it cannot be proven that the earlier attempt has ended".to_owned();
                return Ok(Next::Ask {
                    reason: Reason::OutcomeUnknown,
                    message,
                });
            }
            if effect.kind == EffectKind::Publish
                && outcome::clicks_without_trace(domain, &work.job_id).await? >= TRACELESS_CLICKS
            {
                let message =
                    "the site was clicked again and again, and shows nothing of it; look there".to_owned();
                return Ok(Next::Ask {
                    reason: Reason::OutcomeUnknown,
                    message,
                });
            }
            if effect.kind == EffectKind::HandOver {
                steps::note(domain, &work.job_id, step, "nothing was published at the window").await?;
                hand_over::not_used(domain, &effect.id).await?;
                return Ok(Next::AsItIs);
            }
            outcome::not_done(domain, &effect.id, outcome::TRACELESS, true, &strays).await?;
            steps::note(domain, &work.job_id, step, "not done; tried again").await?;
            Ok(at_once)
        }
        Decision::NotYet => {
            let until = now + domain.settings.settle_poll_ms;
            Ok(Next::Later {
                until,
                why: WaitReason::Settling,
            })
        }
        Decision::Ask => {
            let message = "the site does not show what became of it; look there, then call ResolvePublishJob"
                .to_owned();
            Ok(Next::Ask {
                reason: Reason::OutcomeUnknown,
                message,
            })
        }
    }
}
