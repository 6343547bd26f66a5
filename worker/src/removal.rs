//! The handler of thread removals: runs one attempt, from its plan to its recorded outcome.

use std::sync::Arc;

use vintedbot_domain::Result;
use vintedbot_domain::inbox::removal::attempt::{self, Plan, RemovalOutcome, Work};
use vintedbot_domain::inbox::replies::outcome::FollowUp;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::EffectState;
use vintedbot_domain::store::entities::effects;

use crate::Worker;
use crate::effects as writes;
use crate::replies::{later, read, with_lease};

/// Executes the next step of a claimed removal and releases the claim.
pub async fn run(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let next = match attempt::begin(context, claim).await? {
        Plan::Nothing => return Ok(()),
        Plan::Remove(work) => with_lease(worker, claim, remove(worker, claim, &work)).await?,
        Plan::Look(work, effect) => with_lease(worker, claim, look(worker, &work, *effect)).await?,
    };
    attempt::conclude(context, claim, next).await
}

/// Removes the conversation on the site, after reading it. The intent compares the reading with the confirmed content.
async fn remove(worker: &Worker, claim: &Claim, work: &Work) -> Result<FollowUp> {
    match read(
        worker,
        &work.account_id,
        &work.account_context,
        &work.conversation_id,
    )
    .await?
    {
        Ok(Some(_)) => {}
        Ok(None) => {
            attempt::is_gone(&worker.context, work).await?;
            return Ok(FollowUp::NoChange);
        }
        Err(next) => return Ok(next),
    }
    let next = writes::remove_thread(worker, claim, work).await?;
    Ok(next.unwrap_or(FollowUp::NoChange))
}

/// Reads the conversation once to determine the outcome of an effect. If it is gone, the removal is done. If it is
/// still there, that counts only after the settling window.
async fn look(worker: &Worker, work: &Work, effect: effects::Model) -> Result<FollowUp> {
    let context = &worker.context;
    if effect.state == EffectState::Intended {
        // The intent has expired; the settling window begins now.
        let became = RemovalOutcome::Unconfirmed {
            held: true,
            note: "its worker ended before it recorded the outcome".to_owned(),
        };
        attempt::became(context, work, &effect.id, became).await?;
    }
    let found = match read(
        worker,
        &work.account_id,
        &work.account_context,
        &work.conversation_id,
    )
    .await?
    {
        Ok(found) => found,
        Err(next) => return Ok(next),
    };
    let now = context.store.now().await?;
    let next = if found.is_none() {
        attempt::became(context, work, &effect.id, RemovalOutcome::Removed).await?;
        FollowUp::NoChange
    } else if now < effect.settle_until {
        later(worker, now)
    } else {
        attempt::still_there(context, work, &effect.id).await?;
        FollowUp::NoChange
    };
    Ok(next)
}
