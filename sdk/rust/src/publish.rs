//! The way of listings to the marketplace, in two steps: prepare, look, confirm.

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
/// A script that must survive its own crash between confirming and reading the answer keeps a `request_id` of its own and
/// confirms with [`confirm_publish`](Self::confirm_publish): asked again with it, the server gives the same answer.
#[derive(Clone)]
pub struct Publish {
    pub(crate) calls: Calls,
}

impl Publish {
    /// Prepares a listing without leaving anything on the site: its form is filled, read back and photographed.
    pub async fn prepare(&self, listing_id: impl Into<String>) -> Result<PublishJob> {
        let request = PreparePublishRequest {
            listing_id: listing_id.into(),
            ..Default::default()
        };
        self.prepare_publish(request).await
    }

    /// Prepares a listing, and leaves the filled window to the person at the instance's screen, who publishes there or not.
    /// [`settled`](Self::settled) comes back as soon as the window is theirs; [`ended`](Self::ended) when they are done.
    pub async fn hand_over(&self, listing_id: impl Into<String>) -> Result<PublishJob> {
        let request = PreparePublishRequest {
            listing_id: listing_id.into(),
            hand_over: Some(true),
            ..Default::default()
        };
        self.prepare_publish(request).await
    }

    /// Prepares a listing, with all that can be said about it.
    pub async fn prepare_publish(&self, request: PreparePublishRequest) -> Result<PublishJob> {
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::prepare_publish))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Prepares a change of an item that is on the site: an edit, hiding, showing again, deleting. From there it goes on as a
    /// publication does: [`settled`](Self::settled), look, [`confirm`](Self::confirm).
    pub async fn prepare_change(&self, request: PrepareChangeRequest) -> Result<PublishJob> {
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::prepare_change))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Prepares new values for an item: those that are present in `listing`.
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

    /// Prepares to show a hidden item again.
    pub async fn unhide(&self, listing_id: impl Into<String>) -> Result<PublishJob> {
        self.prepared(listing_id.into(), Change::Unhide(Unhide {})).await
    }

    /// Prepares to delete an item for good.
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

    /// Makes every check that a confirmation would have to pass, and changes nothing.
    pub async fn check(
        &self,
        job_id: impl Into<String>,
        confirmation: &Confirmation,
    ) -> Result<ConfirmPublishResponse> {
        self.confirm_publish(request(job_id.into(), confirmation, true))
            .await
    }

    /// Publishes what was prepared, for real. Returns as soon as it is confirmed; see [`settled`](Self::settled).
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

    /// Confirms, with all that can be said about it. Unless `dry_run` is false it only checks.
    pub async fn confirm_publish(&self, request: ConfirmPublishRequest) -> Result<ConfirmPublishResponse> {
        self.calls
            .change(request, call!(PublishServiceClient::confirm_publish))
            .await
    }

    /// Publishes what was prepared at a moment in the next 90 days. Consumes the confirmation now.
    pub async fn schedule(
        &self,
        job_id: impl Into<String>,
        confirmation: &Confirmation,
        time: std::time::SystemTime,
    ) -> Result<PublishJob> {
        self.schedule_for(job_id.into(), confirmation, When::Time(time.into()))
            .await
    }

    /// Publishes what was prepared when a clock in that place shows `date_time`: `2026-03-29T18:30` in `Europe/Paris`. A time
    /// that the clocks there skip or show twice is refused, with what can be said instead.
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

    /// Schedules, with all that can be said about it.
    pub async fn schedule_publish(&self, request: SchedulePublishRequest) -> Result<PublishJob> {
        let answer = self
            .calls
            .change(request, call!(PublishServiceClient::schedule_publish))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// One job, with its film strip, and with its confirmation if it awaits one and the token has the scope `publish:confirm`.
    pub async fn get(&self, id: impl Into<String>) -> Result<PublishJob> {
        let request = GetPublishJobRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(PublishServiceClient::get_publish_job))
            .await?;
        answer.publish_job.present("publish job")
    }

    /// Jobs, newest first, without confirmations.
    pub fn list(&self, request: ListPublishJobsRequest) -> Paged<PublishJob> {
        self.calls
            .pages(request, call!(PublishServiceClient::list_publish_jobs))
    }

    /// Waits until a job has ended or goes no further without a person, and gives it as it is then: awaiting its
    /// confirmation, published, blocked by a challenge, … Needs the scope `events:read`. Takes as long as it takes.
    pub async fn settled(&self, id: impl Into<String>) -> Result<PublishJob> {
        self.watched(id.into(), is_settled).await
    }

    /// Waits until a job has ended, or asks a person what became of it: so also through the time that its window is the
    /// person's, or that it waits for its scheduled time.
    pub async fn ended(&self, id: impl Into<String>) -> Result<PublishJob> {
        self.watched(id.into(), |job| {
            let is_put_off = matches!(job.state(), State::HandedOver | State::Scheduled);
            is_settled(job) && !is_put_off
        })
        .await
    }

    async fn watched(&self, id: String, is_done: impl Fn(&PublishJob) -> bool) -> Result<PublishJob> {
        let mut watch = Watch::begin(self.calls.clone(), WatchRequest::default());
        // The first message says that from here on nothing is missed.
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
        Err(Error::Incomplete("end of the job"))
    }

    /// Stops a job before the click that publishes.
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

    /// Goes on with a job that is blocked or failed, from the same approved content.
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

    /// Answers for an undecided job that its item is on the site, under this id.
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

    /// Answers for an undecided job that its item is not on the site.
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

    /// What a job did, step by step, oldest first.
    pub fn steps(&self, job_id: impl Into<String>) -> Paged<PublishStep> {
        let request = ListPublishStepsRequest {
            job_id: job_id.into(),
            ..Default::default()
        };
        self.calls
            .pages(request, call!(PublishServiceClient::list_publish_steps))
    }

    /// A job's screenshots, oldest first.
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
            job.needs_manual || waits_for_person
        }
        State::Unconfirmed => job.needs_manual,
        _ => true,
    }
}
