//! The progress of one listing: the calls of its client so far, and the kills that remain.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::prepare_change_request::{Change, Delete, Edit, Hide};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{
    ConfirmPublishRequest, Confirmation, ListingInput, PrepareChangeRequest, PreparePublishRequest,
    PublishJob,
};
use vintedbot_sdk::{Error, money};
use vintedbot_worker::Stage;

use super::plan::{Cell, Kill, Phase, What};
use super::victim::Victim;

/// The new price of a cell that changes the price, in minor units.
pub const NEW_PRICE: i64 = 1_200;

/// A running cell.
pub struct Run<'c> {
    pub cell: &'c Cell,
    /// The remaining kills.
    pub left: VecDeque<Kill>,
    pub done: Vec<Kill>,
    pub missed: Vec<Stage>,
    listing_id: String,
    prepare_request: String,
    confirm_request: String,
    job_id: Option<String>,
    pub confirmation: Option<Confirmation>,
    is_confirmed: bool,
    /// The time of the last kill in UTC milliseconds; 0 before the first.
    pub last_kill: i64,
    /// The time of the next kill at a random moment.
    pub timer: Option<Instant>,
    pub deadline: Instant,
    /// The last known state, for the report if the cell does not end.
    pub trouble: String,
}

/// The result of reading a job.
pub enum Observed {
    Going,
    ToConfirm(Confirmation),
    Ended(Box<PublishJob>),
}

impl<'c> Run<'c> {
    /// Returns the run of a cell whose listing exists. It must end by `deadline`.
    pub fn new(cell: &'c Cell, listing_id: String, deadline: Instant) -> Self {
        Self {
            cell,
            left: cell.kills.iter().copied().collect(),
            done: Vec::new(),
            missed: Vec::new(),
            listing_id,
            prepare_request: SystemIds.id(),
            confirm_request: SystemIds.id(),
            job_id: None,
            confirmation: None,
            is_confirmed: false,
            last_kill: 0,
            timer: None,
            deadline,
            trouble: String::new(),
        }
    }

    /// Returns the job's id, once it is known.
    pub fn job_id(&self) -> Option<&str> {
        self.job_id.as_deref()
    }

    /// Sets the time of the next kill if it is at a random moment of this phase.
    pub fn set_timer(&mut self, phase: Phase, usual: Duration) {
        if let Some(Kill::Random { from, part }) = self.left.front()
            && *from == phase
        {
            self.timer = Some(Instant::now() + usual.mul_f64(*part));
        }
    }

    /// Does the client's next step: prepares, confirms or reads. A call that a kill interrupts is repeated.
    pub async fn look(&mut self, victim: &Victim) -> Result<Observed> {
        let publish = victim.client.publish();
        let called = match (&self.job_id, &self.confirmation) {
            (None, _) if self.cell.what != What::Publish => {
                let request = PrepareChangeRequest {
                    listing_id: self.listing_id.clone(),
                    change: Some(change(self.cell)),
                    request_id: self.prepare_request.clone(),
                };
                publish.prepare_change(request).await
            }
            (None, _) => {
                let request = PreparePublishRequest {
                    listing_id: self.listing_id.clone(),
                    dry_run: Some(self.cell.dry_run),
                    request_id: self.prepare_request.clone(),
                    ..Default::default()
                };
                publish.prepare_publish(request).await
            }
            (Some(job_id), Some(confirmation)) if !self.is_confirmed => {
                let request = ConfirmPublishRequest {
                    job_id: job_id.clone(),
                    confirmation: Some(confirmation.clone()),
                    dry_run: Some(false),
                    request_id: self.confirm_request.clone(),
                };
                match publish.confirm_publish(request).await {
                    Ok(answer) => {
                        self.is_confirmed = true;
                        answer.publish_job.ok_or(Error::Incomplete("publish job"))
                    }
                    Err(error) => Err(error),
                }
            }
            (Some(job_id), _) => publish.get(job_id).await,
        };
        let job = match called {
            Ok(job) => job,
            Err(error @ (Error::Line(_) | Error::Connect(_))) => {
                self.trouble = error.to_string();
                return Ok(Observed::Going);
            }
            Err(error) => return Err(error.into()),
        };
        self.job_id = Some(job.id.clone());
        self.trouble = format!("{}: {}", job.state().as_str_name(), job.reason_message);
        Ok(match (job.state(), &job.confirmation) {
            (State::AwaitingConfirmation, Some(confirmation)) if self.confirmation.is_none() => {
                Observed::ToConfirm(confirmation.clone())
            }
            (
                State::Published
                | State::Done
                | State::Failed
                | State::Cancelled
                | State::Expired
                | State::Blocked,
                _,
            ) => Observed::Ended(Box::new(job)),
            _ if job.requires_action => Observed::Ended(Box::new(job)),
            _ => Observed::Going,
        })
    }
}

/// Returns the change that a cell requests.
fn change(cell: &Cell) -> Change {
    let edit = |listing| {
        Change::Edit(Edit {
            listing: Some(listing),
            ..Default::default()
        })
    };
    match cell.what {
        What::Publish | What::Edit => edit(ListingInput {
            description: format!("Porté trois fois, {}.", cell.word),
            ..Default::default()
        }),
        What::Price => edit(ListingInput {
            price: Some(money(NEW_PRICE, "EUR")),
            ..Default::default()
        }),
        What::Hide => Change::Hide(Hide {}),
        What::Delete => Change::Delete(Delete {}),
    }
}
