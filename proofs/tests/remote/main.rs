//! A remote browser as an operator sets it up: a real chromedriver that the instance did not start, whose sessions
//! outlive a killed instance; and a grid without a free slot.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use vintedbot_proofs::instance::{Browser, Instance, Practice, Setup};
use vintedbot_proofs::{contents, photos};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{CreateAccountRequest, CreateListingRequest, Listing, account};
use vintedbot_sdk::{Client, ErrorReason, Upload};

const PATIENCE: Duration = Duration::from_secs(180);

/// A chromedriver that the test starts.
struct Driver {
    _process: Child,
    url: String,
}

impl Driver {
    async fn start() -> Result<Self> {
        let driver = std::env::var_os("CHROMEDRIVER").map_or_else(|| "chromedriver".into(), PathBuf::from);
        let mut process = Command::new(driver)
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("chromedriver")?;
        let mut lines = BufReader::new(process.stdout.take().context("it is piped")?).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, port)) = line.rsplit_once("successfully on port ") {
                let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self {
                    _process: process,
                    url,
                });
            }
        }
        anyhow::bail!("chromedriver printed no port")
    }

    /// Returns the ids of its sessions.
    async fn sessions(&self) -> Result<Vec<String>> {
        let body: Value = reqwest::get(format!("{}/sessions", self.url))
            .await?
            .json()
            .await?;
        let sessions = body["value"].as_array().context("a list")?;
        Ok(sessions
            .iter()
            .filter_map(|session| session["id"].as_str().map(str::to_owned))
            .collect())
    }
}

struct Stage {
    instance: Instance,
    practice: Practice,
    client: Client,
}

impl Stage {
    async fn open(folder: &Path, driver_url: &str) -> Result<Self> {
        let practice = Practice::start(&folder.join("records.jsonl")).await?;
        let settings = [
            ("WEBDRIVER_URL", driver_url),
            ("BROWSER_PACING", "200ms"),
            ("JOBS_LEASE", "9000ms"),
            ("JOBS_HEARTBEAT", "2000ms"),
            ("EFFECTS_CLICK_WINDOW", "4000ms"),
            ("JOBS_BACKOFF", "500ms"),
        ];
        let mut instance = Instance::new(Setup {
            data_dir: folder.join("data"),
            practice_url: practice.site.url().to_owned(),
            browser: Browser::Required,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        })?;
        instance.start().await?;
        let client = Client::builder(instance.url())
            .token_file(instance.token_file())
            .lazy()?;
        Ok(Self {
            instance,
            practice,
            client,
        })
    }

    async fn listing(&self) -> Result<Listing> {
        let request = CreateAccountRequest {
            display_name: "Sophie".into(),
            market: "fr".into(),
            ..Default::default()
        };
        let account = self.client.accounts().create(request).await?;
        let until = Instant::now() + PATIENCE;
        while self.client.accounts().get(&account.id).await?.state() != account::State::Active {
            ensure!(Instant::now() < until, "the account is not connected");
            sleep(Duration::from_millis(100)).await;
        }
        let picture = Upload::bytes(photos::jpeg(1, 300, 400)?);
        let photo = self
            .client
            .media()
            .upload(picture)
            .await?
            .photo
            .context("a photo")?;
        let request = CreateListingRequest {
            account_id: account.id,
            listing: Some(contents::whole("Sweat gris", vec![photo.id])),
            ..Default::default()
        };
        Ok(self.client.listings().create(request).await?)
    }

    async fn close(mut self) -> Result<()> {
        self.instance.stop().await?;
        self.practice.stop().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_instance_ends_its_session_and_publishes_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let driver = Driver::start().await?;
    let mut stage = Stage::open(folder.path(), &driver.url).await?;
    let listing = stage.listing().await?;
    let job = stage.client.publish().prepare(&listing.id).await?;
    let until = Instant::now() + PATIENCE;
    // The kill comes while the form is filled, which takes several seconds.
    let left = loop {
        if let [only] = driver.sessions().await?.as_slice() {
            break only.clone();
        }
        ensure!(Instant::now() < until, "the form is not begun");
        sleep(Duration::from_millis(50)).await;
    };
    sleep(Duration::from_millis(1_500)).await;
    stage.instance.kill().await?;
    ensure!(
        driver.sessions().await? == [left.clone()],
        "the browser outlives the instance"
    );

    stage.instance.start().await?;
    let publish = stage.client.publish();
    let ready = timeout(PATIENCE, publish.settled(&job.id)).await??;
    ensure!(ready.state() == State::AwaitingConfirmation, "{ready:?}");
    ensure!(driver.sessions().await?.is_empty(), "{left} is left");
    let confirmation = ready.confirmation.context("a confirmation")?;
    publish.confirm(&job.id, &confirmation).await?;
    let published = timeout(PATIENCE, publish.settled(&job.id)).await??;
    ensure!(published.state() == State::Published, "{published:?}");
    // The outcome is stored before the browser quits.
    while !driver.sessions().await?.is_empty() {
        ensure!(Instant::now() < until, "a browser is left");
        sleep(Duration::from_millis(50)).await;
    }
    let records = std::fs::read_to_string(folder.path().join("records.jsonl"))?;
    let published = records.matches("\"item_published\"").count();
    ensure!(published == 1, "published {published} times");
    stage.close().await
}

/// Starts a grid without a free slot. Returns its address and the number of session requests.
async fn full_grid() -> Result<(String, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (url, asked) = (
        format!("http://{}", listener.local_addr()?),
        Arc::new(AtomicUsize::new(0)),
    );
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let body = r#"{"value":{"error":"session not created","message":"Could not start a new session. No free slot","stacktrace":""}}"#;
            let answer = format!(
                "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
            let mut request = [0; 16 * 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ok((url, asked))
}

#[tokio::test(flavor = "multi_thread")]
async fn full_grid_is_shown_on_the_job_and_retried_with_backoff() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (url, asked) = full_grid().await?;
    let stage = Stage::open(folder.path(), &url).await?;
    let listing = stage.listing().await?;
    let job = stage.client.publish().prepare(&listing.id).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let waiting = stage.client.publish().get(&job.id).await?;
        let says_so = waiting.reason() == ErrorReason::BrowserUnavailable
            && waiting.reason_message.contains("WEBDRIVER_URL")
            && waiting.reason_message.contains("No free slot");
        if says_so {
            break;
        }
        ensure!(Instant::now() < until, "the job does not say so: {waiting:?}");
        sleep(Duration::from_millis(50)).await;
    }
    let first = asked.load(Ordering::Relaxed);
    sleep(Duration::from_secs(4)).await;
    let later = asked.load(Ordering::Relaxed);
    // The pauses are 0.5, 1 and 2 seconds.
    ensure!(later > first && later <= first + 4, "{first}, then {later}");
    stage.close().await
}
