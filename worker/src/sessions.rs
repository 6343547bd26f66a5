//! Sessions on the site: trying one that a person brings, and asking whether the one in use still works. Somebody waits for
//! the answer, so that nothing is tried again by itself.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use vintedbot_domain::accounts::{self, Tried};
use vintedbot_domain::jobs::{Answer, Claim, Outcome};
use vintedbot_domain::{Reason, Result};
use vintedbot_marketplace::challenge::AccountFollows;
use vintedbot_marketplace::{Error as SiteError, Member};

use crate::Worker;
use crate::publishing::{challenge_reason, describe};

/// What came of asking the site.
enum Asked {
    Answered(std::result::Result<Member, SiteError>),
    /// The process is to end; another one asks.
    Drained,
}

/// Tries an imported session, and puts it in use where it works.
pub async fn import(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let tried = match accounts::candidate(domain, claim).await? {
        None => Tried::Refused(Answer::refused(
            Reason::ResourceChanged,
            "another import was made meanwhile, or the account was moved or removed",
        )),
        Some(_) if claim.job.claims > domain.settings.max_claims => Tried::Refused(given_up()),
        Some(candidate) => {
            let trying = worker
                .marketplace
                .try_session(&candidate.seat, &candidate.session);
            match asked(worker, claim, trying).await {
                Asked::Drained => return hand_back(worker, claim).await,
                Asked::Answered(Ok(member)) => Tried::Works(member),
                Asked::Answered(Err(error)) => Tried::Refused(refusal(&error)),
            }
        }
    };
    if accounts::settle_import(domain, claim, tried).await? {
        let account_id = claim.job.account_id.as_deref().unwrap_or_default();
        worker.marketplace.forget(account_id).await;
    }
    Ok(())
}

/// Asks who is logged in. That nobody is, is an answer too.
pub async fn check(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let account_id = claim.job.account_id.clone().unwrap_or_default();
    let Some(seat) = accounts::seat_of(domain, &account_id).await? else {
        let gone = Answer::refused(Reason::NotFound, "the account was removed");
        return accounts::settle_check(domain, claim, gone).await;
    };
    if claim.job.claims > domain.settings.max_claims {
        return accounts::settle_check(domain, claim, given_up()).await;
    }
    let answer = match asked(worker, claim, worker.marketplace.member(&seat)).await {
        Asked::Drained => return hand_back(worker, claim).await,
        Asked::Answered(Ok(member)) => {
            accounts::checked(domain, &account_id, &seat.site, &member).await?;
            Answer::Done
        }
        Asked::Answered(Err(SiteError::SessionInvalid(_))) => Answer::Done,
        Asked::Answered(Err(error)) => {
            if let SiteError::Challenge { verdict, .. } = &error {
                crate::accounts::challenged(worker, &account_id, verdict).await?;
            }
            refusal(&error)
        }
    };
    accounts::settle_check(domain, claim, answer).await
}

/// Asks, and keeps the claim meanwhile.
async fn asked(
    worker: &Worker,
    claim: &Claim,
    asking: impl Future<Output = std::result::Result<Member, SiteError>>,
) -> Asked {
    let settings = &worker.domain.settings;
    let heartbeat = Duration::from_millis(u64::try_from(settings.heartbeat_ms).unwrap_or(1_000));
    let keeper = async {
        loop {
            tokio::time::sleep(heartbeat).await;
            match claim.renew(&worker.domain.store, settings.lease_ms).await {
                Ok(true) => {}
                // Whoever has it now answers.
                Ok(false) => std::future::pending().await,
                Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
            }
        }
    };
    tokio::select! {
        answer = asking => Asked::Answered(answer),
        () = keeper => Asked::Drained,
        () = worker.drain.cancelled() => Asked::Drained,
    }
}

async fn hand_back(worker: &Worker, claim: &Claim) -> Result<()> {
    let (claim, back_off) = (claim.clone(), worker.domain.settings.back_off());
    worker
        .domain
        .store
        .write(move |tx| {
            let claim = claim.clone();
            async move { claim.finish(tx, &Outcome::HandBack, &back_off).await }.boxed()
        })
        .await
}

fn given_up() -> Answer {
    Answer::refused(
        Reason::SiteUnavailable,
        "given up after several attempts that ended with their worker",
    )
}

/// What the person is told of an error.
pub fn refusal(error: &SiteError) -> Answer {
    let reason = match error {
        SiteError::Challenge { verdict, .. } => match verdict.kind.consequence().account {
            AccountFollows::LoggedOut => Reason::SessionInvalid,
            _ => challenge_reason(verdict.kind),
        },
        SiteError::SessionInvalid(_) => Reason::SessionInvalid,
        SiteError::NoSession(_) => Reason::SessionRequired,
        SiteError::Shape(_) => Reason::SiteChanged,
        SiteError::Browser(_) => Reason::BrowserUnavailable,
        _ => Reason::SiteUnavailable,
    };
    Answer::refused(reason, describe(error))
}
