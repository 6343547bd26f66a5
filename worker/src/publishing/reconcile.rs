//! Reconciles effects whose worker ended or got no response.

use vintedbot_domain::publishing::attempt::Work;
use vintedbot_domain::publishing::manual_takeover::{self, Closed};
use vintedbot_domain::publishing::outcome::{self, FollowUp};
use vintedbot_domain::publishing::reconcile::{self, Decision, Reading};
use vintedbot_domain::publishing::{EffectKind, EffectState, WaitReason, steps};
use vintedbot_domain::store::entities::effects;
use vintedbot_domain::{Context, Reason, Result};
use vintedbot_marketplace::Error as SiteError;

use super::attempt::limited;
use super::{form_session, manual_takeover as window, stopped};
use crate::Worker;
use crate::stage::Stage;

/// The maximum clicks without effect before a person is asked instead of clicking again. It is higher than the number
/// of crashes and lost requests that usually coincide.
pub const NO_EFFECT_OBSERVED_CLICKS: u64 = 8;

/// Reads the site once and applies the decision.
pub async fn run(worker: &Worker, work: &Work, effect: effects::Model) -> Result<FollowUp> {
    let context = &worker.context;
    if effect.state == EffectState::Intended && effect.kind == EffectKind::ManualTakeover {
        // The attempt's browser has been ended before, if it could be reached.
        close_window(context, work, &effect).await?;
    } else if effect.state == EffectState::Intended {
        // The intent has expired; the settling window begins now.
        outcome::unconfirmed(
            context,
            &effect.id,
            "its worker ended before it recorded the outcome",
        )
        .await?;
    }
    let content = &work.revision.content;
    let claimed = reconcile::claimed(context, &work.account_context.account_id).await?;
    let reading = match limited(worker, read(worker, work, &effect, &claimed)).await {
        Ok(reading) => reading,
        Err(error) => return stopped(worker, &work.job_id, Stage::SiteRead.name(), &error).await,
    };
    Stage::SiteRead.reached().await;
    let now = context.store.now().await?;
    let decision = reconcile::decide(&effect, content, &claimed, &reading, now);
    if effect.kind == EffectKind::ManualTakeover {
        let seen = manual_takeover::seen(&effect, content, &claimed, &reading.wardrobe);
        window::note_draft(worker, work, &effect, &seen).await?;
    }
    let next = apply(worker, work, &effect, decision, now).await?;
    Stage::Reconciled.reached().await;
    Ok(next)
}

/// Closes the takeover of an ended worker.
async fn close_window(context: &Context, work: &Work, effect: &effects::Model) -> Result<()> {
    let is_over = context.store.now().await? >= effect.not_after;
    let why = if is_over { Closed::InTime } else { Closed::WithUs };
    manual_takeover::closed(context, &effect.id, why).await?;
    let message = "the window was closed: the worker that watched it had ended";
    steps::note(context, &work.job_id, "WINDOW_WATCHED", message).await
}

async fn read(
    worker: &Worker,
    work: &Work,
    effect: &effects::Model,
    claimed: &std::collections::HashMap<String, String>,
) -> std::result::Result<Reading, SiteError> {
    let mut reading = Reading::default();
    if let Some(target) = &effect.target_remote_id {
        reading.target = worker.marketplace.item(&work.account_context, target).await?;
        if reading.target.is_some() {
            return Ok(reading);
        }
    }
    reading.wardrobe = worker.marketplace.wardrobe(&work.account_context).await?;
    if effect.kind == EffectKind::DraftSave {
        for item in reconcile::candidates(effect, &work.revision.content, claimed, &reading.wardrobe) {
            if let Some(detail) = worker.marketplace.item(&work.account_context, &item.id).await? {
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
) -> Result<FollowUp> {
    let context = &worker.context;
    let at_once = FollowUp::Later {
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
            steps::note(context, &work.job_id, step, &format!("found as {remote_id}")).await?;
            match effect.kind {
                EffectKind::DraftSave => outcome::draft_saved(context, &effect.id, &remote_id).await?,
                _ => {
                    outcome::published(
                        context,
                        &effect.id,
                        &remote_id,
                        &url,
                        hidden,
                        "found by reconciliation",
                    )
                    .await?;
                }
            }
            Ok(at_once)
        }
        Decision::NotDone { strays } => {
            if !form_session::has_ended(context, &work.account_context.account_id, &effect.form_session_id)
                .await?
                && effect.kind.publishes()
            {
                let message = "it cannot be proven that the earlier attempt has ended".to_owned();
                return Ok(FollowUp::Ask {
                    reason: Reason::OutcomeUnknown,
                    message,
                });
            }
            if effect.kind == EffectKind::Publish
                && outcome::clicks_without_trace(context, &work.job_id).await? >= NO_EFFECT_OBSERVED_CLICKS
            {
                let message =
                    "publishing was attempted several times without effect; check the wardrobe on the site"
                        .to_owned();
                return Ok(FollowUp::Ask {
                    reason: Reason::OutcomeUnknown,
                    message,
                });
            }
            if effect.kind == EffectKind::ManualTakeover {
                steps::note(context, &work.job_id, step, "nothing was published in the window").await?;
                manual_takeover::not_used(context, &effect.id).await?;
                return Ok(FollowUp::NoChange);
            }
            outcome::not_done(context, &effect.id, outcome::NO_EFFECT_OBSERVED, true, &strays).await?;
            steps::note(context, &work.job_id, step, "not done; retrying").await?;
            Ok(at_once)
        }
        Decision::NotYet => {
            let until = now + context.settings.effects.settle_poll_ms;
            Ok(FollowUp::Later {
                until,
                why: WaitReason::Settling,
            })
        }
        Decision::Ask => {
            let message =
                "the site does not show the outcome; check the wardrobe there, then call ResolvePublishJob"
                    .to_owned();
            Ok(FollowUp::Ask {
                reason: Reason::OutcomeUnknown,
                message,
            })
        }
    }
}
