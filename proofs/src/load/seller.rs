//! The actions of one seller: mostly reads, and sometimes answers to buyers, new listings and publications.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::{
    CreateListingRequest, ListListingsRequest, ListMessagesRequest, ListThreadsRequest, Listing,
    SearchRequest, Thread,
};
use vintedbot_sdk::{Client, RetryPolicy, Upload};

use super::report::Calls;
use crate::bench::fixture;
use crate::photos;
use crate::records::Site;

/// The average pause between two actions. No real seller is so fast: a tenth of the sellers produces the load of all of
/// them at a realistic pace.
const PAUSE_MS: u64 = 200;
/// The number of threads that a seller starts with, and of messages in each.
const THREADS: u64 = 20;
const MESSAGES: u64 = 3;
const PAGE: usize = 50;

/// One seller.
pub struct Seller {
    client: Client,
    site: Site,
    calls: Arc<Calls>,
    random: StdRng,
    member_id: u64,
    /// The template of new listings.
    listing: Listing,
    threads: Vec<Thread>,
}

impl Seller {
    /// Connects an account and fills its inbox.
    pub async fn begin(
        url: &str,
        secret: &str,
        site: Site,
        calls: Arc<Calls>,
        random: StdRng,
    ) -> Result<Self> {
        let client = Client::builder(url).token(secret).retry(RetryPolicy::never());
        let client = client.build().await?;
        let listing = fixture::sample(&client).await?;
        let account = client.accounts().get(&listing.account_id).await?;
        let member_id = account
            .member_id
            .parse()
            .context("the account is not connected")?;
        let many = json!({"member_id": member_id, "count": THREADS, "messages": MESSAGES});
        site.post("conversations/many", &many).await?;
        client.inbox().sync_now(&account.id).await?;
        let mut seller = Self {
            client,
            site,
            calls,
            random,
            member_id,
            listing,
            threads: Vec::new(),
        };
        seller.look_at_inbox().await?;
        Ok(seller)
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Acts until `ends` is cancelled. Refused calls are counted.
    pub async fn work(mut self, ends: CancellationToken) -> Self {
        while !ends.is_cancelled() {
            let pause = self.random.random_range(0..2 * PAUSE_MS);
            sleep(Duration::from_millis(pause)).await;
            // The counts contain the error.
            drop(self.act().await);
        }
        self
    }

    async fn act(&mut self) -> Result<()> {
        match self.random.random_range(0..100) {
            0..30 => self.look_at_inbox().await,
            30..55 => self.read_a_thread().await,
            55..65 => self.count_unread().await,
            65..75 => self.search().await,
            75..85 => self.look_at_listings().await,
            85..90 => self.answer().await,
            90..94 => self.be_written_to().await,
            94..98 => self.make_a_listing().await.map(|_| ()),
            _ => self.publish().await,
        }
    }

    /// Makes one reading call, for the measurement of limits.
    pub async fn read(&self) -> Result<()> {
        let request = ListThreadsRequest {
            page_size: PAGE as i32,
            ..Default::default()
        };
        let page = self.client.inbox().list(request).take(PAGE);
        page.try_collect::<Vec<_>>().await?;
        Ok(())
    }

    /// Creates a last event. Returns its sequence in the log.
    pub async fn last_word(&self) -> Result<i64> {
        let template = self.client.templates().create(SystemIds.id(), "Bonsoir").await?;
        Ok(i64::try_from(template.sequence)?)
    }

    async fn look_at_inbox(&mut self) -> Result<()> {
        let request = ListThreadsRequest {
            page_size: PAGE as i32,
            ..Default::default()
        };
        let page = self.client.inbox().list(request).take(PAGE).try_collect();
        self.threads = self.calls.time("ListThreads", page).await?;
        Ok(())
    }

    async fn read_a_thread(&mut self) -> Result<()> {
        let request = ListMessagesRequest {
            thread_id: self.a_thread()?.id.clone(),
            page_size: PAGE as i32,
            ..Default::default()
        };
        let page = self.client.inbox().messages(request).take(PAGE);
        self.calls
            .time("ListMessages", page.try_collect::<Vec<_>>())
            .await?;
        Ok(())
    }

    async fn count_unread(&self) -> Result<()> {
        self.calls
            .time("GetInboxCounts", self.client.inbox().counts())
            .await?;
        Ok(())
    }

    async fn search(&mut self) -> Result<()> {
        let words = ["bonjour", "taille", "pull", "prix", "disp"];
        let request = SearchRequest {
            query: words[self.random.random_range(0..words.len())].to_owned(),
            ..Default::default()
        };
        self.calls
            .time("Search", self.client.inbox().search_page(request))
            .await?;
        Ok(())
    }

    async fn look_at_listings(&self) -> Result<()> {
        let request = ListListingsRequest {
            page_size: PAGE as i32,
            ..Default::default()
        };
        let page = self.client.listings().list(request).take(PAGE);
        self.calls
            .time("ListListings", page.try_collect::<Vec<_>>())
            .await?;
        Ok(())
    }

    /// Sends a reply that waits for no confirmation, and measures the time until it is on the site.
    async fn answer(&mut self) -> Result<()> {
        let thread_id = self.a_thread()?.id.clone();
        let text = format!("Bonjour, oui ! {}", SystemIds.id());
        let inbox = self.client.inbox();
        let reply = self.calls.time("SendReply", inbox.send(thread_id, text)).await?;
        self.calls
            .time("a reply is sent", inbox.settled(&reply.id))
            .await?;
        Ok(())
    }

    /// Lets a buyer write, and reads the inbox.
    async fn be_written_to(&mut self) -> Result<()> {
        let many = json!({"member_id": self.member_id, "count": 1, "messages": 1});
        self.site.post("conversations/many", &many).await?;
        let inbox = self.client.inbox();
        let read = inbox.sync_now(&self.listing.account_id);
        self.calls.time("SyncNow", read).await?;
        Ok(())
    }

    async fn make_a_listing(&mut self) -> Result<Listing> {
        let photo = photos::jpeg(self.random.random(), 600, 800)?;
        let media = self.client.media();
        let answer = self
            .calls
            .time("UploadPhoto", media.upload(Upload::bytes(photo)))
            .await?;
        let photo = answer.photo.context("the answer contains no photo")?;
        let mut listing = fixture::input();
        listing.title = format!("Sweat gris {}", SystemIds.id());
        listing.photo_ids = vec![photo.id];
        let request = CreateListingRequest {
            account_id: self.listing.account_id.clone(),
            listing: Some(listing),
            ..Default::default()
        };
        self.calls
            .time("CreateListing", self.client.listings().create(request))
            .await
    }

    /// Publishes a new listing, from the photo to the site.
    async fn publish(&mut self) -> Result<()> {
        let began = Instant::now();
        let listing = self.make_a_listing().await?;
        let publish = self.client.publish();
        let job = self
            .calls
            .time("PreparePublish", publish.prepare(&listing.id))
            .await?;
        let job = publish.settled(&job.id).await?;
        let confirmation = job
            .confirmation
            .context("the job does not await its confirmation")?;
        let confirmed = publish.confirm(&job.id, &confirmation);
        self.calls.time("ConfirmPublish", confirmed).await?;
        publish.settled(&job.id).await?;
        self.calls.took("a photo is published", began.elapsed());
        Ok(())
    }

    fn a_thread(&mut self) -> Result<&Thread> {
        let number = self.random.random_range(0..self.threads.len().max(1));
        self.threads.get(number).context("the inbox has no threads")
    }
}
