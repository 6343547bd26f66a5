//! A seller with one account, who publishes, answers and reads.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{
    Account, CreateAccountRequest, CreateListingRequest, ListThreadsRequest, PublishJob, Reply,
    SendReplyRequest, UpdateAccountRequest, account, reply,
};
use vintedbot_sdk::{Client, Upload, mask};

use crate::records::Site;
use crate::{contents, photos};

/// The time limit of every action.
const PATIENCE: Duration = Duration::from_secs(90);

/// An account on the practice site, and a photo.
pub struct Seller {
    pub client: Client,
    pub account: Account,
    photo_id: String,
}

impl Seller {
    /// Creates the account and waits until it is connected.
    ///
    /// # Errors
    ///
    /// Fails if it is not connected in time.
    pub async fn start(client: &Client, display_name: &str) -> Result<Self> {
        let request = CreateAccountRequest {
            display_name: display_name.to_owned(),
            market: "fr".to_owned(),
            mode: Some(account::Mode::Mock.into()),
            ..Default::default()
        };
        let account = client.accounts().create(request).await?;
        let update = UpdateAccountRequest {
            id: account.id.clone(),
            account: Some(Account {
                publish_limit_per_minute: Some(60),
                ..Default::default()
            }),
            update_mask: Some(mask(["publish_limit_per_minute"])),
            ..Default::default()
        };
        client.accounts().update(update).await?;
        let until = Instant::now() + PATIENCE;
        let account = loop {
            let account = client.accounts().get(&account.id).await?;
            if !account.member_id.is_empty() {
                break account;
            }
            ensure!(Instant::now() < until, "the account was not connected in time");
            sleep(Duration::from_millis(50)).await;
        };
        let seed = u64::from_le_bytes(SystemIds.secret()[..8].try_into()?);
        let photo = client
            .media()
            .upload(Upload::bytes(photos::jpeg(seed, 300, 400)?))
            .await?;
        Ok(Self {
            client: client.clone(),
            account,
            photo_id: photo.photo.context("the answer contains no photo")?.id,
        })
    }

    /// Returns the request for a complete listing.
    #[must_use]
    pub fn listing(&self, title: &str) -> CreateListingRequest {
        let content = contents::whole(title, vec![self.photo_id.clone()]);
        CreateListingRequest {
            account_id: self.account.id.clone(),
            listing: Some(content),
            ..Default::default()
        }
    }

    /// Creates a listing and prepares it.
    ///
    /// # Errors
    ///
    /// Fails if a call fails.
    pub async fn prepare(&self, title: &str) -> Result<PublishJob> {
        let listing = self.client.listings().create(self.listing(title)).await?;
        Ok(self.client.publish().prepare(&listing.id).await?)
    }

    /// Publishes an item on the site.
    ///
    /// # Errors
    ///
    /// Fails if the job does not end as published in time.
    pub async fn publish(&self, title: &str) -> Result<PublishJob> {
        let job = self.prepare(title).await?;
        let job = self.settled(&job.id, State::AwaitingConfirmation).await?;
        let confirmation = job.confirmation.clone().context("the job has no confirmation")?;
        self.client.publish().confirm(&job.id, &confirmation).await?;
        self.settled(&job.id, State::Published).await
    }

    /// Waits until a job settles in the wanted state.
    ///
    /// # Errors
    ///
    /// Fails if it settles in another state or not in time.
    pub async fn settled(&self, job_id: &str, wanted: State) -> Result<PublishJob> {
        let Ok(job) = timeout(PATIENCE, self.client.publish().settled(job_id)).await else {
            bail!("job {job_id} did not settle in time");
        };
        let job = job?;
        ensure!(
            job.state() == wanted,
            "job {job_id} is {} instead of {}: {}",
            job.state().as_str_name(),
            wanted.as_str_name(),
            job.reason_message
        );
        Ok(job)
    }

    /// Lets a buyer write on the site, and waits until the message is stored here. Returns the thread's id.
    ///
    /// # Errors
    ///
    /// Fails if it does not arrive in time.
    pub async fn asked(&self, site: &Site) -> Result<String> {
        let opening = json!({
            "member_id": self.account.member_id.parse::<u64>()?,
            "buyer": format!("buyer_{}", &SystemIds.id()[24..]),
            "text": "Bonjour, est-ce disponible ?",
        });
        let opened = site.post("conversations", &opening).await?;
        let remote_id = opened["id"]
            .as_u64()
            .context("the answer contains no conversation id")?
            .to_string();
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            // The call of another client may read it first.
            drop(self.client.inbox().sync_now(&self.account.id).await);
            let request = ListThreadsRequest {
                page_size: 50,
                ..Default::default()
            };
            let threads: Vec<_> = self.client.inbox().list(request).try_collect().await?;
            if let Some(thread) = threads.into_iter().find(|thread| thread.remote_id == remote_id) {
                return Ok(thread.id);
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("conversation {remote_id} was not read in time")
    }

    /// Answers a buyer on the site.
    ///
    /// # Errors
    ///
    /// Fails if the reply is not sent in time.
    pub async fn answer(&self, thread_id: &str, text: &str) -> Result<Reply> {
        let inbox = self.client.inbox();
        let request = SendReplyRequest {
            thread_id: thread_id.to_owned(),
            text: text.to_owned(),
            request_id: SystemIds.id(),
            ..Default::default()
        };
        let reply = inbox.send_reply(request).await?;
        let reply = timeout(PATIENCE, inbox.settled(&reply.id)).await;
        let reply = reply.context("the reply did not settle in time")??;
        ensure!(
            reply.state() == reply::State::Sent,
            "the reply is {}: {}",
            reply.state().as_str_name(),
            reply.reason_message
        );
        Ok(reply)
    }
}
