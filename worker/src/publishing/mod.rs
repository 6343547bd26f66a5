//! The handler of publish jobs: one attempt, from its plan to what is written down about it.

mod attempt;
mod changing;
mod compose;
mod hand_over;
mod observer;
mod prepare;
mod publish;
mod reconcile;

use std::sync::Arc;
use std::time::Duration;

use vintedbot_domain::jobs::Claim;
use vintedbot_domain::media::files;
use vintedbot_domain::publishing::attempt::{self as plans, Plan};
use vintedbot_domain::publishing::outcome::{self, Next};
use vintedbot_domain::publishing::{StepOutcome, steps};
use vintedbot_domain::{Domain, Error, Reason, Result};
use vintedbot_marketplace::challenge::{AccountFollows, Kind};
use vintedbot_marketplace::{Error as SiteError, Evidence, LostSession};

pub use compose::end_abandoned;

use crate::Worker;
use crate::stage::Stage;

/// Does what a claimed publish job needs now, and lets go of it.
pub async fn run(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let plan = plans::begin(domain, claim).await?;
    Stage::Begun.reached().await;
    let (lock, next) = match plan {
        Plan::Nothing => return Ok(()),
        Plan::Tidy(outcome) => {
            compose::tidy(worker, claim).await?;
            return plans::let_go(domain, claim, outcome).await;
        }
        Plan::Prepare(work) if work.hand_over => {
            (work.lock.clone(), hand_over::run(worker, claim, &work).await?)
        }
        Plan::Prepare(work) => {
            let prepared = attempt::prepare(worker, claim, &work).await;
            (work.lock.clone(), prepared.or_else(again_with_store)?)
        }
        Plan::Publish(work) => (work.lock.clone(), attempt::publish(worker, claim, &work).await?),
        Plan::Reconcile(work, effect) => (
            work.lock.clone(),
            attempt::reconcile(worker, claim, &work, *effect).await?,
        ),
    };
    outcome::conclude(domain, claim, Some(&lock), next).await
}

/// Preparing writes nothing on the site: where its pictures could not be kept, it is simply done again.
fn again_with_store(error: Error) -> Result<Next> {
    match error {
        Error::Files(error @ files::Error::Unreachable(_)) => Ok(Next::Again {
            reason: Reason::SiteUnavailable,
            message: error.to_string(),
        }),
        error => Err(error),
    }
}

/// What follows from an error that wrote nothing, with the page kept for the person to look at.
async fn stopped(worker: &Worker, job_id: &str, stage: &str, error: &SiteError) -> Result<Next> {
    let domain = &worker.domain;
    if let SiteError::Stopped(stopped) = error {
        return Ok(observer::next_of_stopped(worker, stopped));
    }
    let outcome = if matches!(error, SiteError::Challenge { .. }) {
        StepOutcome::Challenged
    } else {
        StepOutcome::Failed
    };
    tracing::warn!(job_id, stage, error = describe(error), "an attempt stopped");
    steps::stopped(
        domain,
        job_id,
        stage,
        outcome,
        &describe(error),
        evidence_of(error),
    )
    .await?;
    next_of(domain, error).await
}

/// What follows for a job from an error.
pub async fn next_of(domain: &Domain, error: &SiteError) -> Result<Next> {
    let message = describe(error);
    let failed = |reason| Next::Failed {
        reason,
        message: message.clone(),
    };
    Ok(match error {
        SiteError::Challenge { verdict, .. } => match verdict.quiet_for() {
            Some(time) => Next::Quiet {
                until: domain.store.now().await? + millis(time),
            },
            None => Next::Blocked {
                reason: challenge_reason(verdict.kind),
                message,
                account: verdict.kind.consequence().account,
            },
        },
        SiteError::Refused { .. } => failed(Reason::SiteRefused),
        SiteError::FieldNotFound { .. } => failed(Reason::FieldNotFound),
        SiteError::Mismatch { .. } => failed(Reason::ReadBackMismatch),
        SiteError::NotADraft { .. } => failed(Reason::DraftLost),
        SiteError::NotFound { .. } => failed(Reason::NotPublished),
        SiteError::Unusable { .. } => Next::Again {
            reason: Reason::PageUnusable,
            message,
        },
        // As a login that the site has lost: the job stops where it is, until a person brings a session.
        SiteError::NoSession(_) => Next::Blocked {
            reason: Reason::SessionRequired,
            message,
            account: AccountFollows::LoggedOut,
        },
        SiteError::SessionInvalid(why) => Next::Blocked {
            reason: match why {
                LostSession::LostInRefresh => Reason::SessionLostInRefresh,
                LostSession::Refused | LostSession::Expired => Reason::SessionInvalid,
            },
            message,
            account: AccountFollows::LoggedOut,
        },
        SiteError::SessionBusy | SiteError::Sessions(_) | SiteError::Photos(_) => Next::Again {
            reason: Reason::SiteUnavailable,
            message,
        },
        SiteError::Shape(_) => failed(Reason::SiteChanged),
        SiteError::Unavailable(_) => Next::Again {
            reason: Reason::SiteUnavailable,
            message,
        },
        SiteError::Browser(_) => Next::Again {
            reason: Reason::BrowserUnavailable,
            message,
        },
        SiteError::Stopped(_) => Next::AsItIs,
    })
}

/// A duration in the database's milliseconds.
pub fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The sentence that a person reads.
pub fn describe(error: &SiteError) -> String {
    match error {
        SiteError::Challenge { verdict, .. } => verdict.message.clone(),
        other => other.to_string(),
    }
}

/// What the page looked like, where that was kept.
pub fn evidence_of(error: &SiteError) -> Option<&Evidence> {
    match error {
        SiteError::Challenge { evidence, .. }
        | SiteError::Refused { evidence, .. }
        | SiteError::FieldNotFound { evidence, .. }
        | SiteError::Mismatch { evidence, .. }
        | SiteError::Unusable { evidence, .. } => Some(evidence),
        _ => None,
    }
}

pub fn challenge_reason(kind: Kind) -> Reason {
    match kind {
        Kind::CaptchaInPage => Reason::ChallengeCaptcha,
        Kind::CaptchaOnCall => Reason::ChallengeBotCheck,
        Kind::Cloudflare => Reason::ChallengeCloudflare,
        Kind::SecondFactor => Reason::ChallengeSecondFactor,
        Kind::AccountVerification => Reason::ChallengeAccountVerification,
        Kind::LoginLost => Reason::ChallengeLoginLost,
        Kind::SessionRefreshLoop => Reason::ChallengeSessionRefresh,
        Kind::RateLimited => Reason::ChallengeRateLimit,
        Kind::Restricted => Reason::ChallengeRestriction,
        Kind::BrokenPage | Kind::UnknownBlock => Reason::ChallengeBlocked,
    }
}
