//! The one module that calls the marketplace's writing methods, each after the transaction that committed its intent.

use std::time::Duration;

use futures::future::BoxFuture;
use vintedbot_domain::inbox::removal::attempt::{self as removal, Became};
use vintedbot_domain::inbox::replies::attempt::Work as ReplyWork;
use vintedbot_domain::inbox::replies::outcome::Next as ReplyNext;
use vintedbot_domain::inbox::replies::{gate as reply_gate, outcome as reply_outcome};
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::gate::{self, Intent, Proposal, Shut};
use vintedbot_domain::publishing::outcome::{self, Next};
use vintedbot_domain::publishing::{StepOutcome, WaitReason, steps};
use vintedbot_domain::{Domain, Reason, Result};
use vintedbot_marketplace::{
    Changed, Composer, Error as SiteError, OutgoingReply, Permit, Published, Saved, WriteError,
};

use crate::Worker;
use crate::publishing::{describe, evidence_of, next_of};
use crate::stage::Stage;

/// How a write went: what it made, or what follows for the job.
pub type Written<T> = std::result::Result<T, Next>;

struct Ticket<'a> {
    intent: &'a Intent,
    domain: &'a Domain,
}

impl Permit for Ticket<'_> {
    fn still_valid(&self) -> bool {
        self.intent.still_valid(&*self.domain.clock)
    }
}

/// A writing method of the form.
type Click<T> =
    for<'a> fn(&'a mut dyn Composer, &'a dyn Permit) -> BoxFuture<'a, std::result::Result<T, WriteError>>;

/// Commits an intent and clicks, once. Answers with the effect's id, whose outcome the caller writes down, and with what the
/// site said. `stages` are those right after the commit and right after the click.
async fn write<T>(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    composer: &mut dyn Composer,
    click: Click<T>,
    stages: [Stage; 2],
) -> Result<Written<(String, T)>> {
    let (domain, [intended, clicked]) = (&worker.domain, stages);
    let job_id = proposal.job_id.clone();
    let intent = match gate::intend(domain, claim, proposal).await? {
        Ok(intent) => intent,
        Err(shut) => return Ok(Err(next_of_shut(domain, shut).await?)),
    };
    intended.reached().await;
    let ticket = Ticket {
        intent: &intent,
        domain,
    };
    let result = limited(domain, click(composer, &ticket)).await;
    clicked.reached().await;
    match result {
        Ok(said) => Ok(Ok((intent.effect_id, said))),
        Err(error) => failed(domain, &intent, &job_id, clicked, error).await.map(Err),
    }
}

/// Saves a draft, once. Answers with its id on the site.
pub async fn save_draft(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    composer: &mut dyn Composer,
) -> Result<Written<String>> {
    let (domain, job_id) = (&worker.domain, proposal.job_id.clone());
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that the rule points to"
    )]
    let click: Click<Saved> = |composer, permit| composer.save_draft(permit);
    let stages = [Stage::DraftIntended, Stage::DraftClicked];
    let (effect_id, saved) = match write(worker, claim, proposal, composer, click, stages).await? {
        Ok(written) => written,
        Err(next) => return Ok(Err(next)),
    };
    let Some(remote_id) = saved.remote_id else {
        outcome::unconfirmed(domain, &effect_id, "the draft's id was not seen").await?;
        return Ok(Err(settling(domain).await?));
    };
    outcome::draft_saved(domain, &effect_id, &remote_id).await?;
    let (step, note) = (Stage::DraftRecorded, format!("draft {remote_id}"));
    steps::note(domain, &job_id, step.name(), &note).await?;
    step.reached().await;
    Ok(Ok(remote_id))
}

/// Publishes a draft, once. Answers with the effect's id, whose outcome the caller writes down, and with what the site said.
pub async fn publish(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    composer: &mut dyn Composer,
) -> Result<Written<(String, Published)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that the rule points to"
    )]
    let click: Click<Published> = |composer, permit| composer.publish(permit);
    let stages = [Stage::PublishIntended, Stage::PublishClicked];
    write(worker, claim, proposal, composer, click, stages).await
}

/// Makes a change of an item, once. Answers as [`publish`].
pub async fn change(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    composer: &mut dyn Composer,
) -> Result<Written<(String, Changed)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that the rule points to"
    )]
    let click: Click<Changed> = |composer, permit| composer.change(permit);
    let stages = [Stage::PublishIntended, Stage::PublishClicked];
    write(worker, claim, proposal, composer, click, stages).await
}

/// Leaves the filled window to the person, once: to ask for it was the consent, and an item may come of it. Answers with the
/// intent, whose outcome the caller finds out.
pub async fn hand_over(
    worker: &Worker,
    claim: &Claim,
    proposal: Proposal,
    composer: &mut dyn Composer,
) -> Result<Written<String>> {
    let domain = &worker.domain;
    let intent = match gate::intend(domain, claim, proposal).await? {
        Ok(intent) => intent,
        Err(shut) => return Ok(Err(next_of_shut(domain, shut).await?)),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that the rule points to"
    )]
    let given = composer.hand_over().await;
    if let Err(error) = given {
        // The window may be seen all the same: whoever watches it finds out.
        tracing::warn!(%error, "a window could not be brought before the person");
    }
    Ok(Ok(intent.effect_id))
}

/// A write that takes longer than the click's window and the longest request has an unknown outcome.
async fn limited<T>(
    domain: &Domain,
    write: impl Future<Output = std::result::Result<T, WriteError>>,
) -> std::result::Result<T, WriteError> {
    let limit = domain.settings.click_window_ms + domain.settings.request_timeout_ms;
    let limit = Duration::from_millis(u64::try_from(limit).unwrap_or(0));
    match tokio::time::timeout(limit, write).await {
        Ok(result) => result,
        Err(_) => Err(WriteError::Unknown(SiteError::Unavailable(
            "no answer in time".to_owned(),
        ))),
    }
}

async fn failed(
    domain: &Domain,
    intent: &Intent,
    job_id: &str,
    stage: Stage,
    error: WriteError,
) -> Result<Next> {
    let (error, next) = match error {
        WriteError::NotSent(error) => {
            outcome::not_done(domain, &intent.effect_id, "the click was not made", false, &[]).await?;
            let next = next_of(domain, &error).await?;
            (error, next)
        }
        WriteError::Refused(error) => {
            outcome::not_done(domain, &intent.effect_id, "the site refused it", false, &[]).await?;
            let next = Next::Failed {
                reason: Reason::SiteRefused,
                message: error.to_string(),
            };
            (error, next)
        }
        WriteError::Unknown(error) => {
            outcome::unconfirmed(domain, &intent.effect_id, &error.to_string()).await?;
            let next = match &error {
                SiteError::Challenge { .. } => next_of(domain, &error).await?,
                _ => settling(domain).await?,
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
        domain,
        job_id,
        stage.name(),
        outcome,
        &describe(&error),
        evidence_of(&error),
    )
    .await?;
    Ok(next)
}

async fn next_of_shut(domain: &Domain, shut: Shut) -> Result<Next> {
    let now = domain.store.now().await?;
    Ok(match shut {
        Shut::ClaimLost => Next::AsItIs,
        Shut::Cancelled => Next::Cancelled,
        Shut::AccountPaused => Next::Later {
            until: now,
            why: WaitReason::AccountPaused,
        },
        Shut::NoConsent => Next::Failed {
            reason: Reason::ConfirmationRequired,
            message: "there is no consent for this".to_owned(),
        },
        Shut::RateLimited(until) => Next::Later {
            until,
            why: WaitReason::RateLimit,
        },
        Shut::Undecided => Next::Later {
            until: now + domain.settings.settle_poll_ms,
            why: WaitReason::AccountBusy,
        },
    })
}

/// To be read for the first time as soon as the attempt has let go.
async fn settling(domain: &Domain) -> Result<Next> {
    Ok(Next::Later {
        until: domain.store.now().await?,
        why: WaitReason::Settling,
    })
}

/// Sends a reply, once, and writes down what became of it. What follows where it was not sent for certain; none: it was.
pub async fn send_reply(
    worker: &Worker,
    claim: &Claim,
    work: &ReplyWork,
    reply: &OutgoingReply,
    message_ids: &[String],
) -> Result<Option<ReplyNext>> {
    let domain = &worker.domain;
    let intent = match reply_gate::intend(domain, claim, work, message_ids).await? {
        Ok(intent) => intent,
        Err(reply_gate::Shut::Later(until)) => return Ok(Some(ReplyNext::Later { until })),
        Err(reply_gate::Shut::ClaimLost | reply_gate::Shut::Changed) => return Ok(Some(ReplyNext::AsItIs)),
    };
    Stage::ReplyIntended.reached().await;
    let ticket = Ticket {
        intent: &intent,
        domain,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that the rule points to"
    )]
    let sending = worker.marketplace.send_reply(&work.seat, &ticket, reply);
    let result = limited(domain, sending).await;
    Stage::ReplySent.reached().await;
    let effect_id = &intent.effect_id;
    let next = match result {
        Ok(Some(remote_id)) => {
            reply_outcome::delivered(domain, effect_id, Some(&remote_id), "said by the site").await?;
            None
        }
        Ok(None) => {
            let note = "the site took it and did not say as which message";
            reply_outcome::unconfirmed(domain, effect_id, false, note).await?;
            Some(ReplyNext::AsItIs)
        }
        Err(WriteError::NotSent(error)) => {
            reply_outcome::not_sent(domain, effect_id, "the request was not made").await?;
            Some(crate::replies::stopped(worker, &error).await?)
        }
        Err(WriteError::Refused(error)) => {
            reply_outcome::not_sent(domain, effect_id, "the site refused it").await?;
            Some(match crate::replies::stopped(worker, &error).await? {
                // A challenge or a quiet time are told as such; anything else is the site's word on this text.
                next @ (ReplyNext::Blocked { .. } | ReplyNext::Quiet { .. }) => next,
                _ => ReplyNext::Failed {
                    reason: Reason::SiteRefused,
                    message: describe(&error),
                },
            })
        }
        Err(WriteError::Unknown(error)) => {
            reply_outcome::unconfirmed(domain, effect_id, false, &error.to_string()).await?;
            Some(match &error {
                SiteError::Challenge { .. } => crate::replies::stopped(worker, &error).await?,
                _ => ReplyNext::AsItIs,
            })
        }
    };
    Stage::ReplyRecorded.reached().await;
    Ok(next)
}

/// Removes a conversation, once, and writes down what became of it. What follows where that is not that it is gone.
pub async fn remove_thread(
    worker: &Worker,
    claim: &Claim,
    work: &removal::Work,
) -> Result<Option<ReplyNext>> {
    let domain = &worker.domain;
    let Some(intent) = removal::intend(domain, claim, work).await? else {
        return Ok(Some(ReplyNext::AsItIs));
    };
    let ticket = Ticket {
        intent: &intent,
        domain,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that the rule points to"
    )]
    let removing = worker
        .marketplace
        .remove_conversation(&work.seat, &ticket, &work.conversation_id);
    let result = limited(domain, removing).await;
    let (became, next) = match result {
        Ok(()) => (Became::Removed, None),
        Err(WriteError::NotSent(error) | WriteError::Refused(error)) => {
            let note = describe(&error);
            let next = crate::replies::stopped(worker, &error).await?;
            (Became::NotRemoved { note }, Some(next))
        }
        Err(WriteError::Unknown(error)) => {
            let became = Became::Unconfirmed {
                held: false,
                note: error.to_string(),
            };
            let next = match &error {
                SiteError::Challenge { .. } => crate::replies::stopped(worker, &error).await?,
                _ => ReplyNext::AsItIs,
            };
            (became, Some(next))
        }
    };
    removal::became(domain, work, &intent.effect_id, became).await?;
    Ok(next)
}
