//! The handler of publish jobs: runs one attempt, from its plan to its recorded outcome.

mod attempt;
mod changing;
mod form_session;
mod manual_takeover;
mod observer;
mod prepare;
mod publish;
mod reconcile;

use std::sync::Arc;
use std::time::Duration;

use vintedbot_domain::jobs::Claim;
use vintedbot_domain::media::files;
use vintedbot_domain::publishing::attempt::{self as plans, Plan};
use vintedbot_domain::publishing::outcome::{self, FollowUp};
use vintedbot_domain::publishing::{StepOutcome, steps};
use vintedbot_domain::{Context, Error, Reason, Result};
use vintedbot_marketplace::challenge::{AccountAction, Kind};
use vintedbot_marketplace::{Error as SiteError, Evidence, LostSession};

pub use form_session::end_abandoned;

use crate::Worker;
use crate::stage::Stage;

/// Executes the next step of a claimed publish job and releases the claim.
pub async fn run(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let plan = plans::begin(context, claim).await?;
    Stage::Begun.reached().await;
    let (lock, next) = match plan {
        Plan::Nothing => return Ok(()),
        Plan::Cleanup(outcome) => {
            form_session::cleanup(worker, claim).await?;
            return plans::release(context, claim, outcome).await;
        }
        Plan::Prepare(work) if work.manual_takeover => (
            work.lock.clone(),
            manual_takeover::run(worker, claim, &work).await?,
        ),
        Plan::Prepare(work) => {
            let prepared = attempt::prepare(worker, claim, &work).await;
            (work.lock.clone(), prepared.or_else(retry_if_store_unreachable)?)
        }
        Plan::Publish(work) => (work.lock.clone(), attempt::publish(worker, claim, &work).await?),
        Plan::Reconcile(work, effect) => (
            work.lock.clone(),
            attempt::reconcile(worker, claim, &work, *effect).await?,
        ),
    };
    outcome::conclude(context, claim, Some(&lock), next).await
}

/// Converts an unreachable media store to a retry. Preparing writes nothing on the site, so it can be repeated.
fn retry_if_store_unreachable(error: Error) -> Result<FollowUp> {
    match error {
        Error::Files(error @ files::Error::Unreachable(_)) => Ok(FollowUp::Retry {
            reason: Reason::SiteUnavailable,
            message: error.to_string(),
        }),
        error => Err(error),
    }
}

/// Records an error that wrote nothing, with the page as evidence, and returns the follow-up.
async fn stopped(worker: &Worker, job_id: &str, stage: &str, error: &SiteError) -> Result<FollowUp> {
    let context = &worker.context;
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
        context,
        job_id,
        stage,
        outcome,
        &describe(error),
        evidence_of(error),
    )
    .await?;
    next_of(context, error).await
}

/// Returns the follow-up of a job for an error.
pub async fn next_of(context: &Context, error: &SiteError) -> Result<FollowUp> {
    let message = describe(error);
    let failed = |reason| FollowUp::Failed {
        reason,
        message: message.clone(),
    };
    Ok(match error {
        SiteError::Challenge { verdict, .. } => match verdict.cooldown() {
            Some(time) => FollowUp::Cooldown {
                until: context.store.now().await? + millis(time),
            },
            None => FollowUp::Blocked {
                reason: challenge_reason(verdict.kind),
                message,
                account: verdict.kind.policy().account,
            },
        },
        SiteError::Refused { .. } => failed(Reason::SiteRefused),
        SiteError::FieldNotFound { .. } => failed(Reason::FieldNotFound),
        SiteError::Mismatch { .. } => failed(Reason::ReadBackMismatch),
        SiteError::NotADraft { .. } => failed(Reason::DraftLost),
        SiteError::NotFound { .. } => failed(Reason::NotPublished),
        SiteError::Unusable { .. } => FollowUp::Retry {
            reason: Reason::PageUnusable,
            message,
        },
        // Handled like a lost login: the job is blocked until a person imports a session.
        SiteError::NoSession(_) => FollowUp::Blocked {
            reason: Reason::SessionRequired,
            message,
            account: AccountAction::LogOut,
        },
        SiteError::SessionInvalid(why) => FollowUp::Blocked {
            reason: match why {
                LostSession::LostInRefresh => Reason::SessionLostInRefresh,
                LostSession::Refused | LostSession::Expired => Reason::SessionInvalid,
            },
            message,
            account: AccountAction::LogOut,
        },
        SiteError::SessionBusy | SiteError::Sessions(_) | SiteError::Photos(_) => FollowUp::Retry {
            reason: Reason::SiteUnavailable,
            message,
        },
        SiteError::Shape(_) => failed(Reason::SiteResponseUnexpected),
        SiteError::Unavailable(_) => FollowUp::Retry {
            reason: Reason::SiteUnavailable,
            message,
        },
        SiteError::Browser(_) => FollowUp::Retry {
            reason: Reason::BrowserUnavailable,
            message,
        },
        SiteError::Stopped(_) => FollowUp::NoChange,
    })
}

/// Converts a duration to the database's milliseconds.
pub fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the message for the person.
pub fn describe(error: &SiteError) -> String {
    match error {
        SiteError::Challenge { verdict, .. } => verdict.message.clone(),
        other => other.to_string(),
    }
}

/// Returns the stored evidence of the page, if the error has any.
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
