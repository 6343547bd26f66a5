//! Publication and change of listings, in two steps: prepare and confirm.

use futures::TryStreamExt as _;
use vintedbot_proto::v1::prepare_change_request::{Change, Delete, Edit, Hide, Unhide};
use vintedbot_proto::v1::publish_job::State;
use vintedbot_proto::v1::publish_job::waiting::Why;
use vintedbot_proto::v1::publish_service_client::PublishServiceClient;
use vintedbot_proto::v1::resolve_publish_job_request::{NotPublished, Outcome, Published};
use vintedbot_proto::v1::schedule_publish_request::When;
use vintedbot_proto::v1::watch_response::Message;
use vintedbot_proto::v1::{
    CancelPublishJobRequest, ConfirmPublishRequest, ConfirmPublishResponse, Confirmation,
    GetPublishJobRequest, ListPublishJobsRequest, ListPublishStepsRequest, ListScreenshotsRequest,
    ListingInput, LocalTime, PrepareChangeRequest, PreparePublishRequest, PublishJob, PublishStep,
    ResolvePublishJobRequest, ResourceType, RetryPublishJobRequest, SchedulePublishRequest, Screenshot,
    WatchRequest,
};

use crate::call::{Calls, Present as _, call};
use crate::{Error, Paged, Result, Watch};

/// `PublishService`; see [`Client::publish`](crate::Client::publish).
///
/// A script that must survive a crash between confirming and reading the response stores its own `request_id` and
/// confirms with [`confirm_publish`](Self::confirm_publish). If the call is repeated with that `request_id`, the server
/// returns the same response.
#[derive(Clone)]
pub struct Publish {
    pub(crate) calls: Calls,
}

impl Publish {
    /// Prepares a listing: fills its form, reads it back and takes screenshots. Leaves nothing on the site.
    pub async fn prepare(&self, listing_id: impl Into<String>) -> Result<PublishJob> {
        let request = PreparePublishRequest {
            listing_id: listing_id.into(),
            ..Default::default()
        };
        self.prepare_publish(request).await
    }

    /// Prepares a listing and starts a manual takeover: the filled browser window stays open, and the person at the
    /// instance's screen publishes there or not. [`settled`](Self::settled) returns when the window is open for the
    /// person, [`ended`](Self::ended) when the person has finished.
    pub async fn manual_takeover(&self, listing_id: impl Into<String>) -> Result<PublishJob> {
        let request = PreparePublishRequest {
            listing_id: listing_id.into(),
            manual_takeover: Some(true),
            ..Default::default()
        };
        self.prepare_publish(request).await
    }

    /// Prepares a listing with all options of the request.
    pub async fn prepare_publish(&self, request: PreparePublishRequest) -> Result<PublishJob> {
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::prepare_publish))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Prepares a change of an item on the site: edit, hide, unhide or delete. It continues like a publication: wait
    /// with [`settled`](Self::settled), review, then [`confirm`](Self::confirm).
    pub async fn prepare_change(&self, request: PrepareChangeRequest) -> Result<PublishJob> {
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::prepare_change))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Prepares an edit of an item. Changes the fields that are present in `listing`.
    pub async fn edit(&self, listing_id: impl Into<String>, listing: ListingInput) -> Result<PublishJob> {
        let edit = Edit {
            listing: Some(listing),
            ..Default::default()
        };
        self.prepared(listing_id.into(), Change::Edit(edit)).await
    }

    /// Prepares to hide an item from others.
    pub async fn hide(&self, listing_id: impl Into<String>) -> Result<PublishJob> {
        self.prepared(listing_id.into(), Change::Hide(Hide {})).await
    }

    /// Prepares to unhide a hidden item.
    pub async fn unhide(&self, listing_id: impl Into<String>) -> Result<PublishJob> {
        self.prepared(listing_id.into(), Change::Unhide(Unhide {})).await
    }

    /// Prepares to delete an item on the site. The deletion is final.
    pub async fn delete(&self, listing_id: impl Into<String>) -> Result<PublishJob> {
        self.prepared(listing_id.into(), Change::Delete(Delete {})).await
    }

    async fn prepared(&self, listing_id: String, change: Change) -> Result<PublishJob> {
        let request = PrepareChangeRequest {
            listing_id,
            change: Some(change),
            ..Default::default()
        };
        self.prepare_change(request).await
    }

    /// Runs all checks of a confirmation and changes nothing.
    pub async fn check(
        &self,
        job_id: impl Into<String>,
        confirmation: &Confirmation,
    ) -> Result<ConfirmPublishResponse> {
        self.confirm_publish(request(job_id.into(), confirmation, true))
            .await
    }

    /// Confirms a prepared job, which is then published. Returns when it is confirmed; see [`settled`](Self::settled).
    pub async fn confirm(
        &self,
        job_id: impl Into<String>,
        confirmation: &Confirmation,
    ) -> Result<PublishJob> {
        let answer = self
            .confirm_publish(request(job_id.into(), confirmation, false))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Confirms with all options of the request. Only runs the checks unless `dry_run` is false.
    pub async fn confirm_publish(&self, request: ConfirmPublishRequest) -> Result<ConfirmPublishResponse> {
        self.calls
            .change(request, call!(PublishServiceClient::confirm_publish))
            .await
    }

    /// Schedules a prepared job for a time within the next 90 days. Consumes the confirmation now.
    pub async fn schedule(
        &self,
        job_id: impl Into<String>,
        confirmation: &Confirmation,
        time: std::time::SystemTime,
    ) -> Result<PublishJob> {
        self.schedule_for(job_id.into(), confirmation, When::Time(time.into()))
            .await
    }

    /// Schedules a prepared job for a local time: `2026-03-29T18:30` in `Europe/Paris`. A time that the clocks there
    /// skip or show twice is refused; the error names the alternatives.
    pub async fn schedule_local(
        &self,
        job_id: impl Into<String>,
        confirmation: &Confirmation,
        date_time: impl Into<String>,
        time_zone: impl Into<String>,
    ) -> Result<PublishJob> {
        let local = LocalTime {
            date_time: date_time.into(),
            time_zone: time_zone.into(),
            ..Default::default()
        };
        self.schedule_for(job_id.into(), confirmation, When::LocalTime(local))
            .await
    }

    async fn schedule_for(
        &self,
        job_id: String,
        confirmation: &Confirmation,
        when: When,
    ) -> Result<PublishJob> {
        self.schedule_publish(SchedulePublishRequest {
            job_id,
            confirmation: Some(confirmation.clone()),
            when: Some(when),
            ..Default::default()
        })
        .await
    }

    /// Schedules with all options of the request.
    pub async fn schedule_publish(&self, request: SchedulePublishRequest) -> Result<PublishJob> {
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::schedule_publish))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Returns one job, with its step timeline. It has its confirmation if it awaits one and the API token has the
    /// scope `publish:confirm`.
    pub async fn get(&self, id: impl Into<String>) -> Result<PublishJob> {
        let request = GetPublishJobRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(PublishServiceClient::get_publish_job))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Lists jobs, newest first, without confirmations.
    pub fn list(&self, request: ListPublishJobsRequest) -> Paged<PublishJob> {
        self.calls
            .pages(request, call!(PublishServiceClient::list_publish_jobs))
    }

    /// Waits until a job has ended or requires a person, and returns it: awaiting its confirmation, published, blocked
    /// by a challenge, … Has no timeout. Needs the scope `events:read`.
    pub async fn settled(&self, id: impl Into<String>) -> Result<PublishJob> {
        self.watched(id.into(), is_settled).await
    }

    /// Waits until a job has ended or asks a person about its outcome. Unlike [`settled`](Self::settled), it also waits
    /// during a manual takeover and until the scheduled time.
    pub async fn ended(&self, id: impl Into<String>) -> Result<PublishJob> {
        self.watched(id.into(), |job| {
            let is_waiting = matches!(job.state(), State::ManualTakeover | State::Scheduled);
            is_settled(job) && !is_waiting
        })
        .await
    }

    async fn watched(&self, id: String, is_done: impl Fn(&PublishJob) -> bool) -> Result<PublishJob> {
        let mut watch = Watch::begin(self.calls.clone(), WatchRequest::default());
        // After the first message, the watch misses no event.
        while let Some(message) = watch.try_next().await? {
            let is_news = match message {
                Message::Event(event) => {
                    event.resource_id == id || event.resource_type() == ResourceType::Account
                }
                Message::Checkpoint(_) => true,
                _ => false,
            };
            if is_news {
                let job = self.get(&id).await?;
                if is_done(&job) {
                    return Ok(job);
                }
            }
        }
        Err(Error::Incomplete("final state of the job"))
    }

    /// Cancels a job before the click that publishes.
    pub async fn cancel(&self, id: impl Into<String>) -> Result<PublishJob> {
        let request = CancelPublishJobRequest {
            id: id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::cancel_publish_job))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Retries a job that is blocked or failed, with the same approved content.
    pub async fn retry(&self, id: impl Into<String>) -> Result<PublishJob> {
        let request = RetryPublishJobRequest {
            id: id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::retry_publish_job))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Resolves a job in doubt as published. `remote_item_id` is the id of its item on the site.
    pub async fn resolve_published(
        &self,
        id: impl Into<String>,
        remote_item_id: impl Into<String>,
    ) -> Result<PublishJob> {
        let published = Published {
            remote_item_id: remote_item_id.into(),
        };
        self.resolve(id.into(), Outcome::Published(published)).await
    }

    /// Resolves a job in doubt as not published.
    pub async fn resolve_not_published(&self, id: impl Into<String>) -> Result<PublishJob> {
        self.resolve(id.into(), Outcome::NotPublished(NotPublished {}))
            .await
    }

    async fn resolve(&self, id: String, outcome: Outcome) -> Result<PublishJob> {
        let request = ResolvePublishJobRequest {
            id,
            outcome: Some(outcome),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::resolve_publish_job))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Lists the steps of a job, oldest first.
    pub fn steps(&self, job_id: impl Into<String>) -> Paged<PublishStep> {
        let request = ListPublishStepsRequest {
            job_id: job_id.into(),
            ..Default::default()
        };
        self.calls
            .pages(request, call!(PublishServiceClient::list_publish_steps))
    }

    /// Lists a job's screenshots, oldest first.
    pub fn screenshots(&self, job_id: impl Into<String>) -> Paged<Screenshot> {
        let request = ListScreenshotsRequest {
            job_id: job_id.into(),
            ..Default::default()
        };
        self.calls
            .pages(request, call!(PublishServiceClient::list_screenshots))
    }
}

fn request(job_id: String, confirmation: &Confirmation, dry_run: bool) -> ConfirmPublishRequest {
    ConfirmPublishRequest {
        job_id,
        confirmation: Some(confirmation.clone()),
        dry_run: Some(dry_run),
        ..Default::default()
    }
}

fn is_settled(job: &PublishJob) -> bool {
    let waits_for_person = job.waiting.is_some_and(|waiting| {
        matches!(
            waiting.why(),
            Why::Confirmation | Why::Person | Why::AccountPaused
        )
    });
    match job.state() {
        State::Queued | State::Preparing | State::Confirmed | State::Publishing | State::Unspecified => {
            job.requires_action || waits_for_person
        }
        State::Unconfirmed => job.requires_action,
        _ => true,
    }
}
