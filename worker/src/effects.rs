//! The only module that calls the marketplace's writing methods. Each call follows the transaction that committed its
//! intent.

use std::time::Duration;

use futures::future::BoxFuture;
use vintedbot_domain::inbox::removal::attempt::{self as removal, RemovalOutcome};
use vintedbot_domain::inbox::replies::attempt::Work as ReplyWork;
use vintedbot_domain::inbox::replies::outcome::FollowUp as ReplyNext;
use vintedbot_domain::inbox::replies::{intent as reply_intent, outcome as reply_outcome};
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::intent::{self, Intent, IntentDenied, Proposal};
use vintedbot_domain::publishing::outcome::{self, FollowUp};
use vintedbot_domain::publishing::{StepOutcome, WaitReason, steps};
use vintedbot_domain::{Context, Reason, Result};
use vintedbot_marketplace::{
    Changed, Error as SiteError, ListingFormDriver, OutgoingReply, Permit, Published, Saved, WriteError,
};

use crate::Worker;
use crate::publishing::{describe, evidence_of, next_of};
use crate::stage::Stage;

/// The outcome of a write: its result, or the follow-up of the job.
pub type Written<T> = std::result::Result<T, FollowUp>;

struct Ticket<'a> {
    intent: &'a Intent,
    context: &'a Context,
}

impl Permit for Ticket<'_> {
    fn still_valid(&self) -> bool {
        self.intent.still_valid(&*self.context.clock)
    }
}

/// A writing method of the listing form driver.
type Click<T> = for<'a> fn(
    &'a mut dyn ListingFormDriver,
    &'a dyn Permit,
) -> BoxFuture<'a, std::result::Result<T, WriteError>>;

/// Commits an intent and clicks, once. Returns the effect's id, whose outcome the caller records, and the site's
/// result. `stages` are the stages directly after the commit and directly after the click.
async fn write<T>(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    form_driver: &mut dyn ListingFormDriver,
    click: Click<T>,
    stages: [Stage; 2],
) -> Result<Written<(String, T)>> {
    let (context, [intended, clicked]) = (&worker.context, stages);
    let job_id = proposal.job_id.clone();
    let intent = match intent::commit(context, claim, proposal).await? {
        Ok(intent) => intent,
        Err(denied) => return Ok(Err(follow_up_of_denied(context, denied).await?)),
    };
    intended.reached().await;
    let ticket = Ticket {
        intent: &intent,
        context,
    };
    let result = limited(context, click(form_driver, &ticket)).await;
    clicked.reached().await;
    match result {
        Ok(written) => Ok(Ok((intent.effect_id, written))),
        Err(error) => failed(context, &intent, &job_id, clicked, error).await.map(Err),
    }
}

/// Saves a draft, once. Returns its id on the site.
pub async fn save_draft(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    form_driver: &mut dyn ListingFormDriver,
) -> Result<Written<String>> {
    let (context, job_id) = (&worker.context, proposal.job_id.clone());
    #[expect(
        clippy::disallowed_methods,
        reason = "only this module may call the marketplace's writing methods"
    )]
    let click: Click<Saved> = |form_driver, permit| form_driver.save_draft(permit);
    let stages = [Stage::DraftIntended, Stage::DraftClicked];
    let (effect_id, saved) = match write(worker, claim, proposal, form_driver, click, stages).await? {
        Ok(written) => written,
        Err(next) => return Ok(Err(next)),
    };
    let Some(remote_id) = saved.remote_id else {
        outcome::unconfirmed(context, &effect_id, "the draft's id was not observed").await?;
        return Ok(Err(settling(context).await?));
    };
    outcome::draft_saved(context, &effect_id, &remote_id).await?;
    let (step, note) = (Stage::DraftRecorded, format!("draft {remote_id}"));
    steps::note(context, &job_id, step.name(), &note).await?;
    step.reached().await;
    Ok(Ok(remote_id))
}

/// Publishes a draft, once. Returns the effect's id, whose outcome the caller records, and the site's result.
pub async fn publish(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    form_driver: &mut dyn ListingFormDriver,
) -> Result<Written<(String, Published)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "only this module may call the marketplace's writing methods"
    )]
    let click: Click<Published> = |form_driver, permit| form_driver.publish(permit);
    let stages = [Stage::PublishIntended, Stage::PublishClicked];
    write(worker, claim, proposal, form_driver, click, stages).await
}

/// Changes an item, once. Returns the same as [`publish`].
pub async fn change(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    form_driver: &mut dyn ListingFormDriver,
) -> Result<Written<(String, Changed)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "only this module may call the marketplace's writing methods"
    )]
    let click: Click<Changed> = |form_driver, permit| form_driver.change(permit);
    let stages = [Stage::PublishIntended, Stage::PublishClicked];
    write(worker, claim, proposal, form_driver, click, stages).await
}

/// Commits the intent of a manual takeover and gives the filled window to the person, once. The request for the
/// takeover was the consent. An item may result from it. Returns the effect's id, whose outcome the caller determines.
pub async fn manual_takeover(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    form_driver: &mut dyn ListingFormDriver,
) -> Result<Written<String>> {
    let context = &worker.context;
    let intent = match intent::commit(context, claim, proposal).await? {
        Ok(intent) => intent,
        Err(denied) => return Ok(Err(follow_up_of_denied(context, denied).await?)),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "only this module may call the marketplace's writing methods"
    )]
    let given = form_driver.manual_takeover().await;
    if let Err(error) = given {
        // The window may still be visible; the watch finds out.
        tracing::warn!(%error, "the browser window could not be brought to the front");
    }
    Ok(Ok(intent.effect_id))
}

/// Limits a write to the click's window plus the longest request timeout. After that, its outcome is unknown.
async fn limited<T>(
    context: &Context,
    write: impl Future<Output = std::result::Result<T, WriteError>>,
) -> std::result::Result<T, WriteError> {
    let limit = context.settings.effects.click_window_ms + context.settings.effects.request_timeout_ms;
    let limit = Duration::from_millis(u64::try_from(limit).unwrap_or(0));
    match tokio::time::timeout(limit, write).await {
        Ok(result) => result,
        Err(_) => Err(WriteError::Unknown(SiteError::Unavailable(
            "no answer in time".to_owned(),
        ))),
    }
}

async fn failed(
    context: &Context,
    intent: &Intent,
    job_id: &str,
    stage: Stage,
    error: WriteError,
) -> Result<FollowUp> {
    let (error, next) = match error {
        WriteError::NotSent(error) => {
            outcome::not_done(context, &intent.effect_id, "the click was not made", false, &[]).await?;
            let next = next_of(context, &error).await?;
            (error, next)
        }
        WriteError::Refused(error) => {
            outcome::not_done(context, &intent.effect_id, "the site refused it", false, &[]).await?;
            let next = FollowUp::Failed {
                reason: Reason::SiteRefused,
                message: error.to_string(),
            };
            (error, next)
        }
        WriteError::Unknown(error) => {
            outcome::unconfirmed(context, &intent.effect_id, &error.to_string()).await?;
            let next = match &error {
                SiteError::Challenge { .. } => next_of(context, &error).await?,
                _ => settling(context).await?,
            };
            (error, next)
        }
    };
    let outcome = if matches!(error, SiteError::Challenge { .. }) {
        StepOutcome::Challenged
    } else {
        StepOutcome::Failed
    };
    steps::stopped(
        context,
        job_id,
        stage.name(),
        outcome,
        &describe(&error),
        evidence_of(&error),
    )
    .await?;
    Ok(next)
}

async fn follow_up_of_denied(context: &Context, denied: IntentDenied) -> Result<FollowUp> {
    let now = context.store.now().await?;
    Ok(match denied {
        IntentDenied::ClaimLost => FollowUp::NoChange,
        IntentDenied::Cancelled => FollowUp::Cancelled,
        IntentDenied::AccountPaused => FollowUp::Later {
            until: now,
            why: WaitReason::AccountPaused,
        },
        IntentDenied::NoConsent => FollowUp::Failed {
            reason: Reason::ConfirmationRequired,
            message: "there is no consent for this".to_owned(),
        },
        IntentDenied::RateLimited(until) => FollowUp::Later {
            until,
            why: WaitReason::RateLimit,
        },
        IntentDenied::InDoubt => FollowUp::Later {
            until: now + context.settings.effects.settle_poll_ms,
            why: WaitReason::AccountBusy,
        },
    })
}

/// The first reading for reconciliation is due as soon as this attempt has released its claim.
async fn settling(context: &Context) -> Result<FollowUp> {
    Ok(FollowUp::Later {
        until: context.store.now().await?,
        why: WaitReason::Settling,
    })
}

/// Sends a reply, once, and records the outcome. Returns the follow-up if the reply is not certainly sent, otherwise
/// `None`.
pub async fn send_reply(
    worker: &Worker,
    claim: &Claim,
    work: &ReplyWork,
    reply: &OutgoingReply,
    message_ids: &[String],
) -> Result<Option<ReplyNext>> {
    let context = &worker.context;
    let intent = match reply_intent::commit(context, claim, work, message_ids).await? {
        Ok(intent) => intent,
        Err(reply_intent::IntentDenied::Later(until)) => return Ok(Some(ReplyNext::Later { until })),
        Err(reply_intent::IntentDenied::ClaimLost | reply_intent::IntentDenied::Changed) => {
            return Ok(Some(ReplyNext::NoChange));
        }
    };
    Stage::ReplyIntended.reached().await;
    let ticket = Ticket {
        intent: &intent,
        context,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "only this module may call the marketplace's writing methods"
    )]
    let sending = worker
        .marketplace
        .send_reply(&work.account_context, &ticket, reply);
    let result = limited(context, sending).await;
    Stage::ReplySent.reached().await;
    let effect_id = &intent.effect_id;
    let next = match result {
        Ok(Some(remote_id)) => {
            reply_outcome::delivered(context, effect_id, Some(&remote_id), "reported by the site").await?;
            None
        }
        Ok(None) => {
            let note = "the site accepted the reply and did not return the message id";
            reply_outcome::unconfirmed(context, effect_id, false, note).await?;
            Some(ReplyNext::NoChange)
        }
        Err(WriteError::NotSent(error)) => {
            reply_outcome::not_sent(context, effect_id, "the request was not made").await?;
            Some(crate::replies::stopped(worker, &error).await?)
        }
        Err(WriteError::Refused(error)) => {
            reply_outcome::not_sent(context, effect_id, "the site refused it").await?;
            Some(match crate::replies::stopped(worker, &error).await? {
                // A challenge or a cooldown is reported as such. Any other refusal concerns this text.
                next @ (ReplyNext::Blocked { .. } | ReplyNext::Cooldown { .. }) => next,
                _ => ReplyNext::Failed {
                    reason: Reason::SiteRefused,
                    message: describe(&error),
                },
            })
        }
        Err(WriteError::Unknown(error)) => {
            reply_outcome::unconfirmed(context, effect_id, false, &error.to_string()).await?;
            Some(match &error {
                SiteError::Challenge { .. } => crate::replies::stopped(worker, &error).await?,
                _ => ReplyNext::NoChange,
            })
        }
    };
    Stage::ReplyRecorded.reached().await;
    Ok(next)
}

/// Removes a conversation on the site, once, and records the outcome. Returns the follow-up unless the conversation is
/// removed.
pub async fn remove_thread(
    worker: &Worker,
    claim: &Claim,
    work: &removal::Work,
) -> Result<Option<ReplyNext>> {
    let context = &worker.context;
    let Some(intent) = removal::intend(context, claim, work).await? else {
        return Ok(Some(ReplyNext::NoChange));
    };
    let ticket = Ticket {
        intent: &intent,
        context,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "only this module may call the marketplace's writing methods"
    )]
    let removing =
        worker
            .marketplace
            .remove_conversation(&work.account_context, &ticket, &work.conversation_id);
    let result = limited(context, removing).await;
    let (became, next) = match result {
        Ok(()) => (RemovalOutcome::Removed, None),
        Err(WriteError::NotSent(error) | WriteError::Refused(error)) => {
            let note = describe(&error);
            let next = crate::replies::stopped(worker, &error).await?;
            (RemovalOutcome::NotRemoved { note }, Some(next))
        }
        Err(WriteError::Unknown(error)) => {
            let became = RemovalOutcome::Unconfirmed {
                held: false,
                note: error.to_string(),
            };
            let next = match &error {
                SiteError::Challenge { .. } => crate::replies::stopped(worker, &error).await?,
                _ => ReplyNext::NoChange,
            };
            (became, Some(next))
        }
    };
    removal::became(context, work, &intent.effect_id, became).await?;
    Ok(next)
}
