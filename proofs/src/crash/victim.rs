//! The instance that is killed: told at which stage to halt, killed there, and started again on the same folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_sdk::{Client, RetryPolicy};
use vintedbot_worker::Stage;

use crate::instance::{Browser, Instance, Setup};

/// Starts that may fail because a passing connection has the instance's port.
const STARTS: usize = 4;
const BETWEEN_STARTS: Duration = Duration::from_millis(700);

/// How long things take in the killed process; the same names as its settings, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub lease_ms: i64,
    pub heartbeat_ms: i64,
    pub click_window_ms: i64,
    pub request_timeout_ms: i64,
    pub settle_ms: i64,
    pub settle_poll_ms: i64,
}

impl Pace {
    /// For the driver without a browser.
    pub const BROWSERLESS: Self = Self {
        lease_ms: 1_200,
        heartbeat_ms: 300,
        click_window_ms: 500,
        request_timeout_ms: 700,
        settle_ms: 3_000,
        settle_poll_ms: 150,
    };
    /// For Chromium, which takes longer for everything.
    pub const BROWSER: Self = Self {
        lease_ms: 5_000,
        heartbeat_ms: 1_000,
        click_window_ms: 4_000,
        request_timeout_ms: 4_000,
        settle_ms: 8_000,
        settle_poll_ms: 500,
    };

    /// The time after a kill from which on a successor may act.
    pub fn successor_after_ms(&self) -> i64 {
        self.lease_ms.max(self.click_window_ms + self.request_timeout_ms)
    }

    fn settings(&self) -> [(&'static str, i64); 14] {
        [
            ("LEASE_MS", self.lease_ms),
            ("HEARTBEAT_MS", self.heartbeat_ms),
            ("CLICK_WINDOW_MS", self.click_window_ms),
            ("REQUEST_TIMEOUT_MS", self.request_timeout_ms),
            ("SETTLE_MS", self.settle_ms),
            ("SETTLE_POLL_MS", self.settle_poll_ms),
            ("BACK_OFF_MS", 100),
            ("PACING_MS", 0),
            // Budgets have a test of their own.
            ("PUBLISH_PER_MINUTE", 100_000),
            ("PUBLISH_PER_MINUTE_ACCOUNT", 100_000),
            ("CHANGES_PER_MINUTE_ACCOUNT", 100_000),
            ("REPLIES_PER_MINUTE_ACCOUNT", 100_000),
            ("SYNC_NOW_PER_MINUTE", 100_000),
            ("REPLY_UNDO_MS", 0),
        ]
    }
}

/// An instance that is killed over and over.
pub struct Victim {
    instance: Instance,
    pub client: Client,
    /// Where it says that it has halted.
    crash_file: PathBuf,
    pub armed: Option<Stage>,
    /// When it was ready last, in UTC milliseconds.
    pub ready_time: i64,
}

impl Victim {
    /// Starts an instance in `folder`, with nothing in its way.
    pub async fn start(
        folder: &Path,
        practice_url: &str,
        browser: Browser,
        pace: Pace,
        failpoints: &str,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut settings: Vec<(String, String)> = pace
            .settings()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.to_string()))
            .collect();
        settings.push(("LOG".to_owned(), "warn".to_owned()));
        settings.push(("WEBHOOK_ALLOWED_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()));
        settings.push(("FAILPOINTS".to_owned(), failpoints.to_owned()));
        let crash_file = folder.join("halted");
        settings.push(("CRASH_FILE".to_owned(), crash_file.display().to_string()));
        let setup = Setup {
            data_dir: folder.join("data"),
            practice_url: practice_url.to_owned(),
            browser,
            settings,
        };
        let mut instance = Instance::new(setup)?;
        instance.start().await?;
        let client = connect(&instance).await?;
        Ok(Self {
            instance,
            client,
            crash_file,
            armed: None,
            ready_time: SystemClock.now(),
        })
    }

    /// Starts it again, told to halt at `armed`.
    pub async fn restart(&mut self, armed: Option<Stage>) -> Result<()> {
        if self.crash_file.exists() {
            std::fs::remove_file(&self.crash_file)?;
        }
        self.instance.set("CRASH_AT", armed.map_or("", Stage::name));
        self.armed = armed;
        let mut tries = 1;
        while let Err(error) = self.instance.start().await {
            if tries == STARTS {
                return Err(error);
            }
            tries += 1;
            sleep(BETWEEN_STARTS).await;
        }
        self.client = connect(&self.instance).await?;
        self.ready_time = SystemClock.now();
        Ok(())
    }

    /// Whether it has halted at the stage that it was armed with.
    pub fn is_halted(&self) -> bool {
        self.armed.is_some() && self.crash_file.exists()
    }

    /// SIGKILL, to this process alone. Answers with the time of it, in UTC milliseconds.
    pub async fn kill(&mut self) -> Result<i64> {
        if !self.instance.is_running() {
            bail!(
                "the process ended before it was killed; see {}",
                self.instance.log_file().display()
            );
        }
        let time = SystemClock.now();
        self.instance.kill().await?;
        Ok(time)
    }

    /// The database that it left behind.
    pub fn database(&self) -> PathBuf {
        self.instance.database()
    }

    /// Asks it to end, and waits for that.
    pub async fn stop(&mut self) -> Result<()> {
        self.instance.stop().await
    }

    /// Ends what it started and left behind. Says how many processes there were.
    pub fn end_leftovers(&self) -> usize {
        self.instance.end_leftovers()
    }
}

/// A client that makes every call once: a killed server takes its calls with it, and who made them repeats them.
async fn connect(instance: &Instance) -> Result<Client> {
    let client = Client::builder(instance.url()).token_file(instance.token_file());
    let client = client
        .timeout(Duration::from_secs(5))
        .retry(RetryPolicy::never())
        .build()
        .await;
    client.context("the instance cannot be called")
}
