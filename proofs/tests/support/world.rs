//! A practice site, an instance, a seller with an account, and their observed events and pages.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_proofs::instance::{Browser, Instance, Practice, Setup};
use vintedbot_proofs::records::{Item, Site};
use vintedbot_proofs::{contents, photos};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{
    Account, Confirmation, CreateAccountRequest, CreateListingRequest, Listing, ListingInput, PublishJob,
    UpdateAccountRequest, account,
};
use vintedbot_sdk::{Client, Upload, mask};

use super::bucket::Bucket;
use super::collector::Collector;
use super::database::Database;
use super::watched::Watched;

/// The longest that a job or the connection of an account may take.
const PATIENCE: Duration = Duration::from_secs(60);
const BROWSER_PATIENCE: Duration = Duration::from_secs(180);
/// Starts are retried, because a passing connection may briefly hold a port.
const STARTS: usize = 4;

/// All parts of the story.
pub struct World {
    pub is_browser: bool,
    pub site: Site,
    pub instance: Instance,
    pub client: Client,
    pub account: Account,
    pub watched: Watched,
    pub traces: Collector,
    /// The title of the first published listing.
    pub published_title: String,
    /// The folder of the instance's files on this disk.
    pub media_dir: PathBuf,
    practice: Practice,
    photo_id: String,
    database_url: String,
    folder: tempfile::TempDir,
    seeds: AtomicU64,
    secrets: Mutex<Vec<(String, String)>>,
    pages: Mutex<Vec<(String, String)>>,
}

impl World {
    /// Starts all parts, on SQLite if no database is named.
    ///
    /// # Errors
    ///
    /// Fails if a part does not start.
    pub async fn open(database_url: Option<String>, browser: Browser) -> Result<Self> {
        Self::open_with(database_url, browser, None).await
    }

    /// Starts all parts, with files in a bucket if one is given.
    ///
    /// # Errors
    ///
    /// Fails if a part does not start.
    pub async fn open_with(
        database_url: Option<String>,
        browser: Browser,
        bucket: Option<&Bucket>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vintedbot-story-").tempdir()?;
        let practice = Practice::start(&folder.path().join("records.jsonl")).await?;
        let is_browser = browser == Browser::Required;
        let mut settings: Vec<(String, String)> = pace(is_browser)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        settings.extend(
            database_url
                .iter()
                .map(|url| ("DATABASE_URL".to_owned(), url.clone())),
        );
        settings.extend(bucket.into_iter().flat_map(Bucket::settings));
        let (traces, collector) = Collector::start().await?;
        settings.push(("OTLP_ENDPOINT".to_owned(), collector));
        let data_dir = folder.path().join("data");
        let media_dir = bucket.map_or_else(|| data_dir.join("media"), Bucket::folder);
        let sqlite = format!("sqlite://{}", data_dir.join("vintedbot.sqlite").display());
        let setup = Setup {
            data_dir,
            practice_url: practice.site.url().to_owned(),
            browser,
            settings,
        };
        let mut instance = Instance::new(setup)?;
        instance.start().await?;
        // The client connects for each call, so it survives every restart.
        let client = Client::builder(instance.url())
            .token_file(instance.token_file())
            .lazy()?;
        let watched = Watched::begin(&client).await?;
        let account = seller(&client, "Sophie", 60).await?;
        let photo = client
            .media()
            .upload(Upload::bytes(photos::jpeg(1, 300, 400)?))
            .await?;
        let world = Self {
            is_browser,
            site: practice.site.clone(),
            client,
            account,
            watched,
            traces,
            published_title: "Sweat gris chiné, coupe droite".to_owned(),
            practice,
            photo_id: photo.photo.context("the photo")?.id,
            database_url: database_url.unwrap_or(sqlite),
            media_dir,
            folder,
            seeds: AtomicU64::new(100),
            secrets: Mutex::default(),
            pages: Mutex::default(),
            instance,
        };
        let token = std::fs::read_to_string(world.instance.token_file())?;
        world.secret("the first API token", token.trim());
        Ok(world)
    }

    /// Returns the current metrics page.
    ///
    /// # Errors
    ///
    /// Fails if the instance logs no metrics address or does not answer.
    pub async fn metrics(&self) -> Result<String> {
        let log = std::fs::read_to_string(self.instance.log_file())?;
        let address = log.lines().rev().find_map(|line| line.strip_prefix("metrics: "));
        let address = address.context("it says where its metrics are")?;
        #[expect(clippy::disallowed_methods, reason = "it reaches this machine only")]
        let client = reqwest::Client::new();
        Ok(client
            .get(address)
            .send()
            .await?
            .error_for_status()?
            .text()
            .await?)
    }

    /// Stops all parts. If the story failed, the files are kept and the end of the log is printed.
    ///
    /// # Errors
    ///
    /// Returns the error of the story, or that a part did not stop.
    pub async fn close(mut self, result: Result<()>) -> Result<()> {
        let stopped = self.instance.stop().await;
        let leftovers = self.instance.end_leftovers();
        let ended = self.practice.stop().await;
        if result.is_err() {
            let log = std::fs::read_to_string(self.instance.log_file()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("kept: {}\nthe log ends:\n{end}", self.folder.keep().display());
        }
        result?;
        stopped?;
        ended?;
        ensure!(leftovers == 0, "{leftovers} processes outlived the instance");
        Ok(())
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Opens a separate connection to the instance's database.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be reached.
    pub async fn database(&self) -> Result<Database> {
        Database::open(&self.database_url).await
    }

    /// Starts the instance again.
    ///
    /// # Errors
    ///
    /// Fails if it does not start.
    pub async fn restart(&mut self) -> Result<()> {
        let mut tries = 1;
        while let Err(error) = self.instance.start().await {
            if tries == STARTS {
                return Err(error);
            }
            tries += 1;
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    /// Registers a secret that must not be found anywhere.
    pub fn secret(&self, name: &str, secret: &str) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.push((name.to_owned(), secret.to_owned()));
    }

    pub fn secrets(&self) -> Vec<(String, String)> {
        self.secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn pages(&self) -> Vec<(String, String)> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches a signed address and stores the answer as a page for the canary search.
    ///
    /// # Errors
    ///
    /// Fails if the address does not work.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>> {
        let answer = reqwest::get(url).await?.error_for_status()?.bytes().await?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        self.pages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((format!("page {url}"), text));
        Ok(answer.to_vec())
    }

    /// Returns a new photo, as a phone would take it.
    ///
    /// # Errors
    ///
    /// Never fails in practice.
    pub fn photo(&self) -> Result<Vec<u8>> {
        photos::jpeg(self.seeds.fetch_add(1, Ordering::Relaxed), 300, 400)
    }

    /// Returns complete input for a listing.
    pub fn content(&self, title: &str) -> ListingInput {
        contents::whole(title, vec![self.photo_id.clone()])
    }

    /// Creates a listing that can be published.
    ///
    /// # Errors
    ///
    /// Fails if the listing is refused.
    pub async fn listing(&self, account: &Account, title: &str) -> Result<Listing> {
        let request = CreateListingRequest {
            account_id: account.id.clone(),
            listing: Some(self.content(title)),
            ..Default::default()
        };
        Ok(self.client.listings().create(request).await?)
    }

    /// Creates and prepares a listing. Returns the confirmation that its job awaits.
    ///
    /// # Errors
    ///
    /// Fails if the job does not reach that state.
    pub async fn prepared(
        &self,
        account: &Account,
        title: &str,
    ) -> Result<(Listing, PublishJob, Confirmation)> {
        let listing = self.listing(account, title).await?;
        let job = self.client.publish().prepare(&listing.id).await?;
        let (job, confirmation) = self.ready(&job.id).await?;
        Ok((listing, job, confirmation))
    }

    /// Waits until a job awaits its confirmation.
    ///
    /// # Errors
    ///
    /// Fails if the job ends in another state.
    pub async fn ready(&self, job_id: &str) -> Result<(PublishJob, Confirmation)> {
        let job = self.settled(job_id, State::AwaitingConfirmation).await?;
        let confirmation = job
            .confirmation
            .clone()
            .context("the job shows no confirmation")?;
        self.secret("a confirm token", &confirmation.confirm_token);
        Ok((job, confirmation))
    }

    /// Waits until a job makes no further progress without a caller, and checks its state.
    ///
    /// # Errors
    ///
    /// Fails if the state differs, or if the job does not settle in time.
    pub async fn settled(&self, job_id: &str, wanted: State) -> Result<PublishJob> {
        let patience = if self.is_browser {
            BROWSER_PATIENCE
        } else {
            PATIENCE
        };
        let settled = timeout(patience, self.client.publish().settled(job_id)).await;
        let job = match settled {
            Ok(job) => job?,
            Err(_) => bail!(
                "job {job_id} does not settle: {:?}",
                self.client.publish().get(job_id).await?
            ),
        };
        if job.state() != wanted {
            let (state, reason) = (job.state().as_str_name(), job.reason().as_str_name());
            bail!(
                "job {job_id} is {state} instead of {}: {} ({reason})",
                wanted.as_str_name(),
                job.reason_message
            );
        }
        Ok(job)
    }

    /// Waits until a job reaches this state, even briefly.
    ///
    /// # Errors
    ///
    /// Fails if it does not in time.
    pub async fn passes_through(&self, job_id: &str, wanted: State) -> Result<()> {
        let until = Instant::now() + BROWSER_PATIENCE;
        loop {
            let job = self.client.publish().get(job_id).await?;
            if job.state() == wanted {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "job {job_id} never came by {}: {job:?}",
                wanted.as_str_name()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns the published items of this title from the site's records.
    ///
    /// # Errors
    ///
    /// Fails if the site does not answer.
    pub async fn published(&self, title: &str) -> Result<Vec<Item>> {
        let records = self.site.records(0).await?;
        let items = records.iter().filter_map(|record| record.published());
        Ok(items.filter(|item| item.title == title).cloned().collect())
    }

    /// Scripts the site's answer to the next requests of this kind about the title, or about any item.
    ///
    /// # Errors
    ///
    /// Fails if the site does not understand the rule.
    pub async fn script(&self, on: &str, title: Option<&str>, action: Value) -> Result<()> {
        let mut rule = serde_json::json!({"on": on, "times": 1, "do": action});
        if let Some(title) = title {
            rule["title_contains"] = title.into();
        }
        self.site.add_rule(&rule).await
    }
}

/// Creates an account that only reaches the practice site, and waits until it is connected.
///
/// # Errors
///
/// Fails if it is not connected in time.
pub async fn seller(client: &Client, display_name: &str, limit: i32) -> Result<Account> {
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
            publish_limit_per_minute: Some(limit),
            ..Default::default()
        }),
        update_mask: Some(mask(["publish_limit_per_minute"])),
        ..Default::default()
    };
    client.accounts().update(update).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let account = client.accounts().get(&account.id).await?;
        if !account.member_id.is_empty() {
            return Ok(account);
        }
        ensure!(Instant::now() < until, "the account was not connected");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Settings that shorten all intervals, so that a story takes a minute and not an hour.
fn pace(is_browser: bool) -> Vec<(&'static str, &'static str)> {
    let mut pace = vec![
        ("BROWSER_PACING", "0ms"),
        ("JOBS_BACKOFF", "100ms"),
        ("EFFECTS_SETTLE", "3000ms"),
        ("EFFECTS_SETTLE_POLL", "200ms"),
        ("PUBLISH_PER_MINUTE", "1000"),
        ("CHANGES_PER_MINUTE_ACCOUNT", "1000"),
        ("REPLIES_PER_MINUTE_ACCOUNT", "1000"),
        ("SYNC_NOW_PER_MINUTE", "1000"),
        ("REPLIES_UNDO", "1500ms"),
        ("LOG", "trace"),
        ("METRICS_LISTEN", "127.0.0.1:0"),
    ];
    pace.extend(if is_browser {
        [
            ("JOBS_LEASE", "6000ms"),
            ("JOBS_HEARTBEAT", "1500ms"),
            ("EFFECTS_CLICK_WINDOW", "4000ms"),
            ("EFFECTS_REQUEST_TIMEOUT", "4000ms"),
        ]
    } else {
        [
            ("JOBS_LEASE", "3000ms"),
            ("JOBS_HEARTBEAT", "800ms"),
            ("EFFECTS_CLICK_WINDOW", "1000ms"),
            ("EFFECTS_REQUEST_TIMEOUT", "2500ms"),
        ]
    });
    pace
}
