//! The handler of removals of threads: one attempt, from its plan to what is written down about it.

use std::sync::Arc;

use vintedbot_domain::Result;
use vintedbot_domain::inbox::removal::attempt::{self, Became, Plan, Work};
use vintedbot_domain::inbox::replies::outcome::Next;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::EffectState;
use vintedbot_domain::store::entities::effects;

use crate::Worker;
use crate::effects as writes;
use crate::replies::{kept, later, read};

/// Does what a claimed removal needs now, and lets go of it.
pub async fn run(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let next = match attempt::begin(domain, claim).await? {
        Plan::Nothing => return Ok(()),
        Plan::Remove(work) => kept(worker, claim, remove(worker, claim, &work)).await?,
        Plan::Look(work, effect) => kept(worker, claim, look(worker, &work, *effect)).await?,
    };
    attempt::conclude(domain, claim, next).await
}

/// Removes the conversation, after a reading of it that shows whether it is still what was confirmed.
async fn remove(worker: &Worker, claim: &Claim, work: &Work) -> Result<Next> {
    match read(worker, &work.account_id, &work.seat, &work.conversation_id).await? {
        Ok(Some(_)) => {}
        Ok(None) => {
            attempt::is_gone(&worker.domain, work).await?;
            return Ok(Next::AsItIs);
        }
        Err(next) => return Ok(next),
    }
    let next = writes::remove_thread(worker, claim, work).await?;
    Ok(next.unwrap_or(Next::AsItIs))
}

/// Reads the conversation once for what became of an effect: gone is done; still there counts after the settling window.
async fn look(worker: &Worker, work: &Work, effect: effects::Model) -> Result<Next> {
    let domain = &worker.domain;
    if effect.state == EffectState::Intended {
        // Its time is over: from here on the settling window runs.
        let became = Became::Unconfirmed {
            held: true,
            note: "its sender ended before it could say what happened".to_owned(),
        };
        attempt::became(domain, work, &effect.id, became).await?;
    }
    let found = match read(worker, &work.account_id, &work.seat, &work.conversation_id).await? {
        Ok(found) => found,
        Err(next) => return Ok(next),
    };
    let now = domain.store.now().await?;
    let next = if found.is_none() {
        attempt::became(domain, work, &effect.id, Became::Removed).await?;
        Next::AsItIs
    } else if now < effect.settle_until {
        later(worker, now)
    } else {
        attempt::still_there(domain, work, &effect.id).await?;
        Next::AsItIs
    };
    Ok(next)
}
