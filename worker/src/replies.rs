//! The handler of replies: one attempt, from its plan to what is written down about it.

use std::sync::Arc;
use std::time::Duration;

use vintedbot_domain::inbox::replies::attempt::{self as plans, Plan, Work};
use vintedbot_domain::inbox::replies::outcome::{self, Next};
use vintedbot_domain::inbox::replies::reconcile::{self, Decision};
use vintedbot_domain::inbox::sync;
use vintedbot_domain::jobs::{self, Claim};
use vintedbot_domain::publishing::EffectState;
use vintedbot_domain::publishing::outcome::Next as Follows;
use vintedbot_domain::store::entities::effects;
use vintedbot_domain::{Reason, Result};
use vintedbot_marketplace::{Conversation, Error as SiteError, OutgoingReply, Seat, Stopped};

use crate::effects as writes;
use crate::publishing::{describe, next_of};
use crate::stage::Stage;
use crate::wardrobe::keep;
use crate::{Worker, photos};

/// Sendings that may leave no trace before a person is asked instead of sending once more.
const TRACELESS_SENDINGS: u64 = 3;

/// Does what a claimed reply needs now, and lets go of it.
pub async fn run(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let next = match plans::begin(domain, claim).await? {
        Plan::Nothing => return Ok(()),
        Plan::Send(work) => kept(worker, claim, send(worker, claim, &work)).await?,
        Plan::Reconcile(work, effect) => kept(worker, claim, look(worker, &work, *effect)).await?,
    };
    outcome::conclude(domain, claim, next).await
}

/// Sends what was written, after a complete reading of the conversation.
async fn send(worker: &Worker, claim: &Claim, work: &Work) -> Result<Next> {
    let domain = &worker.domain;
    let conversation = match read_for(worker, work).await? {
        Ok(conversation) => conversation,
        Err(next) => return Ok(next),
    };
    Stage::ConversationRead.reached().await;
    if !conversation.reply_allowed {
        return Ok(Next::Failed {
            reason: Reason::ReplyNotAllowed,
            message: "the site takes no reply in this thread".to_owned(),
        });
    }
    if work.photo_sha256s.iter().any(String::is_empty) {
        return Ok(Next::Failed {
            reason: Reason::NotFound,
            message: "a photo that was to go with it is not here any more".to_owned(),
        });
    }
    let reply = OutgoingReply {
        reply_id: work.reply_id.clone(),
        conversation_id: work.conversation_id.clone(),
        text: work.text.clone(),
        photos: photos::files(worker, &work.photo_sha256s).await?,
    };
    let known = reconcile::message_ids(&conversation);
    if known.is_empty() && reconcile::has_messages(domain, work).await? {
        return Ok(Next::Again {
            reason: Reason::SiteChanged,
            message: "the site shows none of the messages that it showed before".to_owned(),
        });
    }
    if let Some(next) = writes::send_reply(worker, claim, work, &reply, &known).await? {
        return Ok(next);
    }
    // So that the message is seen here at once, too. What it says decides nothing any more.
    if let Err(next) = read_for(worker, work).await? {
        tracing::info!(
            reply_id = work.reply_id,
            ?next,
            "a reply was sent, and not read back at once"
        );
    }
    Ok(Next::AsItIs)
}

/// Reads the conversation once for what became of an effect, and decides as far as that goes.
async fn look(worker: &Worker, work: &Work, effect: effects::Model) -> Result<Next> {
    let domain = &worker.domain;
    if effect.state == EffectState::Intended {
        // Its time is over: from here on the settling window runs.
        let note = "its sender ended before it could say what happened";
        outcome::unconfirmed(domain, &effect.id, true, note).await?;
    }
    // What it was claimed as before this reading counts, and nothing that a later one claims.
    let claimed = reconcile::claimed(domain, work).await?;
    let conversation = match read_for(worker, work).await? {
        Ok(conversation) => conversation,
        Err(next) => return Ok(next),
    };
    Stage::ConversationRead.reached().await;
    let now = domain.store.now().await?;
    let next = match reconcile::decide(&effect, work, &claimed, &conversation, now) {
        Decision::Sent { remote_id } => {
            outcome::delivered(domain, &effect.id, Some(&remote_id), "found by reading").await?;
            // The message is stored already; its row was claimed with it.
            Next::AsItIs
        }
        Decision::NotYet => later(worker, now),
        Decision::NothingOnce => {
            outcome::note(domain, &effect.id, reconcile::NOTHING_ONCE).await?;
            later(worker, now)
        }
        Decision::Differs => Next::Ask {
            reason: Reason::ReplyDiffers,
            message: "a message of yours appeared in the thread, with another text; look whether it is this one, then \
                      call ResolveReply"
                .to_owned(),
        },
        Decision::Incomplete => Next::Ask {
            reason: Reason::OutcomeUnknown,
            message: "the site does not show the whole thread, so that it cannot be known whether this was sent; look there, \
                      then call ResolveReply"
                .to_owned(),
        },
        Decision::NotSent => again(worker, work, &effect).await?,
    };
    Stage::Reconciled.reached().await;
    Ok(next)
}

/// Sent again where a program may decide that, and where the first attempt provably cannot act any more.
async fn again(worker: &Worker, work: &Work, effect: &effects::Model) -> Result<Next> {
    let domain = &worker.domain;
    let ask = |message: &str| Next::Ask {
        reason: Reason::OutcomeUnknown,
        message: format!("{message}; look at the thread on the site, then call ResolveReply"),
    };
    if work.manual {
        return Ok(ask("the site shows nothing of this reply"));
    }
    let sender = &effect.composer_id;
    // No sender: the request came to its end.
    let is_gone = sender.is_empty()
        || jobs::owner_is_gone(&domain.store, sender, &worker.identity, worker.is_running).await?;
    if !is_gone {
        return Ok(ask("it cannot be proven that the earlier attempt has ended"));
    }
    if outcome::sent_without_trace(domain, &work.reply_id).await? >= TRACELESS_SENDINGS {
        return Ok(ask(
            "it was sent again and again, and the site shows nothing of it",
        ));
    }
    outcome::not_sent(domain, &effect.id, outcome::TRACELESS).await?;
    Ok(Next::AsItIs)
}

pub fn later(worker: &Worker, now: i64) -> Next {
    Next::Later {
        until: now + worker.domain.settings.settle_poll_ms,
    }
}

/// A complete reading of a reply's conversation, which has to be there.
async fn read_for(worker: &Worker, work: &Work) -> Result<std::result::Result<Conversation, Next>> {
    let found = read(worker, &work.account_id, &work.seat, &work.conversation_id).await?;
    Ok(found.and_then(|found| {
        found.ok_or_else(|| Next::Failed {
            reason: Reason::NotFound,
            message: "the conversation is not on the site any more".to_owned(),
        })
    }))
}

/// A complete reading of a conversation, which is stored as any other; none where the site has no such conversation.
pub async fn read(
    worker: &Worker,
    account_id: &str,
    seat: &Seat,
    conversation_id: &str,
) -> Result<std::result::Result<Option<Conversation>, Next>> {
    let domain = &worker.domain;
    let limit = Duration::from_millis(u64::try_from(domain.settings.attempt_timeout_ms).unwrap_or(1_000));
    let reading = async {
        tokio::select! {
            result = worker.marketplace.conversation(seat, conversation_id) => result,
            () = tokio::time::sleep(limit) => Err(SiteError::Unavailable("the reading took too long".to_owned())),
            () = worker.drain.cancelled() => Err(SiteError::Stopped(Stopped("drained".to_owned()))),
        }
    };
    match reading.await {
        Ok(Some(conversation)) => {
            sync::store(domain, account_id, &seat.site, &conversation).await?;
            Ok(Ok(Some(conversation)))
        }
        Ok(None) => Ok(Ok(None)),
        Err(error) => Ok(Err(stopped(worker, &error).await?)),
    }
}

/// What follows from an error that sent nothing.
pub async fn stopped(worker: &Worker, error: &SiteError) -> Result<Next> {
    if matches!(error, SiteError::Stopped(_)) {
        return Ok(Next::HandedBack);
    }
    tracing::warn!(error = describe(error), "an attempt at a reply stopped");
    Ok(match next_of(&worker.domain, error).await? {
        Follows::Blocked {
            reason,
            message,
            account,
        } => Next::Blocked {
            reason,
            message,
            account,
        },
        Follows::Quiet { until } => Next::Quiet { until },
        Follows::Failed { reason, message } => Next::Failed { reason, message },
        Follows::Again { reason, message } => Next::Again { reason, message },
        Follows::Later { until, .. } => Next::Later { until },
        Follows::Ask { reason, message } => Next::Ask { reason, message },
        Follows::Prepared { .. } | Follows::Cancelled | Follows::HandedBack | Follows::AsItIs => Next::AsItIs,
    })
}

/// Runs an attempt while its claim is renewed. The gate refuses one whose claim is lost, so that it need not be torn down.
pub async fn kept<T>(worker: &Worker, claim: &Claim, attempt: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::pin!(attempt);
    tokio::select! {
        result = &mut attempt => return result,
        () = keep(worker, claim) => {}
    }
    attempt.await
}
