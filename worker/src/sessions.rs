//! Sessions on the site: tries an imported session, and checks the session in use. A caller waits for the result, so
//! failures are not retried automatically.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use vintedbot_domain::accounts::{self, Tried};
use vintedbot_domain::jobs::{Answer, Claim, Outcome};
use vintedbot_domain::{Reason, Result};
use vintedbot_marketplace::challenge::AccountAction;
use vintedbot_marketplace::{Error as SiteError, Member};

use crate::Worker;
use crate::publishing::{challenge_reason, describe};

/// The result of a request to the site.
enum Response {
    Answered(std::result::Result<Member, SiteError>),
    /// The process drains; another process makes the request.
    Drained,
}

/// Tries an imported session, and activates it if it works.
pub async fn import(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let tried = match accounts::candidate(context, claim).await? {
        None => Tried::Refused(Answer::refused(
            Reason::ResourceChanged,
            "another import replaced this one, or the account was moved or removed",
        )),
        Some(_) if claim.job.claims > context.settings.jobs.max_claims => Tried::Refused(given_up()),
        Some(candidate) => {
            let trying = worker
                .marketplace
                .try_session(&candidate.account_context, &candidate.session);
            match ask(worker, claim, trying).await {
                Response::Drained => return hand_back(worker, claim).await,
                Response::Answered(Ok(member)) => Tried::Works(member),
                Response::Answered(Err(error)) => Tried::Refused(refusal(&error)),
            }
        }
    };
    if accounts::settle_import(context, claim, tried).await? {
        let account_id = claim.job.account_id.as_deref().unwrap_or_default();
        worker.marketplace.forget(account_id).await;
    }
    Ok(())
}

/// Checks which member is logged in. A session that does not work is also a result.
pub async fn check(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let account_id = claim.job.account_id.clone().unwrap_or_default();
    let Some(account_context) = accounts::account_context_of(context, &account_id).await? else {
        let gone = Answer::refused(Reason::NotFound, "the account was removed");
        return accounts::settle_check(context, claim, gone).await;
    };
    if claim.job.claims > context.settings.jobs.max_claims {
        return accounts::settle_check(context, claim, given_up()).await;
    }
    let answer = match ask(worker, claim, worker.marketplace.member(&account_context)).await {
        Response::Drained => return hand_back(worker, claim).await,
        Response::Answered(Ok(member)) => {
            accounts::checked(context, &account_id, &account_context.site, &member).await?;
            Answer::Done
        }
        Response::Answered(Err(SiteError::SessionInvalid(_))) => Answer::Done,
        Response::Answered(Err(error)) => {
            if let SiteError::Challenge { verdict, .. } = &error {
                crate::accounts::challenged(worker, &account_id, verdict).await?;
            }
            refusal(&error)
        }
    };
    accounts::settle_check(context, claim, answer).await
}

/// Makes a request while the claim is renewed.
async fn ask(
    worker: &Worker,
    claim: &Claim,
    asking: impl Future<Output = std::result::Result<Member, SiteError>>,
) -> Response {
    let settings = &worker.context.settings;
    let heartbeat = Duration::from_millis(u64::try_from(settings.jobs.heartbeat_ms).unwrap_or(1_000));
    let renewal = async {
        loop {
            tokio::time::sleep(heartbeat).await;
            match claim.renew(&worker.context.store, settings.jobs.lease_ms).await {
                Ok(true) => {}
                // The holder of the claim answers.
                Ok(false) => std::future::pending().await,
                Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
            }
        }
    };
    tokio::select! {
        answer = asking => Response::Answered(answer),
        () = renewal => Response::Drained,
        () = worker.drain.cancelled() => Response::Drained,
    }
}

async fn hand_back(worker: &Worker, claim: &Claim) -> Result<()> {
    let (claim, backoff) = (claim.clone(), worker.context.settings.backoff());
    worker
        .context
        .store
        .write(move |tx| {
            let claim = claim.clone();
            async move { claim.finish(tx, &Outcome::HandBack, &backoff).await }.boxed()
        })
        .await
}

fn given_up() -> Answer {
    Answer::refused(
        Reason::SiteUnavailable,
        "given up after several attempts whose worker ended",
    )
}

/// Returns the answer that the person receives for an error.
pub fn refusal(error: &SiteError) -> Answer {
    let reason = match error {
        SiteError::Challenge { verdict, .. } => match verdict.kind.policy().account {
            AccountAction::LogOut => Reason::SessionInvalid,
            _ => challenge_reason(verdict.kind),
        },
        SiteError::SessionInvalid(_) => Reason::SessionInvalid,
        SiteError::NoSession(_) => Reason::SessionRequired,
        SiteError::Shape(_) => Reason::SiteResponseUnexpected,
        SiteError::Browser(_) => Reason::BrowserUnavailable,
        _ => Reason::SiteUnavailable,
    };
    Answer::refused(reason, describe(error))
}
