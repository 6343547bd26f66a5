//! Records every step of an attempt in the step log, and stops the attempt between two steps.

use async_trait::async_trait;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::outcome::FollowUp;
use vintedbot_domain::publishing::steps::{self, Reached};
use vintedbot_marketplace::{StepObserver, Stopped, TimelineStep};

use crate::Worker;
use crate::stage::Stage;

/// The reason that [`steps::reached`] returns for a job that is being cancelled.
const CANCELLED: &str = "cancelled";
/// The reason for a draining process.
const DRAINED: &str = "drained";

/// The observer of one attempt.
pub struct Observer<'a> {
    pub worker: &'a Worker,
    pub claim: &'a Claim,
    pub job_id: &'a str,
}

#[async_trait]
impl StepObserver for Observer<'_> {
    async fn reached(&self, timeline_step: TimelineStep) -> Result<(), Stopped> {
        if self.worker.drain.is_cancelled() {
            return Err(Stopped(DRAINED.to_owned()));
        }
        let written = steps::reached(
            &self.worker.context,
            self.claim,
            self.job_id,
            Reached {
                step: timeline_step.step.name(),
                message: timeline_step.detail,
                selector: timeline_step.selector,
                picture: timeline_step.picture,
            },
        )
        .await;
        Stage::Fill(timeline_step.step).reached().await;
        written.unwrap_or_else(|error| Err(Stopped(error.to_string())))
    }
}

/// Returns the follow-up of a job whose attempt was stopped between two steps.
pub fn next_of_stopped(worker: &Worker, stopped: &Stopped) -> FollowUp {
    match stopped.0.as_str() {
        CANCELLED => FollowUp::Cancelled,
        DRAINED => FollowUp::HandedBack,
        _ if worker.drain.is_cancelled() => FollowUp::HandedBack,
        // After a lost claim, the follow-up is not written. After a database error, the attempt is retried.
        other => FollowUp::Retry {
            reason: vintedbot_domain::Reason::SiteUnavailable,
            message: other.to_owned(),
        },
    }
}
