//! The handler of replies: runs one attempt, from its plan to its recorded outcome.

use std::sync::Arc;
use std::time::Duration;

use vintedbot_domain::inbox::replies::attempt::{self as plans, Plan, Work};
use vintedbot_domain::inbox::replies::outcome::{self, FollowUp};
use vintedbot_domain::inbox::replies::reconcile::{self, Decision};
use vintedbot_domain::inbox::sync;
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::publishing::EffectState;
use vintedbot_domain::publishing::outcome::FollowUp as Follows;
use vintedbot_domain::store::entities::effects;
use vintedbot_domain::{Reason, Result};
use vintedbot_marketplace::{AccountContext, Conversation, Error as SiteError, OutgoingReply, Stopped};

use crate::effects as writes;
use crate::publishing::{describe, next_of};
use crate::stage::Stage;
use crate::wardrobe::renew_lease;
use crate::{Worker, photos};

/// The maximum sends without effect before a person is asked instead of sending again.
const NO_EFFECT_OBSERVED_SENDINGS: u64 = 3;

/// Executes the next step of a claimed reply and releases the claim.
pub async fn run(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let next = match plans::begin(context, claim).await? {
        Plan::Nothing => return Ok(()),
        Plan::Send(work) => with_lease(worker, claim, send(worker, claim, &work)).await?,
        Plan::Reconcile(work, effect) => with_lease(worker, claim, look(worker, &work, *effect)).await?,
    };
    outcome::conclude(context, claim, next).await
}

/// Sends the reply, after a complete reading of the conversation.
async fn send(worker: &Worker, claim: &Claim, work: &Work) -> Result<FollowUp> {
    let context = &worker.context;
    let conversation = match read_for(worker, work).await? {
        Ok(conversation) => conversation,
        Err(next) => return Ok(next),
    };
    Stage::ConversationRead.reached().await;
    if !conversation.reply_allowed {
        return Ok(FollowUp::Failed {
            reason: Reason::ReplyNotAllowed,
            message: "the site allows no reply in this thread".to_owned(),
        });
    }
    let reply = OutgoingReply {
        reply_id: work.reply_id.clone(),
        conversation_id: work.conversation_id.clone(),
        text: work.text.clone(),
        photos: photos::files(worker, &work.photo_sha256s).await?,
    };
    let known = reconcile::message_ids(&conversation);
    if known.is_empty() && reconcile::has_messages(context, work).await? {
        return Ok(FollowUp::Retry {
            reason: Reason::SiteResponseUnexpected,
            message: "the site shows none of the messages that it showed before".to_owned(),
        });
    }
    if let Some(next) = writes::send_reply(worker, claim, work, &reply, &known).await? {
        return Ok(next);
    }
    // Stores the sent message at once. The result of this reading does not affect the outcome.
    if let Err(next) = read_for(worker, work).await? {
        tracing::info!(
            reply_id = work.reply_id,
            ?next,
            "a reply was sent, but the thread could not be read afterwards"
        );
    }
    Ok(FollowUp::NoChange)
}

/// Reads the conversation once to determine the outcome of an effect, and applies the decision.
async fn look(worker: &Worker, work: &Work, effect: effects::Model) -> Result<FollowUp> {
    let context = &worker.context;
    if effect.state == EffectState::Intended {
        // The intent has expired; the settling window begins now.
        let note = "its worker ended before it recorded the outcome";
        outcome::unconfirmed(context, &effect.id, true, note).await?;
    }
    // Only messages that were claimed before this reading count as claimed.
    let claimed = reconcile::claimed(context, work).await?;
    let conversation = match read_for(worker, work).await? {
        Ok(conversation) => conversation,
        Err(next) => return Ok(next),
    };
    Stage::ConversationRead.reached().await;
    let now = context.store.now().await?;
    let next = match reconcile::decide(&effect, work, &claimed, &conversation, now) {
        Decision::Sent { remote_id } => {
            outcome::delivered(context, &effect.id, Some(&remote_id), "found by reconciliation").await?;
            // The message is stored already, and its row is linked to the reply.
            FollowUp::NoChange
        }
        Decision::NotYet => later(worker, now),
        Decision::NothingOnce => {
            outcome::note(context, &effect.id, reconcile::NOTHING_ONCE).await?;
            later(worker, now)
        }
        Decision::Differs => FollowUp::Ask {
            reason: Reason::ReplyDiffers,
            message: "the thread has a new message of this account with another text; check whether it is this reply, \
                      then call ResolveReply"
                .to_owned(),
        },
        Decision::Incomplete => FollowUp::Ask {
            reason: Reason::OutcomeUnknown,
            message: "the site does not show the whole thread, so it is unknown whether this reply was sent; check the \
                      thread there, then call ResolveReply"
                .to_owned(),
        },
        Decision::NotSent => resend(worker, work, &effect).await?,
    };
    Stage::Reconciled.reached().await;
    Ok(next)
}

/// Sends the reply again if the mode allows it and the first attempt provably can no longer act.
async fn resend(worker: &Worker, work: &Work, effect: &effects::Model) -> Result<FollowUp> {
    let context = &worker.context;
    let ask = |message: &str| FollowUp::Ask {
        reason: Reason::OutcomeUnknown,
        message: format!("{message}; check the thread on the site, then call ResolveReply"),
    };
    if work.manual {
        return Ok(ask("the site does not show this reply"));
    }
    let sender = &effect.form_session_id;
    // Without a sender, the request is known to have ended.
    let is_gone = sender.is_empty()
        || jobs::worker_is_gone(&context.store, sender, &worker.identity, worker.is_running).await?;
    if !is_gone {
        return Ok(ask("it cannot be proven that the earlier attempt has ended"));
    }
    if outcome::sent_without_trace(context, &work.reply_id).await? >= NO_EFFECT_OBSERVED_SENDINGS {
        return Ok(ask("it was sent several times, and the site does not show it"));
    }
    outcome::not_sent(context, &effect.id, outcome::NO_EFFECT_OBSERVED).await?;
    Ok(FollowUp::NoChange)
}

pub fn later(worker: &Worker, now: i64) -> FollowUp {
    FollowUp::Later {
        until: now + worker.context.settings.effects.settle_poll_ms,
    }
}

/// Reads a reply's conversation completely. Fails if the conversation does not exist.
async fn read_for(worker: &Worker, work: &Work) -> Result<std::result::Result<Conversation, FollowUp>> {
    let found = read(
        worker,
        &work.account_id,
        &work.account_context,
        &work.conversation_id,
    )
    .await?;
    Ok(found.and_then(|found| {
        found.ok_or_else(|| FollowUp::Failed {
            reason: Reason::NotFound,
            message: "the conversation is no longer on the site".to_owned(),
        })
    }))
}

/// Reads a conversation completely and stores it like any other reading. Returns `None` if the site has no such
/// conversation.
pub async fn read(
    worker: &Worker,
    account_id: &str,
    account_context: &AccountContext,
    conversation_id: &str,
) -> Result<std::result::Result<Option<Conversation>, FollowUp>> {
    let context = &worker.context;
    let limit =
        Duration::from_millis(u64::try_from(context.settings.jobs.attempt_timeout_ms).unwrap_or(1_000));
    let reading = async {
        tokio::select! {
            result = worker.marketplace.conversation(account_context, conversation_id) => result,
            () = tokio::time::sleep(limit) => Err(SiteError::Unavailable("the reading took too long".to_owned())),
            () = worker.drain.cancelled() => Err(SiteError::Stopped(Stopped("drained".to_owned()))),
        }
    };
    match reading.await {
        Ok(Some(conversation)) => {
            sync::store(context, account_id, &account_context.site, &conversation).await?;
            Ok(Ok(Some(conversation)))
        }
        Ok(None) => Ok(Ok(None)),
        Err(error) => Ok(Err(stopped(worker, &error).await?)),
    }
}

/// Returns the follow-up of an error that sent nothing.
pub async fn stopped(worker: &Worker, error: &SiteError) -> Result<FollowUp> {
    if matches!(error, SiteError::Stopped(_)) {
        return Ok(FollowUp::HandedBack);
    }
    tracing::warn!(error = describe(error), "an attempt at a reply stopped");
    Ok(match next_of(&worker.context, error).await? {
        Follows::Blocked {
            reason,
            message,
            account,
        } => FollowUp::Blocked {
            reason,
            message,
            account,
        },
        Follows::Cooldown { until } => FollowUp::Cooldown { until },
        Follows::Failed { reason, message } => FollowUp::Failed { reason, message },
        Follows::Retry { reason, message } => FollowUp::Retry { reason, message },
        Follows::Later { until, .. } => FollowUp::Later { until },
        Follows::Ask { reason, message } => FollowUp::Ask { reason, message },
        Follows::Prepared { .. } | Follows::Cancelled | Follows::HandedBack | Follows::NoChange => {
            FollowUp::NoChange
        }
    })
}

/// Runs an attempt while its claim is renewed. An attempt whose claim is lost runs to its end, because its intent would
/// be denied.
pub async fn with_lease<T>(
    worker: &Worker,
    claim: &Claim,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::pin!(attempt);
    tokio::select! {
        result = &mut attempt => return result,
        () = renew_lease(worker, claim) => {}
    }
    attempt.await
}
