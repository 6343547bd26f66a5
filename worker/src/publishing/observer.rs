//! Telling the step log of every step, and stopping an attempt between two of them.

use async_trait::async_trait;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::outcome::Next;
use vintedbot_domain::publishing::steps::{self, Reached};
use vintedbot_marketplace::{Frame, StepObserver, Stopped};

use crate::Worker;
use crate::stage::Stage;

/// Said by [`steps::reached`] of a job that is to be cancelled.
const CANCELLED: &str = "cancelled";
/// The process is to end.
const DRAINED: &str = "drained";

/// Watches one attempt.
pub struct Observer<'a> {
    pub worker: &'a Worker,
    pub claim: &'a Claim,
    pub job_id: &'a str,
}

#[async_trait]
impl StepObserver for Observer<'_> {
    async fn reached(&self, frame: Frame) -> Result<(), Stopped> {
        if self.worker.drain.is_cancelled() {
            return Err(Stopped(DRAINED.to_owned()));
        }
        let written = steps::reached(
            &self.worker.domain,
            self.claim,
            self.job_id,
            Reached {
                step: frame.step.name(),
                message: frame.detail,
                selector: frame.selector,
                picture: frame.picture,
            },
        )
        .await;
        Stage::Fill(frame.step).reached().await;
        written.unwrap_or_else(|error| Err(Stopped(error.to_string())))
    }
}

/// What follows for a job whose attempt was stopped between two steps.
pub fn next_of_stopped(worker: &Worker, stopped: &Stopped) -> Next {
    match stopped.0.as_str() {
        CANCELLED => Next::Cancelled,
        DRAINED => Next::HandedBack,
        _ if worker.drain.is_cancelled() => Next::HandedBack,
        // A lost claim writes nothing anyway; a database that failed is tried again.
        other => Next::Again {
            reason: vintedbot_domain::Reason::SiteUnavailable,
            message: other.to_owned(),
        },
    }
}
